"""A class graded: collected, put back into its notebook, marked, reported and delivered."""

import io
import json
import os
import re
import shutil
import unicodedata
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import classes
import nbformat
import pytest
from classes import FULL, N_POINTS, NO_NOTEBOOK, RELEASED, STEM, plain_judge, read_table
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from musiclab import cli, course
from musiclab.errors import GradingError, ReleaseError
from musiclab.grading import collecting, grade, lms, make_rubrics, reporting, teams
from musiclab.grading.collecting import collect
from musiclab.grading.restoring import restore
from musiclab.grading.results import ItemResult, RunResult
from musiclab.grading.rubric import Late, items_of, read_rubric

NOTEBOOK = nbformat.read(course.NOTEBOOKS / "ejercicios" / f"{STEM}.ipynb", 4)
BACKBONE = NOTEBOOK.cells
RUBRIC = course.NOTEBOOKS / "soluciones" / f"{STEM}.yaml"
DOCS = course.PROJECT / "docs" / "para_docentes.md"


@pytest.fixture
def root(tmp_path):
    """A course of one assignment, whose rubric may be mended."""
    for folder in ("soluciones", "ejercicios"):
        (tmp_path / "curso" / folder).mkdir(parents=True)
        name = f"{STEM}.ipynb"
        shutil.copy(course.NOTEBOOKS / folder / name, tmp_path / "curso" / folder / name)
    shutil.copy(RUBRIC, tmp_path / "curso" / "soluciones")
    return tmp_path / "curso"


@pytest.fixture
def grading(tmp_path, root):
    """Return a function that grades a class with the plain judge, and what it said."""

    def run(source, judge=plain_judge, **options):
        said = []
        options = {"seed": 7, "root": root, "show": said.append, "trust": True} | options
        class_ = grade(source, "02", tmp_path / "notas", judge=judge, **options)
        return {one.name: one for one in class_}, said

    return run


# Collecting


def test_a_folder_of_folders_is_a_class(tmp_path):
    nb = classes.honest()
    source = classes.write_folder(tmp_path / "e", {"José Ñúñez García": nb, "Ana": nb})
    (source / ".oculta").mkdir()
    (source / "Ana" / "notas.txt").write_text("hola")
    found = collect(source, STEM)
    assert [(one.id, one.name) for one in found] == [
        ("ana", "Ana"),
        ("jose-nunez-garcia", "José Ñúñez García"),
    ]
    assert all(json.loads(one.data)["cells"] and not one.problem for one in found)


def test_a_folder_of_files_is_a_class(tmp_path):
    for name in (f"{STEM}_Ana Pérez.ipynb", f"{STEM} (Luis).ipynb", "eva.ipynb"):
        (tmp_path / name).write_bytes(classes.data_of(classes.honest()))
    assert [one.name for one in collect(tmp_path, STEM)] == ["Ana Pérez", "eva", "Luis"]


@pytest.mark.parametrize(
    ("entry", "number", "name"),
    [
        ("Ana Pérez_101_assignsubmission_file/02.ipynb", "101", "Ana Pérez"),
        ("Ana Pérez_101_assignsubmission_file_/02.ipynb", "101", "Ana Pérez"),
        ("Ana Pérez_101_assignsubmission_file_02_x.ipynb", "101", "Ana Pérez"),
        ("Participante_101_assignsubmission_file/02.ipynb", "101", "Participante 101"),
        ("Participant_7_assignsubmission_file_/02.ipynb", "7", "Participant 7"),
        ("Grupo 3_12_assignsubmission_file/02.ipynb", "12", "Grupo 3"),
        ("Ana_Mar 2_55_assignsubmission_file/sub/02.ipynb", "55", "Ana_Mar 2"),
        ("clase/Ana_101_assignsubmission_file/02.ipynb", "101", "Ana"),
    ],
)
def test_moodles_names_are_known(tmp_path, entry, number, name):
    files = {
        entry: classes.honest(),
        entry.split("_assign")[0] + "_assignsubmission_onlinetext/onlinetext.html": b"<p>hola",
    }
    (one,) = collect(classes.write_zip(tmp_path / "m.zip", files), STEM)
    assert (one.id, one.name, one.lms, one.problem) == (number, name, "moodle", "")


def test_canvas_names_are_known(tmp_path):
    files = {
        "perezana_5501_98765_02_x-1.ipynb": classes.honest(),
        "ruizluis_LATE_5502_98766_02.ipynb": classes.honest(),
    }
    found = collect(classes.write_zip(tmp_path / "c.zip", files), STEM)
    assert [(o.id, o.name, o.lms, o.late) for o in found] == [
        ("5501", "perezana", "canvas", False),
        ("5502", "ruizluis", "canvas", True),
    ]


def test_of_several_versions_the_last_counts_and_it_says_so(tmp_path):
    folder = classes.write_folder(tmp_path, {"Ana": classes.half_done()}) / "Ana"
    (folder / "03_otra.ipynb").write_bytes(b"{}")
    newer = folder / "02_final.ipynb"
    newer.write_bytes(classes.data_of(classes.honest()))
    os.utime(newer, (4e9, 4e9))
    (one,) = collect(tmp_path, STEM)
    assert one.file == "02_final.ipynb"
    assert "3 cuadernos" in one.notes[0] and "cuenta la última, «02_final.ipynb»" in one.notes[1]


