import json
import re
import time
from html.parser import HTMLParser

import nbformat
import pytest

from musiclab import course
from musiclab.course import (
    find_notebook,
    merge_parameters,
    parameters,
    read_preset,
    run_notebook,
    runs,
)
from musiclab.course.runs import METRICS
from musiclab.errors import OutputError, ParameterError, RunError
from musiclab.files import output_folder

FINISH = """from musiclab.course import save_metrics
print('epochs', EPOCHS, 'rate', RATE)
save_metrics(OUTPUT_DIR, {"EPOCHS": EPOCHS, "RATE": RATE}, {"loss": [1.5]}, {})"""
DEFAULTS = {"EPOCHS": 2, "RATE": 0.5, "DATASET": "bach", "LOAD_PREVIOUS": False}


# Parameters


def test_parameters_are_read_from_their_cell(make_notebook, tmp_path):
    defaults = {"EPOCHS": 2, "RATE": 0.5, "OUTPUT_DIR": "aquí", "x": 1}
    assert course.read_parameters(make_notebook("y: int = 3")) == defaults
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "n.ipynb")
    with pytest.raises(ParameterError, match="no tiene ninguna celda"):
        course.read_parameters(tmp_path / "n.ipynb")


def test_parameters_with_and_without_a_type_count(tmp_path):
    source = """# Los valores
import os
alpha = 0.6  # sin tipo
A = B = -1
NADA = None
UNITS: list = [64, "gru"]"""
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    expected = {"alpha": 0.6, "A": -1, "B": -1, "NADA": None, "UNITS": [64, "gru"]}
    assert course.read_parameters(tmp_path / "n.ipynb") == expected


CELLS = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", '{"nbformat": 9}', "{}", "[]", "null", "3", '"a"', "[" * 10**5, "\0"),
        *('{"nbformat": "4"}', '{"nbformat": 1e999}', '{"nbformat": 3, "nbformat_minor": 0}'),
        '{"nbformat": 3, "nbformat_minor": 0, "metadata": [], "worksheets": [1]}',
        '{"nbformat": 2, "nbformat_minor": 0, "worksheets": 3}',
        *(CELLS + cells for cells in ("}", "3}", "[3]}", "[{}]}", '[{"cell_type": []}]}')),
        CELLS + '[{"cell_type": "code", "metadata": {"tags": "parameters"}}]}',
        CELLS + "[" * 10**5,
    ],
    ids=range(22),
)
def test_file_that_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(ParameterError, match="no es un cuaderno"):
        course.read_parameters(tmp_path / "n.ipynb")


