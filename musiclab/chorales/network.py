"""A network that harmonises: it reads a chorale in time and chooses its voices one by one.

Two recurrent layers read one sixteenth a step; a small network, the same
for the four voices, then chooses each note knowing those chosen before it. The
score of a pitch is the sum of what the network thinks of it as such, as
an interval from each note around it, and as what the memories expect.

Conventions: see `chorales`. A symbol is 0 for silence, or a pitch counted
from `lowest` - 1. Losses are nats a symbol, every sixteenth of every voice.
"""

from copy import copy
from dataclasses import dataclass

import numpy as np

from musiclab.backend import keras
from musiclab.chorales.features import (
    ALL_HELD,
    BASS_MOTION,
    BEFORE,
    N_PULSE,
    OWN_HELD,
    PHRASE_NUMBER,
    PLACE,
    WITHIN,
)
from musiclab.chorales.files import BASS, N_VOICES, SOURCES
from musiclab.chorales.layers import (
    GAIN,
    TONES,
    EndScores,
    HoldScores,
    IntervalScores,
    OneHots,
    PairScores,
    Pointer,
    RangeScores,
    ToneScores,
    TonesFrom,
)
from musiclab.errors import ParameterError
from musiclab.generation.stepping import RecurrentLayer

ops, layers = keras.ops, keras.layers
NEVER = -1e9  # a logit
READS = ("previous", "before", "tones", "pulse")
CHOOSES = ("previous", "before", "trust", "tones", "pulse", "voice", "chosen", "guess", "within")
IDEAS = {
    "position": "el lugar en el compás y en la frase",
    "held": "cuánto lleva cada voz en su nota",
    "motion": "de dónde venía cada voz",
    "harmony": "las clases de altura sobre el bajo",
    "chosen": "las voces ya elegidas de la semicorchea",
    "piece": "lo que siguió a lo mismo en el propio coral",
    "corpus": "lo que siguió a lo mismo en otros corales",
    "intervals": "puntuar por intervalos",
    "pairs": "cómo se mueven dos voces juntas",
    "rhythm": "cuándo cambia de nota cada voz",
    "ranges": "qué notas canta cada voz",
    "tones": "cuánto ha sonado cada clase de altura",
    "pulse": "en qué lugares del compás hubo cambios",
    "sonority": "el acorde que se forma",
    "keys": "transportar al entrenar",
    "forgetting": "apagar entradas al entrenar",
    "average": "promediar los pesos",
}


@dataclass(frozen=True)
class Settings:
    """How a chorale model is built and trained; the defaults are those of the public table.

    margin: semitones by which a transposition may leave the notes that the voices usually sing
    forget_inputs, forget_memory, dropout: shares of what the network sees, of what
        the recurrent layers say, and of the chooser's units, that are switched off
    temperature: by which the logits are divided: a network that learned while inputs were switched
        off is too sure of itself when it sees them all
    window: sixteenths; steps: of the optimiser, in epochs of `epoch_steps`
    average: momentum of the moving average of the weights
    without: which of IDEAS to leave out, to see what each is worth

    Raises ParameterError for an idea that does not exist, and a temperature of 0 or less.
    """

    units: int = 128
    layers: int = 2
    width: int = 256
    forget_inputs: float = 0.5
    forget_memory: float = 0.3
    dropout: float = 0.4
    temperature: float = 1.3
    margin: int = 0
    window: int = 128
    batch_size: int = 16
    steps: int = 800
    epoch_steps: int = 100
    learning_rate: float = 4e-3
    weight_decay: float = 0.3
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
        if not self.temperature > 0:
            raise ParameterError(
                f"la temperatura es {self.temperature} y debe ser mayor que 0: 1 deja los logits "
                "como son",
                name="temperature",
                value=self.temperature,
            )
        if "forgetting" in self.without:
            object.__setattr__(self, "forget_inputs", 0.0)
        if "average" in self.without:
            object.__setattr__(self, "average", 0.0)


