"""Training that can be stopped, resumed and trusted.

A run keeps two files in its folder, both written whole or not at all:
`model.safetensors`, the bundle with the best weights so far, and
`checkpoint.safetensors`, where it stopped. The order of the windows and the
dropout masks hang on (seed, epoch) alone, so that 2 + 2 epochs end with
the same weights as 4, wherever the first two were killed.

A bundle is an archive (see `archive`): the weights, and a JSON text with
all that gives them a meaning. Loading one builds the network from its few
named settings, and believes none of them before it has compared them with
the weights.
"""

import json
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import numpy as np

from musiclab.backend import keras, set_seed, tf
from musiclab.encoding import Vocabulary, get_encoding
from musiclab.encoding.windows import Windows
from musiclab.errors import BundleError, ParameterError
from musiclab.files import sole_writer
from musiclab.models import build_model
from musiclab.models.build import TRANSFORMER
from musiclab.progress import progress
from musiclab.training.archive import (
    check_arrays,
    damaged,
    is_there,
    read_archive,
    write_archive,
)

BUNDLE, CHECKPOINT = "model.safetensors", "checkpoint.safetensors"
FORMAT, CHECKPOINT_FORMAT = "musiclab-bundle-2", "musiclab-checkpoint-3"


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


@dataclass
class History:
    """Losses in nats a symbol, one an epoch; the best epoch counts from 1."""

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)

    @property
    def n_epochs(self):
        return len(self.loss)

    @property
    def best_epoch(self):
        numbers = np.nan_to_num(self.val_loss, nan=np.inf)  # a diverged epoch is never the best
        return int(np.argmin(numbers)) + 1 if self.val_loss else 0


def new_bundle(vocabulary, encoding, window_length, windows, seed, **config):
    """Return a Bundle with a fresh model, its weights drawn from the seed.

    windows: the (x, y) that it will be trained on, for the data's hash
    config: what `build_model` takes beside the size of the vocabulary
    """
    set_seed(seed)
    model = build_model(len(vocabulary), **config)
    versions = {package: version(package) for package in ("musiclab", "keras", "numpy")}
    return Bundle(
        model, vocabulary, config, encoding, window_length, _digest(windows), seed, versions
    )


def _digest(windows):
    """Return a short hash of (x, y), read a piece at a time."""
    digest = sha256()
    for part in windows:
        for start in range(0, len(part), 4096):
            digest.update(np.ascontiguousarray(part[start : start + 4096]))
    return digest.hexdigest()[:16]


def train(bundle, windows, held_out, *, epochs, batch_size=32, patience=None, folder=None,
          load_previous=False, callbacks=()):  # fmt: skip
    """Train a bundle's compiled model; leave the weights of its best epoch in it.

    windows, held_out: (x, y) as `make_windows` gives them
    epochs: how many in all, those of an earlier run included
    patience: stop after so many epochs without a better held-out loss
    folder: where to keep `model.safetensors` and `checkpoint.safetensors`, if anywhere
    load_previous: go on from the folder's checkpoint, if there is one
    callbacks: Keras callbacks, called at each epoch

    A bundle that was made and compiled in the scope() of a tf.distribute
    strategy trains on its devices; one made under keras.config's dtype policy
    mixed_float16 or mixed_bfloat16, with that precision.
    Returns the History. Raises ParameterError for a number out of range,
    BundleError when the checkpoint belongs to another run, and OutputError
    when another training has the folder or the disk is full: the files of
    the last epoch that could be written are then still there.
    """
    if epochs < 1 or batch_size < 1:
        raise ParameterError(
            f"EPOCHS es {epochs} y batch_size {batch_size}: ambos deben ser al menos 1"
        )
    settings = {
        "batch_size": batch_size,
        "learning_rate": float(bundle.model.optimizer.learning_rate.numpy()),
        "held_out": _digest(held_out),
        "precision": bundle.model.dtype_policy.name,
    }
    run = _Run(bundle, settings, Path(folder) if folder else None)
    with sole_writer(folder, (BUNDLE, CHECKPOINT)) if folder else nullcontext():
        if load_previous:
            run.resume()
        return _fit(run, windows, held_out, epochs, patience, list(callbacks))


