"""What a composer sees before each note is chosen.

Everything in `Features` is known before the symbol that it helps to
predict: of its own sixteenth only the voices chosen before, and all of the
earlier sixteenths. What is written as intervals does not change with the key.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from musiclab.chorales.files import (
    BASS,
    END,
    HELD,
    LIMIT,
    N_TRUST,
    N_VOICES,
    NOT_YET,
    PHRASE,
    PHRASES,
    SOURCES,
    TRIPLE,
)

N_INTERVALS = 2 * LIMIT + 2  # the last for silence
N_WIDE = 4 * LIMIT + 2
RECENT = 0.97  # of what sounded is left after a sixteenth: half of it after six quarters
CYCLES = (4, 8, 16, 12)  # sixteenths: a quarter, a half, a bar of 4/4 and one of 3/4
N_PULSE = len(CYCLES) * (N_VOICES + 1)


# Each column of classes: the ideas to which it belongs, and how many classes there are.
BEFORE = (
    (("held", HELD + 1), ("motion", N_INTERVALS), ("harmony", 13)) * N_VOICES
    + (("position", PHRASE), ("position", TRIPLE), ("position", PHRASES))
    + tuple((where, N_TRUST) for where, _ in SOURCES)
)
WITHIN = (
    (("chosen", N_INTERVALS), ("chosen", N_WIDE)) * (N_VOICES - 1)
    + (("held", HELD + 1), ("motion", N_INTERVALS))
    + tuple(
        column
        for where, _ in SOURCES
        for column in ((where, N_INTERVALS), (where, N_TRUST), (f"{where} chosen", N_VOICES))
    )
)
EARLIER = np.tri(N_VOICES, N_VOICES - 1, -1, dtype=bool)  # (voice, voice chosen before it)
# Columns of BEFORE: for how long each voice was held, whence the bass came, the sixteenth of the
# phrase, and the phrase.
ALL_HELD, BASS_MOTION = slice(0, 3 * N_VOICES, 3), 3 * BASS + 1
PLACE, PHRASE_NUMBER = 3 * N_VOICES, 3 * N_VOICES + 2
OWN_HELD, OWN_MOTION = 2 * (N_VOICES - 1), 2 * (N_VOICES - 1) + 1  # columns of WITHIN


@dataclass(frozen=True)
class Features:
    """What is known of each symbol of a chorale of T sixteenths, and the symbol itself.

    Pitches, which move with the key:
    target (T, 4); previous (T, 4), a sixteenth earlier;
    chosen (T, 4, 3): for each voice, those chosen before it in its sixteenth;
    guess (T, 4, n_sources), what the memories expect.

    Classes, which do not: the columns of
    before (T, n), as BEFORE names them, known before the sixteenth;
    within (T, 4, n), as WITHIN names them, known when the voice's turn comes;
    trust (T, n_sources): 0 where a memory has no guess.

    voice (T, 4): 0 to 3, which voice each is.

    Shares, 0 to 1:
    tones (T, 2, 12): how much of the past each pitch class sounded, all of it and lately;
    pulse (T, n): how often each voice, and any, changed at such places of a bar before.
    """

    target: np.ndarray
    previous: np.ndarray
    chosen: np.ndarray
    guess: np.ndarray
    before: np.ndarray
    within: np.ndarray
    trust: np.ndarray
    tones: np.ndarray
    pulse: np.ndarray
    voice: np.ndarray

    def window(self, start, length, shift=0):
        """Return the features from a sixteenth on, `shift` added to all pitches.

        Past the end there are zeros, with target -1; what falls below 1 is -1 too.
        """
        parts = {}
        for field in fields(self):
            part = getattr(self, field.name)[start : start + length]
            # Pitches move; silence and what is still to be chosen stay what they are.
            if field.name in ("target", "previous", "chosen", "guess"):
                moved = part + shift
                moved = np.where(moved > 0, moved, NOT_YET)
                part = np.where(part > 0, moved, part)
            if field.name == "tones":
                part = np.roll(part, shift, axis=-1)
            # A chorale that ends earlier is filled up in time, not in its other axes.
            if len(part) < length:
                missing = [(0, length - len(part))] + [(0, 0)] * (part.ndim - 1)
                filling = NOT_YET if field.name == "target" else 0
                part = np.pad(part, missing, constant_values=filling)
            parts[field.name] = part.astype(np.float32 if part.dtype.kind == "f" else np.int32)
        return Features(**parts)

    def without(self, ideas):
        """Return the features without those that belong to some ideas, to see what each is worth."""
        hidden = {}
        for name, columns in (("before", BEFORE), ("within", WITHIN)):
            is_hidden = [_belongs(idea, ideas) for idea, _ in columns]
            hidden[name] = np.where(is_hidden, NOT_YET, getattr(self, name))
        if "chosen" in ideas:
            hidden["chosen"] = np.full_like(self.chosen, NOT_YET)
        is_hidden = [where in ideas for where, _ in SOURCES]
        trust = np.where(is_hidden, 0, self.trust)  # no trust: no guess
        for idea in ("tones", "pulse"):
            if idea in ideas:
                hidden[idea] = np.zeros_like(getattr(self, idea))
        return replace(self, trust=trust, **hidden)


def _belongs(column, ideas):
    """Return whether a column, such as "piece chosen", belongs to one of some ideas."""
    return any(idea in ideas for idea in column.split())


def with_end(chorale):
    """Return a chorale with one sixteenth more, in which the voice that chooses first ends it."""
    last = np.full((1, N_VOICES), NOT_YET)
    last[0, 0] = END
    return np.concatenate([chorale, last])


def features(chorale, trust, guess):
    """Return the Features of a chorale and of what is expected of it, as a Guesser says."""
    previous = np.concatenate([np.zeros((1, N_VOICES), dtype=int), chorale[:-1]])
    held, motion = _held(chorale), _interval(previous, _left(chorale))
    return Features(
        target=chorale,
        previous=previous,
        chosen=_chosen(chorale),
        guess=guess,
        before=_before(previous, held, motion, trust),
        within=_within(chorale, previous, held, motion, guess, trust),
        trust=trust,
        tones=_tones(previous),
        pulse=_pulse(chorale),
        voice=np.broadcast_to(np.arange(N_VOICES), chorale.shape),
    )


def features_of_choices(seen, chords):
    """Return the Features of a chorale's last sixteenth with other chords (n, 4) in it, one a row."""
    rows = {}
    for field in fields(Features):
        last = getattr(seen, field.name)[-1:]
        rows[field.name] = np.repeat(last, len(chords), axis=0)
    held, motion = rows["within"][..., OWN_HELD], rows["within"][..., OWN_MOTION]
    rows["chosen"] = _chosen(chords)
    rows["within"] = _within(chords, rows["previous"], held, motion, rows["guess"], rows["trust"])
    return Features(**rows)