def build_chorale_model(n_symbols, settings):
    """Return (model, reader, chooser): the last two are the halves of the first.

    All take a dict of arrays as `Features` names them.
    reader: READS (n, T, ...) -> hidden (n, T, H)
    chooser: hidden and CHOOSES -> logits (n, T, V, n_symbols + 1), of as many voices as it is asked
        for; after the symbols comes END
    model: all of them, to logits
    """
    inputs = {}
    for name, shape in {
        "previous": (None, N_VOICES),
        "before": (None, len(BEFORE)),
        "trust": (None, len(SOURCES)),
        "voice": (None, None),
        "chosen": (None, None, N_VOICES - 1),
        "guess": (None, None, len(SOURCES)),
        "within": (None, None, len(WITHIN)),
    }.items():
        inputs[name] = keras.Input(shape, dtype="int32", name=name)
    inputs["tones"] = keras.Input((None, 2, 12), name="tones")
    inputs["pulse"] = keras.Input((None, N_PULSE), name="pulse")

    reads = {name: inputs[name] for name in READS}
    reader = keras.Model(reads, _read(**reads, n_symbols=n_symbols, settings=settings))
    hidden = keras.Input((None, reader.output_shape[-1]), name="hidden")
    chooses = {name: inputs[name] for name in CHOOSES}
    logits = _choose(hidden, **chooses, n_symbols=n_symbols, settings=settings)
    chooser = keras.Model({"hidden": hidden, **chooses}, logits)
    whole = chooser({"hidden": reader(reads), **chooses})
    return keras.Model(inputs, whole, name="chorales"), reader, chooser


def _read(previous, before, tones, pulse, n_symbols, settings):
    """Return hidden (n, T, H): what the reader makes of each sixteenth and those before it."""
    # What sounded, and what is known of it, side by side as ones among zeros.
    notes = OneHots((n_symbols,) * N_VOICES)(previous)
    classes = OneHots([size for _, size in BEFORE])(before)
    seen = layers.Concatenate()([notes, classes])
    # Layers draw their seeds when they are made: the public figures rest on this order.
    first = layers.Dense(settings.units)
    # Some of it is switched off while training, so that none is relied upon.
    seen = layers.Dropout(settings.forget_inputs)(seen)
    bass = previous[..., BASS : BASS + 1]
    heard = ops.concatenate([TONES * TonesFrom()(tones, bass)[..., 0, :], pulse], axis=-1)
    x = first(seen) + layers.Dense(settings.units)(heard)
    outputs = [x]
    for _ in range(settings.layers):
        x = layers.Dropout(settings.forget_memory)(x)
        x = layers.GRU(settings.units, return_sequences=True)(x)
        outputs.append(x)
    # The chooser sees what each layer says, the lowest too.
    hidden = layers.Concatenate()(outputs)
    return layers.Dropout(settings.forget_memory)(hidden)


def _choose(
    hidden, previous, before, trust, tones, pulse, voice, chosen, guess, within, n_symbols, settings
):
    """Return the logits (n, T, V, n_symbols + 1) of some voices, knowing those chosen before each."""
    # What each voice sees of its sixteenth: the voices chosen, its own last note, and classes.
    last = ops.take_along_axis(previous, voice, axis=-1)
    own = ops.expand_dims(last, -1)
    notes_chosen = OneHots((n_symbols,) * (N_VOICES - 1))(chosen)
    last_note = OneHots((n_symbols,))(own)
    classes = OneHots([size for _, size in WITHIN])(within)
    seen = layers.Concatenate()([notes_chosen, last_note, classes])
    seen = layers.Dropout(settings.forget_inputs)(seen)

    # Added up: what the reader says of the sixteenth, what the voice sees, and which voice it is.
    of_past = ops.expand_dims(layers.Dense(settings.width)(hidden), 2)
    of_voice = layers.Dense(settings.width)(seen)
    if "sonority" not in settings.without:
        of_voice = of_voice + _sonority(previous, chosen, settings)
    heard = layers.Dense(settings.width)(TONES * TonesFrom()(tones, last))
    of_voice = of_voice + heard + ops.expand_dims(layers.Dense(settings.width)(pulse), 2)
    x = of_past + of_voice + layers.Embedding(N_VOICES, settings.width)(voice)
    x = ops.gelu(x)

    # One more layer, which adds to what is there.
    thought = layers.Dense(settings.width)(layers.Dropout(settings.dropout)(x))
    x = x + ops.gelu(thought)
    x = layers.LayerNormalization()(layers.Dropout(settings.dropout)(x))

    # The score of a symbol: as such, as what a memory expects, and as an interval from each
    # note around it.
    around = ops.expand_dims(previous, 2) + ops.zeros_like(own)
    notes = ops.concatenate([own, around, chosen], axis=-1)
    trust = ops.expand_dims(trust, 2) + ops.zeros_like(own)
    logits = layers.Dense(n_symbols)(x) + Pointer(n_symbols)(x, guess, trust)
    if "intervals" not in settings.without:
        logits = logits + IntervalScores(n_symbols)(x, notes)
    if "pairs" not in settings.without:
        logits = logits + PairScores(n_symbols)(
            voice[..., None], own, around[..., : N_VOICES - 1], chosen
        )
    if "ranges" not in settings.without:
        logits = logits + RangeScores(n_symbols)(voice)
    place = before[..., PLACE : PLACE + 1] + ops.zeros_like(voice)
    if "rhythm" not in settings.without:
        logits = logits + HoldScores(n_symbols)(
            voice[..., None],
            own,
            within[..., OWN_HELD],
            place,
            around[..., : N_VOICES - 1],
            chosen,
        )
    if "tones" not in settings.without:
        logits = logits + ToneScores(n_symbols)(x, tones)
    # Only the voice that chooses first may end the chorale, by what has sounded.
    sounded = TonesFrom()(tones, previous[..., BASS : BASS + 1])[..., 0, :]
    held, came_from = before[..., ALL_HELD], before[..., BASS_MOTION]
    end = EndScores()(
        previous, held, came_from, before[..., PLACE], before[..., PHRASE_NUMBER], sounded
    )
    end = GAIN * (layers.Dense(1)(x) + end[..., None, None])
    may_end = ops.equal(ops.expand_dims(voice, -1), 0)
    return ops.concatenate([logits, ops.where(may_end, end, NEVER)], axis=-1)


