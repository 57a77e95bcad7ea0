"""What students get is made from what their teacher wrote, and shows nothing of it."""

import base64
import copy
import re

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import musiclab.exercises
from musiclab import cli, course
from musiclab.course import runs
from musiclab.errors import MusiclabError, ReleaseError
from musiclab.grading import make_rubrics, release_notebooks, released
from musiclab.grading.leaks import is_telling, like_a_mark

REAL = course.solutions()
MODULE = """
from musiclab.exercises import Exercise, Question

def doblar(alturas):
    return [altura + 12 for altura in alturas]

DOBLAR = Exercise("doblar", doblar, lambda rng: [([60],), (rng.integers(40, 80, 5).tolist(),)])
OTRO = Exercise("otro", doblar, lambda rng: [([60],)])
PREGUNTA = Question("pregunta_1", "b", {"a": "No: es una quinta.", "b": "Sí: es la octava."})
check_doblar, check_pregunta_1, check_suma = DOBLAR.check, PREGUNTA.check, OTRO.check
"""
SOLUTION = '''def doblar(alturas):
    """Sube una octava todas las alturas."""
    ### BEGIN SOLUTION
    octava = 12
    return [altura + octava for altura in alturas]
    ### END SOLUTION'''
QUESTION = """pregunta_1 = None  # "a" o "b"
### BEGIN SOLUTION
pregunta_1 = "b"
### END SOLUTION"""
SECRET = "return [altura + octava for altura in alturas]"


def flags(**chosen):
    usual = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
    return {"nbgrader": usual | chosen}


def solution_cell(name, source):
    return new_code_cell(source, id=name, metadata=flags(grade_id=name, solution=True))


def check_cell(name, points=2, hidden=""):
    source = f"from musiclab.exercises.mini import check_{name}\ncheck_{name}({name}){hidden}"
    meta = flags(grade=True, grade_id=f"check_{name}", locked=True, points=points)
    return new_code_cell(source, id=f"check-{name}", metadata=meta)


