"""A class graded, from what was handed in to the files that a teacher uploads.

Each submission's result is written as soon as it is there, with a key of
all that it hangs on: what was handed in, the released notebook, the code
that judges, the seed of the hidden inputs. A grading that was ended goes on
where it was, and runs only what has changed. Points come from the rubric at
the end, so that a mended one needs no run.
"""

import json
import os
import secrets
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from musiclab.course.parameters import EXHAUSTED, NOTEBOOKS, read_notebook, read_parameters
from musiclab.errors import GradingError, ReleaseError
from musiclab.files import output_folder, read_regular, shown, write_json
from musiclab.grading.collecting import MOST_BYTES, collect
from musiclab.grading.delivering import deliver
from musiclab.grading.lms import fill_canvas, fill_worksheet, submission_times
from musiclab.grading.release import EXERCISES, solutions
from musiclab.grading.reporting import OWN_FAULT, Graded, people
from musiclab.grading.restoring import backbone_of, restore
from musiclab.grading.results import OUTPUTS, ItemResult, RunResult
from musiclab.grading.rubric import Rubric, check_rubric, items_of, read_rubric
from musiclab.progress import progress

PACKAGE = Path(__file__).parents[1]
STATE = "calificacion.json"
# What of this room has no say in what a run gives.
REPORTS_ONLY = (
    "__init__",
    "collecting",
    "delivering",
    "grade",
    "leaks",
    "lms",
    "release",
    "reporting",
    "rubric",
)
WATCH, TICK_S = "musiclab-vela", 0.5


@dataclass(frozen=True)
class Assignment:
    """What a class was asked for.

    stem: such as `02_representar_la_musica`; backbone: the released cells
    parameters: {name: default} of its parameters cell
    """

    stem: str
    backbone: tuple
    rubric: Rubric
    parameters: dict
    digest: str

    @property
    def title(self):
        """Return the notebook's heading."""
        headings = (cell.source for cell in self.backbone if cell.source.startswith("# "))
        first = next(headings, "").partition("\n")[0]
        return first.removeprefix("# ").strip() or self.stem


def load_assignment(name, root=NOTEBOOKS):
    """Return the Assignment of a number or name; raise GradingError where something is missing."""
    try:
        (source,) = solutions([name], root)
    except ReleaseError as error:
        raise GradingError(str(error)) from error
    path, rubric_path = Path(root) / EXERCISES / source.name, source.with_suffix(".yaml")
    for one in (path, rubric_path):
        if not one.is_file():
            raise GradingError(f"no existe «{shown(one.name)}»; ejecuta make release, que lo hace")
    rubric, released = read_rubric(rubric_path), read_notebook(path)
    check_rubric(rubric, released, rubric_path)
    return _assignment(source.stem, path, released, rubric)


def _assignment(stem, path, released, rubric):
    digest = sha256(path.read_bytes()).hexdigest()
    return Assignment(stem, backbone_of(released), rubric, read_parameters(path), digest)


@dataclass(frozen=True)
class Task:
    """All that one process needs to run one submission."""

    id: str
    data: bytes
    key: str
    assignment: Assignment
    seed: int
    notebook_seed: int
    isolation: str
    path: Path


def grade(
    submissions,
    name,
    out,
    trust=False,
    worksheet=None,
    canvas=None,
    n_jobs=-1,
    seed=None,
    judge=None,
    root=NOTEBOOKS,
    show=print,
):
    """Grade a class; return a list of Graded, and write all files into `out`.

    submissions: a folder or a zip, see `collecting`; name: of the assignment
    trust: run without isolation what comes from those whom the teacher trusts
    worksheet, canvas: the teacher's files, which come back filled in
    n_jobs: processes at once, -1 for all cores
    seed: of the hidden inputs; without it the one that `out` has, or a new one
    judge: in place of `judging.judge`, for tests
    show: what takes Spanish sentences on the way

    Raises GradingError for what cannot be graded, and where the machine isolates nothing.
    """
    assignment = load_assignment(name, root)
    # A wrong file is better heard of now than when all has run.
    times = submission_times(worksheet) if worksheet else {}
    if worksheet:
        fill_worksheet(worksheet, ())
    if canvas:
        fill_canvas(canvas, (), assignment.stem)
    handed_in = collect(submissions, assignment.stem)
    folder = output_folder(out)
    seed = _seed(folder, assignment.stem, seed)
    isolation = "none" if trust else "bubblewrap"
    if judge is None and not trust:
        check_isolation()
    tasks = [_task(one, assignment, seed, isolation, folder) for one in handed_in]
    todo = [
        task
        for one, task in zip(handed_in, tasks, strict=True)
        if not one.problem and not _is_done(task, assignment)
    ]
    show(_plan(len(tasks), len(todo)))
    _run(todo, judge, n_jobs)
    class_ = [
        _graded(one, task, assignment, times) for one, task in zip(handed_in, tasks, strict=True)
    ]
    for sentence in deliver(class_, assignment, folder, worksheet, canvas):
        show(sentence)
    return class_


