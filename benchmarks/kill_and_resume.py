"""A training that is killed again and again ends as one that is left alone.

Trains a small network without interruption, and the same one in processes
that are killed at random moments, within epochs and within the writing of
files, and resumed with load_previous until they finish. Both must leave the
same two files, to the last bit: weights, state of the optimiser and history,
and nothing else. Prints where the kills fell; exits with 1 on a difference.

    .venv/bin/python benchmarks/kill_and_resume.py --kills 20 --seed 0
"""

import argparse
import builtins
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file

EPOCHS = 8
PAUSE_S = 0.05  # at each step of a writing, so that kills fall between them
FILES = ("checkpoint.safetensors", "model.safetensors")


# The training


def train(folder, say=lambda event: None):
    """Train to the end, from the folder's checkpoint if there is one; `say` hears of each step."""
    from musiclab.backend import keras
    from musiclab.encoding import Vocabulary, make_windows
    from musiclab.models import compile_model
    from musiclab.training import new_bundle
    from musiclab.training import train as train_bundle

    rng = np.random.default_rng(0)
    windows = make_windows([rng.integers(1, 5, n) for n in (50, 90, 30)], 6, every_step=True)
    held_out = make_windows([rng.integers(1, 5, 60)], 6, every_step=True)
    config = {"cell": "gru", "units": (8, 6), "inputs": "embedding", "embedding_dim": 4}
    vocabulary = Vocabulary(("<unk>", "C4", "D4", "E4", "G4"))
    bundle = new_bundle(
        vocabulary, "pitches", 6, windows, 1, dropout=0.3, every_step=True, **config
    )
    # So large a rate that the loss goes up and down: the best epoch is not always the last.
    compile_model(bundle.model, learning_rate=0.2)
    batches = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: say("en una época")
    )
    train_bundle(
        bundle, windows, held_out, epochs=EPOCHS, batch_size=4, folder=folder,
        load_previous=True, callbacks=[batches],
    )  # fmt: skip


class _HalfAndHalf:
    """A file that takes a pause in the middle of what it writes."""

    def __init__(self, file, pause):
        self._file, self._pause = file, pause

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        self._pause(f"a medio escribir {_final_name(self._file.name)}")
        self._file.write(data[len(data) // 2 :])


def _final_name(temporary):
    return Path(temporary).name.strip(".").split(".tmp")[0]


def slow_down_writing(pause):
    """Make musiclab's writing of files take a pause, which is told where, at each step."""
    from musiclab import files

    replace = os.replace

    def slow_replace(temporary, path):
        pause(f"a punto de cambiar {Path(path).name}")
        replace(temporary, path)
        pause(f"recién cambiado {Path(path).name}")

    files.open = lambda *args: _HalfAndHalf(builtins.open(*args), pause)  # noqa: SIM115
    os.replace = slow_replace


def child(folder):
    """Train in a process that says what it does, and waits a moment where it writes."""

    def say(event):
        print(event, flush=True)

    def pause(event):
        say(event)
        time.sleep(PAUSE_S)

    slow_down_writing(pause)
    train(folder, say)


# The killing


def live(folder, n_events=None, delay_s=0.0):
    """Start a training; kill it a moment after its n_events-th event.

    Returns what it was doing then, or None when it had finished before.
    """
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder)]
    environment = os.environ | {"MUSICLAB_PROGRESS": "off", "PYTHONIOENCODING": "utf-8"}
    pipes = {"stdout": subprocess.PIPE, "encoding": "utf-8", "env": environment}
    with subprocess.Popen(command, **pipes) as process:
        last, count = "antes de empezar", 0
        for line in process.stdout:
            last, count = line.strip(), count + 1
            if count == n_events:
                time.sleep(delay_s)
                process.kill()
        if process.wait() == 0:
            return None
        if n_events is None or count < n_events:
            raise SystemExit(f"the training failed by itself: {process.returncode}")
        return last


def kill_until_finished(folder, kills, rng, where):
    """Train with up to so many kills; return how many there were, counted in `where`."""
    for done in range(kills):
        fell = live(folder, int(rng.integers(1, 60)), float(rng.uniform(0, PAUSE_S)))
        if fell is None:
            return done
        where[fell] += 1
    live(folder)
    return kills


def differences(folder, reference):
    """Return sentences on how the files of two folders differ."""
    found = []
    extra = {path.name for path in Path(folder).iterdir()} - set(FILES)
    if extra:
        found.append(f"sobran {', '.join(sorted(extra))}")
    for name in FILES:
        files = [Path(root) / name for root in (reference, folder)]
        if files[0].read_bytes() == files[1].read_bytes():
            continue
        one, other = (load_file(file) for file in files)
        unlike = [key for key in one if not np.array_equal(one[key], other.get(key))]
        found.append(f"{name} difiere en {', '.join(unlike) or 'su forma'}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    rng, where, wrong = np.random.default_rng(options.seed), Counter(), []
    left, trainings = options.kills, 0
    with TemporaryDirectory() as root:
        live(Path(root) / "seguido")
        while left > 0:
            trainings += 1
            folder = Path(root) / f"interrumpido {trainings}"
            left -= kill_until_finished(folder, left, rng, where)
            wrong += differences(folder, Path(root) / "seguido")
    print(f"{'muertes':>8}  dónde")
    for place, count in where.most_common():
        print(f"{count:>8}  {place}")
    print(f"{where.total():>8}  en {trainings} entrenamientos de {EPOCHS} épocas")
    print("\n".join(wrong) if wrong else "los ficheros son los de un entrenamiento seguido")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
