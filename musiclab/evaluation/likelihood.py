"""How well a predictor foresees songs that it has not seen.

Conventions: a predictor is a function from ids (n_ids,) to natural
logarithms of probabilities (n_ids, vocab_size), whose row t is the
distribution of ids[t] given ids[:t]. NLL is in nats a symbol; perplexity
is exp(NLL).
"""

from dataclasses import dataclass

import numpy as np

from musiclab.errors import ShortSequenceError
from musiclab.generation.stepping import has_one_target, sliding_windows
from musiclab.logits import log_softmax


def log_probabilities(model, window_length=None):
    """Return the predictor (see above) of a model.

    window_length: how many ids a model with one target a window sees, or
        the most that a model with a target at every step can take; None
        for one of these that takes any number, which sees the whole song

    A song that is too long for the model is read in pieces that overlap by
    half, so that each id is judged by what comes before it in the song or
    at least in half a window. Rows for which there is no full window are the
    uniform distribution.
    """
    one_target = has_one_target(model)

    def predictor(ids):
        ids = np.asarray(ids, dtype=np.int32)
        vocab_size = model.output_shape[-1]
        log_probs = np.full((len(ids), vocab_size), -np.log(vocab_size))
        first = window_length if one_target else 1  # the first id with all that it needs before it
        if len(ids) <= first:
            return log_probs
        # The last id is only foretold, and never read.
        if one_target:
            logits = model.predict_on_batch(sliding_windows(ids[:-1], window_length))
        else:
            logits = _logits_in_pieces(model, ids[:-1], window_length or len(ids))
        log_probs[first:] = log_softmax(logits)
        return log_probs

    return predictor


def _logits_in_pieces(model, ids, window_length):
    """Return the logits (n_ids, vocab_size) of a model that takes so many ids at once."""
    length = min(window_length, len(ids))
    last = max(len(ids) - window_length, 0)
    # Each piece begins half a window after the one before it; the last ends with the song.
    half = max(1, length // 2)
    starts = [*range(0, last, half), last]
    pieces = model.predict_on_batch(sliding_windows(ids, length)[starts])
    # Of each piece only what no earlier one has judged, with half a window before it.
    judged = 0  # so many ids have their logits already
    logits = []
    for start, piece in zip(starts, pieces, strict=True):
        logits.append(piece[judged - start :])
        judged = start + length
    return np.concatenate(logits)


@dataclass(frozen=True)
class Likelihood:
    """How well a predictor foresaw songs, symbol by symbol.

    nll: mean, in nats a symbol
    accuracy: the share of symbols that were the likeliest (of equals, the
        lower id); it says nothing of the others, so never show it alone
    n_symbols: how many were judged
    n_notes: how many notes they stand for, None where nobody said
    """

    nll: float
    accuracy: float
    n_symbols: int
    n_notes: int | None = None

    @property
    def perplexity(self):
        """Among how many equally likely symbols the predictor hesitates."""
        return float(np.exp(self.nll))

    @property
    def nll_per_note(self):
        """Nats a note, which encodings share; NaN without n_notes."""
        if not self.n_notes:
            return float("nan")
        return self.nll * self.n_symbols / self.n_notes

    @property
    def perplexity_per_note(self):
        """exp(nll_per_note)."""
        return float(np.exp(self.nll_per_note))


def held_out_likelihood(predictor, sequences, first=0, n_notes=None):
    """Return the Likelihood of a predictor on songs that it was not trained on.

    sequences: int arrays (n_ids,), one a song
    first: judge the symbols from this position on, so that models that need
        so many symbols before them are compared on the same ones
    n_notes: how many notes the judged symbols stand for, all songs together

    Raises ShortSequenceError when no song is longer than `first`.
    """
    losses, hits = [], []
    for ids in map(np.asarray, sequences):
        if len(ids) > first:
            log_probs = predictor(ids)[first:]
            targets = ids[first:]
            # Of each row the logarithm that it gave to the symbol that came.
            losses.append(-log_probs[np.arange(len(targets)), targets])
            hits.append(log_probs.argmax(axis=1) == targets)
    if not losses:
        raise ShortSequenceError(
            f"ninguna canción de validación pasa de {first} símbolos: baja SEQUENCE_LEN"
        )
    # Each symbol counts alike, and so a long song more than a short one.
    losses = np.concatenate(losses)
    hits = np.concatenate(hits)
    return Likelihood(float(losses.mean()), float(hits.mean()), len(losses), n_notes)


def held_out_nll(predictor, sequences, first=0):
    """Return the NLL of `held_out_likelihood`, in nats a symbol."""
    return held_out_likelihood(predictor, sequences, first).nll
