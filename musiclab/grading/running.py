"""Submissions judged on all cores of a machine, or of a cluster.

What costs time runs in boxes, which are processes of their own; who judges
waits for them in threads of one process. A result comes back as data and is
written where the grading was started, as soon as it is there. What another
machine needs is in its Task, and the same version of musiclab.
"""

import contextlib
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

from musiclab.errors import GradingError
from musiclab.grading.box import end_all
from musiclab.grading.collecting import Submission
from musiclab.grading.restoring import restore
from musiclab.grading.results import OWN_FAULT, ItemResult, RunResult
from musiclab.grading.rubric import Rubric
from musiclab.progress import progress

PACKAGE = Path(__file__).parents[1]
BAR = "{desc}: {n_fmt} de {total_fmt} |{bar:20}| quedan {remaining}{postfix}"
ANSWERS_WITHIN_S = 20
LONGEST_POSTFIX = 36


@dataclass(frozen=True)
class Assignment:
    """What a class was asked for.

    stem: such as `02_representar_la_musica`; backbone: the released cells
    parameters: {name: default} of its parameters cell
    """

    stem: str
    backbone: list
    rubric: Rubric
    parameters: dict
    digest: str

    @property
    def title(self):
        """Return the notebook's heading."""
        headings = (cell.source for cell in self.backbone if cell.source.startswith("# "))
        first = next(headings, "").partition("\n")[0]
        return first.removeprefix("# ").strip() or self.stem


@dataclass(frozen=True)
class Task:
    """All that is needed to run one submission, here or on another machine.

    submission: as it was collected; assignment: what it is an answer to
    seed: of the hidden inputs; parameters: of the notebook, {name: value}
    code: digest of the code that runs it
    """

    submission: Submission
    assignment: Assignment
    seed: int
    parameters: dict
    isolation: str
    code: str

    @property
    def items(self):
        """Return the items of the rubric."""
        return self.assignment.rubric.items

    @cached_property
    def key(self):
        """Return a name for all that the result hangs on."""
        parts = (
            sha256(self.submission.data).hexdigest(),
            self.assignment.digest,
            self.code,
            self.seed,
            self.isolation,
            self.parameters,
            [(one.grade_id, one.kind, one.file, one.wanted, one.tolerance) for one in self.items],
        )
        return sha256(repr(parts).encode()).hexdigest()


@cache
def code_digest():
    """Return a digest of musiclab's code, which a notebook uses and is judged by."""
    parts = [path.read_bytes() for path in sorted(PACKAGE.rglob("*.py"))]
    return sha256(b"\0".join(parts)).hexdigest()


# All of them


def run_all(tasks, judge, n_jobs, cluster, keep):
    """Run some tasks and hand each result to `keep`, in this thread.

    judge: in place of `judging.judge`, for tests
    n_jobs: boxes at once, -1 for all cores
    cluster: address of a Dask scheduler, or None for this machine

    Raises GradingError where a machine of the cluster is lost.
    """
    if not tasks:
        return
    import joblib

    with _workers(cluster) as lost:
        parallel = joblib.Parallel(
            min(n_jobs, len(tasks)), prefer="threads", return_as="generator_unordered"
        )
        at_once = joblib.effective_n_jobs(parallel.n_jobs)
        done = parallel(joblib.delayed(run_one)(task, judge) for task in tasks)
        waiting = {task.submission.id: task.submission.name for task in tasks}
        bar = progress(done, "Calificando", "entrega", total=len(tasks))
        bar.bar_format = BAR
        bar.set_postfix_str(_at_work(waiting, at_once))
        try:
            for result in bar:
                keep(result)
                del waiting[result["id"]]
                bar.set_postfix_str(_at_work(waiting, at_once), refresh=False)
        except lost as error:
            raise GradingError(
                "un equipo del clúster se ha perdido, quizá por falta de memoria; repite la orden: "
                "sigue donde estaba"
            ) from error


def _at_work(waiting, at_once):
    """Return the names of those at work: they are taken in order."""
    names = ", ".join(list(waiting.values())[:at_once])
    return names if len(names) <= LONGEST_POSTFIX else f"{names[: LONGEST_POSTFIX - 1]}…"


@contextlib.contextmanager
def _workers(cluster):
    """Let joblib use a cluster, where there is one; give the errors that mean a lost machine."""
    if not cluster:
        try:
            yield ()
        except BaseException:  # such as Ctrl-C: no thread is waited for
            end_all()
            raise
        return
    try:
        import distributed
    except ImportError as error:
        raise GradingError(
            'para calificar en un clúster falta Dask; instálalo con pip install "musiclab[cluster]"'
        ) from error
    import joblib

    try:
        client = distributed.Client(cluster, timeout=ANSWERS_WITHIN_S, set_as_default=False)
        client.wait_for_workers(1, timeout=ANSWERS_WITHIN_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise GradingError(
            f"ningún clúster de Dask responde en «{cluster:.80}»; comprueba la dirección, como "
            "tcp://10.0.0.5:8786, y que tiene trabajadores"
        ) from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield distributed.KilledWorker


# One


def run_one(task, judge=None):
    """Run one submission; return its result as plain data. A fault of ours is in it."""
    try:
        if code_digest() != task.code:
            raise GradingError("un equipo del clúster tiene otra versión de musiclab")
        restored = restored_of(task)
        run = None if restored.problem else judged(task, restored, judge)
        about = {"notes": restored.notes, "problem": restored.problem, "written": restored.written}
    except Exception as error:  # the grader's own fault, which is no student's
        said = str(error)[:200]
        reason = said if isinstance(error, GradingError) else f"{type(error).__name__}: {said}"
        run, about = _fault(task, reason), {}
    hashes = {
        "submission": sha256(task.submission.data).hexdigest(),
        "released": task.assignment.digest,
    }
    return {
        "id": task.submission.id,
        "key": task.key,
        "run": asdict(run) if run else None,
        **about,
        "hashes": hashes,
        "seed": task.seed,
        "parameters": task.parameters,
    }


def restored_of(task):
    """Return what is run of a submission, with its task's parameters."""
    return restore(task.assignment.backbone, task.submission.data, task.parameters)


def judged(task, restored, judge=None):
    """Return the RunResult of a restored submission."""
    if judge is None:
        from musiclab.grading.judging import judge
    return judge(list(restored.cells), task.items, task.seed, isolation=task.isolation)


def _fault(task, reason):
    failed = [
        ItemResult(item.grade_id, None, item.points, OWN_FAULT, reason) for item in task.items
    ]
    return RunResult(tuple(failed), task.isolation, False, "corrector")
