"""Predictors that every model has to beat (see `likelihood` for what a predictor is)."""

from collections import Counter, defaultdict

import numpy as np

from musiclab.errors import ParameterError


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
        p = [self._distribution(ids[:t]) for t in range(len(ids))]
        return np.log(p).reshape(len(ids), self.vocab_size)  # no ids, no rows

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


class Copy:
    """The baseline that expects to see again what it saw `lag` symbols ago.

    It does so with the share of the training songs' symbols that did, by
    Laplace's rule of succession (so never 0 nor 1), and leaves the rest to
    the unigram; so too the first symbols, which have nothing to repeat.

    lag: 1 is the symbol before; in an encoding that takes the voices by
        turns, the number of voices is the same voice a step before
    """

    def __init__(self, sequences, vocab_size, lag=1):
        """Count the ids of int arrays (n_ids,), one a song; vocab_size is 2 or more."""
        if lag < 1:
            raise ParameterError(f"lag es {lag} y debe ser al menos 1, el símbolo anterior")
        self.lag = lag
        self._unigram = np.exp(NGram(sequences, vocab_size, 1)([0]))[0]
        repeats = [ids[lag:] == ids[:-lag] for ids in map(np.asarray, sequences)]
        n_repeats, n = sum(r.sum() for r in repeats), sum(len(r) for r in repeats)
        self.p_repeat = float((n_repeats + 1) / (n + 2))

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        p = np.tile(self._unigram, (len(ids), 1))
        if len(ids) > self.lag:
            before = np.asarray(ids)[: -self.lag]
            p[self.lag :] *= ((1 - self.p_repeat) / (1 - self._unigram[before]))[:, None]
            p[np.arange(self.lag, len(ids)), before] = self.p_repeat
        return np.log(p)
