"""Four-part chorales on a grid of sixteenths, and what a composer sees in them.

Conventions: a chorale is an int array (n_sixteenths, 4) of MIDI numbers,
soprano, alto, tenor and bass, 0 for silence. It says which note sounds in
each sixteenth, not whether it is held or struck again: the public form of
the JSB chorales. All but `read_chorales` takes and gives the voices in the
ORDER in which they are chosen, as in a harmony class: melody, bass, inner
voices.

Everything in `Features` is known before the symbol that it helps to
predict: of its own sixteenth only the voices chosen before, and all of the
earlier sixteenths. What is written as intervals does not change with the key.
"""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from musiclab.errors import DatasetError

N_VOICES = 4
ORDER = (0, 3, 1, 2)  # soprano, bass, alto, tenor
BASS = ORDER.index(3)
NOT_YET = -1  # a voice that is still to be chosen: no one-hot has a place for it
LIMIT = 12  # wider intervals count as this many semitones
HELD = 15  # longer notes count as this many sixteenths
MAX_CSV = 2**20  # bytes of a file: some 80,000 sixteenths, five hours of music
BAR, PHRASE, TRIPLE = 16, 64, 12  # sixteenths in 4/4, in four such bars, in 3/4

# Sixteenths of context that a memory looks up, for all voices and for the melody.
MEMORIES = {"all": ([0, 1, 2, 3], (4, 8, 16, 32)), "melody": ([0], (8, 16, 32, 64))}
N_TRUST = 13  # no guess, or four lengths of context with three degrees of agreement
SOURCES = tuple((where, name) for where in ("piece", "corpus") for name in MEMORIES)


def read_chorales(folder):
    """Return the chorales of a folder of CSV files, sorted by name.

    Each file has a line of four headings and a line of four MIDI numbers
    for each sixteenth.

    Raises DatasetError, with file and line, when one is not like that.
    """
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise DatasetError(f"no hay ningún fichero .csv en «{folder}»: elige otra carpeta")
    return [_read_chorale(path) for path in files]