def test_what_is_no_plain_file_is_left_out(tmp_path):
    secret = tmp_path / "secreto.ipynb"
    secret.write_bytes(classes.data_of(classes.honest()))
    folder = classes.write_folder(tmp_path / "e", {"Eva": b"x", "Leo": b"y", "Ana": b"z"})
    for name, make in (("Eva", lambda p: p.symlink_to(secret)), ("Leo", os.mkfifo)):
        (folder / name / f"{STEM}.ipynb").unlink()
        make(folder / name / f"{STEM}.ipynb")
    (folder / "Mal").symlink_to(tmp_path, target_is_directory=True)
    (folder / "Ana" / "tarea.zip").write_bytes(b"PK")
    (folder / "Ana" / f"{STEM}.ipynb").unlink()
    found = {one.name: one for one in collect(folder, STEM)}
    assert all(not one.data and one.problem for one in found.values())
    assert "es un enlace" in found["Eva"].notes[0]
    assert "no es un fichero normal" in found["Leo"].notes[0]
    assert "dentro de un zip no se mira" in found["Ana"].problem


def test_a_zip_leads_nowhere_else(tmp_path):
    link = zipfile.ZipInfo("Eva/02.ipynb")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("../../mala.ipynb", "{}")
        archive.writestr("/etc/otra.ipynb", "{}")
        archive.writestr("..\\..\\peor.ipynb", "{}")
        archive.writestr("Ana/02.ipynb", classes.data_of(classes.honest()))
        archive.writestr(link, "/etc/passwd")
    before = sorted(tmp_path.rglob("*"))
    found = {one.name: one for one in collect(tmp_path / "z.zip", STEM)}
    assert [name for name, one in found.items() if one.data] == ["Ana"]
    assert "es un enlace" in found["Eva"].notes[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bomb_costs_its_own_submission(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "MOST_BYTES", 100_000)
    files = {"Ana/02.ipynb": classes.honest(), "Eva/02.ipynb": b"0" * 50_000_000}
    found = {o.name: o for o in collect(classes.write_zip(tmp_path / "z.zip", files), STEM)}
    assert not found["Ana"].problem and "ocupa más de" in found["Eva"].problem


def test_many_names_stay_apart(tmp_path):
    nb = classes.honest()
    names = ("Ana", "ana", "ÁNA", "日本", "中国", "a" * 100)
    found = collect(classes.write_folder(tmp_path, dict.fromkeys(names, nb)), STEM)
    ids = [one.id for one in found]
    assert len(set(ids)) == len(names) and all(re.fullmatch("[a-z0-9-]{1,64}", i) for i in ids)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"no"), lambda path: 0])
def test_what_is_no_class_is_a_sentence(tmp_path, make):
    make(tmp_path / "x.zip")
    with pytest.raises(GradingError, match=r"x\.zip"):
        collect(tmp_path / "x.zip", STEM)


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "MOST_FILES", 3)
    with pytest.raises(GradingError, match="más de 3 ficheros"):
        collect(classes.write_folder(tmp_path, dict.fromkeys("abcde", b"x")), STEM)


# Restoring


def points_of(data, seed=3):
    restored = restore(BACKBONE, data, {"SEED": 5, "OUTPUT_DIR": "salidas"})
    assert restored.problem == ""
    return plain_judge(restored.cells, items_of(NOTEBOOK), seed), restored


@pytest.mark.parametrize("name", FULL)
def test_what_the_code_earned_is_earned_whatever_the_cells_look_like(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = points_of(classes.data_of(FULL[name]()))
    assert {one.grade_id: one.points for one in run.items if one.points != one.max_points} == {}


def test_what_is_not_written_is_pending(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = points_of(classes.data_of(RELEASED))
    assert {one.status for one in run.items} == {"pendiente"}
    run, _ = points_of(classes.data_of(classes.half_done()))
    assert sum(one.points for one in run.items) == 2


def test_what_was_put_right_is_said():
    for make, said in (
        (classes.copied, "está 3 veces"),
        (classes.retyped, "ya no era de código"),
        (classes.in_one_cell, "escrita en otra celda"),
    ):
        _, restored = points_of(classes.data_of(make()))
        assert any(said in note for note in restored.notes), make


def test_fresh_parameters_stand_and_no_check_is_run():
    restored = restore(BACKBONE, classes.data_of(classes.helped()), {"SEED": 5})
    names = [name for name, _ in restored.cells]
    assert names[1] == "parametros-de-la-correccion" and "SEED = 5" in restored.cells[1][1]
    assert not any("check_" in source or "correcto" in source for _, source in restored.cells)


@pytest.mark.parametrize("name", NO_NOTEBOOK)
def test_what_is_no_notebook_is_a_reason(name):
    restored = restore(BACKBONE, NO_NOTEBOOK[name], {})
    assert restored.problem and not restored.cells


def test_strange_cells_are_read_as_far_as_they_go():
    strange = [
        7,
        None,
        {},
        {"source": 3},
        {"source": ["a", 4]},
        {"source": "\ud800", "metadata": 5},
    ]
    strange += [{"cell_type": "code", "source": "x = 1", "metadata": {"nbgrader": [1]}, "id": 9}]
    notebook = classes.honest()
    notebook["cells"] += strange
    run, _ = points_of(classes.data_of(notebook))
    assert sum(one.points for one in run.items) == N_POINTS


# The rubric


def test_a_rubric_is_made_from_its_solution(root):
    path = root / "soluciones" / f"{STEM}.yaml"
    path.unlink()
    with pytest.raises(ReleaseError, match="make release"):
        make_rubrics(root=root, check=True)
    assert make_rubrics(root=root) == [path]
    assert path.read_bytes() == RUBRIC.read_bytes()
    assert read_rubric(path).total == N_POINTS


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("points: 2", "points: dos", "points de «transportar» debe ser un número"),
        ("points: 2", "points: -1", "debe ser un número de 0"),
        ("grade_id: transportar", "grade_id: transportes", "«transportes» no está en el cuaderno"),
        ("grade_id: transportar", "grade_id: a_eventos", "«a_eventos» está dos veces"),
        ("kind: question", "kind: examen", "kind debe ser function, question, artifact"),
        ("items:", "cosas:", "debe tener «items:»"),
        ("points: 2", "puntos: 2", "debe tener grade_id, points, kind y module"),
        ("points: 2", "points: 2\n  partial: {nada: 0.5}", "confusiones conocidas"),
        ("items:", "late: mañana\nitems:", "la regla de lo que llega tarde"),
        ("items:", "items: [", "no es YAML"),
    ],
)
def test_a_rubric_that_does_not_fit_is_a_sentence(root, grading, tmp_path, old, new, said):
    path = root / "soluciones" / f"{STEM}.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    with pytest.raises(GradingError, match=re.escape(said)):
        grading(tmp_path / "e")