def test_gigantic_notebook_is_refused_unread(tmp_path):
    with open(tmp_path / "n.ipynb", "wb") as file:
        file.truncate(parameters.MAX_NOTEBOOK + 1)
    with pytest.raises(ParameterError, match="no es un cuaderno"):
        course.read_parameters(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    "source",
    [
        *(
            "X: int",
            "X: int = f()",
            "a.b: int = 1",
            "X: int = ",
            "# Título\n\nUn texto",
            "X: int = 1 / 0",
        ),
        *("X: int = " + "(" * 10**4, "X: int = " + "-" * 10**4 + "1", "X: int = {[]: 1}"),
        *("x = f()", "a.b = 1", "A, B = 1, 2", "A[0] = 1"),
    ],
    ids=range(13),
)
def test_parameters_that_are_no_values_are_refused(tmp_path, source):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    with pytest.raises(ParameterError, match="NOMBRE: tipo = valor"):
        course.read_parameters(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    "data",
    [
        b"a: &a [x, x]\nEPOCHS: *a\n",
        b"".join(
            b"a%d: &a%d [%s]\n" % (k, k, b"*a%d," % (k - 1) * 9 if k else b"x") for k in range(20)
        ),
        b"a: &a0 {b: 1}\n"
        + b"".join(b"c%d: &a%d {<<: [%s]}\n" % (k, k, b"*a%d," % (k - 1) * 9) for k in range(1, 9)),
        b"EPOCHS: [1]",
        b"EPOCHS: {a: 1}",
        b"EPOCHS:",
        b"EPOCHS: 2001-02-03",
        b"EPOCHS: 2001-99-99",
        b"EPOCHS: " + b"9" * 5000,
        b"EPOCHS: !!python/object/apply:os.mkdir ['trap']",
        b"EPOCHS: !!float x",
        b"EPOCHS: !!binary x",
        b"1: 2",
        b"? [1]\n: 2",
        b"EPOCHS\n",
        b"[" * 50_000,
        b"#" * 100_000,
        b"\0",
        b"\xff\xfeE\0",
    ],
    ids=range(19),
)
def test_preset_of_any_bytes_is_one_sentence(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_bytes(data)
    start = time.process_time()
    with pytest.raises(ParameterError) as caught:
        merge_parameters(DEFAULTS, read_preset("p.yaml"))
    assert len(str(caught.value)) < 500 and time.process_time() - start < 3
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


def test_preset_of_a_windows_editor_is_read(tmp_path):
    path = tmp_path / "ñ {x} 🎵.yml"
    path.write_bytes(b"\xef\xbb\xbfEPOCHS: 3\r\nLOAD_PREVIOUS: yes\r\n")
    preset = read_preset(str(path))
    assert merge_parameters(DEFAULTS, preset) == {"EPOCHS": 3, "LOAD_PREVIOUS": True}


@pytest.mark.parametrize("value", ["[" * 9999, "9" * 5000, "2001-99-99", "&a [*a]", "x" * 10**5])
def test_typed_value_of_any_text_is_one_sentence(value):
    for name in ("EPOCHS", "RATE"):
        with pytest.raises(ParameterError) as caught:
            merge_parameters(DEFAULTS, {name: value})
        assert len(str(caught.value)) < 200
    with pytest.raises(ParameterError):
        merge_parameters(DEFAULTS, {"RATE": 10**400})


def test_chosen_values_take_the_types_of_the_defaults():
    typed = {"EPOCHS": "3", "DATASET": "7", "RATE": "1", "LOAD_PREVIOUS": "true"}
    merged = merge_parameters(DEFAULTS, typed)
    assert repr(merged) == repr({"EPOCHS": 3, "DATASET": "7", "RATE": 1.0, "LOAD_PREVIOUS": True})
    assert repr(merge_parameters(DEFAULTS, {"RATE": 2})) == repr({"RATE": 2.0})


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
        ("DATASET", True, "un texto"),
        ("DATASET", None, "un texto"),
        ("DATASET", ["bach"], "un texto"),
        ("LOAD_PREVIOUS", "1", "true o false"),
    ],
)
def test_wrong_parameter_is_refused(name, value, answer):
    with pytest.raises(ParameterError, match=re.escape(answer)):
        merge_parameters(DEFAULTS, {name: value})


def repr_of(default, value):
    """Return the text of what a chosen value becomes, which tells 1 from 1.0 and from True."""
    return repr(merge_parameters({"alpha": default}, {"alpha": value})["alpha"])


