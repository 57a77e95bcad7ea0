"""A class run on many machines, with names and the time left, and with parameters of its own."""

import json
import re
import shutil

import classes
import pytest
from classes import STEM, plain_judge, read_table

from musiclab.course import NOTEBOOKS
from musiclab.errors import GradingError
from musiclab.grading import grade, running
from musiclab.grading.rubric import read_rubric

NAMES = ("Ana", "Eva", "Leo", "José Ñúñez")


@pytest.fixture
def root(tmp_path):
    """A course of one assignment, whose rubric may be mended."""
    for folder in ("soluciones", "ejercicios"):
        (tmp_path / "curso" / folder).mkdir(parents=True)
        for path in (NOTEBOOKS / folder).glob(f"{STEM}.*"):
            shutil.copy(path, tmp_path / "curso" / folder)
    return tmp_path / "curso"


@pytest.fixture
def grading(tmp_path, root):
    """Return a function that grades four students with the plain judge."""
    students = dict.fromkeys(NAMES, classes.honest()) | {"Eva": classes.half_done()}
    source = classes.write_folder(tmp_path / "e", students)

    def run(out="notas", judge=plain_judge, **options):
        options = {"seed": 7, "root": root, "trust": True, "show": str} | options
        return grade(source, "02", tmp_path / out, judge=judge, **options)

    return run


def add_to(root, text):
    path = root / "soluciones" / f"{STEM}.yaml"
    path.write_text(path.read_text() + text)
    return path


# Past one machine


def test_a_cluster_gives_the_same_grades(grading, tmp_path):
    distributed = pytest.importorskip("distributed", reason="musiclab[cluster] is not installed")
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster:
        grading("lejos", cluster=cluster.scheduler_address)
    grading("cerca")
    far, near = ((tmp_path / out / "grades.csv").read_bytes() for out in ("lejos", "cerca"))
    assert far == near and len(read_table(far)) == len(NAMES)
    results = [json.loads(path.read_text()) for path in (tmp_path / "lejos/results").iterdir()]
    assert all(one["run"]["items"] for one in results) and len(results) == len(NAMES)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nada", "mqtt://127.0.0.1:9"])
def test_a_cluster_that_does_not_answer_is_a_sentence(grading, monkeypatch, address):
    pytest.importorskip("distributed", reason="musiclab[cluster] is not installed")
    monkeypatch.setattr(running, "ANSWERS_WITHIN_S", 1)
    with pytest.raises(GradingError, match="ningún clúster de Dask responde"):
        grading(cluster=address)


def test_a_cluster_without_dask_is_a_sentence(grading, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(GradingError, match=re.escape("musiclab[cluster]")):
        grading(cluster="tcp://127.0.0.1:9")


def test_another_version_of_musiclab_is_no_zero(grading, monkeypatch):
    digests = iter("abcdefgh")
    monkeypatch.setattr(running, "code_digest", lambda: next(digests))
    class_ = grading()
    assert {one.points for one in class_} == {None}
    assert "otra versión de musiclab" in class_[0].run.items[0].reason


# How far it is


def test_the_bar_says_who_is_at_work_and_how_long_it_takes(grading, tmp_path, monkeypatch):
    seen = []

    def judge(*arguments, **more):
        seen.append((tmp_path / "barra").read_text())
        return plain_judge(*arguments, **more)

    monkeypatch.setenv("MUSICLAB_PROGRESS", str(tmp_path / "barra"))
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)
    grading(judge=judge)
    assert re.search(r"Calificando: 0 de 4 .* quedan \S+, Ana$", seen[0])
    assert [line.rpartition(", ")[2] for line in seen][:1] == ["Ana"]


def test_many_names_are_cut():
    waiting = {str(k): f"Estudiante {k}" for k in range(9)}
    assert running._at_work(waiting, 2) == "Estudiante 0, Estudiante 1"
    assert running._at_work(waiting, 9) == "Estudiante 0, Estudiante 1, Estudia…"


# Parameters


def parameters_of(tmp_path, out="notas"):
    results = sorted((tmp_path / out / "results").iterdir())
    return [json.loads(path.read_text())["parameters"] for path in results]


def test_a_class_has_one_seed_unless_its_rubric_says_so(grading, root, tmp_path):
    class_ = grading()
    assert len({one["SEED"] for one in parameters_of(tmp_path)}) == 1
    assert all(one.parameters == {} for one in class_)
    add_to(root, "\nparameters: {SEED: per_student}\n")
    class_ = grading()
    seeds = [one["SEED"] for one in parameters_of(tmp_path)]
    assert len(set(seeds)) == len(NAMES) and 7 not in seeds
    page = (tmp_path / "notas" / "profesor.html").read_text()
    assert all(f"SEED = {seed}" in page for seed in seeds)
    # They hang on the student and the run alone.
    grading("otra vez")
    assert [one["SEED"] for one in parameters_of(tmp_path, "otra vez")] == seeds
    grading("otra semilla", seed=8)
    assert not set(seeds) & {one["SEED"] for one in parameters_of(tmp_path, "otra semilla")}


def test_a_rubric_may_choose_values(grading, root, tmp_path):
    add_to(root, "\nparameters: {SEED: [4, 5]}\n")
    grading()
    assert {one["SEED"] for one in parameters_of(tmp_path)} <= {4, 5}
    path = add_to(root, "")
    path.write_text(path.read_text().replace("[4, 5]", "6"))
    grading()
    assert {one["SEED"] for one in parameters_of(tmp_path)} == {6}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("{NADA: 3}", "en parameters, no existe el parámetro NADA"),
        ("{SEED: mucho}", "SEED es «mucho» y debe ser un entero"),
        ("{SEED: [1, -1]}", "SEED es -1 y debe ser de 0"),
        ("{OUTPUT_DIR: otra}", "OUTPUT_DIR lo elige el corrector"),
        ("[SEED]", "se escriben así"),
        ("{SEED: }", "se escriben así"),
        ("{SEED: []}", "se escriben así"),
        ("{SEED: [[]]}", "se escriben así"),
        ("{SEED: {per_student: 3}}", "se escriben así"),
    ],
)
def test_parameters_that_a_notebook_does_not_take_are_a_sentence(grading, root, said, reason):
    add_to(root, f"\nparameters: {said}\n")
    with pytest.raises(GradingError, match=re.escape(reason)):
        grading()


# Tolerance


def test_a_rubric_may_say_how_far_a_number_may_be_off(root):
    path = add_to(root, "")
    path.write_text(path.read_text().replace("points: 3\n", "points: 3\n  tolerance: 0,01\n", 1))
    assert [i.tolerance for i in read_rubric(path).items if i.tolerance] == [0.01]
    path.write_text(path.read_text().replace("0,01", "poca"))
    with pytest.raises(GradingError, match="tolerance de «a_eventos» debe ser un número"):
        read_rubric(path)
