"""Pictures where words fail: a window over a song, a step of a network, a cut of probabilities."""

from musiclab.diagrams.choosing import nucleus, ruler
from musiclab.diagrams.drawing import Diagram

__all__ = ["Diagram", "nucleus", "ruler"]
