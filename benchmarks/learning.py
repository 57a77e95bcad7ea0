"""What each model learns of music: the ladder from guessing to the transformer.

For each data set, all models are judged on the same symbols of the same
held-out songs, and learn from the same others in several keys: the
tutorial's network and the bidirectional one, which give one answer a
window, from a sample of their windows. A network's best epoch is chosen on
the held-out songs, so n-grams of several orders stand beside it. Prints NLL
and perplexity, by token and by note, and wall time; writes them to
benchmarks/results/learning.csv with a plot. Each network also writes a
song into runs/familias/, with what it copied beside it.

    .venv/bin/python benchmarks/learning.py
"""

import argparse
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from musiclab import (
    course,
    datasets,
    encoding,
    evaluation,
    generation,
    models,
    playback,
    plotting,
    training,
)
from musiclab.files import output_folder, write_csv

RESULTS = Path(__file__).parent / "results"
SONGS = course.PROJECT / "runs" / "familias"
WINDOW = 64
EVERY_STEP = {"inputs": "embedding", "every_step": True}
LAST_STEP = {"inputs": "embedding", "units": [192], "bidirectional": True}
TRANSFORMER = {"cell": "transformer", "units": [128] * 3, "dropout": 0.1}


@dataclass(frozen=True)
class Network:
    """How a network is built and trained.

    config: for `build_model`; epochs: for each data set, over all windows
    windows: how many to draw of those with one target, of which each id begins one
    """

    config: dict
    epochs: dict
    learning_rate: float = 4e-3
    windows: int | None = None

    def on(self, dataset):
        return dataset in self.epochs


NETWORKS = {
    "red del tutorial": Network({}, {"bach": 1, "folk": 1}, 1e-3, windows=4096),
    "LSTM con embedding": Network(EVERY_STEP | {"units": [384]}, {"bach": 5, "folk": 2}),
    "transformer": Network(EVERY_STEP | TRANSFORMER, {"bach": 6, "folk": 2}, 1e-3),
    "SimpleRNN": Network(EVERY_STEP | {"cell": "simple_rnn", "units": [384]}, {"bach": 3}, 1e-3),
    "GRU": Network(EVERY_STEP | {"cell": "gru", "units": [384]}, {"bach": 3}),
    "LSTM bidireccional": Network(LAST_STEP, {"bach": 1}, 2e-3, windows=16384),
    "VAE": Network(EVERY_STEP | {"cell": "gru", "units": [256], "noise": "vae"}, {"bach": 3}),
}


class Data:
    """A data set as ids: songs to learn from in several keys, and songs to judge by."""

    def __init__(self, name, encoding_name, transpose, seed):
        self.name, self.seed = name, seed
        self.codec = encoding.get_encoding(encoding_name)
        split = datasets.split_by_song(datasets.load_dataset(name)[0], seed)
        # As they come back from the encoding, so that copies are told from the same notes.
        self.songs = [
            encoding.decode_song(self.codec.encode(song), encoding_name, source=song.source)
            for song in split.train
        ]
        compass = datasets.pitch_limits(split.train)
        train = [
            self.codec.encode(song)
            for song in datasets.in_all_keys(split.train, transpose, *compass)
        ]
        held_out = [self.codec.encode(song) for song in split.held_out]
        self.vocabulary = encoding.Vocabulary.fit(train)
        self.train = [self.vocabulary.to_ids(tokens) for tokens in train]
        self.held_out = [self.vocabulary.to_ids(tokens) for tokens in held_out]
        judged = (self.codec.decode(tokens[WINDOW:]) for tokens in held_out)
        self.n_notes = sum(len(event.pitches) for events in judged for event in events)

    def score(self, predictor):
        return evaluation.held_out_likelihood(predictor, self.held_out, WINDOW, self.n_notes)


def main():
    options = _options()
    plotting.use_style()
    rows = []
    for name in options.datasets:
        data = Data(name, options.encoding, options.transpose, options.seed)
        print(
            f"\n{name}, símbolos «{options.encoding}»: {len(data.train)} canciones para aprender, "
            f"transportadas; {len(data.held_out)} de validación; {len(data.vocabulary)} símbolos"
        )
        print(f"{'':<20}{'NLL':>7}{'perpl.':>9}{'NLL/nota':>10}{'exactitud':>11}{'segundos':>10}")
        for row in _ladder(data, options):
            rows.append({"dataset": name, "encoding": options.encoding, **row})
            print(
                f"{row['model']:<20}{row['nll']:>7.3f}{row['perplexity']:>9.2f}"
                f"{row['nll_per_note']:>10.3f}{row['accuracy']:>11.3f}{row['seconds']:>10.1f}"
            )
            if row["copied"]:
                print(f"{'':<20}su canción {row['copied']}")
    write_csv(options.output, rows)
    _plot(rows, options.output)


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=["bach", "folk"], choices=["bach", "folk"])
    parser.add_argument("--networks", nargs="*", default=[*NETWORKS], choices=[*NETWORKS])
    parser.add_argument("--encoding", default="events", choices=[*encoding.ENCODINGS])
    parser.add_argument("--transpose", type=int, default=3, help="semitones up and down")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "learning.csv")
    return parser.parse_args()