def test_a_mended_rubric_needs_no_run(root, grading, tmp_path):
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest(), "Eva": classes.half_done()})
    assert grading(tmp_path / "e")[0]["Eva"].points == 2
    path = root / "soluciones" / f"{STEM}.yaml"
    text = path.read_text().replace("points: 2", "points: 2,5\n  partial: {kept: 0.4}", 1)
    path.write_text(text.replace("hint: ''", "hint: Piensa en <b>12</b>.", 2))

    def never(*_, **__):
        raise AssertionError("it was run")

    class_, said = grading(tmp_path / "e", judge=never)
    assert (class_["Ana"].points, class_["Eva"].points) == (14.5, 3)
    assert "2 no han cambiado" in said[0]
    page = (tmp_path / "notas" / "feedback" / "eva.html").read_text()
    assert "Pista: Piensa en &lt;b&gt;12&lt;/b&gt;." in page and "3 de 14,5" in page


def test_late_is_a_rule(root, grading, tmp_path):
    path = root / "soluciones" / f"{STEM}.yaml"
    rule = "late: {due: 2026-11-20 23:59, per_day: 0.1, most: 0.5}\n"
    path.write_text(path.read_text() + rule)
    late = read_rubric(path).late
    assert [late.share_lost(when) for when in ("", "2026-11-20 23:59:00")] == [0, 0]
    assert late.share_lost("2026-11-21 00:00:00") == 0.1
    assert late.share_lost("2026-11-22 23:58") == pytest.approx(0.2)
    assert late.share_lost("2027-01-01 00:00:00") == 0.5
    assert Late(late.due, 0.2).share_lost("", late=True) == 0.2
    files = {"Ana_101_assignsubmission_file/02.ipynb": classes.honest()}
    files["Eva_102_assignsubmission_file/02.ipynb"] = classes.honest()
    (tmp_path / "hoja.csv").write_text(SPANISH, encoding="utf-8")
    source = classes.write_zip(tmp_path / "m.zip", files)
    class_, _ = grading(source, worksheet=tmp_path / "hoja.csv")
    assert (class_["Ana"].points, class_["Eva"].points) == (14, pytest.approx(14 * 0.8))
    page = (tmp_path / "notas" / "feedback" / "102.html").read_text()
    assert "11,2 de 14 (con un 20 % menos por llegar tarde)" in page


# The pipeline


class Counting:
    """The plain judge, which knows how often it was asked, and may be told to fail."""

    def __init__(self, n_before_end=None, fault=None):
        self.n, self.n_before_end, self.fault = 0, n_before_end, fault

    def __call__(self, cells, items, seed, isolation="none"):
        if self.n == self.n_before_end:
            raise KeyboardInterrupt
        self.n += 1
        if self.fault:
            raise self.fault
        return plain_judge(cells, items, seed, isolation)


def test_the_same_class_is_not_run_again_and_a_killed_one_goes_on(grading, tmp_path):
    whole = dict.fromkeys("abcdef", classes.honest()) | {"g": classes.half_done()}
    classes.write_folder(tmp_path / "e", whole)
    with pytest.raises(KeyboardInterrupt):
        grading(tmp_path / "e", judge=Counting(3))
    assert len(list((tmp_path / "notas" / "results").glob("*.json"))) == 3
    second, third = Counting(), Counting()
    grading(tmp_path / "e", judge=second)
    table = (tmp_path / "notas" / "grades.csv").read_bytes()
    classes.write_folder(tmp_path / "e", {"g": classes.honest()})
    grading(tmp_path / "e", judge=third)
    assert (second.n, third.n) == (4, 1)
    shutil.rmtree(tmp_path / "notas")
    classes.write_folder(tmp_path / "e", {"g": classes.half_done()})
    grading(tmp_path / "e")
    assert (tmp_path / "notas" / "grades.csv").read_bytes() == table


