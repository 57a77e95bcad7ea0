"""A network that harmonises: it reads a chorale in time and chooses its voices one by one.

Two recurrent layers read one sixteenth a step; a small network, the same
for the four voices, then chooses each note knowing those chosen before it. The
score of a pitch is the sum of what the network thinks of it as such, as
an interval from each note around it, and as what the memories expect.

Conventions: see `chorales`. A symbol is 0 for silence, or a pitch counted
from `lowest` - 1. Losses are nats a symbol, every sixteenth of every voice.
"""

from dataclasses import dataclass

import numpy as np

from musiclab.backend import keras
from musiclab.chorales.features import BEFORE, WITHIN
from musiclab.chorales.files import N_VOICES, SOURCES
from musiclab.errors import ParameterError
from musiclab.generation.stepping import RecurrentLayer

ops, layers = keras.ops, keras.layers
IDEAS = {
    "position": "el lugar en el compás y en la frase",
    "held": "cuánto lleva cada voz en su nota",
    "motion": "de dónde venía cada voz",
    "harmony": "las clases de altura sobre el bajo",
    "chosen": "las voces ya elegidas de la semicorchea",
    "piece": "lo que siguió a lo mismo en el propio coral",
    "corpus": "lo que siguió a lo mismo en otros corales",
    "intervals": "puntuar por intervalos",
    "keys": "transportar al entrenar",
    "forgetting": "apagar entradas al entrenar",
    "average": "promediar los pesos",
}


@dataclass(frozen=True)
class Settings:
    """How a chorale model is built and trained; the defaults are those of the public table.

    margin: semitones by which a transposition may leave the training part's compass
    forget_inputs, forget_memory, dropout: shares of what the network sees, of what
        the recurrent layers say, and of the chooser's units, that are switched off
    window: sixteenths; steps: of the optimiser, in epochs of `epoch_steps`
    average: momentum of the moving average of the weights
    without: which of IDEAS to leave out, to see what each is worth

    Raises ParameterError for an idea that does not exist.
    """

    units: int = 128
    layers: int = 2
    width: int = 256
    forget_inputs: float = 0.5
    forget_memory: float = 0.3
    dropout: float = 0.4
    margin: int = 6
    window: int = 128
    batch_size: int = 16
    steps: int = 1600
    epoch_steps: int = 100
    learning_rate: float = 4e-3
    weight_decay: float = 0.1
    average: float = 0.99
    seed: int = 0
    without: tuple[str, ...] = ()

    def __post_init__(self):
        for idea in self.without:
            if idea not in IDEAS:
                raise ParameterError(
                    f"no existe la idea «{idea}»: elige {', '.join(IDEAS)}",
                    name="without",
                    value=idea,
                    choices=tuple(IDEAS),
                )
        if "forgetting" in self.without:
            object.__setattr__(self, "forget_inputs", 0.0)
        if "average" in self.without:
            object.__setattr__(self, "average", 0.0)


class OneHots(layers.Layer):
    """(..., n) classes -> (..., sum of sizes): one-hot vectors side by side, -1 is all zeros."""

    def __init__(self, sizes, **kwargs):
        super().__init__(**kwargs)
        self.sizes = sizes

    def call(self, classes):
        columns = [ops.one_hot(classes[..., k], size) for k, size in enumerate(self.sizes)]
        return ops.concatenate(columns, axis=-1)


class IntervalScores(layers.Layer):
    """Score every symbol by its interval from some notes.

    (hidden (..., H), notes (..., n)) -> (..., n_symbols); notes of 0 and -1 say nothing.
    """

    N = 24  # -12 to 11 semitones; wider ones fold onto the same pitch class

    def __init__(self, n_symbols, **kwargs):
        super().__init__(**kwargs)
        self.n_symbols = n_symbols

    def build(self, hidden_shape, notes_shape):
        self.dense = layers.Dense(notes_shape[-1] * self.N)
        self.dense.build(hidden_shape)

    def call(self, hidden, notes):
        scores = self.dense(hidden)
        scores = ops.reshape(scores, (*ops.shape(scores)[:-1], notes.shape[-1], self.N))
        interval = ops.arange(self.n_symbols) - notes[..., None]
        folded = ops.where(interval < 0, interval % 12, 12 + interval % 12)
        scores = ops.take_along_axis(scores, folded, axis=-1)
        sounding = ops.logical_and(notes[..., None] > 0, ops.arange(self.n_symbols) > 0)
        return ops.sum(ops.where(sounding, scores, 0.0), axis=-2)


class Pointer(layers.Layer):
    """Add a weight to each symbol that a memory expects, where it expects any.

    (hidden (..., H), guess (..., n), trust (..., n)) -> (..., n_symbols)
    """

    def __init__(self, n_symbols, **kwargs):
        super().__init__(**kwargs)
        self.n_symbols = n_symbols

    def build(self, hidden_shape, guess_shape, trust_shape):
        self.dense = layers.Dense(guess_shape[-1])
        self.dense.build(hidden_shape)

    def call(self, hidden, guess, trust):
        weights = ops.where(trust > 0, self.dense(hidden), 0.0)
        return ops.sum(weights[..., None] * ops.one_hot(guess, self.n_symbols), axis=-2)


