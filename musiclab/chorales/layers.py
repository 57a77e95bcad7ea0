"""What a chorale network is built of: one-hots, and scores of each symbol by what is around it.

Conventions: see `files`. A symbol is 0 for silence, or a pitch counted from `lowest` - 1.
"""

import numpy as np

from musiclab.backend import keras
from musiclab.chorales.files import BAR, BASS, HELD, LIMIT, N_VOICES, PHRASES

ops, layers = keras.ops, keras.layers
GAIN = 4.0  # of tables of weights: what happens seldom is learned in few steps
LOG_SHARES, OF_ENDS = "log_shares", "of_ends"
UNDECAYED = (LOG_SHARES, OF_ENDS)  # names of weights that no decay draws back to zero
N_OTHERS = N_VOICES - 1  # voices that may have been chosen before one
TONES = 3.0  # shares of twelve classes are small: so many times as large
BARS = 4 * PHRASES
SURE = 16.0  # of a table of what never happens


class OneHots(layers.Layer):
    """(..., n) classes -> (..., sum of sizes): one-hot vectors side by side, -1 is all zeros."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes

    def call(self, classes):
        columns = [ops.one_hot(classes[..., k], size) for k, size in enumerate(self.sizes)]
        return ops.concatenate(columns, axis=-1)


class Scores(layers.Layer):
    """A score (..., n_symbols) of each symbol that may come next, by something that is known."""

    def __init__(self, n_symbols):
        super().__init__()
        self.n_symbols = n_symbols

    def table(self, *shape, name=None):
        """Return weights that begin at zero: no dropout ever switches them off."""
        return self.add_weight(shape=shape, initializer="zeros", name=name)


class IntervalScores(Scores):
    """Score every symbol by its interval from some notes.

    (hidden (..., H), notes (..., n)) -> (..., n_symbols); notes of 0 and -1 say nothing.
    """

    N = 24  # -12 to 11 semitones; wider ones fold onto the same pitch class

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


class PairScores(Scores):
    """Score every symbol by how its voice would move, alone and together with each chosen before.

    (voice (..., 1), own (..., 1), around (..., n), chosen (..., n)) -> (..., n_symbols): which
    voice it is, its last note, those of the others, and those that they go to; 0 and -1 say nothing.

    Three tables of weights, never switched off: one of each voice's own motions; one of how any
    two voices move (interval that they come from, directions, interval that they go to), and
    one of how each two do, in which a leap is told from a step.
    """

    WIDEST = 24  # semitones: what a voice moves further counts as this much

    def __init__(self, n_symbols):
        super().__init__(n_symbols)
        self.alone = self.table(N_VOICES * (2 * self.WIDEST + 1), 1)
        self.any_two = self.table(12 * 3, 12 * 3)
        self.each_two = self.table(N_VOICES * N_OTHERS * 12 * 5, 12 * 5)

    def call(self, voice, own, around, chosen):
        symbols = ops.arange(self.n_symbols)
        moves = symbols - own  # (..., n_symbols)
        row = voice * (2 * self.WIDEST + 1) + self.WIDEST
        row = row + ops.clip(moves, -self.WIDEST, self.WIDEST)
        alone = ops.where(own > 0, ops.take(self.alone[:, 0], row, axis=0), 0.0)

        from_ = (own - around) % 12
        to = (symbols - chosen[..., None]) % 12
        others = chosen - around
        moves = moves[..., None, :]
        before = from_ * 3 + _direction(others)
        after = to * 3 + _direction(moves)
        together = ops.take_along_axis(ops.take(self.any_two, before, axis=0), after, axis=-1)
        pair = voice * N_OTHERS + np.arange(N_OTHERS)
        before = (pair * 12 + from_) * 5 + _kind_of_motion(others)
        after = to * 5 + _kind_of_motion(moves)
        each = ops.take(self.each_two, before, axis=0)
        together = together + ops.take_along_axis(each, after, axis=-1)
        sounding = ops.logical_and(ops.logical_and(own > 0, around > 0), chosen > 0)
        together = ops.sum(ops.where(sounding[..., None], together, 0.0), axis=-2)
        return ops.where(symbols > 0, GAIN * (alone + together), 0.0)


def _direction(semitones):
    """0 down, 1 nowhere, 2 up."""
    return 1 + ops.sign(semitones)


def _kind_of_motion(semitones):
    """0 a leap down, 1 a step down, 2 none, 3 a step up, 4 a leap up."""
    leap = ops.cast(ops.abs(semitones) > 2, "int32")
    return 2 + ops.sign(semitones) * (1 + leap)


class RangeScores(Scores):
    """Score every symbol by which voice would sing it: a table of weights, never switched off nor decayed.

    It begins with what `Corpus.log_shares` counts: training alone never comes to where it
    would learn that a soprano does not sing an octave lower.

    voice (...) -> (..., n_symbols)
    """

    def __init__(self, n_symbols):
        super().__init__(n_symbols)
        self.shares = self.table(N_VOICES, n_symbols, name=LOG_SHARES)

    def call(self, voice):
        return SURE * ops.take(self.shares, voice, axis=0)


class HoldScores(Scores):
    """Score each voice's last note by when it might be held: tables of weights, never switched off.

    (voice (..., 1), own (..., 1), held (...), place (...), around (..., n), chosen (..., n))
    -> (..., n_symbols): own is its last note, held for how long and place in which sixteenth of a
    bar; of the voices chosen before, a table knows which have moved.
    """

    def __init__(self, n_symbols):
        super().__init__(n_symbols)
        self.of_time = self.table(N_VOICES * BAR * (HELD + 1))
        self.of_others = self.table(N_VOICES * 4 * 3**N_OTHERS)

    def call(self, voice, own, held, place, around, chosen):
        voice, held = voice[..., 0], ops.maximum(held, 0)
        row = (voice * BAR + place % BAR) * (HELD + 1) + held
        score = ops.take(self.of_time, row, axis=0)
        # Of each voice: it is not chosen yet, it has stayed, it has moved.
        moved = ops.where(chosen > 0, 1 + ops.cast(ops.not_equal(chosen, around), "int32"), 0)
        others = ops.sum(moved * 3 ** np.arange(N_OTHERS), axis=-1)
        row = (voice * 4 + place % 4) * 3**N_OTHERS + others
        score = score + ops.take(self.of_others, row, axis=0)
        return GAIN * score[..., None] * ops.one_hot(own[..., 0], self.n_symbols)


class EndScores(Scores):
    """Score the end of a chorale, and it alone, by what has sounded: tables of weights, never switched off nor decayed.

    (previous (..., 4), held (..., 4), came_from (...), place (...), phrase (...), tones (..., n))
    -> (...): the last note of each voice, and for how long it was held; from which interval the
    bass came to its own; in which sixteenth of which phrase the end would come; how much each
    tone above the bass has sounded. One symbol in a thousand is an end: decay made it ever rarer.
    """

    def __init__(self):
        super().__init__(n_symbols=1)
        self.of_chord = self.table(3 * (HELD + 1), name=OF_ENDS)
        self.of_place = self.table(BAR * (HELD + 1), name=OF_ENDS)
        self.of_bar = self.table(BARS, name=OF_ENDS)
        self.of_bass = self.table(2 * LIMIT + 2, name=OF_ENDS)
        self.of_tones = self.table(2 * 12, name=OF_ENDS)

    def call(self, previous, held, came_from, place, phrase, tones):
        # For how long nothing has moved.
        held = ops.maximum(ops.min(held, axis=-1), 0)
        kind = _kind_of_triad(previous)
        score = ops.take(self.of_chord, kind * (HELD + 1) + held, axis=0)
        score = score + ops.take(self.of_place, place % BAR * (HELD + 1) + held, axis=0)
        bar = ops.maximum(4 * phrase + place // BAR, 0)
        score = score + ops.take(self.of_bar, bar, axis=0)
        score = score + ops.take(self.of_bass, ops.maximum(came_from, 0), axis=0)
        return score + ops.sum(TONES * tones * self.of_tones, axis=-1)


def _kind_of_triad(chord):
    """Return (...): 1 for a minor triad over its root, 2 for a major one, 0 for any other chord (..., 4)."""
    over_bass = (chord - chord[..., BASS : BASS + 1]) % 12
    sounding = ops.all(chord > 0, axis=-1)
    kind = 0
    for number, third in enumerate((3, 4), start=1):
        is_third = ops.equal(over_bass, third)
        belongs = is_third | ops.equal(over_bass, 0) | ops.equal(over_bass, 7)
        is_triad = ops.all(belongs, axis=-1) & ops.any(is_third, axis=-1) & sounding
        kind = kind + number * ops.cast(is_triad, "int32")
    return kind


class ToneScores(Scores):
    """Score every symbol by how much the tones at each distance from it have sounded.

    (hidden (..., H), tones (..., n, 12)) -> (..., n_symbols)
    """

    def build(self, hidden_shape, tones_shape):
        self.n = tones_shape[-2]
        self.dense = layers.Dense(self.n * 12)
        self.dense.build(hidden_shape)

    def call(self, hidden, tones):
        weights = self.dense(hidden)
        weights = ops.reshape(weights, (*ops.shape(weights)[:-1], self.n, 12))
        around = (np.arange(12)[:, None] + np.arange(12)) % 12  # (class, distance)
        heard = ops.take(tones, around, axis=-1)
        scores = ops.einsum("btvkd,btkcd->btvc", weights, heard)
        return ops.take(scores, np.arange(self.n_symbols) % 12, axis=-1)


class TonesFrom(layers.Layer):
    """(..., n, 12), (..., m) -> (..., m, n * 12): the tones at each distance above each note."""

    def call(self, tones, notes):
        wide = ops.expand_dims(tones, -3)  # (..., 1, n, 12)
        place = (notes[..., None, None] + ops.arange(12)) % 12  # (..., m, 1, 12)
        place = place + ops.zeros_like(wide, dtype="int32")
        found = ops.take_along_axis(wide + ops.zeros_like(place, dtype=wide.dtype), place, axis=-1)
        return ops.reshape(found, (*ops.shape(notes), tones.shape[-2] * 12))

    def compute_output_shape(self, tones_shape, notes_shape):
        return (*notes_shape, tones_shape[-2] * 12)


class Pointer(Scores):
    """Add a weight to each symbol that a memory expects, where it expects any.

    (hidden (..., H), guess (..., n), trust (..., n)) -> (..., n_symbols)
    """

    def build(self, hidden_shape, guess_shape, trust_shape):
        self.dense = layers.Dense(guess_shape[-1])
        self.dense.build(hidden_shape)

    def call(self, hidden, guess, trust):
        weights = ops.where(trust > 0, self.dense(hidden), 0.0)
        return ops.sum(weights[..., None] * ops.one_hot(guess, self.n_symbols), axis=-2)
