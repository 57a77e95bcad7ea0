"""How well a model predicts songs that it has not seen, and against what.

Conventions: a predictor is a function from ids (n_ids,) to natural
logarithms of probabilities (n_ids, vocab_size), whose row t is the
distribution of ids[t] given ids[:t]. NLL is in nats a symbol; perplexity
is exp(NLL).
"""

from collections import Counter, defaultdict

import numpy as np

from musiclab.errors import ShortSequenceError


class NGram:
    """The n-gram with interpolated Witten-Bell smoothing.

    Each order trusts its own counts as far as its context was seen often
    with few continuations, and leaves the rest to the order below; the
    lowest falls back on the uniform distribution. Order 1 is the unigram,
    order 0 the uniform distribution itself.

    Source: Witten and Bell (1991), The zero-frequency problem.
    """

    def __init__(self, sequences, vocab_size, order):
        """Count the ids of int arrays (n_ids,), one a song."""
        self.vocab_size, self.order = vocab_size, order
        self._counts = [defaultdict(Counter) for _ in range(order)]
        for ids in sequences:
            ids = ids.tolist()
            for t, target in enumerate(ids):
                for length in range(min(order, t + 1)):
                    self._counts[length][tuple(ids[t - length : t])][target] += 1

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        ids = np.asarray(ids).tolist()
        return np.log([self._distribution(ids[:t]) for t in range(len(ids))])

    def _distribution(self, history):
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for length, table in enumerate(self._counts[: len(history) + 1]):
            counts = table.get(tuple(history[len(history) - length :]))
            if counts is None:
                break
            n_kinds, n = len(counts), counts.total()
            p *= n_kinds / (n_kinds + n)
            p[list(counts)] += np.fromiter(counts.values(), float) / (n_kinds + n)
        return p


def held_out_nll(predictor, sequences, first=0):
    """Return the mean NLL of songs, in nats a symbol.

    sequences: int arrays (n_ids,), one a song
    first: judge the symbols from this position on, so that models that need
        so many symbols before them are compared on the same ones

    Raises ShortSequenceError when no song is longer than `first`.
    """
    losses = []
    for ids in sequences:
        if len(ids) > first:
            log_probs = predictor(ids)
            losses.append(-log_probs[np.arange(first, len(ids)), ids[first:]])
    if not losses:
        raise ShortSequenceError(
            f"ninguna canción de validación pasa de {first} símbolos: baja SEQUENCE_LEN"
        )
    return float(np.concatenate(losses).mean())


def longest_copied_run(ids, sequences):
    """Return (length, k, start) of the longest run of ids that song k contains.

    ids: the generated song (n_ids,); sequences: the training songs
    """
    best = (0, 0, 0)
    ids = np.asarray(ids)
    for k, song in enumerate(sequences):
        equal = ids[:, None] == np.asarray(song)[None, :]
        run = np.zeros(len(song) + 1, dtype=int)
        for row in equal:
            run[1:] = np.where(row, run[:-1] + 1, 0)
            end = int(run.argmax())
            if run[end] > best[0]:
                best = (int(run[end]), k, end - int(run[end]))
    return best
