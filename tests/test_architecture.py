"""The import arrows point one way, and a heavy library has one home."""

import ast
import re
from pathlib import Path

import pytest

import musiclab

PACKAGE = Path(musiclab.__file__).parent
ORDER = (
    "errors notes progress parsing datasets encoding backend models training generation "
    "evaluation playback plotting running cli"
).split()
HOMES = {
    "music21": {"parsing", "datasets"},
    "tqdm": {"progress"},
    "tensorflow": {"backend"},
    "keras": {"backend"},
    "mido": {"parsing"},
    "soundfile": {"playback"},
    "midirenderer": {"playback"},
    "pretty_midi": {"playback"},
    "matplotlib": {"plotting"},
    "papermill": {"running"},
    "nbclient": {"running"},
    "nbconvert": {"running"},
    "nbformat": {"running"},
    "click": {"cli"},
}


def parse(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


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


def test_every_module_has_its_place():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", *ORDER}


@pytest.mark.parametrize("module", ORDER)
def test_arrows_point_backwards(module):
    own = {name.split(".")[1] for name in imports(module) if name.startswith("musiclab.")}
    later = own & set(ORDER[ORDER.index(module) :])
    assert not later, f"{module} imports {later}"


def test_package_imports_no_module_of_its_own():
    assert not {name for name in imports("__init__") if name.startswith("musiclab")}


@pytest.mark.parametrize("library", HOMES)
def test_heavy_library_stays_at_home(library):
    users = {m for m in ORDER if any(re.match(rf"{library}\b", name) for name in imports(m))}
    assert users <= HOMES[library]


def test_light_modules_start_without_tensorflow(in_fresh_process):
    light = "parsing playback running cli datasets encoding evaluation plotting".split()
    source = f"""
import sys
import {", ".join(f"musiclab.{module}" for module in light)}
musiclab.cli.main(["--help"], standalone_mode=False)
musiclab.cli.main(["run", "--help"], standalone_mode=False)
print(sorted({{"tensorflow", "keras"}} & set(sys.modules)))"""
    assert in_fresh_process(source)()[0].splitlines()[-1] == "[]"


def test_tensorflow_starts_in_silence(in_fresh_process):
    source = "from musiclab.backend import set_seed, tf; set_seed(1); tf.constant(1) + 1"
    assert in_fresh_process(source)() == ("", "")


@pytest.mark.parametrize("module", ORDER)
def test_public_names_are_documented(module):
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in parse(module).body if isinstance(n, kinds) and n.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