def test_the_graders_own_fault_is_none_and_listed_and_tried_again(grading, tmp_path):
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    class_, said = grading(tmp_path / "e", judge=Counting(fault=OSError("disco <lleno>")))
    assert class_["Ana"].points is None
    assert "Por revisar, sin nota: Ana." in said
    (row,) = read_table((tmp_path / "notas" / "grades.csv").read_bytes())
    assert row["nota"] == row["transportar"] == ""
    assert "disco &lt;lleno&gt;" in (tmp_path / "notas" / "profesor.html").read_text()
    assert "por revisar" in (tmp_path / "notas" / "feedback" / "ana.html").read_text()
    assert grading(tmp_path / "e")[0]["Ana"].points == N_POINTS


def test_a_damaged_result_is_made_again(grading, tmp_path):
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    grading(tmp_path / "e")
    for text in ("", "{}", "[]", '{"key": 1, "run": {"items": [{}]}}'):
        (tmp_path / "notas" / "results" / "ana.json").write_text(text)
        judge = Counting()
        assert grading(tmp_path / "e", judge=judge)[0]["Ana"].points == N_POINTS
        assert judge.n == 1


def test_a_folder_keeps_one_assignment_and_its_seed(tmp_path, root, grading):
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    grading(tmp_path / "e", seed=None)
    state = json.loads((tmp_path / "notas" / "calificacion.json").read_text())
    judge = Counting()
    grading(tmp_path / "e", judge=judge, seed=None)
    assert judge.n == 0 and state["assignment"] == STEM
    (tmp_path / "notas" / "calificacion.json").write_text('{"assignment": "01", "seed": 1}')
    with pytest.raises(GradingError, match="las notas de 01"):
        grading(tmp_path / "e")


def test_what_is_no_notebook_is_a_zero_with_a_reason(grading, tmp_path):
    classes.write_folder(tmp_path / "e", NO_NOTEBOOK | {"bien": classes.honest()})
    class_, _ = grading(tmp_path / "e")
    assert class_.pop("bien").points == N_POINTS
    assert all(one.points == 0 and one.problem and one.run is None for one in class_.values())
    judge = Counting()
    grading(tmp_path / "e", judge=judge)
    assert judge.n == 0


# Pages


