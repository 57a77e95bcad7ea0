"""How fast the course is, each time beside the tutorial's own procedure, in one run.

Reading MIDI, learning, and starting up; how much memory ten million symbols
take; and how the cost grows with files, notes, symbols and windows. What a
note costs to write is in generation.py, which `make bench` runs too. Prints
all and writes it to benchmarks/results/speed.csv and growth.csv, with a plot.

    .venv/bin/python benchmarks/speed.py

The tutorial's ten epochs take most of the half hour.
"""

import argparse
import csv
import os
import platform
import subprocess
import sys
import time
import warnings
from collections import Counter, deque
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import music21_reference
import numpy as np
from music21 import converter

from musiclab import datasets, encoding, evaluation, models, plotting, training
from musiclab.backend import keras, set_seed
from musiclab.datasets import corpus
from musiclab.files import write_csv
from musiclab.midi import load_folder, load_midi, midi_files, song_to_midi
from musiclab.music import NoteEvent, Song
from musiclab.plotting import style

RESULTS = Path(__file__).parent / "results"
WINDOW = 20  # the tutorial's SEQUENCE_LEN
SONGS = 60  # enough chorales for its ten epochs to take long
N_TOKENS = 10_000_000
MACHINE = f"{platform.machine()}, {os.cpu_count()} núcleos, Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="bach")
    parser.add_argument("--epochs", type=int, default=10, help="of the tutorial's network")
    parser.add_argument("--tokens", type=int, default=N_TOKENS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    os.environ["MUSICLAB_PROGRESS"] = "off"
    print(MACHINE)
    rows = []
    for measure in (reading, starting, memory, learning):
        for row in measure(options):
            rows.append({**row, "machine": MACHINE})
            print("{what:<12} {case:<58} {value:>10.3f} {unit:<4} {ratio:>8.1f}".format(**row))
    grown = growth(options)
    for row in grown:
        print("{what:<12} {size:>10} {seconds:>10.4f} s".format(**row))
    write_csv(options.output / "speed.csv", rows)
    write_csv(options.output / "growth.csv", grown)
    print(draw(options.output))


def _row(what, case, value, unit="s", ratio=1.0):
    """Return a row; ratio: how many times better than the first of its kind."""
    return {"what": what, "case": case, "value": value, "unit": unit, "ratio": ratio}


# Reading


def reading(options):
    """Yield what music21 takes for the files of a set on one core, as the tutorial calls it, and we.

    Its rounding to a quarter of a beat makes other songs; so our notes are
    held against those that it reads without rounding, in the same run.
    """
    datasets.build_dataset(options.dataset)
    folder = corpus.ROOT / options.dataset
    paths = midi_files(folder)
    _parse_as_tutorial(paths[0])  # what is imported once is not counted
    load_midi(paths[0])
    seconds, (songs, _) = _timed(lambda: load_folder(folder))
    # Its scores are not kept: hundreds of thousands of objects would slow whatever follows.
    slow, _ = _timed(lambda: deque(map(_parse_as_tutorial, paths), maxlen=0))
    n_notes = sum(len(event.pitches) for song in songs for event in song.events)
    why = sum(map(music21_reference.differences, paths, songs), Counter())
    assert not why["otra"], why
    yield _row("leer", f"music21, {len(paths)} ficheros de {options.dataset}", slow)
    case = f"musiclab, los mismos, {n_notes - why.total()} de {n_notes} notas iguales"
    yield _row("leer", case, seconds, ratio=slow / seconds)


def _parse_as_tutorial(path):
    """Read a file as the tutorial does, but for music21's own cache, which it would find warm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return converter.parse(path, format="midi", forceSource=True, storePickle=False)


def _timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


# Starting up


def starting(options):
    """Yield what a fresh process takes until its first answer, the median of five."""
    sound = "from musiclab.midi import load_midi; from musiclab.playback import player; "
    first = f"load_midi({str(midi_files(corpus.ROOT / options.dataset)[0])!r})"
    cases = {
        "import music21 (lo primero del tutorial)": "import music21",
        "import musiclab": "import musiclab",
        "musiclab --help": "from musiclab.cli import main; main(['--help'], standalone_mode=False)",
        "primera figura": "import musiclab.plotting.style as p; p.plt.figure().canvas.draw()",
        "primer sonido": f"{sound}player({first})",
        "primera ficha (sonido, partitura y rollo)": "from musiclab.midi import load_midi; "
        f"from musiclab.card import show; show({first})",
    }
    slowest = None
    for case, source in cases.items():
        command = [sys.executable, "-c", source]
        times = [
            _timed(lambda c=command: subprocess.run(c, check=True, stdout=subprocess.DEVNULL))[0]
            for _ in range(5)
        ]
        seconds = float(np.median(times))
        slowest = slowest or seconds
        yield _row("arrancar", case, seconds, ratio=slowest / seconds)


# Memory


MEMORY = """
import resource, sys
import numpy as np
from musiclab.encoding import make_windows
n, every_step, width = int(sys.argv[1]), sys.argv[2] == "True", 100
songs = np.array_split(np.random.default_rng(0).integers(1, 200, n, dtype=np.int32), n // 1000)
x, y = make_windows(songs, width, every_step)
order = np.random.default_rng(0).permutation(len(x))
for k in range(0, min(len(x), 20_000), 32):
    x[order[k : k + 32]], y[order[k : k + 32]]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # where that counts what the parent had at the start
    peak = next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(peak * (1 if sys.platform == "darwin" else 1024) / 1e9)
"""


def memory(options):
    """Yield the most memory that so many symbols take, as windows of 100 in random order."""
    if os.name == "nt":  # has no getrusage
        return
    whole = options.tokens * 100 * 4 / 1e9
    case = f"{options.tokens / 1e6:g} M de símbolos"
    yield _row("memoria", f"{case}, todas las ventanas copiadas (calculado)", whole, "GB")
    for every_step in (False, True):
        task = [sys.executable, "-c", MEMORY, str(options.tokens), str(every_step)]
        peak = float(subprocess.run(task, check=True, capture_output=True, text=True).stdout)
        kind = "una respuesta en cada paso" if every_step else "una respuesta por ventana"
        yield _row("memoria", f"{case}, {kind}, todo el proceso", peak, "GB", whole / peak)


# Learning


def learning(options):
    """Yield how long the tutorial's network learns, and how long ours takes to do as well."""
    songs = datasets.load_dataset(options.dataset)[0][:SONGS]
    tokens = [encoding.get_encoding("tutorial").encode(song) for song in songs]
    n_held_out = max(1, len(songs) // 10)
    vocabulary = encoding.Vocabulary.fit(tokens[:-n_held_out])
    ids = [vocabulary.to_ids(song) for song in tokens]
    train, held_out = ids[:-n_held_out], ids[-n_held_out:]
    judge = lambda predictor: evaluation.held_out_nll(predictor, held_out, first=WINDOW)
    seconds, nll = _tutorial(train, len(vocabulary), options.epochs, judge)
    case = f"la red del tutorial, {options.epochs} épocas"
    yield _row("aprender", f"{case}: {nll:.3f} nats", seconds)
    ours, best = _until(nll, vocabulary, train, held_out, judge)
    yield _row("aprender", f"la nuestra, hasta {best:.3f} nats", ours, ratio=seconds / ours)


def _tutorial(train, vocab_size, epochs, judge):
    """Do as the tutorial does: id / vocab_size, one-hot answers, a stack of LSTMs, batches of 32."""
    set_seed(0)
    layers = [keras.Input((WINDOW, 1))]
    for k, n in enumerate(models.TUTORIAL_UNITS, start=1):
        last = k == len(models.TUTORIAL_UNITS)
        layers += [keras.layers.LSTM(n, return_sequences=not last), keras.layers.Dropout(0.2)]
    model = keras.Sequential([*layers, keras.layers.Dense(vocab_size, activation="softmax")])
    model.compile(
        loss="categorical_crossentropy", optimizer="adam", metrics=["categorical_accuracy"]
    )
    x, y = encoding.make_windows(train, WINDOW)
    x = np.asarray(x)[..., None] / vocab_size
    y = keras.utils.to_categorical(y, num_classes=vocab_size)
    seconds, _ = _timed(lambda: model.fit(x, y, epochs=epochs, verbose=0))

    def predictor(song):
        log_probs = np.full((len(song), vocab_size), -np.log(vocab_size))
        windows = np.lib.stride_tricks.sliding_window_view(song[:-1], WINDOW)
        shares = model.predict_on_batch(windows[..., None] / vocab_size)
        log_probs[WINDOW:] = np.log(np.maximum(shares, 1e-12))
        return log_probs

    return seconds, judge(predictor)


def _until(nll, vocabulary, train, held_out, judge, most=50):
    """Train ours, epoch by epoch, until the held-out songs say that it is as good."""
    start = time.perf_counter()
    windows, judged = (encoding.make_windows(part, WINDOW, True) for part in (train, held_out))
    config = {"inputs": "embedding", "units": [256], "every_step": True}
    bundle = training.new_bundle(vocabulary, "tutorial", WINDOW, windows, 0, **config)
    models.compile_model(bundle.model, learning_rate=4e-3)
    with TemporaryDirectory() as folder:
        for epochs in range(1, most + 1):
            training.train(
                bundle, windows, judged, epochs=epochs, folder=folder, load_previous=True
            )
            reached = judge(evaluation.log_probabilities(bundle.model))
            if reached <= nll:
                return time.perf_counter() - start, reached
    raise SystemExit(f"after {most} epochs it is at {reached:.3f} nats, not at {nll:.3f}")


# Growth


def growth(options):
    """Return rows of how the cost of each thing grows, ×1, ×10 and ×100."""
    experiments = {
        "ficheros": (_read_files, (36, 360, 3600)),
        "notas de un fichero": (_read_notes, (1000, 10_000, 100_000)),
        "símbolos": (_cut_windows, (100_000, 1_000_000, 10_000_000)),
        "ventana": (_learn_windows, (8, 80, 800)),
        "vocabulario": (_learn_vocabulary, (50, 500, 5000)),
    }
    rows = []
    for what, (run, sizes) in experiments.items():
        for size in sizes:
            rows.append(
                {"what": what, "size": size, "seconds": run(size, options), "machine": MACHINE}
            )
    return rows


def _read_files(n, options):
    paths = midi_files(corpus.ROOT / options.dataset)
    with TemporaryDirectory() as folder:
        for k in range(n):
            (Path(folder) / f"{k}.mid").write_bytes(paths[k % len(paths)].read_bytes())
        return _timed(lambda: load_folder(folder))[0]


def _read_notes(n, options):
    pitches = np.random.default_rng(0).integers(40, 80, n)
    song = Song(tuple(NoteEvent(k / 2, 0.5, (int(p),)) for k, p in enumerate(pitches)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        path.write_bytes(song_to_midi(song))
        return _timed(lambda: load_midi(path))[0]


def _cut_windows(n, options):
    songs = np.array_split(np.random.default_rng(0).integers(1, 200, n, dtype=np.int32), n // 1000)
    return _timed(lambda: encoding.make_windows(songs, 100))[0]


def _learn_windows(length, options):
    return _step(np.random.default_rng(0).integers(1, 50, (16, length)), vocab_size=50)


def _learn_vocabulary(vocab_size, options):
    return _step(np.random.default_rng(0).integers(1, vocab_size, (16, 64)), vocab_size)


def _step(ids, vocab_size):
    """Return the seconds of one step of training, the median of five."""
    config = {"inputs": "embedding", "units": [128], "every_step": True}
    model = models.compile_model(models.build_model(vocab_size, **config))
    times = [_timed(lambda: model.train_on_batch(ids, ids))[0] for _ in range(7)]
    return float(np.median(times[2:]))


# The plot


def draw(folder):
    """Draw the three tables, and return the picture's path."""
    plotting.use_style()
    speed, growth, notes = (
        _read_csv(folder / f"{name}.csv") for name in ("speed", "growth", "generation")
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.4), width_ratios=(3, 2))
    # What is no rival's work, such as starting up or reading weights, stands in the tables alone.
    bars = [
        (f"escribir: {row['case']}", float(row["times_as_fast"]))
        for row in notes
        if row["experiment"] == "velocidad" and "respuesta" in row["case"]
    ]
    bars += [
        (f"{row['what']}: {row['case']}", float(row["ratio"]))
        for row in speed
        if row["what"] != "arrancar" and float(row["ratio"]) != 1
    ]
    left.barh([case for case, _ in bars], [ratio for _, ratio in bars])
    left.invert_yaxis()
    left.set_xscale("log")
    left.grid(visible=False, axis="y")
    left.set(xlabel="veces mejor que el tutorial", title=MACHINE)
    left.set_xlim(right=2000)
    for case, ratio in bars:
        left.text(ratio, case, f" {ratio:.3g}", va="center")
    for what in dict.fromkeys(row["what"] for row in growth):
        rows = [row for row in growth if row["what"] == what]
        seconds = np.array([float(row["seconds"]) for row in rows])
        right.plot([1, 10, 100], seconds / seconds[0], marker="o", label=what)
    right.plot([1, 100], [1, 100], color=style.GREY, linestyle=":", label="en proporción")
    right.set(xscale="log", yscale="log", xlabel="tamaño (veces)", ylabel="tiempo (veces)")
    right.set_title("Cómo crece")
    right.legend()
    path = folder / "speed.png"
    figure.savefig(path)
    return path


def _read_csv(path):
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
