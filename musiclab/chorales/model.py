"""A network, the chorales that it remembers, and how both score and write."""

import math
from dataclasses import asdict, fields

import numpy as np

from musiclab.backend import set_seed, tf
from musiclab.chorales.corpus import Corpus, batch
from musiclab.chorales.files import HIGH_TO_LOW, N_VOICES, ORDER
from musiclab.chorales.fitting import fit
from musiclab.chorales.layers import LOG_SHARES, SURE
from musiclab.chorales.network import Settings, build_chorale_model
from musiclab.evaluation import Likelihood
from musiclab.logits import log_softmax
from musiclab.music.voices import grid_to_song
from musiclab.training.archive import check_arrays, damaged, read_archive, write_archive

FORMAT = "musiclab-chorales-5"


class ChoraleModel:
    """A network and the chorales that it remembers."""

    def __init__(self, chorales, settings=None):
        """Make an untrained model whose memories hold these chorales (n_sixteenths, 4)."""
        self.settings = settings or Settings()
        self.corpus = Corpus(chorales, self.settings)
        self._choose = None
        set_seed(self.settings.seed)
        self.model, self.reader, self.chooser = build_chorale_model(
            self.corpus.n_symbols, self.settings
        )
        for weights in self.model.weights:
            if weights.name == LOG_SHARES:
                weights.assign(self.corpus.log_shares() / SURE)

    def save(self, path):
        """Write the model, its settings and the chorales that it remembers; return the path."""
        chorales = self.corpus.chorales
        meta = {
            "settings": asdict(self.settings),
            "lengths": [len(chorale) for chorale in chorales],
        }
        # One array of all chorales, their voices from high to low.
        known = np.concatenate(chorales)[:, HIGH_TO_LOW].astype(np.uint8)
        return write_archive(path, FORMAT, meta, [known, *self.model.get_weights()])

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        No network is built that is larger than the file's weights.
        Raises BundleError when it is missing, damaged or of another format.
        """
        meta, arrays = read_archive(path, FORMAT)
        try:
            known, *weights = arrays
            model = cls(_known(known, meta["lengths"]), _settings(meta["settings"], weights))
            check_arrays(weights, model.model.get_weights())
            model.model.set_weights(weights)
            if not all(np.isfinite(n).all() for n in weights):
                raise ValueError("numbers that are none")
        except Exception as error:  # Keras has errors of its own for what it cannot build
            raise damaged(path) from error
        return model

    def known_songs(self):
        """Return the chorales that the memories hold as Songs, to look for copies."""
        return [
            grid_to_song(chorale[:, HIGH_TO_LOW], source=f"coral {k}")
            for k, chorale in enumerate(self.corpus.chorales)
        ]

    def train(self, valid, folder=None, load_previous=False):
        """Train, and keep the averaged weights that are best on `valid`.

        valid: chorales that are not among those of the memories
        folder: where to keep a checkpoint after each epoch, if anywhere
        load_previous: go on from the folder's checkpoint, if there is one

        Returns the validation NLL at the end of each epoch; raises what `fit` does.
        """
        return fit(self, self.features(valid), folder, load_previous)

    def features(self, chorales):
        """Return the Features of chorales that the memories do not hold.

        Raises ParameterError for a pitch that no transposition of theirs reaches.
        """
        self.corpus.check(chorales)
        return [self.corpus.features(chorale[:, ORDER]) for chorale in chorales]

    def logits(self, seen):
        """Return the logits (n_sixteenths, 4, n_symbols) of the Features of one chorale, in ORDER."""
        logits = self.model.predict_on_batch(batch([self._whole(seen)])[0])
        return logits[0, : len(seen.target), :, : self.corpus.n_symbols] / self.settings.temperature

    def score(self, seen):
        """Return the Likelihood of chorales, given as Features, and the NLL of each voice (4,), high to low.

        Every sixteenth of every voice counts: full history, teacher forcing.
        """
        losses, right = [], []
        for one in seen:
            symbols = one.window(0, len(one.target), self.corpus.shift(0)).target
            logits = self.logits(one)
            losses.append(_nll(logits, symbols))
            right.append(logits.argmax(axis=-1) == symbols)
        losses, right = np.concatenate(losses), np.concatenate(right)
        likelihood = Likelihood(float(losses.mean()), float(right.mean()), losses.size)
        of_voices = losses.mean(axis=0)
        return likelihood, of_voices[HIGH_TO_LOW]

    def choose(self, inputs):
        """Return the chooser's logits (1, n, V, n_symbols + 1) of a dict of arrays, of any length."""
        if self._choose is None:  # traced once, for all lengths
            kinds = {}
            for name, one in self.chooser.input.items():
                kinds[name] = tf.TensorSpec(one.shape, one.dtype, name)
            traced = tf.function(lambda **given: self.chooser(given))
            self._choose = traced.get_concrete_function(**kinds)
        given = {name: tf.constant(array) for name, array in inputs.items()}
        return self._choose(**given).numpy() / self.settings.temperature

    def _whole(self, seen):
        """Return all of the Features as symbols; in few lengths, for few compilations."""
        n_blocks = math.ceil(len(seen.target) / 64)
        return seen.window(0, 64 * n_blocks, self.corpus.shift(0))


def _known(notes, lengths):
    """Return the chorales of a file; raise ValueError for what are none."""
    sound = notes.dtype == np.uint8 and notes.shape[1:] == (N_VOICES,) and notes.max() <= 127
    if not sound or not all(type(n) is int and n > 0 for n in lengths):
        raise ValueError("no chorales")
    if sum(lengths) != len(notes):
        raise ValueError("chorales of other lengths")
    return np.split(notes.astype(int), np.cumsum(lengths)[:-1])


def _settings(found, weights):
    """Return the Settings of a file; raise ValueError for those that its weights cannot have."""
    settings = Settings(**found | {"without": tuple(found["without"])})
    for field in fields(Settings):
        value, kind = getattr(settings, field.name), type(field.default)
        # JSON may give a whole number where we mean any.
        kinds = (int, float) if kind is float else (kind,)
        if type(value) not in kinds:
            raise ValueError(f"{field.name} is {value!r:.40}")
    # A layer has its square at least, and three arrays: what claims more is not built.
    needed = max(settings.layers * settings.units**2, settings.width**2)
    if needed > sum(w.size for w in weights) or 3 * settings.layers > len(weights):
        raise ValueError(f"too few weights for {settings}")
    return settings


def _nll(logits, symbols):
    return -np.take_along_axis(log_softmax(logits), symbols[..., None], axis=-1)[..., 0]