def check_isolation():
    """Raise GradingError, with the remedy, where this machine cannot isolate."""
    from musiclab.grading.box import check_machine

    machine = check_machine()
    if not machine.isolates:
        raise GradingError(
            f"este equipo no puede aislar las entregas ({'; '.join(machine.sentences)}); corrige en "
            "Linux, en WSL2 o en Docker, o, si te fías de todas, añade --trust-submissions"
        )


def check_own(path, name, root=NOTEBOOKS, judge=None):
    """Return (RunResult, notes) of a student's own notebook, with the seed that the notebook shows.

    As a teacher's grader restores, runs and judges it, isolated where the machine can.
    Raises GradingError where there is nothing to run.
    """
    released_path = _released_path(name, root)
    released = read_notebook(released_path)
    rubric = Rubric(items_of(released))
    assignment = _assignment(released_path.stem, released_path, released, rubric)
    try:
        data = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise GradingError(
            f"no se puede leer «{shown(path)}»; abre tu copia del curso con musiclab lab"
        ) from error
    isolation = "none"
    if judge is None:
        from musiclab.grading.box import check_machine

        isolation = check_machine().isolation
    seed = assignment.parameters.get("SEED", 0)
    task = Task("tuya", data, "", assignment, seed, seed, isolation, Path(path))
    restored = _restored(task)
    if restored.problem:
        raise GradingError(f"«{shown(path)}»: {restored.problem}")
    return _judged(task, restored, judge), restored.notes


def _released_path(name, root):
    found = sorted((Path(root) / EXERCISES).glob("*.ipynb"))
    for path in found:
        if name == path.stem or path.name.startswith(f"{name}_"):
            return path
    known = ", ".join(path.stem for path in found) or "ninguno"
    raise GradingError(f"no existe el cuaderno de ejercicios «{name}»; los que hay son {known}")


# What has been done, and what has not


def _seed(folder, stem, seed):
    """Return the seed of the hidden inputs, and keep it with the assignment's name."""
    path = folder / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        known, known_seed = str(state["assignment"]), int(state["seed"])
    except FileNotFoundError:
        known, known_seed = stem, secrets.randbelow(2**32)
    except (OSError, ValueError, TypeError, KeyError, *EXHAUSTED) as error:
        raise GradingError(
            f"«{shown(path)}» está dañado; bórralo o elige otra carpeta para --out"
        ) from error
    if known != stem:
        raise GradingError(f"en «{shown(folder)}» están las notas de {known}; elige otra carpeta")
    seed = known_seed if seed is None else seed
    write_json(path, {"assignment": stem, "seed": seed})
    return seed


def _task(one, assignment, seed, isolation, folder):
    # The seed that the notebook sees says nothing of that of the hidden inputs.
    inside = int.from_bytes(sha256(f"{seed} {one.id}".encode()).digest()[:4])
    code = code_digest(sorted({item.module for item in assignment.rubric.items}))
    parts = (sha256(one.data).hexdigest(), assignment.digest, code, str(seed), isolation)
    key = sha256("\n".join(parts).encode()).hexdigest()
    path = folder / "results" / f"{one.id}.json"
    return Task(one.id, one.data, key, assignment, seed, inside, isolation, path)


_DIGESTS = {}


def code_digest(modules):
    """Return a digest of the code that judges: of this room, and of some modules of exercises."""
    names = tuple(modules)
    if names not in _DIGESTS:
        judging = sorted(
            p for p in (PACKAGE / "grading").glob("*.py") if p.stem not in REPORTS_ONLY
        )
        core = ("calling", "comparing", "exercise", *names)
        files = [*judging, *(PACKAGE / "exercises" / f"{one}.py" for one in core)]
        parts = [path.read_bytes() for path in files if path.is_file()]
        _DIGESTS[names] = sha256(b"\0".join(parts)).hexdigest()
    return _DIGESTS[names]


def _is_done(task, assignment):
    """Whether a submission's result is there, for the same key and all items."""
    try:
        result = json.loads(task.path.read_text(encoding="utf-8"))
        run = _run_result(result["run"]) if result["run"] else None
    except (OSError, ValueError, TypeError, KeyError, *EXHAUSTED):
        return False
    if result.get("key") != task.key:
        return False
    wanted = {item.grade_id for item in assignment.rubric.items}
    return run is None or (
        wanted <= {one.grade_id for one in run.items}
        # The grader's own fault is tried again.
        and all(one.points is not None for one in run.items)
    )