class Tags(HTMLParser):
    """All tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


NASTY = '<script>alert(1)</script><img src=x onerror="a()">'


def nasty_judge(cells, items, seed, isolation="none"):
    made = [
        ItemResult(item.grade_id, 0.0, item.points, "incorrecto", NASTY, NASTY) for item in items
    ]
    return RunResult(tuple(made), isolation, False, NASTY, (NASTY,), 1.0)


def test_no_text_of_a_student_becomes_a_tag_or_a_formula(grading, tmp_path):
    names = {"=HYPERLINK(1)": "=1", "<script>alert(1)<": "b", "@SUM(A1)": "c", "-2+3": "d"}
    notebooks = {
        name: classes.handed_in(transportar=f"def transportar(a, b):\n    return '{NASTY}'")
        for name in names
    }
    classes.write_folder(tmp_path / "e", notebooks, name="=02.ipynb")
    grading(tmp_path / "e", judge=nasty_judge)
    pages = [*(tmp_path / "notas" / "feedback").iterdir(), tmp_path / "notas" / "profesor.html"]
    assert len(pages) == 5
    for page in pages:
        tags = Tags(page.read_text())
        assert not tags.seen & {"script", "img", "iframe", "a"} and "onerror" not in tags.attributes
    for row in read_table((tmp_path / "notas" / "grades.csv").read_bytes()):
        risky = [v for v in row.values() if v[:1] in "=+-@" and v]
        assert risky == []


@pytest.mark.parametrize(
    ("text", "guarded"),
    [("=1", True), ("+1+1", True), ("@a", True), (" =1", True), ("-cmd", True), ("\t=1", True)]
    + [(text, False) for text in ("-", "-1,5", "+3", "", "Ana", "2.50", "a=1")],
)
def test_formulas_are_neutralised_and_numbers_stay(text, guarded):
    assert lms.safe(text) == (f"'{text}" if guarded else text)


def test_the_teacher_sees_what_the_class_does(grading, tmp_path):
    copy_ = classes.half_done()
    copy_["cells"][0]["source"] = "otro título"
    whole = {"Ana": classes.honest(), "Eva": classes.half_done(), "Leo": copy_, "Mal": b"{"}
    class_, _ = grading(classes.write_folder(tmp_path / "e", whole))
    page = (tmp_path / "notas" / "profesor.html").read_text()
    assert "de 1 a 2: 2" in page and "de 9 a 10: 1" in page  # the histogram, in words
    for said in ("4 entregas", "sin aislamiento", "está cortado o no es JSON"):
        assert said in page
    assert list(class_) and "Con un 0" in page


def misconceived(cells, items, seed, isolation="none"):
    made = [ItemResult("transportar", 0.5, 2.5, "incorrecto", "Has dejado alturas fuera.", "kept")]
    made += [
        ItemResult(item.grade_id, 0.0, item.points, "incorrecto", "Se detiene.", "exception")
        for item in items
        if item.grade_id != "transportar"
    ]
    return RunResult(tuple(made), isolation, True, "", (), 1.25)


def test_people_read_sentences_and_decimal_commas(root, grading, tmp_path):
    """A known misconception is named only in the line that a rubric takes."""
    path = root / "soluciones" / f"{STEM}.yaml"
    path.write_text(path.read_text().replace("points: 2", "points: 2.5", 1))
    source = classes.write_folder(tmp_path / "e", {"Ana": classes.half_done()})
    grading(source, judge=misconceived)
    page = (tmp_path / "notas" / "profesor.html").read_text()
    assert "Has dejado alturas fuera." in page and "exception" not in page
    assert page.count("kept") == 1 and "<code>partial: {kept: 0.5}</code>" in page
    assert "1,25 s" in page
    student = (tmp_path / "notas" / "feedback" / "ana.html").read_text()
    assert "0,5 / 2,5" in student and "Nota: 0,5 de 14,5" in student
    for text in (page.replace("0.5}", ""), student):
        body = re.sub("<style>.*?</style>|<svg.*?</svg>", "", text, flags=re.DOTALL)
        assert not re.search(r"\d\.\d", body)
    (row,) = read_table((tmp_path / "notas" / "grades.csv").read_bytes())
    assert row["nota"] == row["transportar"] == "0.5"


def test_pairs_that_are_alike_are_hints():
    sources = [
        "\n".join(f"valor_{k} = [{k * n} + x for x in otra({k})]" for k in range(12))
        for n in (1, 5, 9)
    ]
    sources += [sources[0].replace("  ", " ") + "\n# no la he copiado"]
    class_ = [
        reporting.Graded(str(k), str(k), "", "", None, 1.0, 1.0, written=(source,))
        for k, source in enumerate(sources)
    ]
    pairs = [(one.id, other.id) for one, other, _ in reporting.similar_pairs(class_)]
    assert pairs == [("0", "3")]


# What goes back to the LMS

SPANISH = (
    "\ufeffIdentificador,Nombre completo,Dirección de correo,Estado,Calificación,"
    "Calificación máxima,La calificación puede ser cambiada,Última modificación (entrega),"
    "Última modificación (calificación),Comentarios de retroalimentación\r\n"
    'Participante101,Ana Pérez,a@x.es,Enviado,,"10,00",Sí,'
    '"viernes, 20 de noviembre de 2026, 22:15",-,\r\n'
    'Participante102,Eva Ruiz,e@x.es,Enviado,,"10,00",Sí,'
    '"domingo, 22 de noviembre de 2026, 11:59",-,\r\n'
    'Participante103,=Leo,l@x.es,Enviado,"7,00","10,00",No,-,-,\r\n'
    'Participante104,Sin Entrega,s@x.es,No enviado,,"10,00",Sí,-,-,\r\n'
)
ENGLISH = (
    "Identifier,Full name,Email address,Status,Grade,Maximum grade,Marking workflow state,"
    "Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments\n"
    'Participant 101,Ana Pérez,a@x.es,Submitted,,100.00,Graded,Yes,"Friday, 20 November 2026, '
    '10:15 PM",-,\n'
    "Participant 102,Eva Ruiz,e@x.es,Submitted,,100.00,Graded,Yes,-,-,\n"
    "Participant 103,=Leo,l@x.es,Submitted,7.00,100.00,Graded,No,-,-,\n"
    "Participant 104,Sin Entrega,s@x.es,No submission,,100.00,,Yes,-,-,\n"
)
MARKS = [
    lms.Mark("101", "Ana Pérez", "moodle", 10 / 12, "bien, «casi»\nsí"),
    lms.Mark("102", "Eva Ruiz", "moodle", 0.0, "nada"),
    lms.Mark("103", "Leo", "moodle", 1.0),
    lms.Mark("999", "Nadie", "moodle", 1.0),
]


@pytest.mark.parametrize(("text", "scale"), [(SPANISH, 10), (ENGLISH, 100)])
def test_moodles_worksheet_comes_back_with_grades_in_it(tmp_path, text, scale):
    (tmp_path / "hoja.csv").write_text(text, encoding="utf-8")
    filled = lms.fill_worksheet(tmp_path / "hoja.csv", MARKS)
    rows = read_table(filled.data)
    header = list(rows[0])
    assert header == read_header(text)
    who, grade_, comments = header[0], header[4], header[-1]
    assert [re.search(r"\d+$", row[who])[0] for row in rows] == ["101", "102", "103", "104"]
    assert [row[who] for row in rows] == re.findall(r"^Participant\w* ?\d+", text, re.MULTILINE)
    left = "7,00" if scale == 10 else "7.00"
    assert [row[grade_] for row in rows] == [f"{scale * 10 / 12:.2f}", "0.00", left, ""]
    assert rows[0][comments] == "bien, «casi»\nsí" and rows[2][header[1]] == "'=Leo"
    assert (filled.zeros, filled.unknown, filled.untouched) == (("Eva Ruiz",), ("Nadie",), ("Leo",))


def read_header(text):
    return text.lstrip("\ufeff").splitlines()[0].split(",")


def test_names_find_their_row_where_there_is_no_number(tmp_path):
    (tmp_path / "hoja.csv").write_text(ENGLISH, encoding="utf-8")
    marks = [lms.Mark("perez-ana", "PEREZ, Ana", "", 1.0), lms.Mark("x", "Ruiz", "", 1.0)]
    filled = lms.fill_worksheet(tmp_path / "hoja.csv", marks)
    assert filled.ids == {"perez-ana": "101"} and filled.unknown == ("Ruiz",)


SCRIPTS = (
    "Łukasz Ørsted",
    "Иван Петров",
    "王小明",
    "王小红",
    "محمد علي",
    "कवि",
    "कव",
    "かき",
    "がき",
)


def test_names_of_all_scripts_stay_apart_and_find_their_row(tmp_path):
    people = "".join(f"Participant {k},{name},-,10,\n" for k, name in enumerate(SCRIPTS))
    header = "Identifier,Full name,Status,Maximum grade,Grade\n"
    (tmp_path / "hoja.csv").write_text(header + people, encoding="utf-8")
    marks = [
        lms.Mark(name, unicodedata.normalize("NFD", name.upper()), "", 1.0) for name in SCRIPTS
    ]
    filled = lms.fill_worksheet(tmp_path / "hoja.csv", marks)
    assert filled.ids == {name: str(k) for k, name in enumerate(SCRIPTS)}
    pairs = "".join(f"{name},{k}\n" for k, name in enumerate(SCRIPTS))
    (tmp_path / "equipos.csv").write_text(f"nombre,equipo\n{pairs}", encoding="utf-8")
    assert [one.name for one in teams.read_members(tmp_path / "equipos.csv")] == [*SCRIPTS]


@given(st.text())
def test_folding_is_done_once(text):
    folded = lms.folded(text)
    assert lms.folded(folded) == folded == lms.folded(f" {text}  ")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("viernes, 20 de noviembre de 2026, 22:15", "2026-11-20T22:15:00"),
        ("Friday, 20 November 2026, 10:15 PM", "2026-11-20T22:15:00"),
        ("Friday, 20 November 2026, 12:05 AM", "2026-11-20T00:05:00"),
        ("Friday, 20 November 2026, 12:05 PM", "2026-11-20T12:05:00"),
        ("-", None),
        ("31 de febrero de 2026, 10:00", None),
    ],
)
def test_moodles_dates_are_read(text, iso):
    when = lms.read_date(text)
    assert (when and when.isoformat()) == iso


CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lección 1 (11),Representar la música (22),"
    "Final Score\n"
    "    Points Possible,,,,,10,20,(read only)\n"
    '"Pérez, Ana",5501,u1,ana,A,9,,55\n'
    '"Ruiz, Luis",5502,u2,luis,A,8,,44\n'
    '"Student, Test",5999,,test,A,,,\n'
)


def test_canvas_export_comes_back_with_one_column_filled(tmp_path):
    (tmp_path / "libro.csv").write_text(CANVAS, encoding="utf-8")
    marks = [lms.Mark("5501", "perezana", "canvas", 0.5), lms.Mark("r", "Luis Ruiz", "", 0.0)]
    filled = lms.fill_canvas(tmp_path / "libro.csv", marks, STEM)
    before, after = read_table(CANVAS.encode()), read_table(filled.data)
    column = "Representar la música (22)"
    assert [row[column] for row in after] == ["20", "10.00", "0.00", ""]
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in old.items() if k != column} == {
            k: v for k, v in new.items() if k != column
        }
    assert filled.zeros == ("Luis Ruiz",)
    (tmp_path / "libro.csv").write_text(CANVAS.replace("Representar la música", "Examen"))
    with pytest.raises(GradingError, match=r"«Lección 1 \(11\)», «Examen \(22\)»"):
        lms.fill_canvas(tmp_path / "libro.csv", marks, STEM)


HALF = "Identifier,Full name,Grade,Maximum grade\nParticipant 101,Ana,,mucho\n"
HALF_CANVAS = "Student,ID,Tarea (2)\n    Points Possible,\nAna,101,\n"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Identifier\n1\n", "\0", HALF, HALF_CANVAS])
def test_another_table_is_a_sentence(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    for fill in (lambda p: lms.fill_worksheet(p, MARKS), lambda p: lms.fill_canvas(p, MARKS, STEM)):
        with pytest.raises(GradingError, match=r"t\.csv"):
            fill(tmp_path / "t.csv")


def test_a_wrong_table_is_heard_of_before_anything_is_run(grading, tmp_path):
    source = classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    (tmp_path / "t.csv").write_text(HALF_CANVAS)
    for option in ("worksheet", "canvas"):
        judge = Counting()
        with pytest.raises(GradingError, match=r"t\.csv"):
            grading(source, judge=judge, **{option: tmp_path / "t.csv"})
        assert judge.n == 0


def test_moodle_finds_each_page_of_feedback(grading, tmp_path):
    files = {
        "Ana_Mar Pérez_101_assignsubmission_file/02.ipynb": classes.honest(),
        "Participante_102_assignsubmission_file/02.ipynb": classes.half_done(),
    }
    grading(classes.write_zip(tmp_path / "m.zip", files))
    data = (tmp_path / "notas" / "moodle_feedback.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        # As Moodle's importer takes a name apart.
        found = [
            re.fullmatch(r"([^_/]+)_(\d+)_assignsubmission_file/feedback\.html", name)
            for name in archive.namelist()
        ]
        assert [one[2] for one in found] == ["101", "102"]
        assert "Nota: 14 de 14" in archive.read(archive.namelist()[0]).decode()


def test_delivering_leaves_no_page_of_yesterday(grading, tmp_path):
    source = classes.write_folder(tmp_path / "e", {"Ana": classes.honest(), "Eva": b"{"})
    grading(source)
    shutil.rmtree(source / "Eva")
    grading(source)
    assert [p.name for p in (tmp_path / "notas" / "feedback").iterdir()] == ["ana.html"]


# Teams: one hands in, and all get the mark


TEAMS = "Estudiante;Equipo\nAna Pérez;Grupo_1\nEva Ruiz;Grupo_1\nLeo;2\nMar;3\nLuz;\n"
TEAM_SHEET = (
    "Identificador,Nombre completo,Estado,Grupo,Calificación,Calificación máxima,"
    "Última modificación (entrega),Comentarios de retroalimentación\r\n"
    'Participante102,Ana Pérez,Enviado,Grupo_1,,"10,00",'
    '"domingo, 22 de noviembre de 2026, 11:59",\r\n'
    'Participante101,Eva Ruiz,Enviado,Grupo_1,,"10,00",'
    '"domingo, 22 de noviembre de 2026, 11:59",\r\n'
    'Participante7,Leo,Enviado,2,,"10,00","viernes, 20 de noviembre de 2026, 11:59",\r\n'
    'Participante8,Mar,No enviado,3,,"10,00",-,\r\n'
    'Participante9,Luz,Enviado,Grupo por defecto,,"10,00",'
    '"viernes, 20 de noviembre de 2026, 11:59",\r\n'
)


def team_zip(path):
    """As Moodle writes it: numbers are those of groups, and may be a participant's too."""
    files = {
        "Grupo 1_101_assignsubmission_file/02.ipynb": classes.half_done(),
        "2_7_assignsubmission_file/02.ipynb": classes.honest(),
        "Grupo por defecto_assignsubmission_file/02.ipynb": classes.honest(),
    }
    return classes.write_zip(path, files)


