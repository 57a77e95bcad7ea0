"""Pictures where words fail: a window over a song, a step of a network, a cut of probabilities."""

from musiclab.diagrams.chains import markov_chain, ngram_context
from musiclab.diagrams.drawing import Diagram

__all__ = ["Diagram", "markov_chain", "ngram_context"]
