"""A trained model writes: ids in, ids out.

Randomness comes in as a `numpy.random.Generator`; nothing that is passed
in is changed.
"""

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.progress import progress


def log_probabilities(model, window_length=None):
    """Return the predictor (see `evaluation`) of a model.

    window_length: how many ids a model with one target a window sees; None
        for a model with a target at every step, which sees all of them

    Rows for which there is no full window are the uniform distribution.
    """

    def predictor(ids):
        ids = np.asarray(ids, dtype=np.int32)
        vocab_size = model.output_shape[-1]
        log_probs = np.full((len(ids), vocab_size), -np.log(vocab_size))
        first = window_length or 1  # the first id that has all that it needs before it
        if len(ids) <= first:
            return log_probs
        if window_length is None:
            logits = model.predict_on_batch(ids[None, :-1])[0]
        else:
            windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], window_length)
            logits = model.predict_on_batch(windows)
        log_probs[first:] = _log_softmax(logits)
        return log_probs

    return predictor


def sample_id(logits, temperature, rng):
    """Draw an id with probability softmax(logits / temperature).

    logits: (vocab_size,). Temperature 0 takes the likeliest id. Id 0, the
    unknown symbol, is never drawn: there is nothing to play for it.

    Raises ParameterError for a temperature below 0.
    """
    if not temperature >= 0:
        raise ParameterError(
            f"TEMPERATURE es {temperature} y debe ser 0 (siempre el símbolo más probable) o más"
        )
    logits = np.asarray(logits, dtype=np.float64)[1:]
    if temperature == 0:
        return int(logits.argmax()) + 1
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        p = np.exp((logits - logits.max()) / temperature)
    return int(rng.choice(len(p), p=p / p.sum())) + 1


def generate(model, prompt, n_notes, window_length, temperature=1.0, rng=None):
    """Return n_notes ids that the model writes after a prompt.

    prompt: int array (n_ids,), at least one window long
    window_length: how many of the last ids the model sees at each step
    rng: numpy Generator; not needed for temperature 0

    Raises ShortSequenceError when the prompt is shorter than one window.
    """
    if n_notes < 1:
        raise ParameterError(f"N_NOTES es {n_notes} y debe ser al menos 1")
    if len(prompt) < window_length:
        raise ShortSequenceError(
            f"el motivo inicial tiene {len(prompt)} símbolos y hacen falta {window_length}: "
            "elige una canción más larga o baja SEQUENCE_LEN"
        )
    ids = list(prompt)
    for _ in progress(range(n_notes), "Generando", "nota"):
        window = np.array([ids[-window_length:]], dtype=np.int32)
        logits = model.predict_on_batch(window)[0]
        if logits.ndim == 2:  # a target at every step: the last one is what comes next
            logits = logits[-1]
        ids.append(sample_id(logits, temperature, rng))
    return np.array(ids[len(prompt) :], dtype=np.int32)


def _log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
