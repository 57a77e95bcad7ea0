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
        # For each length of context, how often each id followed each context.
        self._counts = [defaultdict(Counter) for _ in range(order)]
        for ids in sequences:
            ids = ids.tolist()
            for t, target in enumerate(ids):
                # Contexts shorter than the order, and none that begins before the song.
                for length in range(min(order, t + 1)):
                    context = tuple(ids[t - length : t])
                    self._counts[length][context][target] += 1

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        ids = np.asarray(ids).tolist()
        p = [self._distribution(ids[:t]) for t in range(len(ids))]
        return np.log(p).reshape(len(ids), self.vocab_size)  # no ids, no rows

    def _distribution(self, history):
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        # From no context to the longest: each mixes its counts into what the shorter ones say.
        for length, table in enumerate(self._counts[: len(history) + 1]):
            context = tuple(history[len(history) - length :])
            counts = table.get(context)
            # Where a context was never seen, no longer one was.
            if counts is None:
                break
            # The more kinds of continuation it had, the less it is trusted.
            n_kinds = len(counts)
            whole = n_kinds + counts.total()
            p *= n_kinds / whole
            p[list(counts)] += np.fromiter(counts.values(), float) / whole
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
        unigram = NGram(sequences, vocab_size, 1)
        self._unigram = np.exp(unigram([0]))[0]
        # How often a symbol was the one that stood lag symbols before it.
        n_repeats = n = 0
        for ids in map(np.asarray, sequences):
            repeats = ids[lag:] == ids[:-lag]
            n_repeats += repeats.sum()
            n += len(repeats)
        self.p_repeat = float((n_repeats + 1) / (n + 2))

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        p = np.tile(self._unigram, (len(ids), 1))
        if len(ids) > self.lag:
            before = np.asarray(ids)[: -self.lag]
            # All other symbols share what the repeated one leaves them.
            left = (1 - self.p_repeat) / (1 - self._unigram[before])
            p[self.lag :] *= left[:, None]
            p[np.arange(self.lag, len(ids)), before] = self.p_repeat
        return np.log(p)
