"""A trained model and all that gives its numbers a meaning, in one file.

A bundle is an archive (see `archive`): the weights, and a JSON text that says
what they are of. Loading one builds the network from its few named settings,
and believes none of them before it has compared them with the weights.
"""

from dataclasses import dataclass, field, fields
from hashlib import sha256
from importlib.metadata import version

import numpy as np

from musiclab.backend import keras, set_seed
from musiclab.encoding import Vocabulary, get_encoding
from musiclab.errors import BundleError
from musiclab.models import NetworkConfig, build_model
from musiclab.models.build import build_network
from musiclab.models.transformer import TRANSFORMER
from musiclab.training.archive import check_arrays, damaged, read_archive, write_archive

BUNDLE = "model.safetensors"
FORMAT = "musiclab-bundle-2"


@dataclass(frozen=True)
class Bundle:
    """A trained model and all that gives its numbers a meaning.

    config: the keyword arguments of `build_model`
    encoding: name of the encoding whose tokens the vocabulary holds
    data_hash: of the training windows; seed: of the training
    versions: of the packages that trained it
    """

    model: keras.Model
    vocabulary: Vocabulary
    config: dict
    encoding: str
    window_length: int
    data_hash: str = ""
    seed: int = 0
    versions: dict = field(default_factory=dict)


# What a file's JSON text holds as it is: all but the model and the vocabulary.
PLAIN = {field.name: field.type for field in fields(Bundle)[2:]}


def new_bundle(vocabulary, encoding, window_length, windows, seed, **config):
    """Return a Bundle with a fresh model, its weights drawn from the seed.

    windows: the (x, y) that it will be trained on, for the data's hash
    config: what `build_model` takes beside the size of the vocabulary
    """
    set_seed(seed)
    model = build_model(len(vocabulary), **config)
    versions = {package: version(package) for package in ("musiclab", "keras", "numpy")}
    return Bundle(
        model, vocabulary, config, encoding, window_length, hash_windows(windows), seed, versions
    )


def hash_windows(windows):
    """Return a short hash of (x, y), read a piece at a time."""
    digest = sha256()
    for part in windows:
        for start in range(0, len(part), 4096):
            digest.update(np.ascontiguousarray(part[start : start + 4096]))
    return digest.hexdigest()[:16]


# Files


def describe(bundle):
    """Return what JSON can hold of a bundle: all but its weights."""
    plain = {key: getattr(bundle, key) for key in PLAIN}
    return {"vocabulary": list(bundle.vocabulary.tokens), **plain}


def save_bundle(path, bundle):
    """Write a bundle whole or not at all; return its path."""
    return save_weights(path, bundle, bundle.model.get_weights())


def save_weights(path, bundle, weights):
    """Write a bundle with other weights than its model has now; return the path."""
    return write_archive(path, FORMAT, describe(bundle), weights)


def is_bundle(path):
    """Return whether a file is one that `save_bundle` wrote, as far as its heading says."""
    try:
        read_archive(path, FORMAT)
    except BundleError:
        return False
    return True


def load_bundle(path):
    """Read a bundle, whoever wrote it; its model is not compiled.

    No code in the file is run, and no network is built that is larger than
    the file's weights.
    Raises BundleError when the file is missing, damaged or of another format.
    """
    meta, weights = read_archive(path, FORMAT)
    try:
        vocabulary = _check_meta(meta)
        config = NetworkConfig(len(vocabulary), **meta["config"])
        _check_size(config, weights)
        model = build_network(config)
        check_arrays(weights, model.get_weights())
        _check_finite(path, weights)
        model.set_weights(weights)
    except BundleError:
        raise
    except Exception as error:  # Keras has errors of its own for what it cannot build
        raise damaged(path) from error
    return Bundle(model, vocabulary, **{key: meta[key] for key in PLAIN})


def _check_meta(meta):
    """Return the Vocabulary of a bundle's JSON text; raise ValueError for what is of no bundle."""
    wrong = [key for key, kind in PLAIN.items() if type(meta[key]) is not kind]
    if wrong or meta["window_length"] < 1 or meta["seed"] < 0:
        raise ValueError(f"of another type or out of range: {wrong}")
    decode = get_encoding(meta["encoding"]).decode
    vocabulary = Vocabulary(tuple(meta["vocabulary"]))
    for token in vocabulary.tokens[1:]:
        decode([token])
    return vocabulary


def _check_size(config, weights):
    """Raise ValueError for a network that must have more weights than there are.

    Those of a layer, its square at least, stand for the rest, which is at
    most some twenty times as many: enough to keep a claim of 10^9 units from
    being believed.
    """
    first, last = config.units[0], config.units[-1]
    needed = [sum(n * n for n in config.units), config.vocab_size * last]
    if config.inputs == "embedding":
        needed.append(config.vocab_size * config.embedding_dim)
    if config.noise != "none":
        needed.append(config.noise_dim * first)
    if config.cell == TRANSFORMER:
        needed.append(config.max_distance * first // config.n_heads)
    n_weights = sum(array.size for array in weights)
    if max(needed) > n_weights or 3 * len(config.units) > len(weights):
        raise ValueError(f"{n_weights} weights are too few for {config}"[:200])


def _check_finite(path, weights):
    if not all(np.isfinite(array).all() for array in weights):
        raise BundleError(
            f"«{path}» tiene pesos que no son números, porque su entrenamiento divergió: "
            "entrena de nuevo con una tasa de aprendizaje menor",
            path=str(path),
        )