def test_a_teams_mark_is_that_of_each_member(grading, tmp_path):
    (tmp_path / "equipos.csv").write_text(TEAMS, encoding="utf-8")
    class_, said = grading(team_zip(tmp_path / "m.zip"), teams=tmp_path / "equipos.csv")
    assert {name: one.points for name, one in class_.items()} == {
        "Ana Pérez": 2,
        "Eva Ruiz": 2,
        "Leo": N_POINTS,
        "Grupo por defecto": N_POINTS,
    }
    assert [said[k].partition("«")[0] for k in (1, 2)] == ["Sin equipo en ", "Sin entrega: 3."]
    assert "Grupo por defecto" in said[1]
    rows = read_table((tmp_path / "notas" / "grades.csv").read_bytes())
    assert [(row["nombre"], row["equipo"], row["nota"]) for row in rows] == [
        ("Ana Pérez", "Grupo_1", "2"),
        ("Eva Ruiz", "Grupo_1", "2"),
        ("Leo", "2", "14"),
        ("Grupo por defecto", "", "14"),
    ]
    pages = {p.name: p.read_text() for p in (tmp_path / "notas" / "feedback").iterdir()}
    assert len(pages) == 4 and "Eva Ruiz · Grupo_1" in pages["grupo-1-eva-ruiz.html"]
    assert "3 entregas" in (tmp_path / "notas" / "profesor.html").read_text()
    assert not (tmp_path / "notas" / "moodle_feedback.zip").exists()


