"""What followed the same context before, in the chorale itself and in others."""

from collections import Counter, defaultdict

import numpy as np

from musiclab.chorales.files import BAR, MEMORIES, N_VOICES, SOURCES

ENOUGH = 2  # times that a bar or more is said again: Bach says it oftener in one sixteenth of 5,800


class Memory:
    """What followed each stretch of some voices, in any key.

    It looks for the longest of its lengths whose stretch it has seen, and
    guesses the commonest continuation: a repeat, a sequence, a cadence
    or, from the melody alone, a tune that it knows.

    enough: how often a stretch of a bar or more may have gone on before; after that nothing is
        guessed. Without this what is written from its own memory goes round in circles
    """

    def __init__(self, voices, lengths, enough=None):
        self.voices, self.lengths, self.enough = voices, lengths, enough
        self._continuations = defaultdict(Counter)

    def copy(self):
        """Return a memory that knows the same and learns for itself."""
        other = Memory(self.voices, self.lengths, self.enough)
        for key, counts in self._continuations.items():
            other._continuations[key] = counts.copy()
        return other

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
        """Yield the key of each length of context before sixteenth t, shortest first.

        There is none where nothing has moved for a bar: in what it writes itself a held chord
        would be remembered as one that is held, ever more surely, and never end.
        """
        last_bar = shapes[max(t - BAR, 0) : t]
        moved = last_bar[1:, 0].any() or (last_bar[1:, 1:] != last_bar[0, 1:]).any()
        if t >= BAR and not moved:
            return
        for length in self.lengths:
            if length > t:
                return
            # Where the first sixteenth came from does not belong to the stretch.
            first = shapes[t - length, 1:]
            rest = shapes[t - length + 1 : t]
            yield length, first.tobytes() + rest.tobytes()

    def guess(self, chorale, shapes, t):
        """Return (trust, chord) for sixteenth t: 0 and the last chord when nothing is known."""
        chord = chorale[t - 1].copy()
        contexts = list(enumerate(self._contexts(shapes, t)))
        for level, key in reversed(contexts):  # the longest first
            # The plus drops what was taken out again.
            counts = +self._continuations.get(key, Counter())
            if self.enough and self.lengths[level] >= BAR and counts.total() > self.enough:
                break
            if counts:
                motion, count = min(counts.items(), key=_commonest_first)
                chord[self.voices] = np.clip(chord[self.voices] + motion, 0, 127)
                # A longer context is worth more trust, and so is one that mostly went on like this.
                agreement = np.searchsorted([0.5, 0.8], count / counts.total(), side="right")
                return 1 + 3 * level + int(agreement), chord
        return 0, chord


def _commonest_first(item):
    """Return the key to sort a (motion, count) by.

    Of equals the smallest motion: never what was learned first, which
    would tell a chorale that was taken out again from the others.
    """
    motion, count = item
    size = sum(abs(semitones) for semitones in motion)
    return -count, size, motion


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
        self._own = [Memory(*settings, ENOUGH) for settings in MEMORIES.values()]
        self._all = [*self._own, *memories]

    def copy(self):
        """Return a guesser of the same chorale as far as it goes, to go on in another way."""
        n_own = len(self._own)
        other = Guesser(self._all[n_own:])
        other._own = [memory.copy() for memory in self._own]
        other._all[:n_own] = other._own
        return other

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
                # Its own memories first learn the sixteenth that has just sounded.
                is_own = k < len(self._own)
                if is_own and t > 1:
                    memory.add_at(chorale, shapes[k], t - 1)
                row = t - start
                trust[row, k], chords[row, :, k] = memory.guess(chorale, shapes[k], t)
        return trust, chords
