"""A class graded, from what was handed in to the files that a teacher uploads.

Each submission's result is written as soon as it is there, with a key of
all that it hangs on: what was handed in, the released notebook, the code
that judges, the seed of the hidden inputs. A grading that was ended goes on
where it was, and runs only what has changed. Points come from the rubric at
the end, so that a mended one needs no run.
"""

import json
import secrets
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from musiclab.course.parameters import EXHAUSTED, NOTEBOOKS, read_notebook, read_parameters
from musiclab.errors import GradingError
from musiclab.files import output_folder, read_regular, shown, write_json
from musiclab.grading.collecting import MOST_BYTES, Submission, collect
from musiclab.grading.confining import sweep
from musiclab.grading.delivering import deliver
from musiclab.grading.lms import fill_canvas, fill_worksheet, submission_times
from musiclab.grading.machine import check_machine
from musiclab.grading.release import EXERCISES, solutions
from musiclab.grading.reporting import Graded, people
from musiclab.grading.results import ItemResult, RunResult
from musiclab.grading.rubric import Rubric, items_of, read_rubric
from musiclab.grading.running import (
    Assignment,
    Task,
    code_digest,
    judged,
    restored_of,
    run_all,
)
from musiclab.grading.teams import (
    has_teams,
    numbered,
    read_members,
    spread,
    teams_of,
)

STATE, RESULTS = "calificacion.json", "results"


def load_assignment(name, root=NOTEBOOKS):
    """Return the Assignment of a number or name.

    Raises ReleaseError for a name that is none, and GradingError where something is missing.
    """
    (source,) = solutions([name], root)
    path, rubric_path = Path(root) / EXERCISES / source.name, source.with_suffix(".yaml")
    for one in (path, rubric_path):
        if not one.is_file():
            raise GradingError(f"no existe «{shown(one.name)}»; ejecuta make release, que lo hace")
    released = read_notebook(path)
    rubric = read_rubric(rubric_path, released, read_parameters(path))
    return _assignment(path, released, rubric)


def _assignment(path, released, rubric):
    digest = sha256(path.read_bytes()).hexdigest()
    return Assignment(path.stem, released.cells, rubric, read_parameters(path), digest)


