"""A trained model writes: ids in, ids out.

Randomness comes in as a `numpy.random.Generator`; nothing that is passed
in is changed. Symbols are drawn in this order, that of Hugging Face's
`generate`: what must not come is struck out, the temperature divides the
logits, `top_k` and then `top_p` cut the tail, and chance decides.

A recurrent network reads each id once and carries its state on to the
next, in NumPy: one row times a matrix is so little work that what a
call of TensorFlow costs beside it, compiled or not, is most of the time.
"""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.models import Noise, OneHot
from musiclab.progress import progress

# What a model thinks of a song


def log_probabilities(model, window_length=None):
    """Return the predictor (see `evaluation`) of a model.

    window_length: how many ids a model with one target a window sees, or
        the most that a model with a target at every step can take; None
        for one of these that takes any number, which sees the whole song

    A song that is too long for the model is read in pieces that overlap by
    half, so that each id is judged by what comes before it in the song or
    at least in half a window. Rows for which there is no full window are the
    uniform distribution.
    """
    one_target = _has_one_target(model)

    def predictor(ids):
        ids = np.asarray(ids, dtype=np.int32)
        vocab_size = model.output_shape[-1]
        log_probs = np.full((len(ids), vocab_size), -np.log(vocab_size))
        first = window_length if one_target else 1  # the first id with all that it needs before it
        if len(ids) <= first:
            return log_probs
        if one_target:
            logits = model.predict_on_batch(_windows(ids[:-1], window_length))
        else:
            logits = _logits_in_pieces(model, ids[:-1], window_length or len(ids))
        log_probs[first:] = _log_softmax(logits)
        return log_probs

    return predictor