def _chosen(chorale):
    """Return (n_sixteenths, 4, 3): for each voice those that were chosen before it."""
    return np.where(EARLIER, chorale[:, None, :-1], NOT_YET)


def _tones(previous):
    """Return (n_sixteenths, 2, 12): the shares of the pitch classes in the past, whole and recent."""
    sounding = np.zeros((len(previous), 12))
    for voice in previous.T:
        heard = np.flatnonzero(voice)
        sounding[heard, voice[heard] % 12] += 1
    whole = np.cumsum(sounding, axis=0)
    recent = np.zeros_like(whole)
    for t in range(1, len(recent)):
        recent[t] = RECENT * recent[t - 1] + sounding[t]
    both = np.stack([whole, recent], axis=1)
    return both / np.maximum(both.sum(axis=-1, keepdims=True), 1)


def _pulse(chorale):
    """Return (n_sixteenths, n): the share of changes so far at places like each one."""
    changed = np.zeros((len(chorale), N_VOICES + 1))
    changed[1:, :-1] = np.diff(chorale, axis=0) != 0
    changed[:, -1] = changed[:, :-1].any(axis=1)
    shares = []
    for cycle in CYCLES:
        found = np.zeros_like(changed)
        for place in range(min(cycle, len(chorale))):
            here = changed[place::cycle]
            before = np.cumsum(here, axis=0) - here
            times = np.arange(len(here))[:, None]
            found[place::cycle] = (before + 0.5) / (times + 2)
        shares.append(found)
    return np.concatenate(shares, axis=1)


def _interval(pitch, other, limit=LIMIT):
    """Return classes 0 to 2 limit, or 2 limit + 1 where one of them is silent."""
    silent = (pitch == 0) | (other == 0)
    return np.where(silent, 2 * limit + 1, np.clip(pitch - other, -limit, limit) + limit)


def _held(chorale):
    """Return (n_sixteenths, 4): for how many sixteenths the last note had been held."""
    t = np.arange(len(chorale))[:, None]
    held = np.zeros(chorale.shape, dtype=int)
    held[1:] = (t - _beginnings(chorale))[:-1]
    return np.minimum(held, HELD)


def _left(chorale):
    """Return (n_sixteenths, 4): from which note each voice came to its last one."""
    begins = _beginnings(chorale)[:-1]
    before = np.take_along_axis(chorale, np.maximum(begins - 1, 0), axis=0)
    left = np.zeros(chorale.shape, dtype=int)
    left[1:] = np.where(begins > 0, before, 0)
    return left


def _beginnings(chorale):
    """Return (n_sixteenths, 4): in which sixteenth the note that sounds began."""
    t = np.arange(len(chorale))[:, None]
    begins = np.diff(chorale, axis=0, prepend=chorale[:1]) != 0
    return np.maximum.accumulate(np.where(begins, t, 0), axis=0)


def _before(previous, held, motion, trust):
    """Return (n_sixteenths, n): the columns of BEFORE, in their order."""
    # The pitch class of each voice over the bass, 12 where one of them is silent.
    bass = previous[:, [BASS]]
    harmony = np.where((previous == 0) | (bass == 0), 12, (previous - bass) % 12)
    voices = np.stack([held, motion, harmony], axis=2).reshape(len(previous), -1)
    # Where we are: in a phrase of four bars, should there be three quarters to the bar, in the whole.
    t = np.arange(len(previous))[:, None]
    n_phrases = np.minimum(t // PHRASE, PHRASES - 1)
    return np.concatenate([voices, t % PHRASE, t % TRIPLE, n_phrases, trust], axis=1)


def _within(chorale, previous, held, motion, guess, trust):
    """Return (n_sixteenths, 4, n): the columns of WITHIN, in their order."""
    columns = []
    # Each voice that was chosen before: how it moved, and how far it now is from where ours was.
    for voice in range(N_VOICES - 1):
        note, came_from = chorale[:, [voice]], previous[:, [voice]]
        moved = _interval(note, came_from)
        distance = _interval(note, previous, 2 * LIMIT)
        for interval in (moved, distance):
            columns.append(np.where(EARLIER[:, voice], interval, NOT_YET))
    # Our own voice: how long it was held, and where it came from.
    columns += [held, motion]
    # Each memory: where it would go, how sure it is, and of how many voices it was right already.
    for k in range(len(SOURCES)):
        is_right = guess[:, None, :-1, k] == chorale[:, None, :-1]
        n_right = (is_right & EARLIER).sum(axis=2)
        columns += [_interval(guess[:, :, k], previous), trust[:, [k]], n_right]
    whole = [np.broadcast_to(column, held.shape) for column in columns]
    return np.stack(whole, axis=2)
