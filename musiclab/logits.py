"""Logits to probabilities, over the last axis.

Conventions: logits are unnormalised natural logarithms (..., n_symbols);
-inf is a symbol that cannot come. The largest is taken away first, so that
no exponential overflows.
"""

import numpy as np


def softmax(logits):
    """Return probabilities (..., n_symbols) that sum to 1."""
    largest = np.max(logits, axis=-1, keepdims=True)
    powers = np.exp(logits - largest)
    return powers / powers.sum(axis=-1, keepdims=True)


def log_softmax(logits):
    """Return the natural logarithms (..., n_symbols) of `softmax`."""
    largest = np.max(logits, axis=-1, keepdims=True)
    logits = logits - largest
    total = np.exp(logits).sum(axis=-1, keepdims=True)
    return logits - np.log(total)