def build_chorale_model(n_symbols, settings):
    """Return (model, reader, chooser): the last two are the halves of the first.

    reader: {previous, before} (n, T, ...) -> hidden (n, T, H)
    chooser: hidden and {previous, chosen, guess, within, trust} -> logits (n, T, 4, n_symbols)
    model: all of them, as `Features` names them, to logits
    """
    previous = keras.Input((None, N_VOICES), dtype="int32", name="previous")
    before = keras.Input((None, len(BEFORE)), dtype="int32", name="before")
    reader = keras.Model([previous, before], _read(previous, before, n_symbols, settings))

    hidden = keras.Input((None, reader.output_shape[-1]), name="hidden")
    per_voice = {"chosen": N_VOICES - 1, "guess": len(SOURCES), "within": len(WITHIN)}
    voices = {
        name: keras.Input((None, N_VOICES, n), dtype="int32", name=name)
        for name, n in per_voice.items()
    }
    trust = keras.Input((None, len(SOURCES)), dtype="int32", name="trust")
    logits = _choose(hidden, previous, trust, n_symbols=n_symbols, settings=settings, **voices)
    chooser = keras.Model([hidden, previous, trust, *voices.values()], logits)

    inputs = {"previous": previous, "before": before, "trust": trust, **voices}
    whole = chooser([reader([previous, before]), previous, trust, *voices.values()])
    return keras.Model(inputs, whole, name="chorales"), reader, chooser


def _read(previous, before, n_symbols, settings):
    """Return hidden (n, T, H): what the reader makes of each sixteenth and those before it."""
    # What sounded, and what is known of it, side by side as ones among zeros.
    notes = OneHots((n_symbols,) * N_VOICES)(previous)
    classes = OneHots([size for _, size in BEFORE])(before)
    seen = layers.Concatenate()([notes, classes])
    # Layers draw their seeds when they are made: the public figures rest on this order.
    first = layers.Dense(settings.units)
    # Some of it is switched off while training, so that none is relied upon.
    seen = layers.Dropout(settings.forget_inputs)(seen)
    x = first(seen)
    outputs = [x]
    for _ in range(settings.layers):
        x = layers.Dropout(settings.forget_memory)(x)
        x = layers.GRU(settings.units, return_sequences=True)(x)
        outputs.append(x)
    # The chooser sees what each layer says, the lowest too.
    hidden = layers.Concatenate()(outputs)
    return layers.Dropout(settings.forget_memory)(hidden)


def _choose(hidden, previous, trust, chosen, guess, within, n_symbols, settings):
    """Return the logits (n, T, 4, n_symbols) of each voice, knowing those chosen before it."""
    # What each voice sees of its sixteenth: the voices chosen, its own last note, and classes.
    own = ops.expand_dims(previous, -1)
    notes_chosen = OneHots((n_symbols,) * (N_VOICES - 1))(chosen)
    last_note = OneHots((n_symbols,))(own)
    classes = OneHots([size for _, size in WITHIN])(within)
    seen = layers.Concatenate()([notes_chosen, last_note, classes])
    seen = layers.Dropout(settings.forget_inputs)(seen)

    # Added up: what the reader says of the sixteenth, what the voice sees, and which voice it is.
    of_past = ops.expand_dims(layers.Dense(settings.width)(hidden), 2)
    of_voice = layers.Dense(settings.width)(seen)
    voice = ops.zeros_like(previous) + np.arange(N_VOICES)
    x = of_past + of_voice + layers.Embedding(N_VOICES, settings.width)(voice)
    x = ops.gelu(x)

    # One more layer, which adds to what is there.
    thought = layers.Dense(settings.width)(layers.Dropout(settings.dropout)(x))
    x = x + ops.gelu(thought)
    x = layers.LayerNormalization()(layers.Dropout(settings.dropout)(x))

    # The score of a symbol: as such, as what a memory expects, and as an interval from each
    # note around it.
    around = ops.repeat(ops.expand_dims(previous, 2), N_VOICES, axis=2)
    notes = ops.concatenate([own, around, chosen], axis=-1)
    trust = ops.repeat(ops.expand_dims(trust, 2), N_VOICES, axis=2)
    logits = layers.Dense(n_symbols)(x) + Pointer(n_symbols)(x, guess, trust)
    if "intervals" in settings.without:
        return logits
    return logits + IntervalScores(n_symbols)(x, notes)


class Reading:
    """A reader that reads each sixteenth of one chorale once, and carries its state on."""

    def __init__(self, reader, n_symbols):
        dense, *recurrent = [layer for layer in reader.layers if layer.weights]
        kernel, self.bias = dense.get_weights()
        self.kernel = np.pad(kernel, [(0, 1), (0, 0)])  # the last row for what says nothing
        self.sizes = np.array([n_symbols] * N_VOICES + [size for _, size in BEFORE])
        self.layers = [RecurrentLayer(layer) for layer in recurrent]
        self.n_read, self.memories = 0, [None] * len(recurrent)

    def read_on(self, seen):
        """Return hidden (1, 1, H) of the last sixteenth of the Features of the chorale so far."""
        classes = np.concatenate([seen.previous, seen.before], axis=1)[self.n_read :]
        rows = np.cumsum(self.sizes) - self.sizes + classes
        rows[(classes < 0) | (classes >= self.sizes)] = len(self.kernel) - 1
        outputs = [self.kernel[rows].sum(axis=1)[None] + self.bias]
        for k, layer in enumerate(self.layers):
            output, self.memories[k] = layer.read(outputs[-1], self.memories[k])
            outputs.append(output)
        self.n_read += len(classes)
        return np.concatenate(outputs, axis=-1)[:, -1:]