@dataclass
class _Run:
    """A training, and its two files: the checkpoint holds all that the bundle does.

    It is written first, so that what a kill between the two leaves behind
    can be put right from it.
    """

    bundle: Bundle
    settings: dict
    folder: Path | None
    history: History = field(default_factory=History)
    best: list | None = None

    def resume(self):
        """Go on from the folder's checkpoint, if there is one."""
        if self.folder and is_there(self.folder / CHECKPOINT):
            self.history, self.best = _load_checkpoint(
                self.folder / CHECKPOINT, self.bundle, self.settings
            )
            _write(self.folder / BUNDLE, FORMAT, self.bundle, self.best)

    def end_epoch(self, logs):
        """Take in the losses of an epoch, and write the files."""
        for name in asdict(self.history):
            getattr(self.history, name).append(float(logs[name][0]))
        improved = self.history.best_epoch == self.history.n_epochs
        if improved:
            self.best = self.bundle.model.get_weights()
        if self.folder:
            _save_checkpoint(self.folder / CHECKPOINT, self)
        if self.folder and improved:
            save_bundle(self.folder / BUNDLE, self.bundle)


def _fit(run, windows, held_out, epochs, patience, callbacks):
    model, seed, history = run.bundle.model, run.bundle.seed, run.history
    batch_size = run.settings["batch_size"]
    cut, cut_held_out = _cutter(windows), _cutter(held_out)
    validation = _batches(cut_held_out, np.arange(len(held_out[0])), batch_size)
    bar = progress(range(history.n_epochs, epochs), "Entrenando", "época")
    for epoch in bar:
        if patience and epoch - history.best_epoch >= patience:
            break
        order = np.random.default_rng([seed, epoch]).permutation(len(windows[0]))
        _seed_layers(model, seed, epoch)
        logs = model.fit(
            _batches(cut, order, batch_size), validation_data=validation, shuffle=False,
            initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=callbacks,
        ).history  # fmt: skip
        run.end_epoch(logs)
        bar.set_postfix_str(f"validación {history.val_loss[-1]:.2f}")
    model.set_weights(run.best)
    return history


def _batches(cut, order, batch_size):
    """Return a tf.data.Dataset of batches, cut in its own threads while the network works."""
    return tf.data.Dataset.from_tensor_slices(order).batch(batch_size).map(cut).prefetch(4)


def _cutter(windows):
    """Return a function of TensorFlow from indices (n,) to the windows (x, y) of those."""
    with tf.device("CPU"):  # however many there are, a GPU gets a batch at a time
        parts = [_part_cutter(part) for part in windows]
    return lambda indices: tuple(cut(indices) for cut in parts)


def _part_cutter(part):
    if not isinstance(part, Windows):
        rows = tf.constant(np.asarray(part))
        return lambda indices: tf.gather(rows, indices)
    ids, starts = tf.constant(part.ids), tf.constant(part.starts)
    places = np.arange(part.shape[1])
    return lambda indices: tf.gather(ids, tf.gather(starts, indices)[:, None] + places)


def _seed_layers(model, seed, epoch):
    """Derive every dropout mask and noise of an epoch from the seed and the epoch alone."""
    for k, layer in enumerate(model.layers):
        # By name, for a layer may hold others: dropout within attention, say.
        states = (v for v in layer.variables if v.name == "seed_generator_state")
        for j, state in enumerate(states):
            # The first is the same as of (seed, epoch, k): zeros at the end change nothing.
            state.assign(np.random.SeedSequence([seed, epoch, k, j]).generate_state(2))


# Files


def save_bundle(path, bundle):
    """Write a bundle whole or not at all; return its path."""
    return _write(path, FORMAT, bundle, bundle.model.get_weights())


def is_bundle(path):
    """Return whether a file is one that `save_bundle` wrote, as far as its heading says."""
    try:
        read_archive(path, FORMAT)
    except BundleError:
        return False
    return True


def load_bundle(path, vocabulary=None):
    """Read a bundle, whoever wrote it; its model is not compiled.

    vocabulary: the one that the bundle must have, if given

    No code in the file is run, and no network is built that is larger than
    the file's weights.
    Raises BundleError when the file is missing, damaged, of another format
    or of another vocabulary.
    """
    meta, weights = read_archive(path, FORMAT)
    try:
        own = _check_meta(meta)
        if vocabulary is not None and own != vocabulary:
            raise BundleError(
                f"«{path}» se entrenó con otro vocabulario ({len(own)} símbolos, y ahora hay "
                f"{len(vocabulary)}): usa el mismo DATASET, ENCODING y SEED, o entrena de nuevo "
                "con LOAD_PREVIOUS = False"
            )
        _check_size(_check_config(meta["config"]), len(own), weights)
        model = build_model(len(own), **meta["config"])
        check_arrays(weights, model.get_weights())
        if not all(np.isfinite(array).all() for array in weights):
            raise BundleError(
                f"«{path}» tiene pesos que no son números, porque su entrenamiento divergió: "
                "entrena de nuevo con una tasa de aprendizaje menor"
            )
        model.set_weights(weights)
    except BundleError:
        raise
    except Exception as error:  # Keras has errors of its own for what it cannot build
        raise damaged(path) from error
    return Bundle(model, own, **{key: meta[key] for key in _META})


