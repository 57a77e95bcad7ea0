"""Training that can be stopped, resumed and trusted.

A run keeps two files in its folder, both written whole or not at all:
`model.safetensors`, the bundle with the best weights so far, and
`checkpoint.safetensors`, where it stopped. The order of the windows and the
dropout masks hang on (seed, epoch) alone, so that 2 + 2 epochs end with
the same weights as 4, wherever the first two were killed.
"""

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from musiclab.backend import tf
from musiclab.encoding.windows import Windows
from musiclab.errors import ParameterError
from musiclab.files import sole_writer
from musiclab.progress import progress
from musiclab.training.archive import check_arrays, damaged
from musiclab.training.bundle import (
    BUNDLE,
    Bundle,
    describe,
    hash_windows,
    save_bundle,
    save_weights,
)
from musiclab.training.checkpoint import CHECKPOINT, Checkpoint, get_state, set_state

CHECKPOINT_FORMAT = "musiclab-checkpoint-3"


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


def train(bundle, windows, held_out, *, epochs, batch_size=32, patience=None, folder=None,
          load_previous=False, restore_best=True, callbacks=()):  # fmt: skip
    """Train a bundle's compiled model; leave the weights of its best epoch in it.

    windows, held_out: (x, y) as `make_windows` gives them
    epochs: how many in all, those of an earlier run included
    patience: stop after so many epochs without a better held-out loss
    folder: where to keep `model.safetensors` and `checkpoint.safetensors`, if anywhere
    load_previous: go on from the folder's checkpoint, if there is one
    restore_best: False leaves the weights of the last epoch in the model
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
            f"EPOCHS es {epochs} y batch_size {batch_size}: ambos deben ser al menos 1",
            epochs=epochs,
            batch_size=batch_size,
        )
    settings = {
        "batch_size": batch_size,
        "learning_rate": float(bundle.model.optimizer.learning_rate.numpy()),
        "held_out": hash_windows(held_out),
        "precision": bundle.model.dtype_policy.name,
    }
    run = _Run(bundle, settings, Path(folder) if folder else None)
    with sole_writer(folder, (BUNDLE, CHECKPOINT)) if folder else nullcontext():
        if load_previous:
            run.resume()
        history = _fit(run, windows, held_out, epochs, patience, list(callbacks))
    if restore_best:
        bundle.model.set_weights(run.best)
    return history


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

    @property
    def checkpoint(self):
        """The file in the folder; with other versions of the packages one may go on."""
        identity = describe(self.bundle) | self.settings
        del identity["versions"]
        return Checkpoint(self.folder / CHECKPOINT, CHECKPOINT_FORMAT, identity)

    def resume(self):
        """Go on from the folder's checkpoint, if there is one."""
        found = self.checkpoint.load() if self.folder else None
        if found is None:
            return
        meta, arrays = found
        model = self.bundle.model
        weights = model.get_weights()
        state, best = arrays[: -len(weights)], arrays[-len(weights) :]
        try:
            self.history = _history(meta["history"])
            check_arrays(best, weights)
            set_state(model, state)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(self.folder / CHECKPOINT) from error
        self.best = best
        save_weights(self.folder / BUNDLE, self.bundle, best)

    def end_epoch(self, logs):
        """Take in the losses of an epoch, and write the files."""
        for name in asdict(self.history):
            getattr(self.history, name).append(float(logs[name][0]))
        improved = self.history.best_epoch == self.history.n_epochs
        if improved:
            self.best = self.bundle.model.get_weights()
        if self.folder is None:
            return
        meta = {"versions": self.bundle.versions, "history": asdict(self.history)}
        self.checkpoint.save(meta, [*get_state(self.bundle.model), *self.best])
        if improved:
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
        # All that is random in an epoch hangs on the seed and its number, not on the past.
        order = np.random.default_rng([seed, epoch]).permutation(len(windows[0]))
        _seed_layers(model, seed, epoch)
        logs = model.fit(
            _batches(cut, order, batch_size), validation_data=validation, shuffle=False,
            initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=callbacks,
        ).history  # fmt: skip
        run.end_epoch(logs)
        bar.set_postfix_str(f"validación {history.val_loss[-1]:.2f}")
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


def _history(losses):
    """Return the History of a checkpoint; raise ValueError where it is none."""
    history = History(**losses)
    columns = list(asdict(history).values())
    if not all(type(loss) is float for column in columns for loss in column):
        raise ValueError("losses that are no numbers")
    if len({len(column) for column in columns}) > 1 or not history.n_epochs:
        raise ValueError("not one loss an epoch")
    return history
