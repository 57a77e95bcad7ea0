import re

import pytest
from click.testing import CliRunner

from musiclab import cli, datasets, running

FINISH = """from musiclab.running import save_metrics
save_metrics(OUTPUT_DIR, {"EPOCHS": EPOCHS}, {}, {})"""
PARAMETERS = "EPOCHS: int = 2\nOUTPUT_DIR: str = 'aquí'"


@pytest.fixture
def musiclab(monkeypatch, tmp_path):
    """Run a command line beside a notebook 01; return (exit code, what it printed)."""
    monkeypatch.setattr(running, "NOTEBOOKS", tmp_path / "cuadernos")

    def run(*arguments):
        result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return run


@pytest.fixture
def preset(tmp_path):
    (tmp_path / "p.yaml").write_text("EPOCHS: 1\n")
    return tmp_path / "p.yaml"


@pytest.mark.parametrize(
    "pair, answer",
    [
        (("EPOCH", "3"), "no existe el parámetro EPOCH: los que hay son EPOCHS, OUTPUT_DIR"),
        (("EPOCHS", "tres"), "EPOCHS es «tres» y debe ser un entero, como 2"),
        (("EPOCHS", "0"), "EPOCHS es 0 y debe ser al menos 1"),
    ],
)
def test_wrong_parameter_is_one_sentence(musiclab, make_notebook, preset, pair, answer):
    make_notebook(FINISH, parameters=PARAMETERS)
    code, output = musiclab("run", "01", "-f", preset, "-p", *pair)
    assert code == 1 and output.splitlines()[-1] == f"Error: {answer}"


@pytest.mark.parametrize(
    "arguments, answer",
    [
        (("run", "99"), "no existe el cuaderno «99»"),
        (("run", "01", "-f", "nada"), "no se puede leer «.*nada.yaml»"),
        (("data", "nada"), "no existe el conjunto «nada»: elige entre bach, folk"),
        (("store", "99"), "no existe el cuaderno «99»"),
    ],
)
def test_wrong_name_is_one_sentence(musiclab, make_notebook, arguments, answer):
    make_notebook()
    code, output = musiclab(*arguments)
    assert code == 1 and re.match(f"Error: {answer}", output) and output.count("\n") == 1


def test_run_says_where_its_files_are(musiclab, make_notebook, preset, tmp_path):
    make_notebook(FINISH, parameters=PARAMETERS)
    out = tmp_path / "out"
    code, output = musiclab("run", "01", "-f", preset, "-p", "OUTPUT_DIR", out)
    assert code == 0, output
    assert "EPOCHS = 1" in output and f"Listo. En {out}:" in output
    files = {path.name for path in out.iterdir()}
    assert files == {"01_mini.ipynb", "01_mini.html", "metrics.json"}
    assert all(re.search(rf"{re.escape(name)} +\d+ kB", output) for name in files)


def test_failed_run_is_exit_one(musiclab, make_notebook, preset, tmp_path):
    make_notebook("raise ValueError('roto')", parameters=PARAMETERS)
    code, output = musiclab("run", "01", "-f", preset, "-p", "OUTPUT_DIR", tmp_path / "out")
    assert code == 1 and "Error: ValueError: roto" in output
    assert (tmp_path / "out/01_mini.html").exists()


def test_data_says_what_it_built(musiclab, tiny, monkeypatch):
    build = datasets.build_dataset
    monkeypatch.setattr(datasets, "build_dataset", lambda name: build(name, tiny.parent))
    code, output = musiclab("data", "tiny")
    assert code == 0 and re.search(r"^tiny +6 ficheros en .*tiny$", output)


def test_lab_opens_the_first_lesson(musiclab, make_notebook, monkeypatch):
    notebook, calls = make_notebook(), []
    monkeypatch.setattr(cli.subprocess, "call", lambda command, cwd: calls.append(command) or 3)
    assert musiclab("lab", "--no-browser")[0] == 3
    assert calls[0][1:] == ["-m", "jupyterlab", str(notebook), "--no-browser"]


def test_help_lists_the_commands(musiclab):
    code, output = musiclab("--help")
    assert code == 0 and all(f"\n  {name} " in output for name in ("data", "run", "store", "lab"))