def _run_result(data):
    items = tuple(ItemResult(**one) for one in data["items"])
    return RunResult(**data | {"items": items, "errors": tuple(data["errors"])})


def _plan(n_all, n_todo):
    if n_todo == n_all:
        return f"{people(n_all)}."
    return f"{people(n_all)}; {n_all - n_todo} no han cambiado y no se repiten."


# Running


def _run(todo, judge, n_jobs):
    """Run some tasks on all cores; each writes its own result."""
    import joblib

    if not todo:
        return
    for leftover in todo[0].path.parent.glob(".*.tmp-*"):
        with suppress(OSError):
            leftover.unlink()
    from joblib.externals.loky.process_executor import BrokenProcessPool

    parallel = joblib.Parallel(n_jobs=min(n_jobs, len(todo)), return_as="generator_unordered")
    done = parallel(joblib.delayed(_in_worker)(task, judge, os.getpid()) for task in todo)
    bar = progress(done, "Calificando", "entrega", total=len(todo))
    try:
        for name in bar:
            bar.set_postfix_str(name, refresh=False)
    except BrokenProcessPool as error:
        raise GradingError(
            "un proceso del corrector se ha cerrado, quizá por falta de memoria; repite la orden con "
            "--jobs 1: sigue donde estaba"
        ) from error


def _in_worker(task, judge, parent):
    """Run one submission in another process, which ends with the one that asked for it."""
    if os.getppid() == parent and not any(t.name == WATCH for t in threading.enumerate()):

        def watch():
            while os.getppid() == parent:
                time.sleep(TICK_S)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, name=WATCH, daemon=True).start()
    return run_one(task, judge)


def run_one(task, judge=None):
    """Run one submission and write its result; return its id. A fault of ours is in the result."""
    try:
        restored = _restored(task)
        run = None if restored.problem else _judged(task, restored, judge)
        about = {"notes": restored.notes, "problem": restored.problem, "written": restored.written}
    except Exception as error:  # the grader's own fault, which is no student's
        said = str(error)[:200]
        reason = said if isinstance(error, GradingError) else f"{type(error).__name__}: {said}"
        run, about = _fault(task.assignment.rubric.items, task.isolation, reason), {}
    result = {"id": task.id, "key": task.key, "run": asdict(run) if run else None, **about}
    hashes = {"submission": sha256(task.data).hexdigest(), "released": task.assignment.digest}
    write_json(task.path, result | {"hashes": hashes, "seed": task.seed})
    return task.id


def _restored(task):
    chosen = {"SEED": task.notebook_seed, "OUTPUT_DIR": OUTPUTS}
    known = {k: v for k, v in chosen.items() if k in task.assignment.parameters}
    return restore(task.assignment.backbone, task.data, known)


def _judged(task, restored, judge):
    if judge is None:
        from musiclab.grading.judging import judge
    items = task.assignment.rubric.items
    return judge(list(restored.cells), items, task.seed, isolation=task.isolation)


def _fault(items, isolation, reason):
    failed = [_none(item, reason) for item in items]
    return RunResult(tuple(failed), isolation, False, "corrector")


def _none(item, reason):
    return ItemResult(item.grade_id, None, item.points, OWN_FAULT, reason)


# Marks


def _graded(one, task, assignment, times):
    """Return the Graded of a submission from its result on the disk."""
    rubric = assignment.rubric
    hints = {item.grade_id: item.hint for item in rubric.items if item.hint}
    made = Graded(
        one.id, one.name, one.lms, one.file, None, None, rubric.total, hints=hints, notes=one.notes
    )
    if one.problem:
        points = None if one.own_fault else 0.0
        return replace(made, points=points, problem=one.problem)
    result = json.loads(task.path.read_text(encoding="utf-8"))
    notes = (*one.notes, *result.get("notes", ()))
    made = replace(made, notes=notes, written=tuple(result.get("written", ())))
    if result["run"] is None:
        return replace(made, points=0.0, problem=result["problem"])
    run = rubric.mark(_run_result(result["run"]))
    points = [item.points for item in run.items]
    lost = 0.0
    if rubric.late:
        when = times.get(one.id, "") if one.lms == "moodle" else ""
        if not when and one.when:
            when = one.when
            made = replace(made, notes=(*notes, f"Hora de entrega, la del fichero: {when}."))
        lost = rubric.late.share_lost(when, one.late)
    total = None if None in points else round(sum(points) * (1 - lost), 4)
    return replace(made, run=run, points=total, lost=lost)
