import json
import re
from html.parser import HTMLParser

import nbformat
import pytest

from musiclab import running
from musiclab.errors import MusiclabError, ParameterError, RunError
from musiclab.running import (
    METRICS,
    check_parameters,
    collect_parameters,
    find_notebook,
    merge_parameters,
    normalise,
    output_folder,
    read_parameters,
    read_preset,
    run_notebook,
    save_html,
    save_metrics,
    store_notebook,
)

PARAMETERS = "EPOCHS: int = 2  # vueltas\nRATE: float = 0.5\nOUTPUT_DIR: str = 'aquí'\nx = 1"
FINISH = """from musiclab.running import save_metrics
print('epochs', EPOCHS, 'rate', RATE)
save_metrics(OUTPUT_DIR, {"EPOCHS": EPOCHS, "RATE": RATE}, {"loss": [1.5]}, {})"""
DEFAULTS = {"EPOCHS": 2, "RATE": 0.5, "DATASET": "bach", "LOAD_PREVIOUS": False}


# Parameters


def test_parameters_are_read_from_their_cell(make_notebook):
    defaults = {"EPOCHS": 2, "RATE": 0.5, "OUTPUT_DIR": "aquí"}
    assert read_parameters(make_notebook("y: int = 3", parameters=PARAMETERS)) == defaults


def test_notebook_without_parameters_is_refused(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "n.ipynb")
    with pytest.raises(ParameterError, match="no tiene ninguna celda"):
        read_parameters(tmp_path / "n.ipynb")


INVALID = pytest.mark.xfail(strict=True, reason="ValidationError and AttributeError escape")


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", '{"nbformat": 9}', *(pytest.param(t, marks=INVALID) for t in ("{}", "[]"))],
)
def test_file_that_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(ParameterError, match="no es un cuaderno"):
        read_parameters(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    "chosen, merged",
    [
        ({"EPOCHS": "3", "DATASET": "7"}, {"EPOCHS": 3, "DATASET": "7"}),
        ({"RATE": "1", "LOAD_PREVIOUS": "true"}, {"RATE": 1.0, "LOAD_PREVIOUS": True}),
        ({"RATE": 2, "EPOCHS": 9}, {"RATE": 2.0, "EPOCHS": 9}),
        ({}, {}),
    ],
)
def test_chosen_values_take_the_types_of_the_defaults(chosen, merged):
    result = merge_parameters(DEFAULTS, chosen)
    assert result == merged
    assert [type(v) for v in result.values()] == [type(v) for v in merged.values()]


@pytest.mark.parametrize(
    "name, value, answer",
    [
        ("EPOCH", "3", "los que hay son EPOCHS, RATE, DATASET, LOAD_PREVIOUS"),
        ("EPOCHS", "muchas", "EPOCHS es «muchas» y debe ser un entero, como 2"),
        ("EPOCHS", "2.5", "un entero"),
        ("EPOCHS", "true", "un entero"),
        ("EPOCHS", "[", "un entero"),
        ("EPOCHS", "0", "EPOCHS es 0 y debe ser al menos 1"),
        ("RATE", "true", "un número"),
        ("RATE", None, "un número"),
        ("DATASET", 3, "un texto"),
        ("LOAD_PREVIOUS", "1", "true o false"),
    ],
)
def test_wrong_parameter_is_refused(name, value, answer):
    with pytest.raises(ParameterError, match=re.escape(answer)):
        merge_parameters(DEFAULTS, {name: value})


@pytest.mark.parametrize(
    "name, inside, outside",
    [
        ("SEQUENCE_LEN", (1, 1000), (0, 1001)),
        ("SEED", (0, 2**32 - 1), (-1, 2**32)),
        ("TEMPERATURE", (0.0, 5.0), (-0.1, float("nan"))),
        ("TEMPO_BPM", (20.0, 400.0), (19.0, 401.0)),
        ("ANYTHING", (-1, "x"), ()),
    ],
)
def test_ranges(name, inside, outside):
    for value in inside:
        assert check_parameters(**{name: value}) == {name: value}
    for value in outside:
        with pytest.raises(ParameterError, match=f"{name} es {value} y debe ser"):
            check_parameters(**{name: value})


