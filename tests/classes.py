"""A class of students made in code, and a judge that needs no box."""

import contextlib
import copy
import csv
import importlib
import io
import json
import tempfile
import warnings
import zipfile

from musiclab.course.parameters import NOTEBOOKS
from musiclab.grading.results import ItemResult, RunResult

STEM = "02_representar_la_musica"
SOLVED = json.loads((NOTEBOOKS / "soluciones" / f"{STEM}.ipynb").read_text(encoding="utf-8"))
RELEASED = json.loads((NOTEBOOKS / "ejercicios" / f"{STEM}.ipynb").read_text(encoding="utf-8"))
N_POINTS = 14
WRONG = "def transportar(alturas, semitonos):\n    return [a + semitonos for a in alturas]"


def grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def source_of(cell):
    return "".join(cell["source"])


def is_solution(cell):
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


SOLUTIONS = {grade_id(cell): source_of(cell) for cell in SOLVED["cells"] if is_solution(cell)}


def handed_in(**sources):
    """Return the released notebook with some answers written; without any, with all right ones."""
    notebook = copy.deepcopy(RELEASED)
    for cell in notebook["cells"]:
        if is_solution(cell):
            written = (sources or SOLUTIONS).get(grade_id(cell))
            cell["source"] = written if written is not None else source_of(cell)
    return notebook


def code_cell(source, **more):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], **more}


def honest():
    return handed_in()


def half_done():
    return handed_in(
        clase_de_altura=SOLUTIONS["clase_de_altura"],
        transportar=WRONG,
        pregunta_1="pregunta_1 = 'b'",
    )


def noisy():
    """Warnings, prints and a cell that fails, and all answers right."""
    notebook = handed_in()
    noise = "import sys, warnings\nwarnings.warn('¡ojo!')\nprint('ruido', file=sys.stderr)"
    notebook["cells"].insert(4, code_cell(noise, id="ruido"))
    notebook["cells"].append(code_cell("1 / 0", id="falla"))
    return notebook


def without_metadata():
    """As some editors save it: no ids, no metadata, no kernel, an older format."""
    notebook = handed_in()
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    return {"cells": notebook["cells"], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}


def renamed():
    notebook = handed_in()
    for k, cell in enumerate(notebook["cells"]):
        cell["id"] = f"otra-{k}"
    return notebook


def without_grade_ids():
    notebook = handed_in()
    for cell in notebook["cells"]:
        cell["metadata"].pop("nbgrader", None)
    return notebook


def reordered():
    notebook = handed_in()
    notebook["cells"].reverse()
    return notebook


def retyped():
    notebook = handed_in()
    for cell in notebook["cells"]:
        if is_solution(cell):
            cell["cell_type"] = "markdown"
    return notebook


def copied():
    """The stub is there still, below a copy with the answer; and an older, wrong one above both."""
    notebook = handed_in()
    k = next(k for k, cell in enumerate(notebook["cells"]) if grade_id(cell) == "transportar")
    old, stub = copy.deepcopy(notebook["cells"][k]), copy.deepcopy(notebook["cells"][k])
    old["source"] = WRONG
    stub["source"] = next(source_of(c) for c in RELEASED["cells"] if grade_id(c) == "transportar")
    notebook["cells"][k : k + 1] = [old, notebook["cells"][k], stub]
    return notebook


def in_one_cell():
    """Answers in a cell of the student's own at the top, where nothing is imported yet, and stubs."""
    notebook = handed_in(mi_melodia=SOLUTIONS["mi_melodia"])
    first = [source for name, source in SOLUTIONS.items() if name != "mi_melodia"]
    notebook["cells"].insert(0, code_cell("\n\n".join(first), id="todo"))
    return notebook


def without_checks():
    notebook = handed_in()
    notebook["cells"] = [cell for cell in notebook["cells"] if is_solution(cell)]
    return notebook


def helped():
    """A line added to a cell of ours, a helper below the answer that needs it, checks tampered."""
    notebook = handed_in()
    for k, cell in enumerate(notebook["cells"]):
        if cell["id"] == "setup":
            cell["source"] = source_of(cell) + "\nimport math"
        if grade_id(cell) == "transportar":
            cell["source"] = (
                "def transportar(alturas, semitonos):\n"
                "    return [math.floor(a + semitonos) for a in alturas if cabe(a + semitonos)]"
            )
            k_answer = k
        if grade_id(cell) == "check_transportar":
            cell["source"] = "print('correcto')"
    helper = code_cell("def cabe(altura):\n    return 0 <= altura < 128", id="ayuda")
    notebook["cells"].insert(k_answer + 1, helper)
    return notebook


FULL = {
    "honrada": honest,
    "ruidosa": noisy,
    "sin metadatos": without_metadata,
    "renombrada": renamed,
    "sin grade_id": without_grade_ids,
    "del reves": reordered,
    "en texto": retyped,
    "copiada": copied,
    "en una celda": in_one_cell,
    "sin comprobaciones": without_checks,
    "con ayuda": helped,
}
NO_NOTEBOOK = {
    "rota": b'{"cells": [',
    "vacia": b" \n",
    "lista": b"[1, 2]",
    "numero": b"7",
    "otra cosa": b'{"cells": {"a": 1}}',
    "sin celdas": b'{"cells": []}',
    "binaria": b"\x89PNG\r\n\x1a\n\x00",
    "honda": b"[" * 100_000,
    "numero enorme": b'{"cells": [' + b"1" * 5000 + b"]}",
}


def data_of(notebook):
    return notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()


def write_folder(folder, notebooks, name=f"{STEM}.ipynb"):
    """Write {student: notebook or bytes}, a folder each."""
    for student, notebook in notebooks.items():
        (folder / student).mkdir(parents=True, exist_ok=True)
        (folder / student / name).write_bytes(data_of(notebook))
    return folder


def write_zip(path, files):
    """Write {name of an entry: notebook or bytes}."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, notebook in files.items():
            archive.writestr(name, data_of(notebook))
    return path


def read_table(data, delimiter=","):
    """Return the rows of a CSV file as dicts, as an LMS reads it."""
    text = data.decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def plain_judge(cells, items, seed, isolation="none"):
    """Run the cells in this process; for cells that tests have written."""
    namespace, errors, results = {}, [], []
    with contextlib.ExitStack() as quiet:
        quiet.enter_context(contextlib.chdir(quiet.enter_context(tempfile.TemporaryDirectory())))
        quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
        quiet.enter_context(contextlib.redirect_stderr(io.StringIO()))
        quiet.enter_context(warnings.catch_warnings(action="ignore"))
        for name, source in cells:
            try:
                exec(compile(source, name, "exec"), namespace)
            except Exception as error:
                errors.append(f"{type(error).__name__} en {name}")
        for item in items:
            exercise = importlib.import_module(f"musiclab.exercises.{item.module}").ALL[
                item.grade_id
            ]
            verdict = exercise.check(namespace.get(exercise.name), seed)
            points = item.points if verdict.status == "correcto" else 0.0
            reason = "No da lo que se pide." if verdict.status == "incorrecto" else ""
            results.append(
                ItemResult(
                    item.grade_id,
                    points,
                    item.points,
                    verdict.status,
                    reason,
                    verdict.misconception,
                )
            )
    return RunResult(tuple(results), isolation, True, "", tuple(errors), 0.1)
