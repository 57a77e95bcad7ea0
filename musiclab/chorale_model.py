"""A network that harmonises: it reads a chorale in time and chooses its voices one by one.

Two recurrent layers read one sixteenth a step; a small network, the same
for the four voices, then chooses each note knowing those chosen before it. The
score of a pitch is the sum of what the network thinks of it as such, as
an interval from each note around it, and as what the memories expect.

Conventions: see `chorales`. A symbol is 0 for silence, or a pitch counted
from `lowest` - 1. Losses are nats a symbol, every sixteenth of every voice.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from musiclab.backend import keras, set_seed
from musiclab.chorales import (
    BEFORE,
    N_VOICES,
    NOT_YET,
    ORDER,
    SOURCES,
    WITHIN,
    Features,
    Guesser,
    corpus_memories,
    features,
)
from musiclab.errors import BundleError, DatasetError, ParameterError
from musiclab.evaluation import Score
from musiclab.generation import RecurrentLayer, sample_id
from musiclab.grid import grid_to_song
from musiclab.progress import progress
from musiclab.storage import check_arrays, damaged, read_archive, write_archive

FORMAT = "musiclab-chorales-1"
MAX_SIXTEENTHS = 250_000  # to learn from: four times the public set; its memories take 1 GB
ops, layers = keras.ops, keras.layers


IDEAS = {
    "position": "el lugar en el compás y en la frase",
    "held": "cuánto lleva cada voz en su nota",
    "motion": "de dónde venía cada voz",
    "harmony": "las clases de altura sobre el bajo",
    "chosen": "las voces ya elegidas de la semicorchea",
    "piece": "lo que siguió a lo mismo en el propio coral",
    "corpus": "lo que siguió a lo mismo en otros corales",
    "intervals": "puntuar por intervalos",
    "keys": "transportar al entrenar",
    "forgetting": "apagar entradas al entrenar",
    "average": "promediar los pesos",
}


@dataclass(frozen=True)
class Settings:
    """How a chorale model is built and trained; the defaults are those of the public table.

    margin: semitones by which a transposition may leave the training part's compass
    forget_inputs, forget_memory, dropout: shares of what the network sees, of what
        the recurrent layers say, and of the chooser's units, that are switched off
    window: sixteenths; steps: of the optimiser, in epochs of `epoch_steps`
    average: momentum of the moving average of the weights
    without: which of IDEAS to leave out, to see what each is worth

    Raises ParameterError for an idea that does not exist.
    """

    units: int = 128
    layers: int = 2
    width: int = 256
    forget_inputs: float = 0.5
    forget_memory: float = 0.3
    dropout: float = 0.4
    margin: int = 6
    window: int = 128
    batch_size: int = 16
    steps: int = 1600
    epoch_steps: int = 100
    learning_rate: float = 4e-3
    weight_decay: float = 0.1
    average: float = 0.99
    seed: int = 0
    without: tuple[str, ...] = ()

    def __post_init__(self):
        for idea in self.without:
            if idea not in IDEAS:
                raise ParameterError(f"no existe la idea «{idea}»: elige {', '.join(IDEAS)}")
        if "forgetting" in self.without:
            object.__setattr__(self, "forget_inputs", 0.0)
        if "average" in self.without:
            object.__setattr__(self, "average", 0.0)


class OneHots(layers.Layer):
    """(..., n) classes -> (..., sum of sizes): one-hot vectors side by side, -1 is all zeros."""

    def __init__(self, sizes, **kwargs):
        super().__init__(**kwargs)
        self.sizes = sizes

    def call(self, classes):
        columns = [ops.one_hot(classes[..., k], size) for k, size in enumerate(self.sizes)]
        return ops.concatenate(columns, axis=-1)


class IntervalScores(layers.Layer):
    """Score every symbol by its interval from some notes.

    (hidden (..., H), notes (..., n)) -> (..., n_symbols); notes of 0 and -1 say nothing.
    """

    N = 24  # -12 to 11 semitones; wider ones fold onto the same pitch class

    def __init__(self, n_symbols, **kwargs):
        super().__init__(**kwargs)
        self.n_symbols = n_symbols

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


class Pointer(layers.Layer):
    """Add a weight to each symbol that a memory expects, where it expects any.

    (hidden (..., H), guess (..., n), trust (..., n)) -> (..., n_symbols)
    """

    def __init__(self, n_symbols, **kwargs):
        super().__init__(**kwargs)
        self.n_symbols = n_symbols

    def build(self, hidden_shape, guess_shape, trust_shape):
        self.dense = layers.Dense(guess_shape[-1])
        self.dense.build(hidden_shape)

    def call(self, hidden, guess, trust):
        weights = ops.where(trust > 0, self.dense(hidden), 0.0)
        return ops.sum(weights[..., None] * ops.one_hot(guess, self.n_symbols), axis=-2)


def build_chorale_model(n_symbols, settings):
    """Return (model, reader, chooser): the last two are the halves of the first.

    reader: {previous, before} (n, T, ...) -> hidden (n, T, H)
    chooser: hidden and {previous, chosen, guess, within, trust} -> logits (n, T, 4, n_symbols)
    model: all of them, as `Features` names them, to logits
    """
    previous = keras.Input((None, N_VOICES), dtype="int32", name="previous")
    before = keras.Input((None, len(BEFORE)), dtype="int32", name="before")
    reader = keras.Model([previous, before], _read(previous, before, n_symbols, settings))

    hidden = keras.Input((None, reader.output_shape[-1]), name="hidden")
    per_voice = {"chosen": N_VOICES - 1, "guess": len(SOURCES), "within": len(WITHIN)}
    voices = {
        name: keras.Input((None, N_VOICES, n), dtype="int32", name=name)
        for name, n in per_voice.items()
    }
    trust = keras.Input((None, len(SOURCES)), dtype="int32", name="trust")
    logits = _choose(hidden, previous, trust, n_symbols=n_symbols, settings=settings, **voices)
    chooser = keras.Model([hidden, previous, trust, *voices.values()], logits)

    inputs = {"previous": previous, "before": before, "trust": trust, **voices}
    whole = chooser([reader([previous, before]), previous, trust, *voices.values()])
    return keras.Model(inputs, whole, name="chorales"), reader, chooser


def _read(previous, before, n_symbols, settings):
    seen = layers.Concatenate()(
        [OneHots((n_symbols,) * N_VOICES)(previous), OneHots([size for _, size in BEFORE])(before)]
    )
    x = layers.Dense(settings.units)(layers.Dropout(settings.forget_inputs)(seen))
    outputs = [x]
    for _ in range(settings.layers):
        x = layers.Dropout(settings.forget_memory)(x)
        x = layers.GRU(settings.units, return_sequences=True)(x)
        outputs.append(x)
    return layers.Dropout(settings.forget_memory)(layers.Concatenate()(outputs))


def _choose(hidden, previous, trust, chosen, guess, within, n_symbols, settings):
    own = ops.expand_dims(previous, -1)
    seen = [OneHots((n_symbols,) * (N_VOICES - 1))(chosen), OneHots((n_symbols,))(own)]
    seen = layers.Concatenate()([*seen, OneHots([size for _, size in WITHIN])(within)])
    seen = layers.Dropout(settings.forget_inputs)(seen)
    x = ops.expand_dims(layers.Dense(settings.width)(hidden), 2)
    voice = ops.zeros_like(previous) + np.arange(N_VOICES)
    x = x + layers.Dense(settings.width)(seen) + layers.Embedding(N_VOICES, settings.width)(voice)
    x = ops.gelu(x)
    x = x + ops.gelu(layers.Dense(settings.width)(layers.Dropout(settings.dropout)(x)))
    x = layers.LayerNormalization()(layers.Dropout(settings.dropout)(x))

    around = ops.repeat(ops.expand_dims(previous, 2), N_VOICES, axis=2)
    notes = ops.concatenate([own, around, chosen], axis=-1)
    trust = ops.repeat(ops.expand_dims(trust, 2), N_VOICES, axis=2)
    logits = layers.Dense(n_symbols)(x) + Pointer(n_symbols)(x, guess, trust)
    if "intervals" in settings.without:
        return logits
    return logits + IntervalScores(n_symbols)(x, notes)


class Reading:
    """A reader that reads each sixteenth of one chorale once, and carries its state on."""

    def __init__(self, reader, n_symbols):
        dense, *recurrent = [layer for layer in reader.layers if layer.weights]
        kernel, self.bias = dense.get_weights()
        self.kernel = np.pad(kernel, [(0, 1), (0, 0)])  # the last row for what says nothing
        self.sizes = np.array([n_symbols] * N_VOICES + [size for _, size in BEFORE])
        self.layers = [RecurrentLayer(layer) for layer in recurrent]
        self.n_read, self.memories = 0, [None] * len(recurrent)

    def read_on(self, seen):
        """Return hidden (1, 1, H) of the last sixteenth of the Features of the chorale so far."""
        classes = np.concatenate([seen.previous, seen.before], axis=1)[self.n_read :]
        rows = np.cumsum(self.sizes) - self.sizes + classes
        rows[(classes < 0) | (classes >= self.sizes)] = len(self.kernel) - 1
        outputs = [self.kernel[rows].sum(axis=1)[None] + self.bias]
        for k, layer in enumerate(self.layers):
            output, self.memories[k] = layer.read(outputs[-1], self.memories[k])
            outputs.append(output)
        self.n_read += len(classes)
        return np.concatenate(outputs, axis=-1)[:, -1:]


# Training


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


class Windows:
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
            "lengths": [*map(len, chorales)],
        }
        known = np.concatenate(chorales).astype(np.uint8)[:, np.argsort(ORDER)]
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
            raise BundleError(damaged(path)) from error
        return model

    def known_songs(self):
        """Return the chorales that the memories hold as Songs, to look for copies."""
        return [
            grid_to_song(chorale[:, np.argsort(ORDER)], source=f"coral {k}")
            for k, chorale in enumerate(self.corpus.chorales)
        ]

    def train(self, valid):
        """Train, and keep the averaged weights and the temperature that are best on `valid`.

        valid: chorales that are not among those of the memories

        Returns the validation NLL at the end of each epoch.
        Raises ParameterError when the loss is no number any more.
        """
        settings, windows, valid = (
            self.settings,
            Windows(self.corpus),
            self.features(valid),
        )
        _compile(self.model, settings)
        self.temperature = 1.0
        history, average = [], self.model.get_weights()
        best = average
        bar = progress(range(settings.steps), "Entrenando", "paso")
        for step in bar:
            self.model.train_on_batch(*windows(step))
            momentum = min(settings.average, (step + 1) / (step + 11))  # forget the beginning
            weights = self.model.get_weights()
            average = [
                momentum * a + (1 - momentum) * w for a, w in zip(average, weights, strict=True)
            ]
            if (step + 1) % settings.epoch_steps == 0 or step + 1 == settings.steps:
                self.model.set_weights(average)
                history.append(self.score(valid)[0].nll)
                if not np.isfinite(history[-1]):
                    raise ParameterError(
                        f"la pérdida ha dejado de ser un número en el paso {step + 1}: baja "
                        f"learning_rate, que es {settings.learning_rate}"
                    )
                if history[-1] == min(history):
                    best = average
                self.model.set_weights(weights)
                bar.set_postfix_str(f"validación {history[-1]:.3f}")
        self.model.set_weights(best)
        self.temperature = self._best_temperature(valid)
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
        """Return the Score of chorales, given as Features, and the NLL of each voice (4,), high to low.

        Every sixteenth of every voice counts: full history, teacher forcing.
        """
        losses, right = [], []
        for one in seen:
            symbols = one.window(0, len(one.target), self.corpus.shift(0)).target
            logits = self.logits(one)
            losses.append(_nll(logits, symbols))
            right.append(logits.argmax(axis=-1) == symbols)
        losses, right = np.concatenate(losses), np.concatenate(right)
        return Score(float(losses.mean()), float(right.mean()), losses.size), losses.mean(axis=0)[
            np.argsort(ORDER)
        ]

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
                "pide un coral más largo"
            )
        chorale = np.zeros((n_sixteenths, N_VOICES), dtype=int)
        chorale[: len(prompt)] = prompt[:, ORDER]
        guesser, guesses = Guesser(self.corpus.memories), None
        reading = Reading(self.reader, self.corpus.n_symbols)
        for t in progress(range(n_sixteenths), "Componiendo", "semicorchea"):
            new = guesser.guess(chorale[: t + 1], t)
            guesses = new if t == 0 else [*map(np.concatenate, zip(guesses, new, strict=True))]
            if t >= len(prompt):
                self._write_chord(chorale[: t + 1], guesses, reading, rng, temperature, options)
        return chorale[:, np.argsort(ORDER)]

    def _write_chord(self, chorale, guesses, reading, rng, temperature, options):
        """Choose the voices of the last sixteenth, in place."""
        t, shift = len(chorale) - 1, self.corpus.shift(0)
        for voice in range(N_VOICES):
            seen = features(chorale, *guesses).without(self.settings.without)
            if voice == 0:
                hidden = reading.read_on(seen.window(0, t + 1, shift))
            inputs = batch([seen.window(t, 1, shift)])[0]
            names = ("previous", "trust", "chosen", "guess", "within")
            logits = self.chooser.predict_on_batch([hidden, *(inputs[name] for name in names)])
            symbol = sample_id(logits[0, 0, voice] / self.temperature, temperature, rng, **options)
            chorale[t, voice] = symbol - shift

    def _whole(self, seen):
        """Return all of the Features as symbols; in few lengths, for few compilations."""
        n = len(seen.target)
        return seen.window(0, -(-n // 64) * 64, self.corpus.shift(0))

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
        value, kinds = getattr(settings, field.name), (type(field.default),)
        if type(value) not in (kinds if kinds != (float,) else (int, float)):
            raise ValueError(f"{field.name} is {value!r:.40}")
    # A layer has its square at least, and three arrays: what claims more is not built.
    needed = max(settings.layers * settings.units**2, settings.width**2)
    if needed > sum(w.size for w in weights) or 3 * settings.layers > len(weights):
        raise ValueError(f"too few weights for {settings}")
    return settings


def _compile(model, settings):
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 40,
        max(settings.steps - 50, 1),
        warmup_target=settings.learning_rate,
        warmup_steps=50,
        alpha=0.01,
    )
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=settings.weight_decay, beta_2=0.99, clipnorm=1.0
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=NOT_YET),
    )


def _nll(logits, symbols):
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_norm = np.log(np.exp(logits).sum(axis=-1))
    return log_norm - np.take_along_axis(logits, symbols[..., None], axis=-1)[..., 0]
