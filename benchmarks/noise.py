"""Does a network listen to its noise? Plain noise against a conditional VAE.

Trains the same decoder three times on the same songs: without noise, with a
vector drawn at random for each window, and with the latent vector of a VAE.
For each: the NLL of held-out songs in nats a symbol (z = 0), how much the
next symbol hangs on the noise (`models.noise_effect`), the share of contexts
whose likeliest symbol changes with it, and the training's wall time. Prints
the table and writes it to benchmarks/results/noise.csv.

    .venv/bin/python benchmarks/noise.py
"""

import argparse
import time
from pathlib import Path

import numpy as np

from musiclab import datasets, encoding, evaluation, models, training
from musiclab.files import write_csv

ENCODING = "tutorial"
NETWORKS = {"sin ruido": "none", "ruido simple": "plain", "VAE": "vae"}
CONFIG = {"cell": "gru", "units": [256], "inputs": "embedding", "every_step": True}
FIELDS = ("red", "nll_nats", "efecto_nats", "cambia_porcentaje", "tiempo_s")


def main():
    options = _options()
    vocabulary, train_ids, held_out_ids = _load(options.dataset, options.transpose, options.seed)
    windows, held_out = (
        encoding.make_windows(ids, options.window, every_step=True)
        for ids in (train_ids, held_out_ids)
    )
    print(
        f"{options.dataset}: {len(windows[0])} ventanas de {options.window} símbolos, "
        f"{len(vocabulary)} distintos; {options.noises} vectores de ruido, "
        f"efecto máximo {np.log(options.noises):.2f} nats"
    )
    rows = []
    for name, noise in NETWORKS.items():
        start = time.perf_counter()
        model = _train(noise, vocabulary, windows, held_out, options)
        seconds = time.perf_counter() - start
        rows.append((name, *_measure(model, noise, held_out_ids, held_out[0], options), seconds))
    _print(rows)
    write_csv(options.output, [dict(zip(FIELDS, row, strict=True)) for row in rows])


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="bach")
    parser.add_argument("--transpose", type=int, default=3, help="semitones up and down")
    parser.add_argument("--window", type=int, default=32, help="symbols a window")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--noises", type=int, default=16, help="vectors drawn from the prior")
    parser.add_argument("--seed", type=int, default=0)
    folder = Path(__file__).parent / "results"
    parser.add_argument("--output", type=Path, default=folder / "noise.csv")
    return parser.parse_args()


def _load(dataset, transpose, seed):
    """Return the vocabulary, and the ids of the training and the held-out songs."""
    split = datasets.split_by_song(datasets.load_dataset(dataset)[0], seed)
    encode = encoding.get_encoding(ENCODING).encode
    train = [encode(song) for song in datasets.in_all_keys(split.train, transpose)]
    vocabulary = encoding.Vocabulary.fit(train)
    held_out = [encode(song) for song in split.held_out]
    return vocabulary, *([vocabulary.to_ids(t) for t in part] for part in (train, held_out))


def _train(noise, vocabulary, windows, held_out, options):
    bundle = training.new_bundle(
        vocabulary, ENCODING, options.window, windows, options.seed, noise=noise, **CONFIG
    )
    models.compile_model(bundle.model, learning_rate=4e-3)
    training.train(bundle, windows, held_out, epochs=options.epochs, batch_size=16)
    return bundle.model


def _measure(model, noise, songs, x, options):
    """Return the NLL of the songs, and what the noise does to the windows x: nats, per cent."""
    nll = evaluation.held_out_nll(evaluation.log_probabilities(model), songs)
    if noise == "none":
        return nll, 0.0, 0.0
    n_numbers = model.get_layer("noise").noise_dim
    noises = np.random.default_rng(options.seed).standard_normal((options.noises, n_numbers))
    likeliest = models.predictions_under(model, x, noises).argmax(axis=-1)
    changes = (likeliest != likeliest[0]).any(axis=0).mean()
    return nll, models.noise_effect(model, x, noises), 100 * changes


def _print(rows):
    print(f"{'red':<14}{'NLL (nats)':>12}{'efecto (nats)':>15}{'cambia (%)':>12}{'tiempo (s)':>12}")
    for name, nll, effect, changes, seconds in rows:
        print(f"{name:<14}{nll:>12.3f}{effect:>15.4f}{changes:>12.1f}{seconds:>12.0f}")
    print("NLL con z = 0 en canciones de validación; cambia: contextos cuyo símbolo más probable")
    print("no es el mismo con todos los vectores de ruido.")


if __name__ == "__main__":
    main()
