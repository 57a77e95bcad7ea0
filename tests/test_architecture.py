"""The import arrows point one way, and a heavy library has one home."""

import ast
from pathlib import Path

import house
import pytest

import musiclab

PACKAGE = Path(musiclab.__file__).parent
# From the ground floor up. A module imports only from those before it.
HOUSE = {
    "": ("errors", "progress", "files", "logits", "backend"),
    "music": ("song", "bars", "pitch", "instruments", "voices"),
    "midi": ("mending", "tables", "writing", "reading", "folders"),
    "datasets": ("corpus", "splitting"),
    "encoding": ("tokens", "vocabulary", "windows", "motifs", "fidelity"),
    "models": ("inputs", "recurrent", "transformer", "noise", "config", "build"),
    "training": ("archive", "bundle", "checkpoint", "fitting"),
    "generation": ("sampling", "stepping", "writing"),
    "evaluation": ("likelihood", "baselines", "copying", "listening", "statistics"),
    "playback": (),
    "engraving": ("keys", "rhythm", "staves", "mei", "score"),
    "plotting": (
        "style",
        "showing",
        "rolls",
        "attention",
        "activity",
        "inside",
        "statistics",
        "learning",
    ),
    "diagrams": ("drawing", "windows", "chains", "networks", "choosing", "encodings"),
    "card": (),
    "chorales": (
        "files",
        "rules",
        "memories",
        "features",
        "layers",
        "network",
        "corpus",
        "fitting",
        "model",
        "writing",
        "table",
    ),
    "course": ("parameters", "runs", "copies", "playground"),
    "exercises": (
        "calling",
        "comparing",
        "exercise",
        "artifact",
        "playing",
        "leaks",
        "measuring",
        "networks",
        "looping",
        "choosing",
        "representing",
    ),
    "grading": (
        "leaks",
        "matching",
        "release",
        "results",
        "collecting",
        "restoring",
        "rubric",
        "codec",
        "inner",
        "processes",
        "forking",
        "confining",
        "serving",
        "box",
        "machine",
        "borrowed",
        "judging",
        "lms",
        "reporting",
        "teams",
        "delivering",
        "running",
        "grade",
    ),
    "cli": (),
    "__main__": (),
}
ORDER = [
    name
    for room, modules in HOUSE.items()
    for name in (*(f"{room}.{module}".strip(".") for module in modules), *([room] if room else []))
]
LONGEST_MODULE = 400  # lines
NEED_TENSORFLOW = ("backend", "models", "training", "chorales", "course.playground")
HOMES = {
    "files": {"filelock"},
    "training.archive": {"safetensors"},
    "midi.writing": {"symusic"},
    "midi.reading": {"symusic", "mido"},
    "datasets.corpus": {"music21"},
    "backend": {"tensorflow", "keras"},
    "playback": {"soundfile", "midirenderer", "pretty_midi"},
    "engraving.score": {"verovio", "typst"},
    "plotting": {"matplotlib"},
    "diagrams": {"matplotlib"},
    "course.parameters": {"nbformat"},
    "course.runs": {"papermill", "nbclient", "nbconvert", "nbformat"},
    "course.playground": {"ipywidgets"},
    "grading.release": {"nbgrader", "nbformat"},
    "grading.reporting": {"jinja2"},
    "cli": {"click"},
}


def parse(module):
    return ast.parse(house.modules()[module].read_text(encoding="utf-8"))


def known(name):
    """Return the module that a name is, or stands in."""
    while name not in ORDER and "." in name:
        name = name.rpartition(".")[0]
    return name


def test_every_module_has_its_place():
    assert set(house.modules()) == {"__init__", *ORDER}


def test_no_module_is_longer_than_a_sitting():
    n_lines = {name: len(path.read_text().splitlines()) for name, path in house.modules().items()}
    assert {name: n for name, n in n_lines.items() if n > LONGEST_MODULE} == {}


def test_the_map_of_the_house_is_true():
    """CONTRIBUTING shows what `scripts/house.py` draws."""
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert house.diagram(house.arrows()) in text


@pytest.mark.parametrize("module", ["__init__", *ORDER])
def test_arrows_point_backwards_and_heavy_libraries_stay_at_home(module):
    names = [name.split(".") for name in house.imports(house.modules()[module])]
    own = {known(".".join(name[1:])) for name in names if name[0] == "musiclab" and name[1:]}
    # The package itself only says how a Song shows itself in a notebook.
    earlier = ORDER[: ORDER.index(module)] if module in ORDER else ("card",)
    assert own <= set(earlier)
    homes = HOMES.get(module, set()) | HOMES.get(module.split(".")[0], set())
    assert {name[0] for name in names} & set().union(*HOMES.values()) <= homes


def test_light_modules_start_without_tensorflow(in_fresh_process):
    heavy = tuple(f"{room}." for room in NEED_TENSORFLOW)
    light = [name for name in ORDER if not f"{name}.".startswith((*heavy, "__main__"))]
    source = f"""
import sys
import {", ".join(f"musiclab.{name}" for name in light)}
musiclab.cli.main(["--help"], standalone_mode=False)
print({{"tensorflow", "keras"}} & set(sys.modules))"""
    assert in_fresh_process(source)()[0].endswith("\nset()\n")


def test_tensorflow_starts_in_silence(in_fresh_process):
    source = "from musiclab.backend import set_seed, tf; set_seed(1); tf.constant(1) + 1"
    assert in_fresh_process(source)() == ("", "")


def test_many_small_networks_are_no_matter_for_a_warning(in_fresh_process):
    source = """
import numpy as np
from musiclab.models import build_model
for _ in range(5):
    model = build_model(5, units=(2,), inputs="one_hot", every_step=True)
    model.predict_on_batch(np.ones((1, 3), np.int32))"""
    assert in_fresh_process(source)() == ("", "")


@pytest.mark.parametrize("module", ORDER)
def test_public_names_are_documented(module):
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in parse(module).body if isinstance(n, kinds) and n.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
