"""The import arrows point one way, and a heavy library has one home."""

import ast
from pathlib import Path

import pytest

import musiclab

PACKAGE = Path(musiclab.__file__).parent
ORDER = (
    *("errors", "files", "notes", "progress"),
    *("midi.mending", "midi.tables", "midi.writing", "midi.reading", "midi.folders", "midi"),
    *("storage", "datasets", "grid", "encoding", "motifs", "prices", "chorales", "backend"),
    *("models", "training", "generation", "measures", "evaluation", "chorale_model", "jsb"),
    *("instruments", "playback", "bars", "keys", "rhythm", "staves", "mei", "notation"),
    *("plotting", "card", "running", "playground", "cli"),
)
LIGHT = (
    *("midi", "storage", "datasets", "encoding", "motifs", "prices", "chorales"),
    *("measures", "evaluation", "playback", "notation", "plotting", "card", "running", "cli"),
)
HOMES = {
    "midi.writing": {"symusic"},
    "midi.reading": {"symusic", "mido"},
    "datasets": {"music21"},
    "backend": {"tensorflow", "keras"},
    "playback": {"soundfile", "midirenderer", "pretty_midi"},
    "notation": {"verovio", "typst"},
    "plotting": {"matplotlib"},
    "running": {"papermill", "nbclient", "nbconvert", "nbformat"},
    "playground": {"ipywidgets"},
    "cli": {"click"},
}


def parse(module):
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    path = path if path.exists() else path.with_suffix("") / "__init__.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module):
    """Return the dotted names that a module imports, inside functions too."""
    names = set()
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: write imports from the root"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def known(name):
    """Return the module that a name is, or stands in."""
    while name not in ORDER and "." in name:
        name = name.rpartition(".")[0]
    return name


def test_every_module_has_its_place():
    files = {path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")}
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert names == {"__init__", *ORDER}


@pytest.mark.parametrize("module", ["__init__", *ORDER])
def test_arrows_point_backwards_and_heavy_libraries_stay_at_home(module):
    names = [name.split(".") for name in imports(module)]
    own = {known(".".join(name[1:])) for name in names if name[0] == "musiclab" and name[1:]}
    # The package itself only says how a Song shows itself in a notebook.
    earlier = ORDER[: ORDER.index(module)] if module in ORDER else ("card",)
    assert own <= set(earlier)
    assert {name[0] for name in names} & set().union(*HOMES.values()) <= HOMES.get(module, set())


def test_light_modules_start_without_tensorflow(in_fresh_process):
    source = f"""
import sys
import {", ".join(f"musiclab.{module}" for module in LIGHT)}
musiclab.cli.main(["--help"], standalone_mode=False)
print({{"tensorflow", "keras"}} & set(sys.modules))"""
    assert in_fresh_process(source)()[0].endswith("\nset()\n")


def test_tensorflow_starts_in_silence(in_fresh_process):
    source = "from musiclab.backend import set_seed, tf; set_seed(1); tf.constant(1) + 1"
    assert in_fresh_process(source)() == ("", "")


@pytest.mark.parametrize("module", ORDER)
def test_public_names_are_documented(module):
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in parse(module).body if isinstance(n, kinds) and n.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