_META = {
    "config": dict,
    "encoding": str,
    "window_length": int,
    "data_hash": str,
    "seed": int,
    "versions": dict,
}


def _check_meta(meta):
    """Return the Vocabulary of a bundle's JSON text; raise ValueError for what is of no bundle."""
    wrong = [key for key, kind in _META.items() if type(meta[key]) is not kind]
    if wrong or meta["window_length"] < 1 or meta["seed"] < 0:
        raise ValueError(f"of another type or out of range: {wrong}")
    decode = get_encoding(meta["encoding"]).decode
    vocabulary = Vocabulary(tuple(meta["vocabulary"]))
    for token in vocabulary.tokens[1:]:
        decode([token])
    return vocabulary


def _check_config(config):
    """Return all of `build_model`'s settings; raise for one that it lacks or of another type."""
    settings = {
        name: parameter.default
        for name, parameter in signature(build_model).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name, value in config.items():
        default = settings[name]
        numbers = (int,) if isinstance(default, tuple) else (int, float)
        if type(value) is not type(default) and not (
            isinstance(default, tuple | float)
            and all(type(v) in numbers for v in (value if isinstance(default, tuple) else [value]))
        ):
            raise ValueError(f"{name} is {value!r:.40}")
    return settings | config


def _check_size(settings, n_symbols, weights):
    """Raise ValueError for a network that must have more weights than there are.

    Those of a layer, its square at least, stand for the rest, which is at
    most some twenty times as many: enough to keep a claim of 10^9 units from
    being believed.
    """
    units, n_weights = settings["units"], sum(array.size for array in weights)
    needed = [sum(n * n for n in units), n_symbols * units[-1]]
    if settings["inputs"] == "embedding":
        needed.append(n_symbols * settings["embedding_dim"])
    if settings["noise"] != "none":
        needed.append(settings["noise_dim"] * units[0])
    if settings["cell"] == TRANSFORMER:
        needed.append(settings["max_distance"] * units[0] // settings["n_heads"])
    if max(needed) > n_weights or 3 * len(units) > len(weights):
        raise ValueError(f"{n_weights} weights are too few for {settings}"[:200])


def _write(path, form, bundle, arrays, **more):
    return write_archive(path, form, _meta(bundle) | more, arrays)


def _meta(bundle):
    return {"vocabulary": list(bundle.vocabulary.tokens)} | {
        key: getattr(bundle, key) for key in _META
    }


def _save_checkpoint(path, run):
    arrays = [*_state(run.bundle.model), *run.best]
    more = run.settings | {"history": asdict(run.history)}
    _write(path, CHECKPOINT_FORMAT, run.bundle, arrays, **more)


def _state(model):
    """Return the weights of a model and of its optimiser."""
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]


def _load_checkpoint(path, bundle, settings):
    """Put a checkpoint's weights and optimiser state into the model; return (History, best weights)."""
    meta, values = read_archive(path, CHECKPOINT_FORMAT)
    mine = json.loads(json.dumps(_meta(bundle) | settings))
    del mine["versions"]
    other = [key for key, value in mine.items() if meta.get(key) != value]
    if other:
        raise BundleError(
            f"«{path}» es de otro entrenamiento (difiere en {', '.join(other)}): usa los mismos "
            "parámetros, otra OUTPUT_DIR, o LOAD_PREVIOUS = False"
        )
    model = bundle.model
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
    weights = model.get_weights()
    try:
        history = _history(meta["history"])
        check_arrays(values, [*_state(model), *weights])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path) from error
    model.set_weights(values[: len(weights)])
    for variable, value in zip(model.optimizer.variables, values[len(weights) :], strict=False):
        variable.assign(value)
    return history, values[-len(weights) :]


def _history(losses):
    """Return the History of a checkpoint; raise ValueError where it is none."""
    history = History(**losses)
    columns = list(asdict(history).values())
    if not all(type(loss) is float for column in columns for loss in column):
        raise ValueError("losses that are no numbers")
    if len({len(column) for column in columns}) > 1 or not history.n_epochs:
        raise ValueError("not one loss an epoch")
    return history
