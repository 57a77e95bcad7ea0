"""Pictures where words fail: a window over a song, a step of a network, a cut of probabilities."""

from musiclab.diagrams.drawing import Diagram
from musiclab.diagrams.networks import lstm_gates, rnn_step, unrolled

__all__ = ["Diagram", "lstm_gates", "rnn_step", "unrolled"]