def _ladder(data, options):
    """Yield a dict for each model of the ladder, from the simplest on."""
    n = len(data.vocabulary)
    for name, make in {
        "uniforme": lambda: evaluation.NGram([], n, 0),
        "unigrama": lambda: evaluation.NGram(data.train, n, 1),
        "copia": lambda: evaluation.Copy(data.train, n, lag=4 if data.codec.name == "grid" else 1),
        "3-grama": lambda: evaluation.NGram(data.train, n, 3),
        "4-grama": lambda: evaluation.NGram(data.train, n, 4),
        "5-grama": lambda: evaluation.NGram(data.train, n, 5),
    }.items():
        start = time.perf_counter()
        predictor = make()
        yield _row(name, data.score(predictor), time.perf_counter() - start)
    for name in options.networks:
        if NETWORKS[name].on(data.name):
            yield _network_row(name, NETWORKS[name], data)


def _network_row(name, network, data):
    start = time.perf_counter()
    bundle = _train(network, data)
    seconds = time.perf_counter() - start
    every_step = network.config.get("every_step", False)
    predictor = evaluation.log_probabilities(bundle.model, None if every_step else WINDOW)
    return _row(name, data.score(predictor), seconds, _song(name, bundle, data))


def _train(network, data):
    every_step = network.config.get("every_step", False)
    windows, held_out = (
        encoding.make_windows(ids, WINDOW, every_step) for ids in (data.train, data.held_out)
    )
    if network.windows:
        rng = np.random.default_rng(data.seed)
        windows, held_out = (_draw(pair, network.windows, rng) for pair in (windows, held_out))
    bundle = training.new_bundle(
        data.vocabulary, data.codec.name, WINDOW, windows, data.seed, **network.config
    )
    models.compile_model(bundle.model, network.learning_rate)
    training.train(bundle, windows, held_out, epochs=network.epochs[data.name])
    return bundle


def _draw(windows, n, rng):
    """Return n of the windows (x, y), each with its own target."""
    chosen = rng.permutation(len(windows[0]))[:n]
    return tuple(part[chosen] for part in windows)


def _song(name, bundle, data):
    """Write a song of the network into its folder; return what it copied, as a sentence."""
    vocabulary, first = data.vocabulary, max(data.held_out, key=len)
    start, end = vocabulary.to_ids([encoding.START, encoding.END])
    every_step = bundle.config.get("every_step", False)
    prompt = np.array([start]) if every_step and start else first[:WINDOW]
    ids = generation.generate(
        bundle.model, prompt, 300, WINDOW, 0.9, np.random.default_rng(data.seed), top_p=0.95,
        banned_ids=[start], end_id=int(end) or None,
    )  # fmt: skip
    song = encoding.decode_song(
        vocabulary.to_tokens(ids), data.codec.name, program=6, tempo_bpm=100.0, source=name
    )
    folder = output_folder(SONGS / f"{data.name} {name}".replace(" ", "_"))
    playback.save_song(song, folder)
    copied = f"{evaluation.copied_run(song, data.songs)} (la canción tiene {len(song)})"
    table = evaluation.statistics_table(data.songs, [song])
    (folder / "copia.txt").write_text(f"La canción {copied}.\n\n{table}\n", encoding="utf-8")
    return copied


def _row(name, score, seconds, copied=""):
    return {
        "model": name,
        "nll": score.nll,
        "perplexity": score.perplexity,
        "nll_per_note": score.nll_per_note,
        "perplexity_per_note": score.perplexity_per_note,
        "accuracy": score.accuracy,
        "seconds": seconds,
        "copied": copied,
        "machine": f"{platform.machine()}, {os.cpu_count()} núcleos",
    }


def _plot(rows, path):
    names = dict.fromkeys(row["dataset"] for row in rows)
    figure, axes = plt.subplots(len(names), 1, figsize=(9, 3.6 * len(names)), squeeze=False)
    for name, ax in zip(names, axes[:, 0], strict=True):
        pairs = [(row["model"], row["nll"]) for row in rows if row["dataset"] == name]
        plotting.nll_ladder(pairs, ax, f"{name}: canciones de validación")
    figure.savefig(path.with_suffix(".png"))


if __name__ == "__main__":
    main()
