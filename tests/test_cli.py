import re

import pytest
from click.testing import CliRunner

from musiclab import cli, datasets, running

FINISH = """from musiclab.running import save_metrics
save_metrics(OUTPUT_DIR, {"EPOCHS": EPOCHS}, {}, {})"""


@pytest.fixture
def musiclab(monkeypatch, tmp_path):
    """Run a command line beside notebook 01 and preset uno; return (exit code, output)."""
    monkeypatch.setattr(running, "NOTEBOOKS", tmp_path / "cuadernos")
    monkeypatch.setattr(running, "PRESETS", tmp_path)
    (tmp_path / "uno.yaml").write_text("EPOCHS: 1\n")

    def run(*arguments):
        result = CliRunner().invoke(cli.main, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return run


@pytest.mark.parametrize(
    "command, answer",
    [
        ("run 01 -f uno -p EPOCH 3", "no existe el parámetro EPOCH: los que hay son EPOCHS, RATE"),
        ("run 01 -f uno -p EPOCHS tres", "EPOCHS es «tres» y debe ser un entero, como 2"),
        ("run 01 -f uno -p EPOCHS 0", "EPOCHS es 0 y debe ser al menos 1"),
        ("run 01 -f nada", "no se puede leer «.*nada.yaml»: elige uno de uno"),
        ("run 99 -f uno", "no existe el cuaderno «99»: los que hay son 01_mini"),
        ("store 99", "no existe el cuaderno «99»"),
        ("data nada", "no existe el conjunto «nada»: elige entre bach, folk"),
    ],
)
def test_wrong_wish_is_one_sentence(musiclab, make_notebook, command, answer):
    make_notebook(FINISH)
    code, output = musiclab(*command.split())
    assert code == 1 and re.match(f"Error: {answer}", output.splitlines()[-1])


def test_run_says_where_its_files_are(musiclab, make_notebook, tmp_path):
    make_notebook(FINISH)
    code, output = musiclab("run", "01", "-f", "uno", "-p", "OUTPUT_DIR", str(tmp_path / "out"))
    assert code == 0 and "EPOCHS = 1" in output and f"Listo. En {tmp_path / 'out'}:" in output
    for name in ("01_mini.ipynb", "01_mini.html", "metrics.json"):
        assert re.search(rf"\n  {name} +\d+ kB", output)


def test_failed_run_is_exit_one(musiclab, make_notebook, tmp_path):
    make_notebook("raise ValueError('roto')")
    code, output = musiclab("run", "01", "-f", "uno", "-p", "OUTPUT_DIR", str(tmp_path / "out"))
    assert code == 1 and "Error: ValueError: roto" in output
    assert (tmp_path / "out/01_mini.html").exists()


def test_data_says_what_it_built(musiclab, tiny, monkeypatch):
    build = datasets.build_dataset
    monkeypatch.setattr(datasets, "build_dataset", lambda name: build(name, tiny.parent))
    code, output = musiclab("data", "tiny")
    assert code == 0 and re.search(r"^tiny +6 ficheros en .*tiny$", output)


def test_lab_opens_the_first_lesson(musiclab, make_notebook, monkeypatch, tmp_path):
    calls = []
    make_notebook()
    monkeypatch.setattr(running, "PROJECT", tmp_path)
    monkeypatch.setattr(cli.subprocess, "call", lambda command, **_: calls.append(command) or 3)
    assert musiclab("lab", "--no-browser")[0] == 3
    assert calls[0][1:3] == ["-m", "jupyterlab"] and calls[0][-1] == "--no-browser"
    assert f"--ServerApp.root_dir={tmp_path}" in calls[0]
    assert "--LabApp.default_url=/lab/tree/cuadernos/01_mini.ipynb" in calls[0]
