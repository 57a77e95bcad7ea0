"""How long a note takes: the tutorial's own loop, and what stands in its place.

All with the tutorial's network, a stack of LSTMs of 512, 256, 128, 64 and
32 units, in one run, in turns, the median of several. Two ways of reading
its weights once, and doing nothing else, say how fast a note could be.
Prints milliseconds a note and writes them to
benchmarks/results/generation.csv.

    .venv/bin/python benchmarks/generation.py
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from musiclab import generation
from musiclab.backend import keras
from musiclab.files import write_csv
from musiclab.models import TUTORIAL_UNITS, build_model

RESULTS = Path(__file__).parent / "results"
VOCAB_SIZE, WINDOW = 52, 20  # of the chorales as the tutorial writes them; its SEQUENCE_LEN
N_NOTES, TUTORIAL_NOTES, LENGTHS = 200, 20, (100, 1000, 10000)
CACHE_BYTES = 2**28  # more than a processor keeps at hand
REPEATS, CORES = 7, os.cpu_count()


def measure(units=TUTORIAL_UNITS, repeats=REPEATS):
    """Return the rows, dicts, of all comparisons."""
    rows = _compare("velocidad", _rivals(units), repeats)
    rows += _compare("largo de la canción", _lengths(units), repeats)
    rows += _compare("vocabulario", _vocabularies(units), repeats)
    return rows + _compare("canciones a la vez", _batches(units), repeats)


def measure_on_one_core(units=TUTORIAL_UNITS, repeats=REPEATS):
    """Return the rows of what NumPy alone does, by a process whose NumPy has one thread."""
    # The libraries that NumPy may be built with: OpenBLAS, MKL, and macOS's own.
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    task = ["--one-core", "--repeats", str(repeats), "--units", *map(str, units)]
    child = subprocess.run(
        [sys.executable, __file__, *task],
        env=os.environ | dict.fromkeys(names, "1"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(child.stdout)


# What is compared: names, and functions that return (seconds, notes)


def _rivals(units):
    model, every_step = _ours(units), _ours(units, every_step=True)
    return {
        "el bucle del tutorial: predict cada nota": _tutorial(units),
        "la misma red, una respuesta por ventana": lambda: _write(model, WINDOW),
        **_numpy_rivals(every_step),
    }


def _numpy_rivals(model):
    n_weights = model.count_params()
    n_copies = max(1, CACHE_BYTES // (4 * n_weights))
    return {
        "una respuesta en cada paso, estado llevado": lambda: _write(model),
        "lo mismo, con el estado ya a punto": lambda: _marginal(model),
        "leer los pesos de la caché": _reading(n_weights, 1),
        "leer los pesos de la memoria": _reading(n_weights, n_copies),
    }


def _lengths(units):
    model = _ours(units, every_step=True)
    return {f"{n} notas": lambda n=n: _write(model, n_notes=n) for n in LENGTHS}


def _vocabularies(units):
    models = (_ours(units, VOCAB_SIZE * k, every_step=True) for k in (1, 10, 100))
    return {f"{m.output_shape[-1]} símbolos": lambda m=m: _write(m) for m in models}


def _batches(units):
    model = _ours(units, every_step=True)
    return {f"{n} canciones": lambda n=n: _write_songs(model, n) for n in (1, 8, 64)}


def _ours(units, vocab_size=VOCAB_SIZE, **config):
    return build_model(vocab_size, units=units, **config)


# What is timed


def _tutorial(units):
    """Return the tutorial's procedure: a window of id / vocab_size, predict, argmax, shift."""
    layers = [keras.Input((WINDOW, 1))]
    for k, n in enumerate(units, start=1):
        layers += [keras.layers.LSTM(n, return_sequences=k < len(units)), keras.layers.Dropout(0.2)]
    model = keras.Sequential([*layers, keras.layers.Dense(VOCAB_SIZE, activation="softmax")])

    def write():
        window, ids = (_prompt() / VOCAB_SIZE).tolist(), []
        start = time.perf_counter()
        for _ in range(TUTORIAL_NOTES):
            shares = model.predict(np.reshape(window, (1, WINDOW, 1)), verbose=0)
            ids.append(int(np.argmax(shares)))
            window = [*window[1:], ids[-1] / VOCAB_SIZE]
        return time.perf_counter() - start, len(ids)

    return write


def _write(model, window_length=None, n_notes=N_NOTES):
    start = time.perf_counter()
    ids = generation.generate(
        model, _prompt(), n_notes, window_length, 0.8, np.random.default_rng(0)
    )
    return time.perf_counter() - start, len(ids)


def _write_songs(model, n_songs):
    start = time.perf_counter()
    songs = generation.generate_songs(
        model, [_prompt()] * n_songs, N_NOTES, None, 0.8, np.random.default_rng(0)
    )
    return time.perf_counter() - start, sum(map(len, songs))


def _marginal(model):
    """Return what more notes cost, so without the prompt and what comes before the first note."""
    (short, n_short), (long, n_long) = _write(model), _write(model, n_notes=5 * N_NOTES)
    return long - short, n_long - n_short


def _reading(n_weights, n_copies):
    """Return a function that multiplies a vector by matrices of so many weights, each in turn."""
    width = 1024
    matrices = np.ones((n_copies, -(-n_weights // width), width), dtype=np.float32)
    vector = np.ones(matrices.shape[1], dtype=np.float32)

    def read():
        start = time.perf_counter()
        for k in range(max(100, n_copies)):
            vector @ matrices[k % n_copies]
        return time.perf_counter() - start, max(100, n_copies)

    return read


def _prompt():
    return np.arange(1, WINDOW + 1)


# How


def _compare(experiment, rivals, repeats, cores=CORES):
    """Return a row for each rival; they take turns, so that a busy machine slows all of them."""
    times = {name: [] for name in rivals}
    for turn in range(repeats + 1):
        for name, run in rivals.items():
            seconds, n_notes = run()
            if turn:  # the first is for what happens once: compiling, above all
                times[name].append(1000 * seconds / n_notes)
    ms = {name: float(np.median(values)) for name, values in times.items()}
    first = next(iter(ms.values()))
    return [
        {
            "experiment": experiment,
            "case": name,
            "ms_per_note": value,
            "fastest": min(times[name]),
            "times_as_fast": first / value,
            "repeats": repeats,
            "cores": cores,
            "machine": platform.machine(),
        }
        for name, value in ms.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=TUTORIAL_UNITS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--output", type=Path, default=RESULTS / "generation.csv")
    parser.add_argument("--one-core", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["MUSICLAB_PROGRESS"] = "off"
    task = options.units, options.repeats
    if options.one_core:
        rivals = _numpy_rivals(_ours(options.units, every_step=True))
        print(json.dumps(_compare("velocidad, un núcleo", rivals, options.repeats, cores=1)))
        return
    rows = measure(*task) + measure_on_one_core(*task)
    print(f"{'':<66}{'ms/nota':>9}{'mínimo':>9}{'veces':>8}")
    for row in rows:
        print(
            f"{row['experiment']:<22}{row['case']:<44}{row['ms_per_note']:>9.3f}"
            f"{row['fastest']:>9.3f}{row['times_as_fast']:>8.1f}"
        )
    write_csv(options.output, rows)


if __name__ == "__main__":
    main()