def grade(
    submissions,
    name,
    out,
    trust=False,
    worksheet=None,
    canvas=None,
    teams=None,
    n_jobs=-1,
    cluster=None,
    seed=None,
    judge=None,
    root=NOTEBOOKS,
    show=print,
):
    """Grade a class; return a list of Graded, one a student, and write all files into `out`.

    submissions: a folder or a zip, see `collecting`; name: of the assignment
    trust: run without isolation what comes from those whom the teacher trusts
    worksheet, canvas: the teacher's files, which come back filled in
    teams: a table of who is in which team, where one hands in for all of it
    n_jobs: processes at once, -1 for all cores
    cluster: address of a Dask scheduler whose machines run the notebooks
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
    teams = teams or (worksheet if worksheet and has_teams(worksheet) else None)
    members = read_members(teams) if teams else ()
    if members and worksheet:
        members = numbered(members, worksheet)
    handed_in = collect(submissions, assignment.stem)
    shared = teams_of(handed_in, members, teams) if members else {}
    times = {one.id: times.get(one.id, "") for one in handed_in if one.lms == "moodle"} | {
        # Moodle tells of each member when the team has handed in.
        name: max(times.get(member.number, "") for member in some)
        for name, some in shared.items()
    }
    folder = output_folder(out)
    seed = _seed(folder, assignment.stem, seed)
    isolation = "none" if trust else "bubblewrap"
    if judge is None and not trust and not cluster:
        check_isolation()
    todo = [
        task
        for one in handed_in
        if not one.problem and not _is_done(task := _task(one, assignment, seed, isolation), folder)
    ]
    show(_plan(len(handed_in), len(todo)))
    sweep()
    for leftover in (folder / RESULTS).glob(".*.tmp-*"):
        with suppress(OSError):
            leftover.unlink()
    run_all(todo, judge, n_jobs, cluster, lambda one: write_json(_path(one["id"], folder), one))
    class_ = [_graded(one, assignment, folder, times) for one in handed_in]
    students, said = spread(class_, members, shared, teams) if shared else (class_, [])
    for sentence in [*said, *deliver(class_, students, assignment, folder, worksheet, canvas)]:
        show(sentence)
    return students


def check_isolation():
    """Raise GradingError, with the remedy, where this machine cannot isolate."""
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
    released_path = solutions([name], root, EXERCISES)[0]
    released, defaults = read_notebook(released_path), read_parameters(released_path)
    rubric = Rubric(
        items_of(released), parameters={k: v for k, v in defaults.items() if k == "SEED"}
    )
    assignment = _assignment(released_path, released, rubric)
    try:
        data = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise GradingError(
            f"no se puede leer «{shown(path)}»; abre tu copia del curso con musiclab lab"
        ) from error
    isolation = check_machine().isolation if judge is None else "none"
    task = _task(Submission("tuya", "", data), assignment, defaults.get("SEED", 0), isolation)
    restored = restored_of(task)
    if restored.problem:
        raise GradingError(f"«{shown(path)}»: {restored.problem}")
    return judged(task, restored, judge), restored.notes


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


def _path(name, folder):
    return folder / RESULTS / f"{name}.json"


def _task(one, assignment, seed, isolation):
    parameters = assignment.rubric.parameters_of(one.id, assignment.parameters, seed)
    return Task(one, assignment, seed, parameters, isolation, code_digest())


def _is_done(task, folder):
    """Whether a submission's result is there, for the same key."""
    try:
        result = json.loads(_path(task.submission.id, folder).read_text(encoding="utf-8"))
        run = _run_result(result["run"]) if result["run"] else None
    except (OSError, ValueError, TypeError, KeyError, *EXHAUSTED):
        return False
    if run is None or result.get("key") != task.key:
        return result.get("key") == task.key
    points = {one.grade_id: one.points for one in run.items}
    # The grader's own fault is tried again.
    return {item.grade_id for item in task.items} <= points.keys() and None not in points.values()


def _run_result(data):
    items = tuple(ItemResult(**one) for one in data["items"])
    return RunResult(**data | {"items": items, "errors": tuple(data["errors"])})


def _plan(n_all, n_todo):
    if n_todo == n_all:
        return f"{people(n_all)}."
    return f"{people(n_all)}; {n_all - n_todo} no han cambiado y no se repiten."


# Marks


def _graded(one, assignment, folder, times):
    """Return the Graded of a submission from its result on the disk."""
    rubric = assignment.rubric
    hints = {item.grade_id: item.hint for item in rubric.items if item.hint}
    made = Graded(
        one.id, one.name, one.lms, one.file, None, 0.0, rubric.total, hints=hints, notes=one.notes
    )
    if one.problem:
        return replace(made, points=None if one.own_fault else 0.0, problem=one.problem)
    result = json.loads(_path(one.id, folder).read_text(encoding="utf-8"))
    notes = [*one.notes, *result.get("notes", ())]
    own = {k: v for k, v in result.get("parameters", {}).items() if rubric.is_own(k)}
    made = replace(made, notes=notes, written=result.get("written", ()), parameters=own)
    if result["run"] is None:
        return replace(made, problem=result["problem"])
    run = rubric.mark(_run_result(result["run"]))
    points = [item.points for item in run.items]
    lost = 0.0
    if rubric.late:
        when = times.get(one.id, "")
        if not when and one.when:
            when = one.when
            notes.append(f"Hora de entrega, la del fichero: {when}.")
        lost = rubric.late.share_lost(when, one.late)
    total = None if None in points else round(sum(points) * (1 - lost), 4)
    return replace(made, run=run, points=total, lost=lost)
