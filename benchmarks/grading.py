"""What grading a class costs, beside nbgrader on the same class, in one run.

Copies of a lesson's solutions are graded by `nbgrader autograde`, as its
users run it, and by `musiclab grade`, which also grades them again, and once
more from where a kill has left it. Processor time is that of all processes,
those of boxes too; memory is what all of them use together at most, sampled
a few times a second. Prints all and writes it to benchmarks/results/grading.csv.

    .venv/bin/python benchmarks/grading.py

Needs Linux with bubblewrap.
"""

import argparse
import contextlib
import csv
import ctypes
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from musiclab.course.parameters import NOTEBOOKS
from musiclab.files import write_csv
from musiclab.grading.processes import family, used_memory

RESULTS = Path(__file__).parent / "results"
MACHINE = f"{platform.machine()}, {os.cpu_count()} núcleos, Python {platform.python_version()}"
TASK, SEED = "tarea", "1"
NOTICED_S, SUBREAPER = 0.4, 36


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--lesson", default="02")
    parser.add_argument("--output", type=Path, default=RESULTS / "grading.csv")
    options = parser.parse_args()
    os.environ["MUSICLAB_PROGRESS"] = "off"
    # nbgrader starts a program of its own by name.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Whoever loses its parent becomes a child of this process, which counts its time.
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    (solved,) = (NOTEBOOKS / "soluciones").glob(f"{options.lesson}_*.ipynb")
    with TemporaryDirectory() as folder:
        rows = list(measures(solved, options.copies, Path(folder)))
    for row in rows:
        print("{case:<62} {value:>10.3f} {unit:<4} {ratio:>8.1f}".format(**row))
    write_csv(options.output, [{**row, "machine": MACHINE} for row in rows])


def measures(solved, n, folder):
    """Yield a row of each measure; ratio: how many times better than nbgrader."""
    theirs = _nbgrader(solved, n, folder / "nbgrader")
    submissions = _submissions(solved, n, folder / "entregas", solved.name)
    command = _musiclab("grade", submissions, "--assignment", solved.name[:2], "--seed", SEED)
    ours = _measured([*command, "--out", folder / "notas"])
    table = _full_marks(folder / "notas" / "grades.csv", n, "nota", "maximo")
    for case, one in (("nbgrader autograde", theirs), ("musiclab grade", ours)):
        case, cpu = f"{case}, {n} entregas", theirs.cpu_s / one.cpu_s
        yield _row(f"{case}: procesador por entrega", one.cpu_s / n, "s", cpu)
        yield _row(f"{case}: espera", one.wall_s, "s", theirs.wall_s / one.wall_s)
        yield _row(f"{case}: memoria", one.peak / 1e6, "MB", theirs.peak / one.peak)
    again = _measured([*command, "--out", folder / "notas"])
    yield _row("la misma clase otra vez: espera", again.wall_s, "s", theirs.wall_s / again.wall_s)
    done = _killed([*command, "--out", folder / "otras"], folder / "otras" / "results", n // 3)
    rest = _measured([*command, "--out", folder / "otras"])
    assert (folder / "otras" / "grades.csv").read_bytes() == table
    case = f"muerto con {done} hechas y repetido, las mismas notas: espera"
    yield _row(case, rest.wall_s, "s", theirs.wall_s / rest.wall_s)


def _row(case, value, unit, ratio):
    return {"case": case, "value": value, "unit": unit, "ratio": ratio}


# The class


def _submissions(solved, n, folder, name):
    """Write a folder for each of n students, with solutions that are not quite the same file."""
    notebook = json.loads(solved.read_text(encoding="utf-8"))
    for k in range(n):
        notebook["metadata"]["autor"] = k
        path = folder / f"estudiante{k:02}" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def _nbgrader(solved, n, folder):
    """Return what `nbgrader autograde` takes for n copies, which get full marks."""
    source = folder / "source" / TASK
    source.mkdir(parents=True)
    (source / solved.name).write_bytes(solved.read_bytes())
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")
    run = lambda *words: _command("nbgrader", *words)
    subprocess.run(run("generate_assignment", TASK), cwd=folder, check=True, capture_output=True)
    _submissions(solved, n, folder / "submitted", f"{TASK}/{solved.name}")
    taken = _measured(run("autograde", TASK), folder)
    subprocess.run(run("export"), cwd=folder, check=True, capture_output=True)
    _full_marks(folder / "grades.csv", n, "score", "max_score")
    return taken


def _full_marks(path, n, points, most):
    """Return the bytes of a table of marks; fail unless n students have all of them."""
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [float(row[points]) / float(row[most]) for row in rows] == [1.0] * n
    return path.read_bytes()


def _command(name, *words):
    return [str(Path(sys.executable).with_name(name)), *map(str, words)]


def _musiclab(*words):
    return [sys.executable, "-m", "musiclab", *map(str, words)]


# What a command takes


class Taken:
    """Seconds of processor and of waiting, and the most bytes of all processes of a command."""

    def __init__(self, process):
        self.peak, self._process, self._ended = 0, process, threading.Event()
        self._noticing = threading.Thread(target=self._notice)
        self._start, self._before = time.perf_counter(), _spent()
        self._noticing.start()

    def _notice(self):
        while not self._ended.wait(NOTICED_S):
            with contextlib.suppress(OSError):
                self.peak = max(self.peak, used_memory(family(self._process.pid), 0))

    def stop(self):
        """Wait for the command and all that it has left."""
        failed = self._process.wait()
        self.wall_s = time.perf_counter() - self._start
        self._ended.set()
        self._noticing.join()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        self.cpu_s = _spent() - self._before
        return failed


def _measured(command, folder=None):
    """Return what a command has Taken, which must not fail."""
    with open(os.devnull, "w") as null:
        taken = Taken(subprocess.Popen(command, cwd=folder, stdout=null, stderr=null))
    assert taken.stop() == 0, command
    return taken


def _killed(command, results, n):
    """Kill a command when it has n results or more; return how many there are."""
    taken = Taken(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    count = lambda: len(list(results.glob("[!.]*.json")))
    while count() < n and taken._process.poll() is None:
        time.sleep(0.02)
    taken._process.kill()
    taken.stop()
    return count()


def _spent():
    """Return the processor time of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