@pytest.mark.parametrize("given", [True, False])
def test_moodles_worksheet_takes_a_teams_mark_and_may_say_who_is_in_it(
    grading, root, tmp_path, given
):
    path = root / "soluciones" / f"{STEM}.yaml"
    path.write_text(path.read_text() + "late: {due: 2026-11-20 23:59, per_day: 0.1}\n")
    (tmp_path / "equipos.csv").write_text(TEAMS, encoding="utf-8")
    (tmp_path / "hoja.csv").write_text(TEAM_SHEET, encoding="utf-8")
    own = {"teams": tmp_path / "equipos.csv"} if given else {}
    class_, _ = grading(team_zip(tmp_path / "m.zip"), worksheet=tmp_path / "hoja.csv", **own)
    rows = read_table((tmp_path / "notas" / "moodle.csv").read_bytes())
    marks = {row["Nombre completo"]: row["Calificación"] for row in rows}
    late = f"{10 * 2 / 14 * 0.8:.2f}"  # two days, as the worksheet says of both
    alone = "" if given else "10.00"
    assert marks == {"Ana Pérez": late, "Eva Ruiz": late, "Leo": "10.00", "Mar": "", "Luz": alone}
    assert (class_["Ana Pérez"].id, class_["Eva Ruiz"].id) == ("102", "101")
    data = (tmp_path / "notas" / "moodle_feedback.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {re.match(r"([^_]+)_(\d+)_", name).groups() for name in archive.namelist()}
    assert {("Ana Pérez", "102"), ("Eva Ruiz", "101"), ("Leo", "7")} <= found


def test_who_hands_in_for_a_team_need_not_be_called_as_it(grading, tmp_path):
    whole = {"Ana Perez": classes.half_done(), "Leo": classes.honest()}
    classes.write_folder(tmp_path / "e", whole)
    (tmp_path / "equipos.csv").write_text(TEAMS, encoding="utf-8")
    class_, _ = grading(tmp_path / "e", teams=tmp_path / "equipos.csv")
    assert {name: one.points for name, one in class_.items()} == {
        "Ana Pérez": 2,
        "Eva Ruiz": 2,
        "Leo": N_POINTS,
    }
    # A second submission of a team is heard of before anything is run.
    classes.write_folder(tmp_path / "e", {"Eva Ruiz": classes.honest()})
    judge = Counting()
    with pytest.raises(
        GradingError, match="«Grupo_1» tiene dos entregas, de «Ana Perez» y de «Eva"
    ):
        grading(tmp_path / "e", judge=judge, teams=tmp_path / "equipos.csv")
    assert judge.n == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Estudiante;Edad\nAna;20\n", "no dice quién está en qué equipo: haz una tabla"),
        ("Ana;1;x\n", "no dice quién está en qué equipo"),
        ("Estudiante;Equipo\nAna;1\nANA;2\n", "«ANA» está en «1» y en «2»: deja una fila"),
        ("Estudiante;Equipo\n;1\n", "una fila de «1» no dice quién"),
        ("Estudiante;Equipo\nAna;\n", "nadie está en un equipo"),
        ("Otro;1\nOtra;1\n", "hay «Ana», y los equipos son como «1»"),
        ("", "está vacía"),
    ],
)
def test_a_table_of_teams_that_does_not_fit_is_a_sentence(grading, tmp_path, text, said):
    classes.write_folder(tmp_path / "e", {"Ana": classes.honest()})
    (tmp_path / "equipos.csv").write_text(text, encoding="utf-8")
    with pytest.raises(GradingError, match=re.escape(said)) as caught:
        grading(tmp_path / "e", teams=tmp_path / "equipos.csv")
    assert "equipos.csv" in str(caught.value)