def _read_chorale(path):
    try:
        if path.stat().st_size > MAX_CSV:
            raise DatasetError(f"«{path}» es demasiado grande para ser un coral: quítalo")
        with open(path, encoding="utf-8", newline="") as file:
            heading, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"no se puede leer «{path}» ({error}): bórralo o cópialo de nuevo"
        ) from None
    while rows and not any(rows[-1]):
        rows.pop()  # empty lines at the end
    if not rows:
        raise DatasetError(f"«{path}» no tiene ninguna semicorchea: bórralo o cópialo de nuevo")
    if any(map(_is_number, heading)):
        raise DatasetError(
            f"«{path}» empieza por «{','.join(heading)[:40]}», y su primera línea ha de llevar los "
            "nombres de las voces: añádela"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != N_VOICES or not all(map(_is_number, row)):
            raise DatasetError(
                f"«{path}», línea {number}: «{','.join(row)[:40]}» no son cuatro alturas "
                "separadas por comas: corrígela o borra el fichero"
            )
    chorale = np.array([[int(cell) for cell in row] for row in rows])
    if chorale.max() > 127:
        raise DatasetError(f"«{path}» tiene una altura {chorale.max()}: deben ir de 0 a 127")
    return chorale


def _is_number(cell):
    return cell.strip(" \t").isdecimal() and len(cell) < 9  # what int() takes for a number


# What happened after the same notes, here or in other chorales


class Memory:
    """What followed each stretch of some voices, in any key.

    It looks for the longest of its lengths whose stretch it has seen, and
    guesses the commonest continuation: a repeat, a sequence, a cadence
    or, from the melody alone, a tune that it knows.
    """

    def __init__(self, voices, lengths):
        self.voices, self.lengths = voices, lengths
        self._continuations = defaultdict(Counter)

    def add(self, chorale, times=1):
        """Take a chorale in, or out with times=-1."""
        shapes = self.shapes(chorale)
        for t in range(1, len(chorale)):
            self.add_at(chorale, shapes, t, times)

    def add_at(self, chorale, shapes, t, times=1):
        """Take in what sounded in sixteenth t after what came before it."""
        motion = tuple((chorale[t] - chorale[t - 1])[self.voices].tolist())
        for key in self._contexts(shapes, t):
            self._continuations[key][motion] += times

    def shapes(self, chorale):
        """Return int16 (n_sixteenths, n_voices): the first voice's motion, the others below it."""
        notes = np.asarray(chorale, dtype=np.int16)[:, self.voices]
        motion = np.diff(notes[:, :1], axis=0, prepend=notes[:1, :1])
        return np.concatenate([motion, notes[:, :1] - notes[:, 1:]], axis=1)

    def _contexts(self, shapes, t):
        """Yield the key of each length of context before sixteenth t, shortest first."""
        for length in self.lengths:
            if length > t:
                return
            # Where the first sixteenth came from does not belong to the stretch.
            yield length, shapes[t - length, 1:].tobytes() + shapes[t - length + 1 : t].tobytes()

    def guess(self, chorale, shapes, t):
        """Return (trust, chord) for sixteenth t: 0 and the last chord when nothing is known."""
        chord = chorale[t - 1].copy()
        for level, key in reversed(list(enumerate(self._contexts(shapes, t)))):
            counts = +self._continuations.get(key, Counter())
            if counts:
                # Of equals the smallest motion: never what was learned first, which
                # would tell a chorale that was taken out again from the others.
                motion, count = min(
                    counts.items(), key=lambda item: (-item[1], sum(map(abs, item[0])), item[0])
                )
                agreement = np.searchsorted([0.5, 0.8], count / counts.total(), side="right")
                chord[self.voices] = np.clip(chord[self.voices] + motion, 0, 127)
                return 1 + 3 * level + int(agreement), chord
        return 0, chord


def corpus_memories(chorales):
    """Return the memories of the chorales to learn from, one for each of MEMORIES."""
    memories = [Memory(*settings) for settings in MEMORIES.values()]
    for memory in memories:
        for chorale in chorales:
            memory.add(chorale)
    return memories


class Guesser:
    """What is expected of one chorale, sixteenth by sixteenth, by all SOURCES.

    Beside the memories of the corpus it has two that learn the chorale
    itself while it is read or written.
    """

    def __init__(self, memories):
        """Begin a chorale; the memories, as `corpus_memories` gives them, must not count it."""
        self._own = [Memory(*settings) for settings in MEMORIES.values()]
        self._all = [*self._own, *memories]

    def guess(self, chorale, start=0):
        """Return the guesses for each sixteenth from `start` on, which must be the next one.

        Returns trust (n, n_sources), 0 for no guess, and chords (n, 4, n_sources).
        Nothing that sounds in a sixteenth has a part in the guess for it.
        """
        shapes = [memory.shapes(chorale) for memory in self._all]
        trust = np.zeros((len(chorale) - start, len(SOURCES)), dtype=int)
        chords = np.zeros((len(chorale) - start, N_VOICES, len(SOURCES)), dtype=int)
        for t in range(max(start, 1), len(chorale)):
            for k, memory in enumerate(self._all):
                if k < len(self._own) and t > 1:
                    memory.add_at(chorale, shapes[k], t - 1)
                trust[t - start, k], chords[t - start, :, k] = memory.guess(chorale, shapes[k], t)
        return trust, chords


# What a network sees

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
            if field.name in ("target", "previous", "chosen", "guess"):
                shifted = np.where(part + shift > 0, part + shift, NOT_YET)
                part = np.where(part > 0, shifted, part)
            room = [(0, length - len(part))] + [(0, 0)] * (part.ndim - 1)
            filling = NOT_YET if field.name == "target" else 0
            parts[field.name] = np.pad(part, room, constant_values=filling).astype(np.int32)
        return Features(**parts)

    def without(self, ideas):
        """Return the features without those that belong to some ideas, to see what each is worth."""
        hidden = {
            name: np.where(
                [not set(ideas).isdisjoint(idea.split()) for idea, _ in columns],
                NOT_YET,
                getattr(self, name),
            )
            for name, columns in (("before", BEFORE), ("within", WITHIN))
        }
        chosen = np.where("chosen" in ideas, NOT_YET, self.chosen)
        trust = np.where([where in ideas for where, _ in SOURCES], 0, self.trust)
        return replace(self, chosen=chosen, trust=trust, **hidden)


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
    bass = previous[:, [BASS]]
    harmony = np.where((previous == 0) | (bass == 0), 12, (previous - bass) % 12)
    voices = np.stack([held, motion, harmony], axis=2).reshape(len(previous), -1)
    t = np.arange(len(previous))[:, None]
    return np.concatenate([voices, t % PHRASE, t % TRIPLE, trust], axis=1)


def _within(chorale, previous, earlier, held, motion, guess, trust):
    columns = []
    for voice in range(N_VOICES - 1):
        note, came_from = chorale[:, [voice]], previous[:, [voice]]
        for interval in (_interval(note, came_from), _interval(note, previous, 2 * LIMIT)):
            columns.append(np.where(earlier[:, voice], interval, NOT_YET))
    columns += [held, motion]
    for k in range(len(SOURCES)):
        right = (guess[:, None, :-1, k] == chorale[:, None, :-1]) & earlier
        columns += [_interval(guess[:, :, k], previous), trust[:, [k]], right.sum(axis=2)]
    return np.stack([np.broadcast_to(column, held.shape) for column in columns], axis=2)