def make_solved(folder):
    """Return a notebook of an exercise and a question, as a teacher would write it."""
    parameters = 'SEED: int = 0  # la semilla\nOUTPUT_DIR: str = "../../runs"  # dónde guardar'
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Octavas\n\n`doblar([60])` da `[72]`.", id="titulo"),
            new_code_cell(parameters, id="parametros", metadata={"tags": ["parameters"]}),
            new_code_cell(
                f"import musiclab.exercises\nmusiclab.exercises.__path__.append({str(folder)!r})",
                id="preparacion",
                execution_count=3,
            ),
            solution_cell("doblar", SOLUTION),
            check_cell("doblar"),
            new_markdown_cell("¿A qué distancia suena? a) quinta b) octava", id="enunciado"),
            solution_cell("pregunta_1", QUESTION),
            check_cell("pregunta_1", points=1),
            new_code_cell("doblar([60]) or 'sin respuesta'", id="oir"),
        ]
    )
    notebook.cells[-1].outputs = [new_output("stream", name="stdout", text="[72]")]
    notebook.metadata = {"kernelspec": {"name": "mio", "display_name": "Mi Python 3.11"}}
    return notebook


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a notebook with solutions, and gives its path."""
    (tmp_path / "mini.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(
        musiclab.exercises, "__path__", [*musiclab.exercises.__path__, str(tmp_path)]
    )

    def write(notebook, name="01_octavas.ipynb"):
        path = tmp_path / "cuadernos" / "soluciones" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture
def solved(tmp_path):
    return make_solved(tmp_path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cuadernos"


def cells_of(text):
    return {cell.id: cell for cell in nbformat.reads(text, as_version=4).cells}


# What is made


def test_a_stub_stands_where_the_solution_was(write, solved):
    text = released(write(solved))
    cells = cells_of(text)
    stub = '"""Sube una octava todas las alturas."""\n    # Escribe aquí tu código\n    pass'
    assert cells["doblar"].source == f"def doblar(alturas):\n    {stub}"
    question = 'pregunta_1 = None  # "a" o "b"\n# Escribe aquí tu código\npass'
    assert cells["pregunta_1"].source == question
    assert "octava =" not in text and 'pregunta_1 = \\"b\\"' not in text
    same = [cell for cell in solved.cells if cell.id not in ("doblar", "pregunta_1")]
    assert all(cells[cell.id].source == cell.source for cell in same)


def test_cells_are_locked_counted_and_without_outputs(write, solved):
    notebook = nbformat.reads(released(write(solved)), as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    assert cells["check-doblar"].metadata["editable"] is False
    assert cells["check-doblar"].metadata["nbgrader"]["points"] == 2
    assert cells["doblar"].metadata["deletable"] is False
    assert "editable" not in cells["doblar"].metadata
    for name in ("doblar", "check-doblar", "pregunta_1", "check-pregunta_1"):
        assert re.fullmatch("[0-9a-f]{32}", cells[name].metadata["nbgrader"]["checksum"])
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel}
    assert cells["parametros"].metadata == {"tags": ["parameters"]}


def test_two_runs_give_the_same_bytes(write, solved, root):
    source = write(solved)
    (path,) = release_notebooks(root=root)
    first = path.read_bytes()
    assert path == root / "ejercicios" / source.name
    # What running and saving the solutions leaves behind changes nothing.
    solved.cells[3].execution_count = 8
    solved.cells[3].metadata["execution"] = {"iopub.status.idle": "2026-11-26T10:00:00Z"}
    solved.cells[0].metadata["collapsed"] = True
    solved.metadata["language_info"] = {"name": "python", "version": "3.11.2"}
    write(solved)
    path.unlink()
    assert release_notebooks(["01"], root=root) == [path] and path.read_bytes() == first
    assert release_notebooks(root=root, check=True) == [path]


def test_hidden_checks_are_taken_out(write, solved):
    hidden = "\n### BEGIN HIDDEN TESTS\nassert doblar([1, 2, 3])[2] == 15\n### END HIDDEN TESTS"
    solved.cells[4] = check_cell("doblar", hidden=hidden)
    text = released(write(solved))
    assert "HIDDEN" not in text and "== 15" not in text
    assert cells_of(text)["check-doblar"].source == check_cell("doblar").source


def test_check_tells_what_is_not_up_to_date(write, solved, root):
    write(solved)
    with pytest.raises(ReleaseError, match="make release"):
        release_notebooks(root=root, check=True)
    assert not (root / "ejercicios").exists()
    (path,) = release_notebooks(root=root)
    path.write_bytes(path.read_bytes().replace(b"Octavas", b"Octava"))
    with pytest.raises(ReleaseError, match=r"«ejercicios/01_octavas.ipynb» no es lo que sale"):
        release_notebooks(root=root, check=True)
    release_notebooks(root=root)
    path.with_name("02_vieja.ipynb").write_bytes(path.read_bytes())
    for check in (True, False):
        with pytest.raises(ReleaseError, match=r"02_vieja.*bórralo"):
            release_notebooks(root=root, check=check)
    assert release_notebooks(["01_octavas"], root=root, check=True) == [path]


def test_nothing_is_written_when_one_of_them_is_refused(write, solved, root):
    write(solved)
    leaky = copy.deepcopy(solved)
    leaky.cells[0].source += f"\n\n`{SECRET}`"
    write(leaky, "02_rota.ipynb")
    with pytest.raises(ReleaseError, match="02_rota"):
        release_notebooks(root=root)
    assert not (root / "ejercicios").exists()
    release_notebooks(["01"], root=root)
    assert [path.name for path in (root / "ejercicios").iterdir()] == ["01_octavas.ipynb"]


def test_unknown_number_is_one_sentence(write, solved, root):
    write(solved)
    with pytest.raises(ReleaseError, match=r"«7»; los que hay son 01_octavas"):
        release_notebooks(["7"], root=root)


# Leaks


def set_source(k, old, new):
    def change(notebook):
        assert old in notebook.cells[k].source
        notebook.cells[k].source = notebook.cells[k].source.replace(old, new)

    return change


def put(k, value):
    """Return a function that hides a value in a cell: key by key, then update."""

    def change(notebook):
        for key, inner in value.items():
            notebook.cells[k][key] = inner

    return change


def encoded(text):
    return base64.b64encode(text.encode()).decode()


MISSPELT = {
    "BEGIN SOLUTON": ("### BEGIN SOLUTION", "### BEGIN SOLUTON"),
    "begin solution": ("### BEGIN SOLUTION", "### begin solution"),
    "BEGIN_SOLUTION": ("### BEGIN SOLUTION", "### BEGIN_SOLUTION"),
    "BEGINSOLUTION": ("### BEGIN SOLUTION", "### BEGINSOLUTION"),
    "BEGIN SOLUCIÓN": ("### BEGIN SOLUTION", "### BEGIN SOLUCIÓN"),
    "two hashes": ("### BEGIN SOLUTION", "## BEGIN SOLUTION"),
    "INICIO DE LA SOLUCIÓN": ("### BEGIN SOLUTION", "### Inicio de la solución"),
    "both misspelt": ("SOLUTION", "SOLUTOIN"),
    "END SOLUTIONS": ("### END SOLUTION", "### END SOLUTIONS"),
    "END SOLTION": ("### END SOLUTION", "### END SOLTION"),
    "behind code": ("octava = 12", "octava = 12  ### END SOLUTION"),
    "no END": ("\n    ### END SOLUTION", ""),
    "no BEGIN": ("    ### BEGIN SOLUTION\n", ""),
    "END indented less": ("    ### END", "### END"),
    "both at the margin": ("    ###", "###"),
    "both too far in": ("    ###", "        ###"),
    "twice open": ("    octava", "    ### BEGIN SOLUTION\n    octava"),
    "other kind": ("### END SOLUTION", "### END HIDDEN TESTS"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_marks_that_are_none_are_refused(write, solved, root, name):
    set_source(3, *MISSPELT[name])(solved)
    write(solved)
    with pytest.raises(ReleaseError, match=r"01_octavas.ipynb», celda 4 \(«doblar»\): ") as error:
        release_notebooks(root=root)
    assert "\n" not in str(error.value) and not (root / "ejercicios").exists()


SEEN = {
    "a mark in Markdown": ("1", put(0, {"source": "Texto\n### BEGIN SOLUTION\n42"})),
    "a misspelt mark in Markdown": ("1", put(0, {"source": "Texto\n### BEGIN SOLUTOIN"})),
    "an indented mark in Markdown": ("1", put(0, {"source": "    ### END SOLUTION"})),
    "a mark in a plain cell": ("3", put(2, {"source": "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"})),
    "a mark in a docstring": ("4", set_source(3, "Sube", "### END SOLUTION Sube")),
    "a mark in metadata": ("1", put(0, {"metadata": {"nota": ["### BEGIN SOLUTION"]}})),
    "a mark as a key": ("1", put(0, {"metadata": {"### END SOLUTION": 1}})),
    "a mark in an output": (
        "9",
        put(8, {"outputs": [new_output("stream", name="stdout", text="### BEGIN SOLUTION\n")]}),
    ),
    "hidden tests in a solution": (
        "4",
        set_source(3, "    octava", "    ### BEGIN HIDDEN TESTS\n    octava"),
    ),
    "misspelt hidden tests": (
        "5",
        set_source(4, "check_doblar(doblar)", "### BEGIN HIDEN TESTS\ncheck_doblar(doblar)"),
    ),
    "hidden tests in a plain cell": (
        "3",
        put(2, {"source": "### BEGIN HIDDEN TESTS\nx = 1\n### END HIDDEN TESTS"}),
    ),
    "mark scheme": (
        "6",
        put(5, {"source": "### BEGIN MARK SCHEME\n2 puntos\n### END MARK SCHEME"}),
    ),
    "the solution in Markdown": ("1", put(0, {"source": f"Pista:\n```\n{SECRET}\n```"})),
    "the solution in running text": ("1", put(0, {"source": f"Se hace con `{SECRET}`, claro."})),
    "the solution spaced otherwise": (
        "1",
        put(0, {"source": "return [ altura+octava  for altura in alturas ]"}),
    ),
    "the solution in a plain cell": ("3", put(2, {"source": f"def f(alturas, octava):\n  {SECRET}"})),
    "the solution as a comment": ("3", put(2, {"source": f"# {SECRET}"})),
    "the solution in a raw cell": ("1", put(0, {"cell_type": "raw", "source": SECRET})),
    "the solution in the docstring": ("4", set_source(3, "Sube", f"{SECRET} Sube")),
    "the solution in an output": (
        "9",
        put(8, {"outputs": [new_output("display_data", {"text/html": f"<pre>{SECRET}</pre>"})]}),
    ),
    "the solution in a tag": ("1", put(0, {"metadata": {"tags": [SECRET]}})),
    "the solution in metadata": ("3", put(2, {"metadata": {"a": {"b": [{"c": SECRET}]}}})),
    "the solution in an attachment": (
        "1",
        put(0, {"attachments": {"a.txt": {"text/plain": encoded(f"x\n{SECRET}\n")}}}),
    ),
    "the solution in a data address": (
        "1",
        put(0, {"source": f"![x](data:text/plain;base64,{encoded(SECRET)})"}),
    ),
    "the answer to the question": ("1", put(0, {"source": "Pista: `pregunta_1 = 'b'`"})),
    "the answer in a plain cell": ("3", put(2, {"source": 'pregunta_1 = "b"  # sí'})),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_what_shows_a_solution_is_refused_and_the_cell_named(write, solved, root, name):
    number, change = SEEN[name]
    change(solved)
    if "raw" in name:
        solved.cells[0].pop("outputs", None)
    write(solved)
    with pytest.raises(ReleaseError, match=rf"», celda {number} \(«") as error:
        release_notebooks(root=root)
    assert "\n" not in str(error.value) and not (root / "ejercicios").exists()


def test_solution_in_the_notebooks_metadata_is_refused(write, solved):
    for key, value in (("nota", SECRET), ("kernelspec", {"name": "x", "display_name": SECRET})):
        leaky = copy.deepcopy(solved)
        leaky.metadata[key] = value
        with pytest.raises(ReleaseError, match="el cuaderno: los metadatos enseña"):
            released(write(leaky))


def test_hidden_check_shown_elsewhere_is_refused(write, solved):
    line = "assert doblar([1, 2, 3])[2] == 15"
    hidden = f"\n### BEGIN HIDDEN TESTS\n{line}\n### END HIDDEN TESTS"
    solved.cells[4] = check_cell("doblar", hidden=hidden)
    solved.cells[5].source = f"Se prueba así: `{line}`"
    with pytest.raises(ReleaseError, match=r"celda 6 .*de la solución de «check_doblar»"):
        released(write(solved))


@pytest.mark.parametrize(
    "line, telling",
    [
        (SECRET, True),
        ("return a + b", False),  # shorter than any line that is somebody's own
        ("return suma / cuantas", True),
        ("for a, b in zip(x, x[1:]):", True),
        ("resultado = []", False),
        ("total = 0", False),
        ("for altura in alturas:", False),
        ("return resultado", False),
        ("import numpy as np", False),
        ("from math import log", False),
        ("print(resultado)", False),
        ("else:", False),
        ("", False),
        ("elif altura < mas_grave:", True),
        ('pregunta_1 = "b"', True),
    ],
)
def test_what_everybody_writes_tells_nothing(line, telling):
    assert is_telling(line, "pregunta_1") is telling


@pytest.mark.parametrize(
    "line, cell_type, alike",
    [
        ("x = 1  ## BEGN SOLUTION", "code", True),
        ("#END SOLUTION", "code", True),
        ("# SOLUTION", "code", True),
        ("# solution begin", "code", True),
        ("# Fin de la solución", "code", True),
        ("# comprueba el final", "code", False),
        ("# en la solución", "code", False),
        ("# Solución", "markdown", False),
        ("La solución empieza en do y acaba en sol.", "markdown", False),
        ("Escribe aquí el final de tu solución # 3", "markdown", False),
        ("nombre = 'C#4'  # do sostenido", "code", False),
        ("# inicio y fin de canción", "code", False),
        ("# Escribe aquí tu código", "code", False),
    ],
)
def test_marks_are_told_from_prose(line, cell_type, alike):
    assert like_a_mark(line, cell_type) is alike


# Pairs


def meta(k, **chosen):
    def change(notebook):
        notebook.cells[k].metadata["nbgrader"].update(chosen)
        for key, value in chosen.items():
            if value is None:
                del notebook.cells[k].metadata["nbgrader"][key]

    return change


def drop(k):
    return lambda notebook: notebook.cells.pop(k)


def swap(notebook):
    notebook.cells[3], notebook.cells[4] = notebook.cells[4], notebook.cells[3]


UNMATCHED = {
    "check without its solution": (drop(3), "celda 4 («check_doblar»): no hay encima ninguna"),
    "check above its solution": (swap, "celda 4 («check_doblar»): no hay encima ninguna"),
    "solution without a check": (drop(4), "celda 4 («doblar»): ninguna celda la comprueba"),
    "an id twice": (meta(6, grade_id="doblar"), "«doblar»): el grade_id «doblar» está en dos"),
    "no points": (meta(4, points=None), "celda 5 («check_doblar»): le faltan los puntos"),
    "zero points": (meta(4, points=0), "le faltan los puntos"),
    "points in words": (meta(4, points="dos"), "le faltan los puntos"),
    "no id": (meta(3, grade_id=None), "celda 4 («doblar»): le falta el grade_id"),
    "no module of exercises": (
        set_source(4, "exercises.mini", "exercises.nada"),
        "celda 5 («check_doblar»): musiclab.exercises.nada no tiene la comprobación",
    ),
    "foreign module": (set_source(4, "musiclab.exercises.mini", "os"), "debe decir «from musiclab"),
    "check not called": (set_source(4, "\ncheck_doblar(doblar)", ""), "debe decir"),
    "check of another thing": (set_source(4, "(doblar)", "(pregunta_1)"), "debe decir"),
    "check that does not parse": (set_source(4, "(doblar)", "(doblar"), "no es código de Python"),
    "solution that does not parse": (set_source(3, "octava = 12", "octava ="), "no es código"),
    "solution of another name": (
        set_source(3, "def doblar", "def dobla"),
        "celda 4 («doblar»): la solución no define «doblar»",
    ),
    "solution all between the marks": (
        put(3, {"source": "### BEGIN SOLUTION\ndoblar = None\n### END SOLUTION"}),
        "celda 4 («doblar»): sin la solución ya no define «doblar»",
    ),
    "solution without marks": (
        put(3, {"source": "def doblar(alturas):\n    return alturas"}),
        "celda 4 («doblar»): es una celda de solución sin marcas",
    ),
    "stub without a body": (
        put(3, {"source": SOLUTION.replace("    ### BEGIN", "    if alturas:\n    ### BEGIN")}),
        "celda 4 («doblar»): no es código de Python",
    ),
    "a helper that only the solution has": (
        lambda notebook: (
            set_source(6, "pregunta_1 = \"b\"", "pregunta_1 = \"b\"\nOCTAVA = 12")(notebook),
            set_source(8, "[60]", "[60 + OCTAVA]")(notebook),
        ),
        "celda 9 («oir»): usa «OCTAVA», que solo define la solución de «pregunta_1»",
    ),
    "graded by hand": (meta(3, grade=True, points=1), "ni de solución ni de comprobación"),
    "a task": (meta(3, task=True), "ni de solución ni de comprobación"),
    "metadata that are none": (put(3, {"metadata": {"nbgrader": 3}}), "ni de solución"),
    "strange metadata": (meta(3, color="rojo"), "nbgrader no lo admite"),
    "old metadata": (meta(3, schema_version=1), "nbgrader no lo admite"),
    "no parameters": (drop(1), "sin parámetros"),
    "parameters twice": (
        put(2, {"metadata": {"tags": ["parameters"]}}),
        "celda 3 («preparacion»): es la segunda",
    ),
    "nothing to solve": (
        lambda notebook: notebook.cells.__delitem__(slice(3, 8)),
        "no tiene ninguna celda de solución",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNMATCHED)
def test_cells_that_do_not_fit_are_refused(write, solved, root, name):
    change, answer = UNMATCHED[name]
    change(solved)
    write(solved)
    with pytest.raises(MusiclabError) as error:
        release_notebooks(root=root)
    assert answer in str(error.value) and "01_octavas" in str(error.value)
    assert "\n" not in str(error.value) and not (root / "ejercicios").exists()


def test_check_of_another_exercise_is_refused(write, solved):
    solved.cells[3:5] = [
        solution_cell("suma", SOLUTION.replace("doblar", "suma")),
        check_cell("suma"),
    ]
    solved.cells[-1].source = ""
    with pytest.raises(ReleaseError, match="«check_suma» comprueba el ejercicio «otro»"):
        released(write(solved))


def test_accents_stand_in_names_and_not_in_ids(write, solved):
    for k in (3, 4, 8):
        solved.cells[k].source = solved.cells[k].source.replace("doblar", "dóblár")
    solved.cells[4].source = solved.cells[4].source.replace("check_dóblár", "check_doblar")
    assert "def dóblár" in released(write(solved))


def test_file_that_is_no_notebook_is_one_sentence(write, solved, root):
    write(solved).write_text("nada")
    with pytest.raises(MusiclabError, match="no es un cuaderno"):
        release_notebooks(root=root)


def test_command_says_what_it_made_and_why_not(write, solved, root, monkeypatch):
    for command in (release_notebooks, make_rubrics):
        monkeypatch.setattr(command, "__defaults__", ((), root, False))
    write(solved)
    result = CliRunner().invoke(cli.main, ["release", "--check"])
    assert result.exit_code == 1 and result.output.startswith("Error: «ejercicios/01_octavas")
    result = CliRunner().invoke(cli.main, ["release", "01"])
    assert result.exit_code == 0 and re.match(
        "hecho: .*01_octavas.ipynb\nhecho: .*01_octavas.yaml\n$", result.output
    )
    assert CliRunner().invoke(cli.main, ["release", "--check"]).output.startswith("al día: ")


# Run as students find it


def verdicts(notebook, executed, parameters):
    """Run a notebook to its end; return {grade id of a check: (status, points)}."""
    runs._execute(notebook, executed, parameters)
    found = {}
    for cell in nbformat.read(executed, as_version=4).cells:
        graded = cell.metadata.get("nbgrader", {})
        if graded.get("grade"):
            text = "".join(o.data.get("text/plain", "") for o in cell.outputs if "data" in o)
            status = re.search("pendiente|incorrecto|correcto", text)
            found[graded["grade_id"]] = (status and status.group(), graded["points"])
    return found


def score(found):
    return sum(points for status, points in found.values() if status == "correcto")


def test_untouched_it_runs_and_is_pending_and_solved_it_is_right(write, solved, root, tmp_path):
    source = write(solved)
    (path,) = release_notebooks(root=root)
    untouched = verdicts(path, tmp_path / "a.ipynb", {})
    assert untouched == {"check_doblar": ("pendiente", 2), "check_pregunta_1": ("pendiente", 1)}
    right = verdicts(source, tmp_path / "b.ipynb", {"SEED": 3})
    assert score(right) == 3 and len(right) == 2


# The course's own


def test_ejercicios_are_what_release_would_make():
    assert len(release_notebooks(check=True)) == len(REAL)


@pytest.mark.parametrize("source", REAL, ids=lambda path: path.stem)
def test_untouched_exercises_run_to_their_end_and_score_nothing(source, tmp_path):
    path = source.parents[1] / "ejercicios" / source.name
    found = verdicts(path, tmp_path / "a.ipynb", {"OUTPUT_DIR": str(tmp_path)})
    assert {status for status, _ in found.values()} == {"pendiente"} and score(found) == 0


@pytest.mark.parametrize("source", REAL, ids=lambda path: path.stem)
def test_stored_solutions_score_full(source):
    graded = [
        cell
        for cell in nbformat.read(source, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    shown = [
        "".join(o.data.get("text/plain", "") for o in c.outputs if "data" in o) for c in graded
    ]
    assert graded and all(re.search(": correcto", text) for text in shown), shown
