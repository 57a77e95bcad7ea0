"""Pictures where words fail: a window over a song, a step of a network, a cut of probabilities."""

from musiclab.diagrams.chains import markov_chain, ngram_context
from musiclab.diagrams.choosing import nucleus, ruler
from musiclab.diagrams.drawing import Diagram
from musiclab.diagrams.encodings import bar_in_encodings, duration_and_wait
from musiclab.diagrams.networks import lstm_gates, rnn_step, unrolled
from musiclab.diagrams.windows import sliding_window, writing_loop

__all__ = [
    "Diagram",
    "bar_in_encodings",
    "duration_and_wait",
    "lstm_gates",
    "markov_chain",
    "ngram_context",
    "nucleus",
    "rnn_step",
    "ruler",
    "sliding_window",
    "unrolled",
    "writing_loop",
]
