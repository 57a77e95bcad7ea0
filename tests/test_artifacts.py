"""Files that a student's notebook writes: what is asked for of them, and how they are read."""

import os
import re
import shutil
import tempfile

import pytest

from musiclab.course import NOTEBOOKS
from musiclab.errors import GradingError
from musiclab.exercises import Artifact
from musiclab.exercises.artifact import MOST_BYTES
from musiclab.exercises.representing import MELODY
from musiclab.grading import confining
from musiclab.grading.confining import Limits
from musiclab.grading.judging import judge
from musiclab.grading.results import Item
from musiclab.grading.rubric import read_rubric
from musiclab.midi import song_to_midi
from musiclab.music import NoteEvent, Song

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
STEM = "02_representar_la_musica"


def midi(pitches=SCALE, duration_ql=1.0):
    events = [NoteEvent(k * duration_ql, duration_ql, (pitch,)) for k, pitch in enumerate(pitches)]
    return song_to_midi(Song(tuple(events)))


def test_what_is_asked_for_is_right():
    verdict = MELODY.judge(midi())
    assert str(verdict) == "mi_melodia: correcto. Tiene 8 notas y dura 4 segundos."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (midi(SCALE[1:]), "Tiene 7 notas; se pide al menos 8."),
        (midi(duration_ql=16.0), "Dura 64 segundos; se pide como mucho 60."),
        (midi((*SCALE, 47)), "Tiene la altura 47; se pide al menos 48."),
        (midi((85, *SCALE)), "Tiene la altura 85; se pide como mucho 84."),
        (b"", "no es un MIDI que se pueda leer"),
        (b"PK\x03\x04 un .keras", "no es un MIDI que se pueda leer"),
        (b"x" * (MOST_BYTES + 1), "pasa de 4 MB"),
    ],
)
def test_what_is_not_asked_for_is_said(data, said):
    verdict = MELODY.judge(data)
    assert verdict.status == "incorrecto" and said in verdict.reason


def test_the_notes_of_a_file_may_have_to_be_just_these():
    wanted = Artifact("escala", "escala.mid", {"equals": midi()})
    assert wanted.judge(midi()).status == "correcto"
    other = wanted.judge(midi(SCALE[::-1]))
    assert other.reason == "Sus notas no son las que se piden."  # and not which they should be


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"C4": 1.0000000001, "fin": [0]}', ""),
        (b'{"C4": 1.0, "fin": [2]}', "Su contenido no es el que se pide."),
        (b"[" * 10_000, "«v.json» no es JSON."),
        (b"\xff\xfe", "«v.json» no es JSON."),
    ],
)
def test_json_has_to_say_the_same(data, reason):
    wanted = Artifact("v", "v.json", {"equals": b'{"fin": [0], "C4": 1.0}'})
    assert wanted.judge(data).reason == reason


def test_a_student_gives_the_path_of_the_file(tmp_path):
    assert MELODY.check(None).status == MELODY.check(...).status == "pendiente"
    (tmp_path / "mi_melodia.mid").write_bytes(midi())
    assert MELODY.check(tmp_path / "mi_melodia.mid").status == "correcto"
    assert "«otra.mid» y debe llamarse" in MELODY.check(str(tmp_path / "otra.mid")).reason
    (tmp_path / "a").mkdir()
    assert "no existe" in MELODY.check(tmp_path / "a" / "mi_melodia.mid").reason
    (tmp_path / "a" / "mi_melodia.mid").mkdir()
    assert MELODY.check(tmp_path / "a" / "mi_melodia.mid").status == "incorrecto"
    assert "debe ser la ruta" in MELODY.check([1]).reason
    assert MELODY.check("\0mi_melodia.mid").status == "incorrecto"


# In a rubric


@pytest.fixture
def rubric_of(tmp_path):
    """Return a function that reads lesson 2's rubric with an item more."""
    shutil.copy(NOTEBOOKS / "soluciones" / f"{STEM}.yaml", tmp_path / "r.yaml")
    (tmp_path / "vocabulario.json").write_text('["C4"]')
    text = (tmp_path / "r.yaml").read_text()

    def read(lines):
        item = f"- grade_id: fichero\n  points: 1\n  kind: artifact\n  {lines}\n"
        (tmp_path / "r.yaml").write_text(text + item)
        return read_rubric(tmp_path / "r.yaml").items[-1]

    return read


