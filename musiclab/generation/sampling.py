"""One symbol drawn from a network's logits.

Symbols are drawn in this order, that of Hugging Face's `generate`: what
must not come is struck out, the temperature divides the logits, `top_k`
and then `top_p` cut the tail, and chance decides.
"""

import numpy as np

from musiclab.errors import ParameterError
from musiclab.logits import softmax


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
    # Strike out what must not come: an id of probability 0.
    known = [k for k in banned_ids if 0 < k < len(logits)]
    logits[[0, *known]] = -np.inf
    best = logits.max()  # a maximum passes NaN on
    if not np.isfinite(best):
        _refuse(best, len(logits), banned_ids)
    # Without heat nothing is left to chance.
    if temperature == 0:
        return int(logits.argmax())
    # A high temperature draws the logits together, a low one pulls them apart.
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        p = softmax((logits - best) / temperature)
    if top_k is not None or top_p is not None:
        p[_tail(logits, p, top_k, top_p)] = 0
    # Lay the probabilities end to end; the id is the one on whose stretch chance lands.
    cumulative = p.cumsum()  # as rng.choice draws, without its checks
    lands_at = rng.random() * cumulative[-1]
    return int(cumulative.searchsorted(lands_at, side="right"))


def _tail(logits, p, top_k, top_p):
    """Return the places of what top_k and top_p cut off."""
    # From the likeliest to the least likely; of equals the lower id comes first.
    order = np.argsort(-logits, kind="stable")
    # Keep the top_k likeliest.
    n_kept = len(order) if top_k is None else top_k
    # Of these, keep as few as reach top_p of what they have together; one at least.
    if top_p is not None:
        cumulative = np.cumsum(p[order[:n_kept]])
        wanted = top_p * cumulative[-1]
        n_kept = 1 + np.searchsorted(cumulative[:-1], wanted)
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
    playable = set(range(1, vocab_size))
    if playable.issubset(banned_ids):
        raise ParameterError(
            "no queda ningún símbolo que sortear: prohíbe menos símbolos o, "
            "si usas NO_REPEAT_NGRAM_SIZE, súbelo"
        )
    raise ParameterError(
        f"la red da {best} donde debe dar un número: vuelve a entrenarla con menos LEARNING_RATE"
    )


def next_symbol_probabilities(logits, temperature):
    """Return with what probability `sample_id` draws each id, an array (vocab_size,).

    logits: (vocab_size,); temperature: 0 or more
    Id 0, the unknown symbol, is never drawn. Raises ParameterError for a
    negative temperature.
    """
    if not temperature >= 0:
        raise ParameterError(f"la temperatura es {temperature} y debe ser 0 o más")
    logits = np.array(logits, dtype=float)
    logits[0] = -np.inf
    # All on the likeliest.
    if temperature == 0:
        return np.eye(len(logits))[logits.argmax()]
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        return softmax((logits - logits.max()) / temperature)
