"""What a composer sees before each note is chosen.

Everything in `Features` is known before the symbol that it helps to
predict: of its own sixteenth only the voices chosen before, and all of the
earlier sixteenths. What is written as intervals does not change with the key.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from musiclab.chorales.files import (
    BASS,
    HELD,
    LIMIT,
    N_TRUST,
    N_VOICES,
    NOT_YET,
    PHRASE,
    SOURCES,
    TRIPLE,
)

N_INTERVALS = 2 * LIMIT + 2  # the last for silence
N_WIDE = 4 * LIMIT + 2


# Each column of classes: the ideas to which it belongs, and how many classes there are.
BEFORE = (
    (("held", HELD + 1), ("motion", N_INTERVALS), ("harmony", 13)) * N_VOICES
    + (("position", PHRASE), ("position", TRIPLE))
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
    """

    target: np.ndarray
    previous: np.ndarray
    chosen: np.ndarray
    guess: np.ndarray
    before: np.ndarray
    within: np.ndarray
    trust: np.ndarray

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
            # A chorale that ends earlier is filled up in time, not in its other axes.
            missing = [(0, length - len(part))] + [(0, 0)] * (part.ndim - 1)
            filling = NOT_YET if field.name == "target" else 0
            part = np.pad(part, missing, constant_values=filling)
            parts[field.name] = part.astype(np.int32)
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
        return replace(self, trust=trust, **hidden)


def _belongs(column, ideas):
    """Return whether a column, such as "piece chosen", belongs to one of some ideas."""
    return any(idea in ideas for idea in column.split())


def features(chorale, trust, guess):
    """Return the Features of a chorale and of what is expected of it, as a Guesser says."""
    previous = np.concatenate([np.zeros((1, N_VOICES), dtype=int), chorale[:-1]])
    held, motion = _held(chorale), _interval(previous, _left(chorale))
    earlier = np.tri(N_VOICES, N_VOICES - 1, -1, dtype=bool)  # (voice, voice chosen before it)
    return Features(
        target=chorale,
        previous=previous,
        chosen=np.where(earlier, chorale[:, None, :-1], NOT_YET),
        guess=guess,
        before=_before(previous, held, motion, trust),
        within=_within(chorale, previous, earlier, held, motion, guess, trust),
        trust=trust,
    )


def _interval(pitch, other, limit=LIMIT):
    """Return classes 0 to 2 limit, or 2 limit + 1 where one of them is silent."""
    silent = (pitch == 0) | (other == 0)
    return np.where(silent, 2 * limit + 1, np.clip(pitch - other, -limit, limit) + limit)


def _held(chorale):
    """Return (n_sixteenths, 4): for how many sixteenths the last note had been held."""
    held = np.zeros(chorale.shape, dtype=int)
    for t in range(2, len(chorale)):
        held[t] = np.where(chorale[t - 1] == chorale[t - 2], held[t - 1] + 1, 0)
    return np.minimum(held, HELD)


def _left(chorale):
    """Return (n_sixteenths, 4): from which note each voice came to its last one."""
    left = np.zeros(chorale.shape, dtype=int)
    for t in range(2, len(chorale)):
        left[t] = np.where(chorale[t - 1] == chorale[t - 2], left[t - 1], chorale[t - 2])
    return left


def _before(previous, held, motion, trust):
    """Return (n_sixteenths, n): the columns of BEFORE, in their order."""
    # The pitch class of each voice over the bass, 12 where one of them is silent.
    bass = previous[:, [BASS]]
    harmony = np.where((previous == 0) | (bass == 0), 12, (previous - bass) % 12)
    voices = np.stack([held, motion, harmony], axis=2).reshape(len(previous), -1)
    # Where we are: in a phrase of four bars, and should there be three quarters to the bar.
    t = np.arange(len(previous))[:, None]
    return np.concatenate([voices, t % PHRASE, t % TRIPLE, trust], axis=1)


def _within(chorale, previous, earlier, held, motion, guess, trust):
    """Return (n_sixteenths, 4, n): the columns of WITHIN, in their order."""
    columns = []
    # Each voice that was chosen before: how it moved, and how far it now is from where ours was.
    for voice in range(N_VOICES - 1):
        note, came_from = chorale[:, [voice]], previous[:, [voice]]
        moved = _interval(note, came_from)
        distance = _interval(note, previous, 2 * LIMIT)
        for interval in (moved, distance):
            columns.append(np.where(earlier[:, voice], interval, NOT_YET))
    # Our own voice: how long it was held, and where it came from.
    columns += [held, motion]
    # Each memory: where it would go, how sure it is, and of how many voices it was right already.
    for k in range(len(SOURCES)):
        is_right = guess[:, None, :-1, k] == chorale[:, None, :-1]
        n_right = (is_right & earlier).sum(axis=2)
        columns += [_interval(guess[:, :, k], previous), trust[:, [k]], n_right]
    whole = [np.broadcast_to(column, held.shape) for column in columns]
    return np.stack(whole, axis=2)