def test_parameters_are_collected_from_a_notebook():
    namespace = {"EPOCHS": 3, "SEED": 1, "epochs": 4, "_X": 5, "Out": {}, "In": []}
    assert collect_parameters(namespace) == {"EPOCHS": 3, "SEED": 1}
    with pytest.raises(ParameterError, match="SEED es -1"):
        collect_parameters({"SEED": -1})


def test_presets(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "PRESETS", tmp_path)
    (tmp_path / "rápido.yaml").write_text("EPOCHS: 1\nDATASET: tiny\n", encoding="utf-8")
    wanted = {"EPOCHS": 1, "DATASET": "tiny"}
    assert read_preset("rápido") == read_preset(str(tmp_path / "rápido.yaml")) == wanted
    for text in ("", "- EPOCHS", "EPOCHS"):
        (tmp_path / "empty.yaml").write_text(text)
        with pytest.raises(ParameterError, match="NOMBRE: valor"):
            read_preset("empty")
    for data in (b"a: [", b"\xff\xfe\x00"):
        (tmp_path / "empty.yaml").write_bytes(data)
        with pytest.raises(ParameterError, match="no se puede leer"):
            read_preset("empty")
    with pytest.raises(ParameterError, match="elige uno de empty, rápido"):
        read_preset("lento")


# Notebooks and folders


def test_notebook_is_found_by_path_name_and_number(make_notebook, monkeypatch):
    path = make_notebook(name="01_tocar.ipynb")
    monkeypatch.setattr(running, "NOTEBOOKS", path.parent)
    monkeypatch.chdir(path.parents[1])
    for name in ("01", "01_tocar", "01_tocar.ipynb", "cuadernos/01_tocar.ipynb"):
        assert find_notebook(name) == path
    for name in ("02", "", "cuadernos"):
        with pytest.raises(ParameterError, match=rf"«{name}»: los que hay son 01_tocar"):
            find_notebook(name)


@pytest.mark.xfail(
    strict=True, raises=NotImplementedError, reason="pathlib globs no absolute pattern"
)
def test_notebook_is_found_by_its_absolute_path(make_notebook):
    path = make_notebook()
    assert find_notebook(str(path)) == path


def test_output_folder(tmp_path):
    folder = output_folder(tmp_path / "a" / "b")
    assert folder.is_dir() and not list(folder.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"OUTPUT_DIR = «.*file».*elige otra"):
        output_folder(tmp_path / "file")


def test_new_folder_is_never_an_old_one(tmp_path):
    folders = [running._new_folder(tmp_path / "01") for _ in range(5)]
    assert len(set(folders)) == 5 and folders == sorted(folders)
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="no se puede escribir"):
        running._new_folder(tmp_path / "file")


def test_normalising_twice_changes_nothing(make_notebook):
    notebook = nbformat.read(make_notebook("1 + 1"), as_version=4)
    notebook.metadata |= {"papermill": {"start": 1}, "language_info": {"version": "3.11.9"}}
    notebook.cells[1].metadata |= {"execution": {"iopub": 1}, "papermill": 1, "tags": ["kept"]}
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    ids = [cell.id for cell in notebook.cells]
    once = normalise(notebook)
    again = nbformat.reads(once, as_version=4)
    assert normalise(again) == once
    assert [cell.id for cell in again.cells] == ids
    assert again.cells[1].metadata == {"tags": ["kept"]}
    assert again.cells[1].outputs and list(again.metadata) == ["kernelspec"]