# The commands, as a teacher and a student type them


def test_the_page_for_teachers_is_true(tmp_path, monkeypatch):
    """Its commands are run as written, in their order, on a class with a hole of each kind."""
    from musiclab.grading.machine import check_machine

    monkeypatch.chdir(tmp_path)
    files = {
        "Ana Pérez_101_assignsubmission_file/02_representar_la_musica.ipynb": classes.honest(),
        "Eva Ruiz_102_assignsubmission_file/02.ipynb": classes.half_done(),
        "Leo_103_assignsubmission_file/02.ipynb": b"{",
    }
    classes.write_zip(tmp_path / "entregas.zip", files)
    (tmp_path / "hoja.csv").write_text(SPANISH, encoding="utf-8")
    isolates = check_machine().isolates
    blocks = re.findall(
        r"^```\n(musiclab .*?)```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        words = command.split()[1:]
        if words[0] == "grade" and "--check" not in words and not isolates:
            words.append("--trust-submissions")
        done = CliRunner().invoke(cli.main, words)
        assert done.exit_code == (1 if "--check" in words and not isolates else 0), done.output
    rows = {row["id"]: row for row in read_table((tmp_path / "notas" / "grades.csv").read_bytes())}
    assert [rows[k]["nota"] for k in ("101", "102", "103")] == ["14", "2", "0"]
    grades = [
        row["Calificación"] for row in read_table((tmp_path / "notas/moodle.csv").read_bytes())
    ]
    assert grades == ["10.00", "1.43", "7,00", ""]


def test_a_student_hears_what_the_grader_would_say(tmp_path):
    path = tmp_path / "02_mia.ipynb"
    path.write_bytes(classes.data_of(classes.half_done()))
    done = CliRunner().invoke(cli.main, ["check", "02", "--file", str(path)])
    assert done.exit_code == 0, done.output
    said = {line.split()[0]: line for line in done.output.splitlines()}
    assert "correcto" in said["clase_de_altura"] and "pendiente" in said["a_eventos"]
    assert "incorrecto" in said["transportar"] and "127" in said["transportar"]
    path.write_bytes(b"{")
    done = CliRunner().invoke(cli.main, ["check", "02", "--file", str(path)])
    assert done.exit_code == 1 and "no es JSON" in done.output


def test_all_solutions_are_full_and_all_releases_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for solved in course.solutions():
        released = course.NOTEBOOKS / "ejercicios" / solved.name
        notebook = nbformat.read(released, 4)
        items = items_of(notebook)
        for path, share in ((solved, 1.0), (released, 0.0)):
            restored = restore(notebook.cells, path.read_bytes(), {"OUTPUT_DIR": "x"})
            run = plain_judge(restored.cells, items, 11)
            assert {one.points / one.max_points for one in run.items} == {share}, path
