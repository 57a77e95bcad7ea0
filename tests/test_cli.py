import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from musiclab import cli, course, datasets, playback
from musiclab.course import parameters, runs
from musiclab.datasets import corpus
from musiclab.midi import save_midi, song_to_midi
from musiclab.music import NoteEvent

FINISH = """from musiclab.course import save_metrics
save_metrics(OUTPUT_DIR, {"EPOCHS": EPOCHS}, {}, {})"""


@pytest.fixture
def musiclab(monkeypatch, tmp_path):
    """Run a command line beside notebook 01 and preset uno; return (exit code, output)."""
    monkeypatch.setattr(runs, "NOTEBOOKS", tmp_path / "cuadernos")
    monkeypatch.setattr(parameters, "PRESETS", tmp_path)
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


def test_usual_preset_gives_a_notebook_what_it_knows(musiclab, make_notebook, tmp_path):
    make_notebook(FINISH)
    (tmp_path / "completo.yaml").write_text("EPOCHS: 7\nOTHER: 1\n")
    code, output = musiclab("run", "01", "-p", "OUTPUT_DIR", str(tmp_path / "out"))
    assert code == 0 and "EPOCHS = 7" in output and "OTHER" not in output
    code, output = musiclab("run", "01", "-f", "completo")
    assert code == 1 and "no existe el parámetro OTHER" in output


def test_failed_run_is_exit_one(musiclab, make_notebook, tmp_path):
    make_notebook("raise ValueError('roto')")
    code, output = musiclab("run", "01", "-f", "uno", "-p", "OUTPUT_DIR", str(tmp_path / "out"))
    assert code == 1 and "Error: ValueError: roto" in output
    assert (tmp_path / "out/01_mini.html").exists()


def test_data_says_what_it_built(musiclab, tiny, monkeypatch):
    build = datasets.build_dataset
    monkeypatch.setattr(corpus, "build_dataset", lambda name: build(name, tiny.parent))
    code, output = musiclab("data", "tiny")
    assert code == 0 and re.search(r"^tiny +6 ficheros en .*tiny$", output)


@pytest.fixture
def jupyterlab(make_notebook, monkeypatch, tmp_path):
    """Catch the commands that would start JupyterLab, in a project with one lesson."""
    calls = []
    make_notebook()
    monkeypatch.setattr(course, "PROJECT", tmp_path)
    monkeypatch.setattr(cli.subprocess, "call", lambda command, **_: calls.append(command) or 3)
    return calls


def test_lab_opens_the_students_copy_of_the_first_lesson(musiclab, jupyterlab, tmp_path):
    assert musiclab("lab", "--no-browser") == (3, "")
    (command,) = jupyterlab
    assert command[1:3] == ["-m", "jupyterlab"] and command[-1] == "--no-browser"
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--LabApp.default_url=/lab/tree/mi_curso/01_mini.ipynb" in command
    original = (tmp_path / "cuadernos/01_mini.ipynb").read_bytes()
    assert (tmp_path / "mi_curso/01_mini.ipynb").read_bytes() == original


def test_lab_says_that_a_lesson_has_changed(musiclab, jupyterlab, make_notebook, tmp_path):
    musiclab("lab")
    with open(tmp_path / "mi_curso/01_mini.ipynb", "a") as mine:
        mine.write("\n")
    make_notebook("nueva = 1")
    code, output = musiclab("lab")
    assert code == 3 and output.count("\n") == 1
    assert output.startswith("«01_mini.ipynb» ha cambiado en el curso: tu copia sigue")
    assert musiclab("lab") == (3, "")


def test_lab_opens_the_originals_when_asked(musiclab, jupyterlab, tmp_path):
    assert musiclab("lab", "--originals", "--no-browser")[0] == 3
    (command,) = jupyterlab
    assert command[-1] == "--no-browser" and "--originals" not in command
    assert "--LabApp.default_url=/lab/tree/cuadernos/01_mini.ipynb" in command
    assert not (tmp_path / "mi_curso").exists()


def test_lab_says_when_a_copy_cannot_be_made(musiclab, jupyterlab, tmp_path):
    (tmp_path / "mi_curso").touch()
    code, output = musiclab("lab")
    assert code == 1 and "no se puede escribir" in output and not jupyterlab


# Any MIDI file