class Addresses(HTMLParser):
    """The addresses that a page's tags name."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "data")]


def test_html_page_stands_alone(make_notebook):
    path = make_notebook("1 + 1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("# Título\n\n$x^2$ y `código`"))
    image = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    notebook.cells[1].outputs = [image]
    nbformat.write(notebook, path)
    page = save_html(path).read_text(encoding="utf-8")
    assert "Título" in page and "data:image/png;base64,iVBORw0KGgo=" in page
    assert 'lang="es"' in page
    asked = Addresses(page).found
    assert len(asked) > 1 and [a for a in asked if not a.startswith(("data:", "#"))] == [""]
    assert not re.search(r"@import|url\(['\"]?http", page)


def test_metrics(tmp_path):
    path = save_metrics(tmp_path, {"SEED": 1}, {"loss": [1.5]}, {"fit": 2.0}, data_hash="é")
    metrics = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == METRICS and metrics["data_hash"] == "é"
    assert metrics["parameters"] == {"SEED": 1} and metrics["timings_s"] == {"fit": 2.0}
    assert {"tensorflow", "keras", "music21", "python", "musiclab"} <= set(metrics["versions"])


# Runs, in a kernel


def test_run_leaves_all_its_files(make_notebook, tmp_path):
    notebook = make_notebook(FINISH, parameters=PARAMETERS)
    before = notebook.read_bytes()
    folder = run_notebook(notebook, {"EPOCHS": "7"}, tmp_path / "runs")
    assert folder.parent == tmp_path / "runs/01_mini"
    assert {path.name for path in folder.iterdir()} == {"01_mini.ipynb", "01_mini.html", METRICS}
    metrics = json.loads((folder / METRICS).read_text())
    assert metrics["parameters"] == {"EPOCHS": 7, "RATE": 0.5}
    assert metrics["timings_s"]["total"] > 0
    assert "epochs 7 rate 0.5" in (folder / "01_mini.html").read_text(encoding="utf-8")
    assert notebook.read_bytes() == before


@pytest.mark.xfail(strict=True, reason="papermill takes braces in the output's path for fields")
def test_paths_with_braces_and_spaces(make_notebook, tmp_path):
    notebook = make_notebook(FINISH, parameters=PARAMETERS, name="01 {mini}.ipynb")
    folder = run_notebook(notebook, {}, tmp_path / "{runs} de hoy")
    assert folder.parent == tmp_path / "{runs} de hoy/01 {mini}"
    assert {p.name for p in folder.iterdir()} == {"01 {mini}.ipynb", "01 {mini}.html", METRICS}


def test_failed_run_keeps_what_was_done(make_notebook, tmp_path):
    notebook = make_notebook("print('uno')", "1 / 0", FINISH, parameters=PARAMETERS)
    with pytest.raises(RunError, match=r"ZeroDivisionError: division by zero\n\(celda 4 de"):
        run_notebook(notebook, {}, tmp_path / "runs")
    (folder,) = (tmp_path / "runs/01_mini").iterdir()
    assert {path.suffix for path in folder.iterdir()} == {".ipynb", ".html"}
    done = nbformat.read(folder / "01_mini.ipynb", as_version=4)
    assert any("uno" in str(cell.get("outputs")) for cell in done.cells)
    assert "ZeroDivisionError" in (folder / "01_mini.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("end", ["pass", "import sys; sys.exit(0)"])
def test_run_must_write_its_metrics(make_notebook, tmp_path, end):
    notebook = make_notebook(end, parameters=PARAMETERS)
    with pytest.raises(RunError, match=METRICS):
        run_notebook(notebook, {}, tmp_path / "runs")


@pytest.mark.xfail(
    strict=True,
    raises=pytest.fail.Exception,
    reason="metrics.json of an earlier run stands for this one's",
)
def test_metrics_of_an_earlier_run_do_not_count(make_notebook, tmp_path):
    save_metrics(tmp_path / "out", {}, {}, {})
    notebook = make_notebook(parameters=PARAMETERS)
    with pytest.raises(RunError, match=METRICS):
        run_notebook(notebook, {"OUTPUT_DIR": str(tmp_path / "out")})


def test_wrong_parameter_leaves_no_folder(make_notebook, tmp_path):
    with pytest.raises(ParameterError):
        run_notebook(make_notebook(), {"NADA": "1"}, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_stored_notebook_keeps_its_outputs_and_a_failed_one_its_file(make_notebook):
    notebook = make_notebook("print('hola')")
    store_notebook(notebook)
    stored = notebook.read_bytes()
    cells = nbformat.reads(stored.decode(), as_version=4).cells
    assert [cell.execution_count for cell in cells] == [1, 2] and len(cells) == 2
    assert cells[1].outputs[0].text == "hola\n"
    store_notebook(notebook)
    assert notebook.read_bytes() == stored
    broken = make_notebook("1 / 0")
    before = broken.read_bytes()
    with pytest.raises(MusiclabError, match="ZeroDivisionError"):
        store_notebook(broken)
    assert broken.read_bytes() == before and list(broken.parent.iterdir()) == [broken]