@pytest.mark.parametrize(
    "default, typed, read",
    [
        # Numbers are decimal, as Python's int and float read them; a comma is a point.
        *((0, "010", "10"), (0, "+5", "5"), (0, "-7", "-7"), (0, "1_000", "1000"), (0, " 5 ", "5")),
        *((0.0, "1e0", "1.0"), (0.0, "1E-3", "0.001"), (0.0, ".5", "0.5"), (0.0, "5.", "5.0")),
        *((0.0, "010", "10.0"), (0.0, "+5", "5.0"), (0.0, "1_000.5", "1000.5"), (0.0, "-2", "-2.0")),
        *((0.0, "0,8", "0.8"), (0.0, "-1,5e1", "-15.0"), (0.0, ",5", "0.5")),
        # The words for yes and no, in both languages.
        *((False, word, "True") for word in ("true", "True", "TRUE", "sí", "Si", "yes", "on")),
        *((True, word, "False") for word in ("false", "False", "no", "NO", "off")),
        # A text is what was typed.
        *(("a", text, repr(text)) for text in ("", "010", "1e0", "true", "no", "null", '"x"', "[1]")),
        ("a", "2026-01-01", "'2026-01-01'"),
        *(("clave", 40, "'40'"), ("clave", 0.5, "'0.5'")),
        # Without a default there is no type: what looks like a number is one.
        *((None, "none", "None"), (None, "null", "None"), (None, "None", "None")),
        *((None, "010", "10"), (None, "1e0", "1.0"), (None, "0,8", "0.8"), (None, "true", "True")),
        *((None, "1:30", "'1:30'"), (None, "2026-01-01", "'2026-01-01'"), (None, "nan", "'nan'")),
        *((None, "no", "'no'"), (None, "", "''"), (None, '"3"', "'3'"), (None, "a: b", "'a: b'")),
        *((None, 3, "3"), (None, True, "True"), (None, None, "None"), (None, "[1]", "[1]")),
        # Lists are YAML's.
        *(([], "[1, 2.5, a, '3', true, null]", "[1, 2.5, 'a', '3', True, None]"), ([1], "[]", "[]")),
        *(([1], "[010, 1e0, 1:30]", "[10, 1.0, '1:30']"), ([1], [1, "a"], "[1, 'a']")),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_a_value_of_its_kind(default, typed, read):
    assert repr_of(default, typed) == read


@pytest.mark.parametrize(
    "default, value, kind",
    [
        *((0, text, "un entero") for text in ("1:30", "1e3", "5.", "0x10", "1__0", "_1", "", "٣")),
        *((0, text, "un entero") for text in ("0b1", "1,0", "null", '"3"', "3 4", "2026-01-01")),
        *((0, value, "un entero") for value in (2.0, True, None, [3])),
        *((0.5, text, "un número") for text in ("1:30", "inf", "-.inf", "nan", "1e999", "", "0x1")),
        *((0.5, text, "un número") for text in ("1.5.2", "1,5,2", "1.000,5", "e5", ".", "1_", "٣")),
        *((0.5, value, "un número") for value in (float("inf"), float("nan"), True, None, [0.5])),
        *((True, text, "true o false") for text in ("1", "0", "", "y", "verdad", "null", "truee")),
        *((True, value, "true o false") for value in (1, 0.0, None)),
        *(([1], value, "una lista") for value in ("1", "", "1, 2", "[1", "{a: 1}", "[[1]]", None, 3)),
        *(([1], value, "una lista") for value in ("[{a: 1}]", [[1]], [float("nan")], "a: [1]")),
        *((None, value, "un valor") for value in ("[[1]]", "[1", "'a", {"a": 1}, float("nan"))),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_refused(default, value, kind):
    with pytest.raises(ParameterError, match=f"alpha es .* y debe ser {kind}"):
        repr_of(default, value)


@pytest.mark.parametrize("text", ["1,5,2", "1.000,5"])
def test_number_with_two_signs_is_told_how_to_write_it(text):
    with pytest.raises(ParameterError, match=r"0\.5 o 0,5"):
        repr_of(0.5, text)


def test_preset_says_the_same_as_the_command_line(tmp_path):
    defaults = {"T": 0.5, "SEED": 0, "N": 0, "INSTRUMENT": "clave", "X": None, "L": [], "B": False}
    path = tmp_path / "p.yaml"
    path.write_text("T: 1e0\nSEED: 010\nINSTRUMENT: 40\nX:\nL: [64, gru]\nB: sí\n", "utf-8")
    expected = {"T": 1.0, "SEED": 10, "INSTRUMENT": "40", "X": None, "L": [64, "gru"], "B": True}
    assert repr(merge_parameters(defaults, read_preset(str(path)))) == repr(expected)
    path.write_text("T: 0,8\nSEED: '3'\nINSTRUMENT: 2026-01-01\nX: 2026-01-01\n", "utf-8")
    expected = {"T": 0.8, "SEED": 3, "INSTRUMENT": "2026-01-01", "X": "2026-01-01"}
    assert repr(merge_parameters(defaults, read_preset(str(path)))) == repr(expected)
    for text in ("N: 1:30", "B: 1", "INSTRUMENT: true", "T: .inf", "N: 1.0", "T:"):
        path.write_text(text)
        with pytest.raises(ParameterError, match="y debe ser"):
            merge_parameters(defaults, read_preset(str(path)))


def test_name_in_small_letters_is_collected_when_it_is_named():
    namespace = {"EPOCHS": 3, "alpha": 0.6, "beta": 1, "_": 2, "__doc__": ""}
    assert course.collect_parameters(namespace) == {"EPOCHS": 3}
    assert course.collect_parameters(namespace, "alpha") == {"EPOCHS": 3, "alpha": 0.6}


def test_ranges():
    inside = {"SEED": 0, "TEMPERATURE": 0.0, "SEQUENCE_LEN": 1000, "TEMPO_BPM": 20.0, "OTHER": -1}
    namespace = inside | {"seed": -1, "_X": 5, "Out": {}}
    assert course.collect_parameters(namespace) == inside
    outside = {"SEED": 2**32, "TEMPERATURE": float("nan"), "SEQUENCE_LEN": 1001, "TEMPO_BPM": 19.0}
    for name, value in outside.items():
        with pytest.raises(ParameterError, match=f"{name} es {value} y debe ser"):
            course.check_parameters(**{name: value})


def test_presets(tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "PRESETS", tmp_path)
    path = tmp_path / "rápido.yaml"
    path.write_text("EPOCHS: 1\nDATASET: tiny\n")
    assert read_preset("rápido") == read_preset(str(path)) == {"EPOCHS": 1, "DATASET": "tiny"}
    with pytest.raises(ParameterError, match="elige uno de rápido"):
        read_preset("lento")
    unreadable, shapeless = "no se puede leer", "NOMBRE: valor"
    for data, answer in [(b"", shapeless), (b"- A", shapeless), (b"a: [", unreadable),
                         (b"\xff\xfe\x00", unreadable)]:  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(ParameterError, match=answer):
            read_preset("rápido")


# Notebooks and folders


def test_notebook_is_found_by_path_name_and_number(make_notebook, monkeypatch):
    path = make_notebook()
    monkeypatch.setattr(runs, "NOTEBOOKS", path.parent)
    monkeypatch.chdir(path.parents[1])
    for name in ("01", "01_mini", "01_mini.ipynb", "cuadernos/01_mini.ipynb"):
        assert find_notebook(name) == path
    for name in ("02", "", "cuadernos"):
        with pytest.raises(ParameterError, match=rf"«{name}»: los que hay son 01_mini"):
            find_notebook(name)


def test_notebook_is_found_by_its_absolute_path(make_notebook):
    path = make_notebook()
    assert find_notebook(str(path)) == path


def test_folders_are_new_or_refused(tmp_path):
    folders = [runs._new_folder(tmp_path / "01") for _ in range(5)]
    assert len(set(folders)) == 5 and folders == sorted(folders)
    assert list(output_folder(tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    for function in (runs._new_folder, output_folder):
        with pytest.raises(OutputError, match=r"no se puede escribir .*elige otra"):
            function(tmp_path / "file")


def test_normalising_twice_changes_nothing(make_notebook):
    notebook = nbformat.read(make_notebook("1 + 1"), as_version=4)
    notebook.metadata |= {"papermill": {"start": 1}, "language_info": {"version": "3.11.9"}}
    notebook.cells[1].metadata |= {"execution": {"iopub": 1}, "papermill": 1, "tags": ["kept"]}
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    expected = [(cell.id, cell.get("outputs")) for cell in notebook.cells]
    once = runs.normalise(notebook)
    again = nbformat.reads(once, as_version=4)
    assert [(cell.id, cell.get("outputs")) for cell in again.cells] == expected
    assert again.cells[1].metadata == {"tags": ["kept"]} and list(again.metadata) == ["kernelspec"]
    assert runs.normalise(again) == once


class Addresses(HTMLParser):
    """The addresses that a page's tags name."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "data") and value]


def test_html_page_stands_alone(make_notebook):
    path = make_notebook("1 + 1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("# Título\n\n$x^2$ y `código`"))
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "una imagen"}
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(notebook, path)
    page = course.save_html(path).read_text(encoding="utf-8")
    assert "Título" in page and 'lang="es"' in page
    addresses = Addresses(page).found
    assert "data:image/png;base64,iVBORw0KGgo=" in addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"@import|url\(['\"]?http", page)


# Runs, in a kernel


def test_run_leaves_all_its_files(make_notebook, tmp_path):
    notebook = make_notebook(FINISH)
    before = notebook.read_bytes()
    folder = run_notebook(notebook, {"EPOCHS": "7"}, tmp_path / "runs")
    assert folder.parent == tmp_path / "runs/01_mini"
    assert {path.name for path in folder.iterdir()} == {"01_mini.ipynb", "01_mini.html", METRICS}
    metrics = json.loads((folder / METRICS).read_text())
    assert metrics["parameters"] == {"EPOCHS": 7, "RATE": 0.5} and metrics["losses"]
    assert {"tensorflow", "music21", "python"} <= set(metrics["versions"])
    assert metrics["timings_s"]["total"] > 0
    assert "epochs 7 rate 0.5" in (folder / "01_mini.html").read_text(encoding="utf-8")
    assert notebook.read_bytes() == before


def test_paths_with_braces_and_spaces(make_notebook, tmp_path):
    folder = run_notebook(make_notebook(FINISH, name="0 {x}.ipynb"), {}, tmp_path / "{runs} de hoy")
    assert folder.parent == tmp_path / "{runs} de hoy/0 {x}"
    assert {path.name for path in folder.iterdir()} == {"0 {x}.ipynb", "0 {x}.html", METRICS}


def test_failed_run_keeps_what_was_done(make_notebook, tmp_path):
    notebook = make_notebook("print('uno')", "1 / 0", FINISH)
    with pytest.raises(RunError, match=r"ZeroDivisionError: division by zero\n\(celda 4 de"):
        run_notebook(notebook, {}, tmp_path / "runs")
    (folder,) = (tmp_path / "runs/01_mini").iterdir()
    done = nbformat.read(folder / "01_mini.ipynb", as_version=4)
    assert any("uno" in str(cell.get("outputs")) for cell in done.cells)
    assert "ZeroDivisionError" in (folder / "01_mini.html").read_text(encoding="utf-8")
    with pytest.raises(ParameterError):
        run_notebook(notebook, {"NADA": "1"}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_run_must_write_its_metrics(make_notebook, tmp_path):
    notebook = make_notebook("import sys; sys.exit(0)", FINISH)
    with pytest.raises(RunError, match=METRICS):
        run_notebook(notebook, {}, tmp_path / "runs")


def test_metrics_of_an_earlier_run_do_not_count(make_notebook, tmp_path):
    course.save_metrics(tmp_path / "out", {}, {}, {})
    with pytest.raises(RunError, match=METRICS):
        run_notebook(make_notebook("pass"), {"OUTPUT_DIR": str(tmp_path / "out")})


def test_stored_notebook_keeps_its_outputs_and_a_failed_one_its_file(make_notebook):
    notebook = make_notebook("print('hola')")
    course.store_notebook(notebook)
    stored = notebook.read_bytes()
    cells = nbformat.reads(stored.decode(), as_version=4).cells
    assert [cell.execution_count for cell in cells] == [1, 2]
    assert cells[1].outputs[0].text == "hola\n"
    course.store_notebook(notebook)
    assert notebook.read_bytes() == stored
    broken = make_notebook("1 / 0")
    before = broken.read_bytes()
    with pytest.raises(RunError, match="ZeroDivisionError"):
        course.store_notebook(broken)
    assert broken.read_bytes() == before and list(broken.parent.iterdir()) == [broken]


def test_trying_a_folder_touches_no_file_of_another_process(tmp_path):
    (tmp_path / ".prueba").write_text("de otro")
    assert output_folder(tmp_path) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [".prueba"]


def test_executed_notebook_takes_its_pictures_along_and_its_links_still_lead(
    make_notebook, tmp_path
):
    path = make_notebook(FINISH)
    notebook = nbformat.read(path, as_version=4)
    text = "![una](../foto.png) [aquí](../GLOSARIO.md) [fuera](https://x.org) [dentro](#inicio)"
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text))
    nbformat.write(notebook, path)
    (tmp_path / "foto.png").write_bytes(b"\x89PNG")
    (tmp_path / "GLOSARIO.md").touch()
    folder = course.run_notebook(path, {"OUTPUT_DIR": str(tmp_path / "a/b")})
    source = nbformat.read(folder / path.name, as_version=4).cells[0].source
    assert "![una](data:image/png;base64,iVBORw==)" in source and "[dentro](#inicio)" in source
    assert "[aquí](../../GLOSARIO.md)" in source and "[fuera](https://x.org)" in source
    page = (folder / path.name).with_suffix(".html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,iVBORw=="' in page


def test_endless_number_does_not_fill_the_screen():
    with pytest.raises(ParameterError) as error:
        course.check_parameters(SEED=10**2000)
    assert len(str(error.value)) < 120
    with pytest.raises(ParameterError) as error:
        merge_parameters({"SEED": 0}, {"SEED": "x" * 5000})
    assert len(str(error.value)) < 120