def test_a_rubric_says_what_is_asked_for(rubric_of):
    item = rubric_of("file: cancion.mid\n  notes: {at_least: 20}\n  pitches: {at_most: 84}")
    assert (item.file, item.module) == ("cancion.mid", "")
    assert item.wanted == {"notes": {"at_least": 20}, "pitches": {"at_most": 84}}
    assert rubric_of("file: v.json\n  equals: vocabulario.json").wanted == {"equals": b'["C4"]'}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("file: pesos.keras", "pueden ejecutar código al abrirse"),
        ("file: ../otra.mid", "debe ser el nombre de un .mid o de un .json"),
        ("file: [a.mid]", "debe ser el nombre de un .mid"),
        ("hint: sin fichero", "o file, si es artifact"),
        ("file: a.mid\n  notes: 20", "se escribe así: notes: {at_least: 20"),
        ("file: a.mid\n  notes: {minimo: 20}", "se escribe así: notes: {at_least: 20"),
        ("file: a.mid\n  notes: {at_least: muchas}", "at_least de notes de «fichero» debe ser"),
        ("file: a.mid\n  silencios: {at_least: 2}", "no se entiende «silencios»"),
        ("file: a.mid\n  tolerance: 0.1", "no se entiende «tolerance»"),
        ("file: v.json", "solo se puede pedir equals"),
        ("file: v.json\n  equals: nada.json", "es «nada.json», que no existe"),
        ("file: v.mid\n  equals: vocabulario.json", "que no se entiende"),
        ("file: v.json\n  equals: [1]", "que no existe"),
        ("file: v.json\n  equals: /", "debe ser un fichero"),
    ],
)
def test_what_a_rubric_cannot_ask_for_is_a_sentence(rubric_of, lines, said):
    with pytest.raises(GradingError, match=re.escape(said)):
        rubric_of(lines)


# In a box

ITEM = Item("mi_melodia", 2.0, "", "artifact", "", "mi_melodia.mid", MELODY.wanted)
SETUP = f"import os\nos.makedirs('salidas')\ndatos = {midi()!r}\n"
WRITE = "open('{}mi_melodia.mid', 'wb').write(datos)"
FILES = {
    "en salidas": (WRITE.format("salidas/"), "correcto"),
    "al lado": (WRITE.format(""), "correcto"),
    "desde otra carpeta": (WRITE.format("salidas/") + "\nos.chdir('/tmp')", "correcto"),
    "ninguno": ("pass", "pendiente"),
    "enlace": (
        "open('/tmp/otra', 'wb').write(datos)\nos.symlink('/tmp/otra', 'mi_melodia.mid')",
        "incorrecto",
    ),
    "enlace roto": ("os.symlink('nada', 'salidas/mi_melodia.mid')", "incorrecto"),
    "FIFO": ("os.mkfifo('salidas/mi_melodia.mid')", "incorrecto"),
    "dispositivo": ("os.symlink('/dev/zero', 'salidas/mi_melodia.mid')", "incorrecto"),
    "carpeta": ("os.mkdir('salidas/mi_melodia.mid')", "incorrecto"),
    "enorme": ("datos = bytes(5_000_000)\n" + WRITE.format("salidas/"), "incorrecto"),
    "vacio": ("datos = b''\n" + WRITE.format("salidas/"), "incorrecto"),
    "lo que dice un parche": (
        "import musiclab.files\nmusiclab.files.read_regular = lambda *_: [1, {}]\n"
        + WRITE.format("salidas/"),
        "incorrecto",
    ),
}


@pytest.mark.skipif(bool(confining.missing_tools()), reason="no box on this machine")
@pytest.mark.parametrize("name", FILES)
def test_a_plain_file_is_read_and_nothing_else(name):
    source, status = FILES[name]
    run = judge([("c0", SETUP + source)], [ITEM], 3, limits=Limits(call_s=5.0))
    (result,) = run.items
    assert (result.status, run.errors) == (status, ())
    assert result.points == (2.0 if status == "correcto" else 0.0)
    assert ("zero" not in result.reason and "Tiene 8 notas" not in result.reason) or result.points


def test_without_a_box_files_are_read_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = judge([("c0", SETUP + WRITE.format("salidas/"))], [ITEM], 3, isolation="none")
    assert run.items[0].status == "correcto"
    assert os.listdir(tmp_path) == []
