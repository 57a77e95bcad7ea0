"""The training of a chorale model: by steps, with averaged weights, and resumed where it stopped.

It has the checkpoint, the folder's lock and the progress of other trainings,
and a loop of its own: see docs/decisions.md.
"""

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from musiclab.backend import keras
from musiclab.chorales.corpus import Batches
from musiclab.chorales.files import NOT_YET
from musiclab.chorales.layers import UNDECAYED
from musiclab.errors import ParameterError
from musiclab.files import sole_writer
from musiclab.progress import progress
from musiclab.training.archive import check_arrays, damaged
from musiclab.training.checkpoint import CHECKPOINT, Checkpoint, get_state, set_state

FORMAT = "musiclab-chorales-checkpoint-2"


def fit(chorales, valid, folder=None, load_previous=False):
    """Train a ChoraleModel; leave in it the averaged weights that are best on `valid`.

    valid: Features of chorales that are not among those of the memories
    folder: where to keep `checkpoint.safetensors` after each epoch, if anywhere
    load_previous: go on from the folder's checkpoint, if there is one

    Returns the validation NLL at the end of each epoch.
    Raises ParameterError when the loss is no number any more, BundleError when
    the checkpoint belongs to another run, and OutputError when another
    training has the folder or nothing can be written there.
    """
    run = _Run(chorales, valid, _checkpoint(chorales, valid, folder))
    _compile(chorales.model, chorales.settings)
    with sole_writer(folder, (CHECKPOINT,)) if folder else nullcontext():
        if load_previous and folder:
            run.resume()
        run.go_on()
    return run.history


def _checkpoint(chorales, valid, folder):
    """Return the Checkpoint of a training, or None without a folder."""
    if not folder:
        return None
    identity = {
        "settings": asdict(chorales.settings),
        "known": _hash(chorales.corpus.chorales),
        "valid": _hash([seen.target for seen in valid]),
    }
    return Checkpoint(Path(folder) / CHECKPOINT, FORMAT, identity)


def _hash(chorales):
    digest = sha256()
    for chorale in chorales:
        digest.update(f"{len(chorale)} ".encode())
        digest.update(np.ascontiguousarray(chorale, dtype=np.uint8))
    return digest.hexdigest()[:16]


@dataclass
class _Run:
    """A training, as far as it has come.

    n_steps: how many are done; valid: Features to judge by
    average: the moving average of the weights; best: that of the best epoch
    """

    chorales: object
    valid: list
    checkpoint: Checkpoint | None
    n_steps: int = 0
    history: list = field(default_factory=list)
    average: list = None
    best: list = None

    def __post_init__(self):
        self.model, self.settings = self.chorales.model, self.chorales.settings
        self.average = self.best = self.model.get_weights()

    def go_on(self):
        """Train to the last step, and leave the best weights in the model."""
        windows = Batches(self.chorales.corpus)
        steps = range(self.n_steps, self.settings.steps)
        bar = progress(steps, "Entrenando", "paso")
        for step in bar:
            self.model.train_on_batch(*windows(step))
            self.n_steps = step + 1
            self._move_average()
            at_end_of_epoch = self.n_steps % self.settings.epoch_steps == 0
            if at_end_of_epoch or self.n_steps == self.settings.steps:
                self._end_epoch()
                bar.set_postfix_str(f"validación {self.history[-1]:.3f}")
        self.model.set_weights(self.best)

    def _move_average(self):
        """Take the weights of a step into the average."""
        # A small momentum at first: the beginning is soon forgotten.
        growing = self.n_steps / (self.n_steps + 10)
        momentum = min(self.settings.average, growing)
        weights = self.model.get_weights()
        self.average = [
            momentum * old + (1 - momentum) * new
            for old, new in zip(self.average, weights, strict=True)
        ]

    def _end_epoch(self):
        """Judge the averaged weights, and write the checkpoint."""
        weights = self.model.get_weights()
        self.model.set_weights(self.average)
        likelihood, _ = self.chorales.score(self.valid)
        self.model.set_weights(weights)
        if not np.isfinite(likelihood.nll):
            raise ParameterError(
                f"la pérdida ha dejado de ser un número en el paso {self.n_steps}: baja "
                f"learning_rate, que es {self.settings.learning_rate}",
                name="learning_rate",
                value=self.settings.learning_rate,
                step=self.n_steps,
            )
        self.history.append(likelihood.nll)
        if likelihood.nll == min(self.history):
            self.best = self.average
        if self.checkpoint:
            meta = {"n_steps": self.n_steps, "history": self.history}
            state = [*get_state(self.model), *self._random_states()]
            self.checkpoint.save(meta, [*state, *self.average, *self.best])

    def resume(self):
        """Go on from the checkpoint, if there is one."""
        found = self.checkpoint.load()
        if found is None:
            return
        meta, arrays = found
        n_weights, n_random = len(self.average), len(_seeds(self.model))
        # In the order in which they were written, from the end.
        arrays, best = arrays[:-n_weights], arrays[-n_weights:]
        arrays, average = arrays[:-n_weights], arrays[-n_weights:]
        state, random_states = arrays[:-n_random], arrays[-n_random:]
        try:
            _check_progress(meta["n_steps"], meta["history"], self.settings)
            check_arrays([*average, *best], [*self.average, *self.best])
            check_arrays(random_states, self._random_states())
            set_state(self.model, state)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(self.checkpoint.path) from error
        for seed, value in zip(_seeds(self.model), random_states, strict=True):
            seed.assign(value)
        self.n_steps, self.history = meta["n_steps"], meta["history"]
        self.average, self.best = average, best

    def _random_states(self):
        return [seed.numpy() for seed in _seeds(self.model)]


def _seeds(model):
    """Return the variables that say how the dropout goes on: they are no weights."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _check_progress(n_steps, history, settings):
    """Raise ValueError for a checkpoint's progress that no training can have made."""
    if type(n_steps) is not int or not 0 < n_steps <= settings.steps:
        raise ValueError(f"{n_steps!r:.40} steps")
    if not all(type(loss) is float and np.isfinite(loss) for loss in history):
        raise ValueError("losses that are no numbers")
    n_epochs = -(-n_steps // settings.epoch_steps)
    if len(history) != n_epochs or (n_steps % settings.epoch_steps and n_steps < settings.steps):
        raise ValueError("not one loss an epoch")


def _compile(model, settings):
    """Give the model its loss and its optimiser, whose rate rises for 50 steps, then falls."""
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 40,
        max(settings.steps - 50, 1),
        warmup_target=settings.learning_rate,
        warmup_steps=50,
        alpha=0.01,
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, beta_2=0.99, clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    # Voices past a chorale's end have no target.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=NOT_YET)
    model.compile(optimizer, loss)
