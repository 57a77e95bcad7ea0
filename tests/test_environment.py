"""The environment is one: pyproject, the two locks, conda's file, make and CI agree."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
UV_LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
MINORS = [(3, minor) for minor in range(8, 20)]


def parse_lock(text):
    """Return each entry of a requirements file as (Requirement, its hashes)."""
    uncommented = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    entries = [line.split("--hash=") for line in uncommented.replace("\\\n", "").splitlines()]
    return [(Requirement(words[0]), [word.strip() for word in words[1:]]) for words in entries]


def supported_pythons():
    allowed = SpecifierSet(PYPROJECT["project"]["requires-python"])
    return [version for version in MINORS if spell(version) in allowed]


def spell(version):
    return "{}.{}".format(*version)


# The locks


def test_every_locked_entry_is_exact_and_hashed():
    for requirement, hashes in parse_lock(LOCK):
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), requirement


def test_requirements_lock_names_no_place():
    assert not re.search(r"file:|https?:|^\s*-(?!-hash=)", LOCK, flags=re.MULTILINE)


def test_uv_lock_names_only_the_public_index():
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    places = {urlsplit(url).netloc for url in re.findall(r'"(\w+:[^"]*)"', text) if "//" in url}
    assert places == {"pypi.org", "files.pythonhosted.org"}
    sources = {key for package in UV_LOCK["package"] for key in package["source"]}
    assert sources == {"registry", "editable"}


def test_both_locks_hold_the_same_files():
    def hashes(package):
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        return sorted(file["hash"] for file in files)

    wanted = packages_without_extras()
    exported = {(str(r.name), str(r.specifier)[2:]): sorted(h) for r, h in parse_lock(LOCK)}
    locked = {
        (p["name"], p["version"]): hashes(p)
        for p in UV_LOCK["package"]
        if "registry" in p["source"] and p["name"] in wanted
    }
    assert exported == locked


def packages_without_extras():
    """Return the names of all that the project needs, but for its optional dependencies."""
    packages = {package["name"]: package for package in UV_LOCK["package"]}
    root = packages["musiclab"]
    todo = [*root["dependencies"], *(d for g in root["dev-dependencies"].values() for d in g)]
    found = set()
    while todo:
        dependency = todo.pop()
        name, extras = dependency["name"], tuple(dependency.get("extra", ()))
        if (name, extras) in found:
            continue
        found.add((name, extras))
        todo += packages[name].get("dependencies", [])
        for extra in extras:
            todo += packages[name].get("optional-dependencies", {}).get(extra, [])
    return {name for name, _ in found}


def test_uv_lock_is_made_from_this_pyproject():
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not uv:
        pytest.skip("uv is not installed: make_env.py had to use pip")
    done = subprocess.run(
        [uv, "lock", "--check", "--offline"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_is_installed_is_what_is_locked():
    here = [r for r, _ in parse_lock(LOCK) if not r.marker or r.marker.evaluate()]
    installed = {r.name: metadata.version(r.name) for r in here}
    assert installed == {r.name: str(r.specifier)[2:] for r in here}


# Who else says what is installed


def test_conda_installs_the_lock_and_nothing_that_pip_installs():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip == {"pip": ["-r requirements.lock"]}


def test_binder_adds_the_project_without_fetching_anything():
    commands = (ROOT / "postBuild").read_text(encoding="utf-8").splitlines()
    assert commands[0] == "#!/bin/bash"
    assert commands[-1].endswith("--no-deps --no-build-isolation --editable .")
    # A binder folder would hide environment.yml and postBuild from Binder.
    assert not (ROOT / "binder").exists() and not (ROOT / ".binder").exists()


def test_make_env_accepts_the_pythons_of_pyproject(make_env):
    assert [v for v in MINORS if make_env.OLDEST <= v <= make_env.NEWEST] == supported_pythons()


def test_make_looks_for_the_pythons_of_pyproject():
    search = re.search(r"sys\.exit\(not (.*)\)'", (ROOT / "Makefile").read_text(encoding="utf-8"))[
        1
    ]
    accepted = [v for v in MINORS if eval(search.replace("sys.version_info", str(v)))]
    assert accepted == supported_pythons()


def test_ci_runs_the_oldest_and_the_newest_python_everywhere():
    matrix = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]
    pythons = supported_pythons()
    assert matrix["python"] == [spell(pythons[0]), spell(pythons[-1])]
    assert {os.split("-")[0] for os in matrix["os"]} == {"ubuntu", "macos", "windows"}


# make


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_shows_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split()
    assert phony == re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE)
    shown = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert re.findall(r"^make ([\w-]+) +\S", shown, flags=re.MULTILINE) == phony


# make_env.py


@pytest.fixture
def make_env():
    spec = importlib.util.spec_from_file_location("make_env", ROOT / "scripts/make_env.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def course(make_env, monkeypatch, tmp_path):
    """A course folder whose .venv takes no time: build() says what it had to do."""
    done = []

    def create(folder):
        done.append("create")
        for path in ("bin/python", "Scripts/python.exe"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()

    def build(root=tmp_path):
        done.clear()
        make_env.main(root)
        return list(done)

    for source in ("requirements.lock", "pyproject.toml"):
        (tmp_path / source).write_text("before")
    monkeypatch.setattr(make_env, "create", create)
    monkeypatch.setattr(make_env, "install", lambda root, python: done.append("install"))
    build.root, build.done = tmp_path, done
    return build


def test_second_build_does_nothing(course):
    assert course() == ["create", "install"]
    assert course() == []


@pytest.mark.parametrize("source", ["requirements.lock", "pyproject.toml"])
def test_changed_source_is_installed_in_place(course, source):
    course()
    (course.root / source).write_text("after")
    assert course() == ["install"]
    assert course() == []


def test_interrupted_install_is_built_anew(course, make_env, monkeypatch):
    def interrupted(root, python):
        raise KeyboardInterrupt

    course()
    (course.root / "requirements.lock").write_text("after")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(make_env, "install", interrupted)
        course()
    assert course() == ["create", "install"]


def test_moved_folder_is_built_anew(course, tmp_path_factory):
    course()
    moved = shutil.copytree(course.root, tmp_path_factory.mktemp("moved") / "course")
    assert course(moved) == ["create", "install"]


def test_other_python_is_built_anew(course, make_env, monkeypatch):
    course()
    other = next(v for v in supported_pythons() if v != sys.version_info[:2])
    monkeypatch.setattr(make_env.sys, "version_info", other)
    assert course() == ["create", "install"]


def test_lost_python_is_built_anew(course):
    course()
    for path in ("bin/python", "Scripts/python.exe"):
        (course.root / ".venv" / path).unlink()
    assert course() == ["create", "install"]


@pytest.mark.parametrize(
    "version, system, machine, remedy",
    [
        ((3, 10, 9), "linux", "x86_64", "Python 3.10 no sirve"),
        ((3, 14, 0), "win32", "AMD64", "Python 3.14 no sirve"),
        ((3, 12, 0), "darwin", "x86_64", "Mac con Intel"),
    ],
)
def test_unfit_python_is_refused_in_one_line(make_env, version, system, machine, remedy):
    with pytest.raises(SystemExit, match=remedy) as stop:
        make_env.check_python(version, system, machine)
    assert "\n" not in stop.value.code


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)])
def test_fit_python_is_accepted(make_env, version):
    make_env.check_python(version, "darwin", "arm64")


def test_missing_ensurepip_names_the_debian_package(make_env, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        make_env.create(tmp_path / ".venv")


def test_pip_takes_over_from_uv(make_env, monkeypatch, tmp_path):
    asked = []
    monkeypatch.delenv("MUSICLAB_INSTALLER", raising=False)
    monkeypatch.setattr(
        make_env, "first_error", lambda root, commands: asked.append(commands) or "no network"
    )
    with pytest.raises(SystemExit, match=r"no network\n.*comprueba la conexión"):
        make_env.install(tmp_path, "python")
    assert ["uv" in str(commands) for commands in asked] == [True, False]
    monkeypatch.setenv("MUSICLAB_INSTALLER", "pip")
    with pytest.raises(SystemExit):
        make_env.install(tmp_path, "python")
    assert asked[2:] == asked[1:2]


def test_every_package_is_installed_by_its_hash(make_env, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        make_env, "first_error", lambda root, commands: asked.extend(commands) or "no network"
    )
    with pytest.raises(SystemExit):
        make_env.install(tmp_path, "python")
    fetching = [c for c in asked if "--no-deps" not in c and make_env.UV not in c]
    assert fetching and all("--require-hashes" in command for command in fetching)
