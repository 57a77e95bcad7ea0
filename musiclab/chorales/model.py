"""A network, the chorales that it remembers, and how both score and write."""

import math
from dataclasses import asdict, fields

import numpy as np

from musiclab.backend import set_seed
from musiclab.chorales.corpus import Corpus, batch
from musiclab.chorales.features import features
from musiclab.chorales.files import N_VOICES, ORDER
from musiclab.chorales.fitting import fit
from musiclab.chorales.memories import Guesser
from musiclab.chorales.network import Reading, Settings, build_chorale_model
from musiclab.errors import ParameterError
from musiclab.evaluation import Likelihood
from musiclab.generation import sample_id
from musiclab.logits import log_softmax
from musiclab.music.voices import grid_to_song
from musiclab.progress import progress
from musiclab.training.archive import check_arrays, damaged, read_archive, write_archive

FORMAT = "musiclab-chorales-2"
HIGH_TO_LOW = np.argsort(ORDER)  # takes voices in ORDER to soprano, alto, tenor, bass


class ChoraleModel:
    """A network, the chorales that it remembers, and the temperature of its probabilities."""

    def __init__(self, chorales, settings=None):
        """Make an untrained model whose memories hold these chorales (n_sixteenths, 4)."""
        self.settings = settings or Settings()
        self.corpus = Corpus(chorales, self.settings)
        self.temperature = 1.0
        set_seed(self.settings.seed)
        self.model, self.reader, self.chooser = build_chorale_model(
            self.corpus.n_symbols, self.settings
        )

    def save(self, path):
        """Write the model, its settings and the chorales that it remembers; return the path."""
        chorales = self.corpus.chorales
        meta = {
            "settings": asdict(self.settings),
            "temperature": self.temperature,
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
            model.temperature = meta["temperature"]
            numbers = [*weights, model.temperature]
            if not all(np.isfinite(n).all() for n in numbers) or model.temperature <= 0:
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
        """Train, and keep the averaged weights and the temperature that are best on `valid`.

        valid: chorales that are not among those of the memories
        folder: where to keep a checkpoint after each epoch, if anywhere
        load_previous: go on from the folder's checkpoint, if there is one

        Returns the validation NLL at the end of each epoch; raises what `fit` does.
        """
        seen = self.features(valid)
        self.temperature = 1.0
        history = fit(self, seen, folder, load_previous)
        self.temperature = self._best_temperature(seen)
        return history

    def features(self, chorales):
        """Return the Features of chorales that the memories do not hold.

        Raises ParameterError for a pitch that no transposition of theirs reaches.
        """
        self.corpus.check(chorales)
        return [self.corpus.features(chorale[:, ORDER]) for chorale in chorales]

    def logits(self, seen):
        """Return the logits (n_sixteenths, 4, n_symbols) of the Features of one chorale, in ORDER."""
        logits = self.model.predict_on_batch(batch([self._whole(seen)])[0])
        return logits[0, : len(seen.target)] / self.temperature

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

    def write(self, n_sixteenths, rng, prompt=None, temperature=1.0, **options):
        """Return a chorale (n_sixteenths, 4) that begins with the prompt, if there is one.

        rng: numpy Generator
        temperature, options: top_k and top_p, as in `sample_id`
        """
        prompt = np.zeros((0, N_VOICES), dtype=int) if prompt is None else prompt
        self.corpus.check([prompt])
        if len(prompt) >= n_sixteenths:
            raise ParameterError(
                f"el motivo inicial tiene {len(prompt)} semicorcheas y el coral {n_sixteenths}: "
                "pide un coral más largo",
                prompt=len(prompt),
                n_sixteenths=n_sixteenths,
            )
        chorale = np.zeros((n_sixteenths, N_VOICES), dtype=int)
        chorale[: len(prompt)] = prompt[:, ORDER]
        guesser = Guesser(self.corpus.memories)
        trust, chords = [], []
        reading = Reading(self.reader, self.corpus.n_symbols)
        for t in progress(range(n_sixteenths), "Componiendo", "semicorchea"):
            # What the memories expect of this sixteenth, beside what they expected before.
            new_trust, new_chords = guesser.guess(chorale[: t + 1], t)
            trust.append(new_trust)
            chords.append(new_chords)
            if t >= len(prompt):
                guesses = np.concatenate(trust), np.concatenate(chords)
                self._write_chord(chorale[: t + 1], guesses, reading, rng, temperature, options)
        return chorale[:, HIGH_TO_LOW]

    def _write_chord(self, chorale, guesses, reading, rng, temperature, options):
        """Choose the voices of the last sixteenth, in place."""
        t, shift = len(chorale) - 1, self.corpus.shift(0)
        names = ("previous", "trust", "chosen", "guess", "within")
        for voice in range(N_VOICES):
            # What is known now: with each voice that is chosen, a little more.
            seen = features(chorale, *guesses).without(self.settings.without)
            # The past is the same for the four voices: it is read once.
            if voice == 0:
                hidden = reading.read_on(seen.window(0, t + 1, shift))
            inputs, _ = batch([seen.window(t, 1, shift)])
            chosen_by = [hidden, *(inputs[name] for name in names)]
            logits = self.chooser.predict_on_batch(chosen_by)[0, 0, voice]
            symbol = sample_id(logits / self.temperature, temperature, rng, **options)
            chorale[t, voice] = symbol - shift

    def _whole(self, seen):
        """Return all of the Features as symbols; in few lengths, for few compilations."""
        n_blocks = math.ceil(len(seen.target) / 64)
        return seen.window(0, 64 * n_blocks, self.corpus.shift(0))

    def _best_temperature(self, seen):
        """Return the temperature, to 0.05, at which these Features have the lowest NLL."""
        logits = np.concatenate([self.logits(one) for one in seen])
        symbols = np.concatenate(
            [one.window(0, len(one.target), self.corpus.shift(0)).target for one in seen]
        )
        candidates = [k / 20 for k in range(10, 41)]
        return min(candidates, key=lambda t: _nll(logits / t, symbols).mean())


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
