"""Pictures where words fail: a window over a song, a step of a network, a cut of probabilities."""

from musiclab.diagrams.drawing import Diagram
from musiclab.diagrams.windows import sliding_window, writing_loop

__all__ = ["Diagram", "sliding_window", "writing_loop"]