def _sonority(previous, chosen, settings):
    """Return (n, T, 4, width): what the intervals of the chosen voices over the bass are together."""
    soprano, bass, alto = chosen[..., 0], chosen[..., 1], chosen[..., 2]
    none = ops.full_like(bass, 12)
    over = [
        ops.where(ops.logical_and(v > 0, bass > 0), (v - bass) % 12, none) for v in (soprano, alto)
    ]
    kind = over[0] * 13 + over[1]
    return layers.Embedding(169, settings.width, embeddings_initializer="zeros")(kind)


class Reading:
    """A reader that reads each sixteenth of one chorale once, and carries its state on."""

    def __init__(self, reader, n_symbols):
        of_classes, of_shares, *recurrent = [layer for layer in reader.layers if layer.weights]
        kernel, self.bias = of_classes.get_weights()
        self.kernel = np.pad(kernel, [(0, 1), (0, 0)])  # the last row for what says nothing
        self.of_shares = of_shares.get_weights()
        self.sizes = np.array([n_symbols] * N_VOICES + [size for _, size in BEFORE])
        self.layers = [RecurrentLayer(layer) for layer in recurrent]
        self.n_read, self.memories = 0, [None] * len(recurrent)

    def copy(self):
        """Return a reading of the same chorale as far as it goes, to go on in another way."""
        other = copy(self)
        other.memories = list(self.memories)
        return other

    def read_on(self, seen):
        """Return hidden (1, 1, H) of the last sixteenth of the Features of the chorale so far."""
        classes = np.concatenate([seen.previous, seen.before], axis=1)[self.n_read :]
        rows = np.cumsum(self.sizes) - self.sizes + classes
        rows[(classes < 0) | (classes >= self.sizes)] = len(self.kernel) - 1
        kernel, bias = self.of_shares
        of_shares = self._shares(seen)[self.n_read :] @ kernel + bias
        outputs = [(self.kernel[rows].sum(axis=1) + self.bias + of_shares)[None]]
        for k, layer in enumerate(self.layers):
            output, self.memories[k] = layer.read(outputs[-1], self.memories[k])
            outputs.append(output)
        self.n_read += len(classes)
        return np.concatenate(outputs, axis=-1)[:, -1:]

    def _shares(self, seen):
        """Return (n, 24 + N_PULSE): the tones above the bass, and the pulse, as the reader has them."""
        bass = seen.previous[:, BASS]
        place = (bass[:, None] + np.arange(12)) % 12
        tones = np.take_along_axis(seen.tones, place[:, None, :], axis=-1)
        return np.concatenate([TONES * tones.reshape(len(bass), -1), seen.pulse], axis=1)
