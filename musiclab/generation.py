"""A trained model writes: ids in, ids out.

Randomness comes in as a `numpy.random.Generator`; nothing that is passed
in is changed. Symbols are drawn in this order, that of Hugging Face's
`generate`: what must not come is struck out, the temperature divides the
logits, `top_k` and then `top_p` cut the tail, and chance decides.
"""

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError
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
    logits = np.asarray(logits, dtype=np.float64)
    _check_sampling(len(logits), temperature, rng, top_k, top_p)
    ids = np.setdiff1d(np.arange(1, len(logits)), banned_ids)
    logits = logits[ids]
    _check_logits(logits)
    if temperature == 0:
        return int(ids[logits.argmax()])
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        p = np.exp((logits - logits.max()) / temperature)
    p[_tail(logits, p, top_k, top_p)] = 0
    return int(ids[rng.choice(len(p), p=p / p.sum())])


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


def _check_logits(logits):
    if len(logits) == 0:
        raise ParameterError(
            "no queda ningún símbolo que sortear: prohíbe menos símbolos o, "
            "si usas NO_REPEAT_NGRAM_SIZE, súbelo"
        )
    if not np.isfinite(logits.max()):  # a maximum passes NaN on
        raise ParameterError(
            f"la red da {logits.max()} donde debe dar un número: "
            "vuelve a entrenarla con menos LEARNING_RATE"
        )


# Whole songs


def generate(model, prompt, n_notes, window_length, temperature=1.0, rng=None, **options):
    """Return the ids that the model writes after one prompt, an int32 array.

    rng: numpy Generator, from which one number is drawn for each id

    Everything else is as in `generate_songs`.
    """
    return _write(model, [prompt], n_notes, window_length, temperature, [rng], **options)[0]


def generate_songs(model, prompts, n_notes, window_length, temperature=1.0, rng=None, **options):
    """Return what the model writes after each prompt, a list of int32 arrays.

    prompts: int arrays (n_ids,). A model with one target a window needs at
        least a window; one with a target at every step needs one id: START
        will do.
    n_notes: how many ids to write, for each song
    window_length: how many of the last ids the model sees at each step
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
    as `sample_id` does.
    """
    rngs = [None] * len(prompts) if rng is None else rng.spawn(len(prompts))
    return _write(model, prompts, n_notes, window_length, temperature, rngs, **options)


def _write(
    model, prompts, n_notes, window_length, temperature, rngs,
    *, end_id=None, no_repeat_ngram_size=None, banned_ids=(), **options,
):  # fmt: skip
    """Write all songs at once, each with its own rng; one that ends leaves the batch."""
    _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size)
    songs = [list(prompt) for prompt in prompts]
    unfinished = list(range(len(songs)))
    for _ in progress(range(n_notes), "Generando", "nota"):
        if not unfinished:
            break
        windows = [songs[k][-window_length:] for k in unfinished]
        for k, logits in zip(list(unfinished), _next_logits(model, windows), strict=True):
            banned = [*banned_ids, *_repeating_ids(songs[k], no_repeat_ngram_size)]
            drawn = sample_id(logits, temperature, rngs[k], banned_ids=banned, **options)
            if drawn == end_id:
                unfinished.remove(k)
            else:
                songs[k].append(drawn)
    return [
        np.array(song[len(prompt) :], dtype=np.int32)
        for song, prompt in zip(songs, prompts, strict=True)
    ]


def _next_logits(model, windows):
    """Return logits (n_windows, vocab_size) of what follows windows of any lengths."""
    lengths = np.array([len(window) for window in windows])
    ids = np.zeros((len(windows), lengths.max()), dtype=np.int32)
    for row, window in zip(ids, windows, strict=True):
        row[: len(window)] = window  # filled up behind: no step sees what comes after it
    logits = model.predict_on_batch(ids)
    if _has_one_target(model):
        return logits
    return logits[np.arange(len(windows)), lengths - 1]


def _repeating_ids(ids, size):
    """Return the ids that would close a run of `size` ids that stands in ids already."""
    if size is None or len(ids) < size:
        return ()
    runs = _windows(np.asarray(ids), size)
    return runs[(runs[:, :-1] == ids[len(ids) - size + 1 :]).all(axis=1), -1]


def _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size):
    if n_notes < 1:
        raise ParameterError(f"N_NOTES es {n_notes} y debe ser al menos 1")
    if no_repeat_ngram_size is not None and no_repeat_ngram_size < 1:
        raise ParameterError(
            f"NO_REPEAT_NGRAM_SIZE es {no_repeat_ngram_size} y debe ser al menos 1, "
            "o None para dejar que se repita"
        )
    needed = window_length if _has_one_target(model) else 1
    shortest = min(map(len, prompts), default=needed)
    if shortest < needed:
        raise ShortSequenceError(
            f"el motivo inicial tiene {shortest} símbolos y hacen falta {needed}: "
            + ("elige una canción más larga o baja SEQUENCE_LEN" if shortest else "empieza por uno")
        )
