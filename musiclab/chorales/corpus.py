"""The chorales to learn from: what they have in common, and batches of their windows."""

from dataclasses import fields

import numpy as np

from musiclab.chorales.features import Features, features, with_end
from musiclab.chorales.files import END, N_VOICES, ORDER
from musiclab.chorales.memories import Guesser, corpus_memories
from musiclab.errors import DatasetError, ParameterError
from musiclab.progress import progress

RARE = 0.0005  # of a voice's notes at either end of its compass: no transposition leads to more of them
UNSEEN = 0.01  # times that a voice counts as having sung what it never sang
MAX_SIXTEENTHS = 250_000  # to learn from: four times the public set; its memories take 1 GB


class Corpus:
    """The chorales to learn from: what they have in common, and windows of them."""

    def __init__(self, chorales, settings):
        self.settings = settings
        self.chorales = [chorale[:, ORDER] for chorale in chorales]
        n_sixteenths = sum(len(chorale) for chorale in chorales)
        if n_sixteenths > MAX_SIXTEENTHS:
            raise DatasetError(
                f"los corales para aprender tienen {n_sixteenths} semicorcheas, y no caben en la "
                f"memoria más de {MAX_SIXTEENTHS}: quita alguno",
                n_sixteenths=n_sixteenths,
                highest=MAX_SIXTEENTHS,
            )
        sung = np.concatenate([chorale[chorale > 0] for chorale in chorales])
        if not len(sung):
            raise DatasetError("los corales no tienen más que silencio: elige otra carpeta")
        self.lowest = max(int(sung.min()) - settings.margin, 1)
        self.highest = min(int(sung.max()) + settings.margin, 127)
        self.n_symbols = self.highest - self.lowest + 2
        self.memories = corpus_memories(self.chorales)
        columns = np.concatenate(self.chorales).T
        # Of each voice: the lowest and the highest note, of all and of the usual ones.
        self.compass, self.usual = {}, {}
        for k, voice in enumerate(columns):
            notes = voice[voice > 0]
            if len(notes):  # a voice that is silent in all chorales has none
                self.compass[k] = notes.min(), notes.max()
                self.usual[k] = np.quantile(notes, [RARE, 1 - RARE], method="nearest")

    def shift(self, semitones):
        """Return what turns pitches, so many semitones higher, into symbols."""
        return semitones - self.lowest + 1

    def check(self, chorales):
        """Raise ParameterError for a pitch that no transposition of the corpus reaches."""
        lowest, highest = self.lowest, self.highest
        for chorale in chorales:
            outside = chorale[(chorale > 0) & ((chorale < lowest) | (chorale > highest))]
            if len(outside):
                raise ParameterError(
                    f"hay una altura {outside[0]} y el modelo conoce de la {lowest} a la "
                    f"{highest}: transporta el coral",
                    pitch=int(outside[0]),
                    lowest=lowest,
                    highest=highest,
                )

    def own_features(self):
        """Return the Features of each chorale and its end, with what the memories know of the others."""
        found = []
        for chorale in progress(self.chorales, "Leyendo", "coral"):
            for memory in self.memories:
                memory.add(chorale, -1)
            found.append(self.features(with_end(chorale)))
            for memory in self.memories:
                memory.add(chorale)
        return found

    def features(self, chorale):
        """Return the Features of a chorale that the memories do not hold."""
        guesses = Guesser(self.memories).guess(chorale)
        return features(chorale, *guesses).without(self.settings.without)

    def keys(self, chorale):
        """Return the transpositions, in semitones, that lead no voice beyond its usual notes."""
        margin = self.settings.margin
        down, up = [-6], [6]  # half an octave each way: all keys, and no further
        for k, (lowest, highest) in self.usual.items():
            voice = chorale[:, k][chorale[:, k] > 0]
            if len(voice):
                # A chorale that is beyond them already goes no further.
                down.append(min(max(lowest - margin, self.lowest) - voice.min(), 0))
                up.append(max(min(highest + margin, self.highest) - voice.max(), 0))
        return range(max(down), min(up) + 1)

    def log_shares(self):
        """Return (4, n_symbols): log of how often each voice sings each note, in all keys."""
        counts = np.full((N_VOICES, self.n_symbols), UNSEEN)
        for chorale in self.chorales:
            for semitones in self.keys(chorale):
                symbols = np.where(chorale > 0, chorale + self.shift(semitones), 0)
                for voice, column in enumerate(symbols.T):
                    counts[voice] += np.bincount(column, minlength=self.n_symbols)
        return np.log(counts / counts.sum(axis=1, keepdims=True))


class Batches:
    """Batches of windows, each of a random place and key, that hang on (seed, step) alone."""

    def __init__(self, corpus):
        self.corpus, self.settings = corpus, corpus.settings
        self.features = corpus.own_features()
        self.keys = [
            range(1) if "keys" in self.settings.without else corpus.keys(chorale)
            for chorale in corpus.chorales
        ]

    def __call__(self, step):
        """Return the (inputs, symbols) of a step; END is the symbol after all pitches."""
        rng = np.random.default_rng([self.settings.seed, step])
        inputs, symbols = batch([self._window(n, rng) for n in self._turns(step)])
        return inputs, np.where(symbols == END, self.corpus.n_symbols, symbols)

    def _turns(self, step):
        """Return which chorales are in a batch: each comes once before any comes again."""
        n_chorales = len(self.features)
        first = step * self.settings.batch_size
        chosen = []
        for turn in range(first, first + self.settings.batch_size):
            # All chorales in a random order, then all in another: this turn's place in which?
            n_round, place = divmod(turn, n_chorales)
            if not chosen or place == 0:
                order = self._order(n_round)
            chosen.append(order[place])
        return chosen

    def _order(self, n_round):
        """Return the order in which all chorales come in a round of them."""
        rng = np.random.default_rng([self.settings.seed, n_round])
        return rng.permutation(len(self.features))

    def _window(self, n, rng):
        """Return a window of the chorale n, of a random place and key."""
        length = self.settings.window
        last_start = max(len(self.features[n].target) - length, 0)
        # Beginnings and ends come often: they are what a window in the middle never shows.
        anywhere = rng.integers(-length // 4, last_start + length // 4 + 1)
        start = int(np.clip(anywhere, 0, last_start))
        shift = int(rng.choice(self.keys[n]))
        return self.features[n].window(start, length, self.corpus.shift(shift))


def batch(windows):
    """Return (inputs, targets) for Keras: each array of the windows' Features with a first axis."""
    stacked = {}
    for field in fields(Features):
        parts = [getattr(window, field.name) for window in windows]
        stacked[field.name] = np.stack(parts)
    return stacked, stacked.pop("target")