def _logits_in_pieces(model, ids, window_length):
    """Return the logits (n_ids, vocab_size) of a model that takes so many ids at once."""
    length, last = min(window_length, len(ids)), max(len(ids) - window_length, 0)
    starts = [*range(0, last, max(1, length // 2)), last]
    pieces = model.predict_on_batch(_windows(ids, length)[starts])
    judged = 0  # so many ids have their logits already
    logits = []
    for start, piece in zip(starts, pieces, strict=True):
        logits.append(piece[judged - start :])
        judged = start + length
    return np.concatenate(logits)


def _windows(ids, length):
    return np.lib.stride_tricks.sliding_window_view(ids, length)


def _has_one_target(model):
    return len(model.output_shape) == 2


def _log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


# The next symbol


def sample_id(logits, temperature, rng, *, top_k=None, top_p=None, banned_ids=()):
    """Draw an id with probability softmax(logits / temperature).

    logits: (vocab_size,)
    temperature: 0 takes the likeliest id
    rng: numpy Generator; not needed for temperature 0
    top_k: only the k likeliest ids take part (Fan et al. 2018, Hierarchical
        neural story generation); of equals, the lower id
    top_p: only the fewest likeliest ids whose probabilities reach so much
        together take part: the nucleus (Holtzman et al. 2020, The curious
        case of neural text degeneration)
    banned_ids: never drawn, like id 0, the unknown symbol, for which there
        is nothing to play

    Raises ParameterError for a value out of range, a missing rng, logits
    that are not numbers, and where no id is left.
    """
    logits = np.array(logits, dtype=np.float64)  # a copy, to strike out in
    _check_sampling(len(logits), temperature, rng, top_k, top_p)
    logits[[0, *(k for k in banned_ids if 0 < k < len(logits))]] = -np.inf
    best = logits.max()  # a maximum passes NaN on
    if not np.isfinite(best):
        _refuse(best, len(logits), banned_ids)
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        p = np.exp((logits - best) / temperature)
    if top_k is not None or top_p is not None:
        p[_tail(logits, p, top_k, top_p)] = 0
    cumulative = p.cumsum()  # as rng.choice draws, without its checks
    return int(cumulative.searchsorted(rng.random() * cumulative[-1], side="right"))


def _tail(logits, p, top_k, top_p):
    """Return the places of what top_k and top_p cut off."""
    order = np.argsort(-logits, kind="stable")
    n_kept = len(order) if top_k is None else top_k
    if top_p is not None:
        cumulative = np.cumsum(p[order[:n_kept]])
        n_kept = 1 + np.searchsorted(cumulative[:-1], top_p * cumulative[-1])
    return order[n_kept:]


def _check_sampling(vocab_size, temperature, rng, top_k, top_p):
    if not temperature >= 0:
        raise ParameterError(
            f"TEMPERATURE es {temperature} y debe ser 0 (siempre el símbolo más probable) o más"
        )
    if temperature > 0 and rng is None:
        raise ParameterError(
            f"TEMPERATURE es {temperature} y para sortear hace falta rng: "
            "pasa rng=np.random.default_rng(SEED), o baja TEMPERATURE a 0"
        )
    if top_k is not None and not 1 <= top_k <= vocab_size:
        raise ParameterError(
            f"TOP_K es {top_k} y el vocabulario tiene {vocab_size} símbolos: "
            f"elige un entero de 1 a {vocab_size}, o None para no recortar"
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise ParameterError(f"TOP_P es {top_p} y debe ser más que 0 y como mucho 1")


def _refuse(best, vocab_size, banned_ids):
    if {*range(1, vocab_size)} <= {*banned_ids}:
        raise ParameterError(
            "no queda ningún símbolo que sortear: prohíbe menos símbolos o, "
            "si usas NO_REPEAT_NGRAM_SIZE, súbelo"
        )
    raise ParameterError(
        f"la red da {best} donde debe dar un número: vuelve a entrenarla con menos LEARNING_RATE"
    )


# Whole songs


def generate(model, prompt, n_notes, window_length=None, temperature=1.0, rng=None, **options):
    """Return the ids that the model writes after one prompt, an int32 array.

    rng: numpy Generator, from which one number is drawn for each id

    Everything else is as in `generate_songs`.
    """
    return _write(model, [prompt], n_notes, window_length, temperature, [rng], **options)[0]


def generate_songs(
    model, prompts, n_notes, window_length=None, temperature=1.0, rng=None, **options
):
    """Return what the model writes after each prompt, a list of int32 arrays.

    prompts: int arrays (n_ids,). A model with one target a window needs at
        least a window; one with a target at every step needs one id: START
        will do.
    n_notes: how many ids to write, for each song
    window_length: how many of the last ids the model sees at each step, which
        a model with one target a window needs. With None it sees all that
        there is, prompt and song; a recurrent network then reads each id
        once, and that is by far the fastest.
    rng: numpy Generator; not needed for temperature 0. Song k draws from the
        k-th of `rng.spawn(len(prompts))`, and so is what `generate` writes with it.
    temperature, options: `top_k` and `top_p` as in `sample_id`, and
        banned_ids: never written; START belongs here
        end_id: a song stops where it is drawn and comes out without it, so
            with fewer ids than n_notes, perhaps none
        no_repeat_ngram_size: no run of so many ids comes twice in prompt and
            song (Paulus et al. 2018, A deep reinforced model for abstractive
            summarization). Unlike CTRL's penalty (Keskar et al. 2019) it
            does not shun notes for having sounded, only loops.

    Raises ShortSequenceError when a prompt is too short, and ParameterError
    for ids that the model does not know and as `sample_id` does.
    """
    rngs = [None] * len(prompts) if rng is None else rng.spawn(len(prompts))
    return _write(model, prompts, n_notes, window_length, temperature, rngs, **options)


def _write(
    model, prompts, n_notes, window_length, temperature, rngs,
    *, end_id=None, no_repeat_ngram_size=None, banned_ids=(), **options,
):  # fmt: skip
    """Write all songs at once, each with its own rng; one that ends leaves the batch."""
    _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size)
    lengths = [*map(len, prompts)]
    songs = [np.zeros(length + n_notes, dtype=np.int32) for length in lengths]
    for song, prompt in zip(songs, prompts, strict=True):
        song[: len(prompt)] = prompt
    reader, unfinished = _reader(model, window_length), [*range(len(songs))]
    for _ in progress(range(n_notes), "Generando", "nota"):
        if not unfinished:
            break
        written = [songs[k][: lengths[k]] for k in unfinished]
        with np.errstate(over="ignore", invalid="ignore"):  # sample_id tells what has diverged
            next_logits = reader.next_logits(written)
        stay = []
        for row, (k, logits) in enumerate(zip(unfinished, next_logits, strict=True)):
            banned = [*banned_ids, *_repeating_ids(written[row], no_repeat_ngram_size)]
            drawn = sample_id(logits, temperature, rngs[k], banned_ids=banned, **options)
            if drawn != end_id:
                songs[k][lengths[k]] = drawn
                lengths[k] += 1
                stay.append(row)
        if len(stay) < len(unfinished):
            unfinished = [unfinished[row] for row in stay]
            reader.keep(stay)
    return [
        song[len(prompt) : length].copy()
        for song, prompt, length in zip(songs, prompts, lengths, strict=True)
    ]


def _repeating_ids(ids, size):
    """Return the ids that would close a run of `size` ids that stands in ids already."""
    if size is None or len(ids) < size:
        return ()
    runs = _windows(ids, size)
    return {*runs[(runs[:, :-1] == ids[len(ids) - size + 1 :]).all(axis=1), -1].tolist()}


def _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size):
    if n_notes < 1:
        raise ParameterError(f"N_NOTES es {n_notes} y debe ser al menos 1")
    if no_repeat_ngram_size is not None and no_repeat_ngram_size < 1:
        raise ParameterError(
            f"NO_REPEAT_NGRAM_SIZE es {no_repeat_ngram_size} y debe ser al menos 1, "
            "o None para dejar que se repita"
        )
    if window_length is not None and window_length < 1:
        raise ParameterError(f"window_length es {window_length} y debe ser al menos 1")
    if window_length is None and _has_one_target(model):
        raise ParameterError(
            "esta red responde una vez por ventana: di cuántos símbolos ve, "
            "window_length=SEQUENCE_LEN"
        )
    vocab_size, ids = model.output_shape[-1], [k for prompt in prompts for k in prompt]
    if ids and not 0 <= min(ids) <= max(ids) < vocab_size:
        raise ParameterError(
            f"el motivo inicial tiene ids de {min(ids)} a {max(ids)} y la red conoce "
            f"{vocab_size} símbolos: usa el vocabulario con el que se entrenó"
        )
    needed = window_length if _has_one_target(model) else 1
    shortest = min(map(len, prompts), default=needed)
    if shortest < needed:
        raise ShortSequenceError(
            f"el motivo inicial tiene {shortest} símbolos y hacen falta {needed}: "
            + ("elige una canción más larga o baja SEQUENCE_LEN" if shortest else "empieza por uno")
        )


# What comes next


def _reader(model, window_length):
    parts = _parts_of(model)
    if parts is None:
        return _Windows(model.predict_on_batch, window_length)
    network = _Network(model, *parts)
    if window_length is None:
        return _Carried(network)
    return _Windows(network, window_length)


class _Windows:
    """The last ids of each song, read anew for each new id.

    read: ids (n_songs, n_steps) -> logits, as a model gives them
    """

    def __init__(self, read, window_length):
        self.read, self.window_length = read, window_length

    def next_logits(self, songs):
        """Return logits (n_songs, vocab_size) of what follows songs of any lengths."""
        windows = [song[-(self.window_length or 0) :] for song in songs]
        lengths = np.array([*map(len, windows)])
        ids = np.zeros((len(windows), lengths.max()), dtype=np.int32)
        for row, window in zip(ids, windows, strict=True):
            row[: len(window)] = window  # filled up behind: no step sees what comes after it
        logits = self.read(ids)
        return logits if logits.ndim == 2 else logits[np.arange(len(ids)), lengths - 1]

    def keep(self, rows):
        pass


class _Carried:
    """A recurrent network that reads each id once and remembers the rest.

    state: for each layer a list of arrays (n_songs, n_units)
    """

    def __init__(self, network):
        self.network, self.state = network, None

    def next_logits(self, songs):
        """Return logits (n_songs, vocab_size) of what follows songs, one id longer each time."""
        if self.state is None:
            outputs, states = zip(*(self.network.read(song[None]) for song in songs), strict=True)
            outputs = np.concatenate([one[:, -1] for one in outputs])
            self.state = [
                [np.concatenate(parts) for parts in zip(*memories, strict=True)]
                for memories in zip(*states, strict=True)
            ]
        else:
            outputs, self.state = self.network.step([song[-1] for song in songs], self.state)
        return self.network.logits(outputs)

    def keep(self, rows):
        self.state = [[part[rows] for part in memory] for memory in self.state]


# Recurrent networks in NumPy


class _Network:
    """A recurrent network of `build_model`, with the weights that it has now.

    features: (vocab_size, n_features), what the first recurrent layer gets for each id
    """

    def __init__(self, model, front, recurrent, dense):
        features = np.arange(model.output_shape[-1])[:, None]
        for layer in front:
            features = layer(features)
        self.features = np.asarray(features)[:, 0]
        self.layers = [
            (_BothWays if isinstance(layer, keras.layers.Bidirectional) else RecurrentLayer)(layer)
            for layer in recurrent
        ]
        self.kernel, self.bias = dense.get_weights()
        self.one_target = _has_one_target(model)

    def __call__(self, ids):
        """Return the logits that the model gives for ids (n_windows, n_steps)."""
        outputs, _ = self.read(ids)
        return self.logits(outputs[:, -1] if self.one_target else outputs)

    def read(self, ids):
        """Return the last layer's outputs, and the state in which the last step leaves it.

        ids: (n_songs, n_steps); outputs: (n_songs, n_steps, n_units)
        """
        x, state = self.features[ids], []
        for layer in self.layers:
            x, memory = layer.read(x)
            state.append(memory)
        return x, state

    def step(self, ids, state):
        """Read one more id (n_songs,); return outputs (n_songs, n_units) and the new state."""
        x, new = self.features[ids], []
        for layer, memory in zip(self.layers, state, strict=True):
            new.append(layer.step(layer.inputs(x), memory))
            x = new[-1][0]
        return x, new

    def logits(self, outputs):
        return outputs @ self.kernel + self.bias


class RecurrentLayer:
    """A recurrent layer of Keras with the weights that it has now.

    Its memory is a list of arrays (n_songs, n_units), of which the first is its output.
    """

    def __init__(self, layer):
        self.cell, self.n_parts = _CELLS[type(layer)]
        self.kernel, self.recurrent, bias = layer.get_weights()
        self.bias, *self.inner_bias = np.atleast_2d(bias)

    def read(self, x, memory=None):
        """Read on, x (n_songs, n_steps, n_features); return the outputs and the last memory."""
        n_songs, n_steps, n_features = x.shape
        inputs = self.inputs(x.reshape(-1, n_features)).reshape(n_songs, n_steps, -1)
        outputs = np.empty((n_songs, n_steps, len(self.recurrent)), dtype=np.float32)
        memory = memory or [np.zeros_like(outputs[:, 0])] * self.n_parts
        for t in range(n_steps):
            memory = self.step(inputs[:, t], memory)
            outputs[:, t] = memory[0]
        return outputs, memory

    def inputs(self, x):
        """Return what x (n, n_features) tells each gate."""
        return x @ self.kernel + self.bias

    def step(self, inputs, memory):
        """Return the memory after one more step."""
        return self.cell(inputs, memory, self.recurrent, *self.inner_bias)


class _BothWays:
    """A layer that also reads the window from its end; its last step then knows all of it."""

    def __init__(self, layer):
        self.there = RecurrentLayer(layer.forward_layer)
        self.back = RecurrentLayer(layer.backward_layer)
        self.is_last = not layer.return_sequences

    def read(self, x):
        there, back = self.there.read(x)[0], self.back.read(x[:, ::-1])[0]
        return np.concatenate([there, back if self.is_last else back[:, ::-1]], axis=-1), None


def _simple_rnn(inputs, memory, recurrent):
    return [np.tanh(inputs + memory[0] @ recurrent)]


def _lstm(inputs, memory, recurrent):
    h, c = memory
    gates = _split(inputs + h @ recurrent, 4)
    take, keep, _, show = _sigmoid(gates)
    c = keep * c + take * np.tanh(gates[2])
    return [show * np.tanh(c), c]


def _gru(inputs, memory, recurrent, inner_bias):
    (h,) = memory
    inputs, inner = _split(inputs, 3), _split(h @ recurrent + inner_bias, 3)
    keep, reset = _sigmoid(inputs[:2] + inner[:2])
    return [keep * h + (1 - keep) * np.tanh(inputs[2] + reset * inner[2])]


_CELLS = {  # how a step goes, and how many arrays it remembers
    keras.layers.SimpleRNN: (_simple_rnn, 1),
    keras.layers.LSTM: (_lstm, 2),
    keras.layers.GRU: (_gru, 1),
}


def _split(gates, n):
    """(n_songs, n * n_units) -> (n, n_songs, n_units)"""
    return gates.reshape(len(gates), n, -1).swapaxes(0, 1)


def _sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # 1 / (1 + exp(-x)) would overflow


# What `build_model` puts in front of the recurrent layers looks at one id at a time.
_FRONT = (keras.layers.Rescaling, keras.layers.Reshape, keras.layers.Embedding, OneHot, Noise)


def _parts_of(model):
    """Return (front, recurrent, dense): lists of layers, and the last; None for other models."""
    idle = keras.layers.InputLayer, keras.layers.Dropout
    layers = [layer for layer in model.layers if not isinstance(layer, idle)]
    recurrent = [layer for layer in layers if _is_recurrent(layer)]
    n_front = len(layers) - 1 - len(recurrent)
    if (
        recurrent
        and layers[n_front:-1] == recurrent
        and all(isinstance(layer, _FRONT) for layer in layers[:n_front])
        and isinstance(layers[-1], keras.layers.Dense)
        and layers[-1].activation is keras.activations.linear
    ):
        return layers[:n_front], recurrent, layers[-1]
    return None


def _is_recurrent(layer):
    """Return whether it is a layer as `build_model` makes them, and so as the steps above go."""
    if isinstance(layer, keras.layers.Bidirectional):
        return layer.merge_mode == "concat" and _is_recurrent(layer.forward_layer)
    sigmoid = keras.activations.sigmoid
    return (
        type(layer) in _CELLS
        and layer.activation is keras.activations.tanh
        and getattr(layer, "recurrent_activation", sigmoid) is sigmoid
        and layer.use_bias
        and getattr(layer, "reset_after", True)
    )