@pytest.fixture
def midi_file(song, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mi canción.mid"
    path.write_bytes(song_to_midi(song))
    return path


@pytest.mark.parametrize(
    "command, option, suffix, start",
    [("play", "--mp3", "mp3", b""), ("score", "--pdf", "pdf", b"%PDF"),
     ("roll", "--png", "png", b"\x89PNG")],
)  # fmt: skip
def test_any_midi_file_becomes_sound_score_and_picture(
    musiclab, midi_file, command, option, suffix, start
):
    for arguments, place in (
        ((), f"runs/mi canción.{suffix}"),
        ((option,), f"runs/mi canción.{suffix}"),
        ((option, f"otro.{suffix}"), f"otro.{suffix}"),
    ):
        code, output = musiclab(command, str(midi_file), *arguments)
        assert (code, output) == (0, f"{place}\n")
        assert Path(place).read_bytes().startswith(start) and Path(place).stat().st_size > 1000
        Path(place).unlink()


def test_instrument_and_tempo_are_heard(musiclab, midi_file):
    lengths = []
    for options in ([], ["--instrument", "flute", "--tempo", "45"]):
        assert musiclab("play", str(midi_file), "--mp3", "a.mp3", *options)[0] == 0
        lengths.append(soundfile.info("a.mp3").duration)
    assert lengths[1] > lengths[0] + 3


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
@pytest.mark.parametrize("command, suffix", [("play", "mp3"), ("score", "pdf"), ("roll", "png")])
def test_name_that_is_no_text_is_shown_with_a_mark(musiclab, midi_file, command, suffix):
    odd = os.fsencode(midi_file.parent) + b"/caf\xe9.mid"
    os.rename(os.fsencode(midi_file), odd)
    code, output = musiclab(command, os.fsdecode(odd))
    assert (code, output) == (0, f"runs/caf\ufffd.{suffix}\n")
    assert Path(f"runs/caf\ufffd.{suffix}").stat().st_size > 1000


@pytest.mark.parametrize(
    "command, option", [("play", "--mp3"), ("score", "--pdf"), ("roll", "--png")]
)
def test_place_that_takes_no_file_is_one_true_sentence(musiclab, midi_file, command, option):
    for place, answer in (
        (".", "«.» es una carpeta: di también un nombre de fichero"),
        ("mi canción.mid/x", "«mi canción.mid/x» (una parte de la ruta no es una carpeta)"),
    ):
        code, output = musiclab(command, str(midi_file), option, place)
        assert code == 1 and answer in output and output.count("\n") == 1


def test_missing_file_is_said_to_be_missing(musiclab, midi_file):
    for command in ("play", "score", "roll"):
        code, output = musiclab(command, "nada.mid")
        assert code == 1 and "no se puede abrir «nada.mid» (no existe)" in output


def test_drums_tempos_and_late_ends_sound_as_the_map_says(musiclab, song, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drums = tuple(NoteEvent(k / 2, 0.25, (38,)) for k in range(24))
    played = replace(song, tempos=((2.0, 30.0),), drums=drums)
    save_midi(played, "ritmo.mid")
    assert musiclab("play", "ritmo.mid")[0] == 0
    seconds = soundfile.info("runs/ritmo.mp3").duration
    # Two quarters at 90, then ten of 30, and the tail.
    expected = played.duration_s
    assert expected == pytest.approx(2 * 60 / 90 + (11.75 - 2) * 60 / 30)
    assert expected < seconds < expected + 7
    alone = replace(played, drums=())
    assert not np.array_equal(playback.render(played)[:48_000], playback.render(alone)[:48_000])


@pytest.mark.parametrize("command", ["play", "score", "roll"])
@pytest.mark.parametrize(
    "content, answer",
    [
        (b"", "no es un MIDI legible"),
        (b"MThd", "no es un MIDI legible"),
        (None, "no se puede abrir"),
    ],
)
def test_what_is_no_midi_is_one_sentence(musiclab, tmp_path, command, content, answer):
    path = tmp_path / "x.mid"
    if content is not None:
        path.write_bytes(content)
    code, output = musiclab(command, str(path))
    assert code == 1 and answer in output and output.count("\n") == 1


def test_unknown_instrument_is_one_sentence(musiclab, midi_file):
    code, output = musiclab("play", str(midi_file), "-i", "kazoo")
    assert code == 1 and "no hay instrumento «kazoo»" in output
