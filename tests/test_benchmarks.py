"""The benchmarks run, on the smallest set and on networks of a few weights."""

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musiclab import datasets
from musiclab.grading import confining

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def load(tiny, monkeypatch):
    """Return a function that imports a benchmark by name, whose data is the set `tiny`."""
    original = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda name: original(name, tiny.parent))

    def load(name, *arguments):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses ask for it
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        return module

    return load


def test_the_ladder_has_a_row_and_each_network_a_song(load, tmp_path, monkeypatch, capsys):
    learning = load("learning", "--datasets", "bach", "--output", tmp_path / "learning.csv")
    small = {"units": [3], "inputs": "embedding", "embedding_dim": 2}
    networks = {
        "each step": learning.Network(small | {"every_step": True}, {"bach": 1}),
        "last step": learning.Network(small, {"bach": 1}, windows=40),
        "elsewhere": learning.Network(small, {"folk": 1}),
    }
    monkeypatch.setattr(learning, "NETWORKS", networks)
    monkeypatch.setattr(learning, "WINDOW", 8)
    monkeypatch.setattr(learning, "SONGS", tmp_path / "familias")
    monkeypatch.setattr(datasets, "load_dataset", _named_tiny(datasets.load_dataset))
    learning.main()
    rows = {row["model"]: row for row in csv.DictReader((tmp_path / "learning.csv").open())}
    assert [*rows][-2:] == ["each step", "last step"] and len(rows) == 8
    assert float(rows["uniforme"]["nll"]) > float(rows["unigrama"]["nll"])
    for row in rows.values():
        assert np.exp(float(row["nll"])) == pytest.approx(float(row["perplexity"]), rel=1e-3)
    assert (tmp_path / "learning.png").stat().st_size > 1000
    for name in ("bach_each_step", "bach_last_step"):
        assert {path.name for path in (tmp_path / "familias" / name).iterdir()} == {
            *("song.mid", "song.mp3", "copia.txt")
        }
    assert capsys.readouterr().out.count("su canción") == 2


def _named_tiny(load_dataset):
    return lambda name: load_dataset("tiny")


def test_windows_are_drawn_with_their_targets(load):
    x = np.arange(60).reshape(20, 3)
    chosen, targets = load("learning")._draw((x, x[:, 0]), 7, np.random.default_rng(0))
    assert len(chosen) == 7 and (chosen[:, 0] == targets).all()
    assert sorted(targets) != targets.tolist()


def test_the_noise_experiment_prints_its_figures(load, tmp_path, monkeypatch, capsys):
    output = tmp_path / "noise.csv"
    noise = load("noise", "--dataset", "tiny", "--epochs", 1, "--transpose", 0, "--window", 8,
                 "--noises", 4, "--output", output)  # fmt: skip
    monkeypatch.setattr(noise, "CONFIG", noise.CONFIG | {"units": [4], "embedding_dim": 2})
    noise.main()
    rows = list(csv.DictReader(output.open()))
    assert [row["red"] for row in rows] == ["sin ruido", "ruido simple", "VAE"]
    assert float(rows[0]["efecto_nats"]) == 0 < float(rows[1]["efecto_nats"]) < np.log(4)
    assert f"{float(rows[2]['nll_nats']):.3f}" in capsys.readouterr().out


def test_generation_is_timed_beside_the_tutorials_loop(load, tmp_path, monkeypatch, capsys):
    output = tmp_path / "generation.csv"
    speed = load("generation", "--units", 3, 2, "--repeats", 1, "--output", output)
    for name, value in {"N_NOTES": 6, "TUTORIAL_NOTES": 2, "CACHE_BYTES": 2**16}.items():
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "LENGTHS", (5, 10))
    speed.main()
    rows = list(csv.DictReader(output.open()))
    assert all(float(row["ms_per_note"]) > 0 for row in rows if "a punto" not in row["case"])
    assert {row["cores"] for row in rows if row["experiment"] == "velocidad, un núcleo"} == {"1"}
    assert len({(row["experiment"], row["case"]) for row in rows}) == len(rows) == 18
    assert float(rows[2]["times_as_fast"]) > 10
    assert capsys.readouterr().out.count("notas") >= 2


@pytest.mark.skipif(bool(confining.missing_tools()), reason="no box on this machine")
def test_grading_is_measured_beside_nbgrader(tmp_path):
    """Both give full marks, and a killed grading that goes on gives the same table, or it fails."""
    output = tmp_path / "grading.csv"
    command = [sys.executable, BENCHMARKS / "grading.py", "--copies", "3", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(output.open()))
    assert len(rows) == 8 and all(float(row["value"]) > 0 for row in rows)
    assert [row["ratio"] for row in rows[:3]] == ["1.0000"] * 3
    assert "las mismas notas" in rows[-1]["case"] and done.stdout.count("\n") == 8


def test_fuzzing_finds_nothing_and_could_find_something(tmp_path):
    script, out = BENCHMARKS / "fuzz.py", tmp_path / "fuzz"
    command = [sys.executable, script, "--minutes", "0.05", "--output", out, "--targets"]
    done = subprocess.run(
        [*command, "manifest", "preset", "chorale_csv"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert list(out.iterdir()) == []

    spec = importlib.util.spec_from_file_location("fuzz", script)
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    found = fuzz._outcome(lambda data: data[10], b"short")
    assert found[0] == "otro error" and "IndexError" in found[1]
    originals = [b"60,61,62", b'{"a": [1, 2]}', bytes(50)]
    tries = [
        [fuzz.mutate(originals, np.random.default_rng([seed, k])) for k in range(300)]
        for seed in (1, 1, 2)
    ]
    assert tries[0] == tries[1] != tries[2] and len(set(tries[0])) > 150
