"""Training that can be stopped, resumed and trusted.

A run keeps two files in its folder, both written whole or not at all:
`model.npz`, the bundle with the best weights so far, and
`checkpoint.npz`, where it stopped. The order of the windows and the
dropout masks hang on (seed, epoch) alone, so that 2 + 2 epochs end with
the same weights as 4.

A bundle is a NumPy archive without pickles: the weights, and a JSON text
with all that gives them a meaning. Loading one builds the network from
its few named settings; no code that lies in the file is run.
"""

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from musiclab.backend import keras, set_seed
from musiclab.encoding import Vocabulary
from musiclab.errors import BundleError, MusiclabError, ParameterError
from musiclab.models import build_model
from musiclab.parsing import write_bytes
from musiclab.progress import progress

BUNDLE, CHECKPOINT = "model.npz", "checkpoint.npz"
FORMAT = "musiclab-bundle-1"


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
    """Return a short hash of (x, y)."""
    data = b"".join(np.ascontiguousarray(part).tobytes() for part in windows)
    return sha256(data).hexdigest()[:16]


def train(bundle, windows, held_out, *, epochs, batch_size=32, patience=None, folder=None,
          load_previous=False, callbacks=()):  # fmt: skip
    """Train a bundle's compiled model; leave the weights of its best epoch in it.

    windows, held_out: (x, y) as `make_windows` gives them
    epochs: how many in all, those of an earlier run included
    patience: stop after so many epochs without a better held-out loss
    folder: where to keep `model.npz` and `checkpoint.npz`, if anywhere
    load_previous: go on from the folder's checkpoint, if there is one
    callbacks: Keras callbacks, called at each epoch

    Returns the History. Raises ParameterError for a number out of range and
    BundleError when the checkpoint belongs to another run.
    """
    if epochs < 1 or batch_size < 1:
        raise ParameterError(
            f"EPOCHS es {epochs} y batch_size {batch_size}: ambos deben ser al menos 1"
        )
    model, history = bundle.model, History()
    settings = {
        "batch_size": batch_size,
        "learning_rate": float(model.optimizer.learning_rate),
        "held_out": _digest(held_out),
    }
    if load_previous and folder and (Path(folder) / CHECKPOINT).exists():
        history = _resume(Path(folder) / CHECKPOINT, bundle, settings)
    best = None
    if history.n_epochs:
        best = load_bundle(Path(folder) / BUNDLE, bundle.vocabulary).model.get_weights()
    x, y = windows
    bar = progress(range(history.n_epochs, epochs), "Entrenando", "época")
    for epoch in bar:
        if patience and epoch - history.best_epoch >= patience:
            break
        order = np.random.default_rng([bundle.seed, epoch]).permutation(len(x))
        _seed_layers(model, bundle.seed, epoch)
        logs = model.fit(
            x[order], y[order], validation_data=held_out, batch_size=batch_size, shuffle=False,
            initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=list(callbacks),
        ).history  # fmt: skip
        for name in asdict(history):
            getattr(history, name).append(float(logs[name][0]))
        if history.best_epoch == history.n_epochs:
            best = model.get_weights()
            if folder:
                save_bundle(Path(folder) / BUNDLE, bundle)
        if folder:
            _save_checkpoint(Path(folder) / CHECKPOINT, bundle, history, settings)
        bar.set_postfix_str(f"validación {history.val_loss[-1]:.2f}")
    model.set_weights(best)
    return history


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
    return _write(path, bundle, bundle.model.get_weights())


def load_bundle(path, vocabulary=None):
    """Read a bundle; its model is not compiled.

    vocabulary: the one that the bundle must have, if given

    Raises BundleError when the file is missing, damaged, of another format
    or of another vocabulary.
    """
    meta, weights = read_archive(path, FORMAT)
    if vocabulary is not None and meta["vocabulary"] != list(vocabulary.tokens):
        raise BundleError(
            f"«{path}» se entrenó con otro vocabulario ({len(meta['vocabulary'])} símbolos, y "
            f"ahora hay {len(vocabulary)}): usa el mismo DATASET, ENCODING y SEED, o entrena de "
            "nuevo con LOAD_PREVIOUS = False"
        )
    try:
        own = Vocabulary(tuple(meta.pop("vocabulary")))
        model = build_model(len(own), **meta["config"])
        model.set_weights(weights)
        return Bundle(model, own, **{key: meta[key] for key in _META})
    except (KeyError, TypeError, ValueError, MusiclabError) as error:
        raise BundleError(damaged(path)) from error


_META = ("config", "encoding", "window_length", "data_hash", "seed", "versions")


def damaged(path):
    """Return the sentence about a file that does not hold what it should."""
    return f"«{path}» está dañado o no es un modelo de musiclab: bórralo y entrena de nuevo"


def _write(path, bundle, arrays, **more):
    meta = {key: getattr(bundle, key) for key in _META}
    meta |= {"vocabulary": list(bundle.vocabulary.tokens), **more}
    return write_archive(path, FORMAT, meta, arrays)


def write_archive(path, form, meta, arrays):
    """Write what JSON can hold and numpy arrays into one file, whole or not at all.

    form: the name of the file's format, which `read_archive` asks for
    """
    file = io.BytesIO()
    text = np.frombuffer(json.dumps({"format": form, **meta}).encode(), dtype=np.uint8)
    np.savez(file, meta=text, **{f"array_{k:03d}": np.asarray(a) for k, a in enumerate(arrays)})
    return write_bytes(path, file.getvalue())


def read_archive(path, form):
    """Return the (meta, arrays) of a file that `write_archive` wrote; no code in it is run.

    Raises BundleError when it is missing, damaged or of another format.
    """
    if not Path(path).is_file():
        raise BundleError(f"no existe el modelo «{path}»: entrena uno primero")
    try:
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(archive["meta"].tobytes())
            arrays = [archive[name] for name in sorted(archive.files) if name != "meta"]
        if meta["format"] != form:
            raise ValueError(meta["format"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise BundleError(damaged(path)) from error
    return meta, arrays


def _save_checkpoint(path, bundle, history, settings):
    model = bundle.model
    values = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]
    _write(path, bundle, values, history=asdict(history), settings=settings)


def _resume(path, bundle, settings):
    """Put a checkpoint's weights and optimiser state into the model; return its History."""
    meta, values = read_archive(path, FORMAT)
    same = ("config", "encoding", "window_length", "data_hash", "seed")
    mine = {key: json.loads(json.dumps(getattr(bundle, key))) for key in same}
    other = [key for key in same if meta.get(key) != mine[key]]
    if meta["vocabulary"] != list(bundle.vocabulary.tokens):
        other.append("vocabulary")
    if not {"settings", "history"} <= set(meta):
        raise BundleError(damaged(path))
    other += [key for key, value in settings.items() if meta["settings"].get(key) != value]
    if other:
        raise BundleError(
            f"«{path}» es de otro entrenamiento (difiere en {', '.join(other)}): usa los mismos "
            "parámetros, otra OUTPUT_DIR, o LOAD_PREVIOUS = False"
        )
    model = bundle.model
    model.optimizer.build(model.trainable_variables)
    n_weights = len(model.get_weights())
    try:
        model.set_weights(values[:n_weights])
        for variable, value in zip(model.optimizer.variables, values[n_weights:], strict=True):
            variable.assign(value)
        return History(**meta["history"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(damaged(path)) from error
