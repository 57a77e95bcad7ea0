"""Songs, networks and notebooks made in code: few tests need the corpus or a kernel."""

import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
from hypothesis import settings

from musiclab.music import NoteEvent, Song

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(scope="session", autouse=True)
def session_folders(tmp_path_factory):
    """Leave the user's cache alone, and stay in this process, where patches hold."""
    os.environ["MUSICLAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the set `tiny`, built by joblib's processes as users build it."""
    from musiclab import datasets

    with joblib.parallel_config(backend="loky"):
        return datasets.build_dataset("tiny", tmp_path_factory.mktemp("Datasets"))


@pytest.fixture(scope="session")
def song():
    """Two bars: single notes, a rest, a note across the bar line, and a chord."""
    notes = [(0, 1, 60), (1, 0.5, 62), (1.5, 0.5, 64), (3, 2, 67)]
    events = [NoteEvent(onset, length, (pitch,)) for onset, length, pitch in notes]
    return Song((*events, NoteEvent(5, 1, (60, 64, 67), 100)), program=40, tempo_bpm=90.0)


@pytest.fixture(scope="session")
def sequences():
    """Ids of four songs of different length, from a vocabulary of 5."""
    rng = np.random.default_rng(0)
    return [rng.integers(1, 5, n).astype(np.int32) for n in (9, 14, 6, 23)]


@pytest.fixture(scope="session")
def make_bundle(sequences):
    """Return a function that gives (bundle, windows) of a network of a few weights."""
    from musiclab.encoding import UNKNOWN, Vocabulary, make_windows
    from musiclab.models import compile_model
    from musiclab.training import new_bundle

    def make(tokens="C4 D4 E4 G4", seed=1, length=4, encoding="tutorial", data=None, **config):
        small = {"cell": "gru", "units": (3, 2), "inputs": "embedding", "embedding_dim": 2}
        windows = make_windows(data or sequences, length, config.get("every_step", False))
        vocabulary = Vocabulary((UNKNOWN, *tokens.split()))
        bundle = new_bundle(vocabulary, encoding, length, windows, seed, **small | config)
        compile_model(bundle.model, learning_rate=0.02)
        return bundle, windows

    return make


@pytest.fixture
def make_notebook(tmp_path):
    """Return a function that writes a notebook of code cells, the first its parameters."""
    import nbformat

    def make(*sources, name="01_mini.ipynb"):
        parameters = (
            "EPOCHS: int = 2  # vueltas\nRATE: float = 0.5\nOUTPUT_DIR: str = 'aquí'\nx = 1"
        )
        cells = [nbformat.v4.new_code_cell(source) for source in (parameters, *sources)]
        cells[0].metadata["tags"] = ["parameters"]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        (tmp_path / "cuadernos").mkdir(exist_ok=True)
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / "cuadernos" / name)
        return tmp_path / "cuadernos" / name

    return make


@pytest.fixture(scope="session")
def in_fresh_process():
    """Return a function that starts Python on a source, and gives a function to await it."""

    def start(source, **environment):
        env = {k: v for k, v in os.environ.items() if not k.startswith("TF_")} | environment
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, "-c", source], env=env, **pipes)

        def finish():
            out, err = process.communicate()
            assert process.returncode == 0, err
            return out, err

        return finish

    return start
