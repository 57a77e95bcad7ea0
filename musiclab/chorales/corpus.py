"""The chorales to learn from: what they have in common, and batches of their windows."""

from dataclasses import fields

import numpy as np

from musiclab.chorales.features import Features, features
from musiclab.chorales.files import ORDER
from musiclab.chorales.memories import Guesser, corpus_memories
from musiclab.errors import DatasetError, ParameterError
from musiclab.progress import progress

MAX_SIXTEENTHS = 250_000  # to learn from: four times the public set; its memories take 1 GB


class Corpus:
    """The chorales to learn from: what they have in common, and windows of them."""

    def __init__(self, chorales, settings):
        self.settings, self.chorales = settings, [chorale[:, ORDER] for chorale in chorales]
        if (n := sum(map(len, chorales))) > MAX_SIXTEENTHS:
            raise DatasetError(
                f"los corales para aprender tienen {n} semicorcheas, y no caben en la memoria más "
                f"de {MAX_SIXTEENTHS}: quita alguno"
            )
        sung = np.concatenate([chorale[chorale > 0] for chorale in chorales])
        if not len(sung):
            raise DatasetError("los corales no tienen más que silencio: elige otra carpeta")
        self.lowest = max(int(sung.min()) - settings.margin, 1)
        self.highest = min(int(sung.max()) + settings.margin, 127)
        self.n_symbols = self.highest - self.lowest + 2
        self.memories = corpus_memories(self.chorales)
        columns = np.concatenate(self.chorales).T
        self.compass = {
            k: (voice[voice > 0].min(), voice.max())
            for k, voice in enumerate(columns)
            if voice.any()
        }

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
                    f"{highest}: transporta el coral"
                )

    def own_features(self):
        """Return the Features of each chorale, with what the memories know of the others."""
        found = []
        for chorale in progress(self.chorales, "Leyendo", "coral"):
            for memory in self.memories:
                memory.add(chorale, -1)
            found.append(self.features(chorale))
            for memory in self.memories:
                memory.add(chorale)
        return found

    def features(self, chorale):
        """Return the Features of a chorale that the memories do not hold."""
        guesses = Guesser(self.memories).guess(chorale)
        return features(chorale, *guesses).without(self.settings.without)

    def keys(self, chorale):
        """Return the transpositions, in semitones, that stay near each voice's compass."""
        margin, down, up = self.settings.margin, [-6], [6]
        for k, (lowest, highest) in self.compass.items():
            voice = chorale[:, k][chorale[:, k] > 0]
            if len(voice):
                down.append(max(lowest - margin, self.lowest) - voice.min())
                up.append(min(highest + margin, self.highest) - voice.max())
        return range(max(down), min(up) + 1)


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
        """Return the (inputs, symbols) of a step."""
        rng = np.random.default_rng([self.settings.seed, step])
        return batch([self._window(n, rng) for n in self._turns(step)])

    def _turns(self, step):
        """Yield which chorales are in a batch: each comes once before any comes again."""
        n = len(self.features)
        for turn in range(step * self.settings.batch_size, (step + 1) * self.settings.batch_size):
            yield np.random.default_rng([self.settings.seed, turn // n]).permutation(n)[turn % n]

    def _window(self, n, rng):
        length = self.settings.window
        room = max(len(self.features[n].target) - length, 0)
        # Beginnings and ends come often: they are what a window in the middle never shows.
        start = int(np.clip(rng.integers(-length // 4, room + length // 4 + 1), 0, room))
        shift = int(rng.choice(self.keys[n]))
        return self.features[n].window(start, length, self.corpus.shift(shift))


def batch(windows):
    """Return (inputs, targets) for Keras: each array of the windows' Features with a first axis."""
    stacked = {
        field.name: np.stack([getattr(window, field.name) for window in windows])
        for field in fields(Features)
    }
    return stacked, stacked.pop("target")
