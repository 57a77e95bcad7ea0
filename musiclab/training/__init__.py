"""A network is fitted, kept whole on the disk, and goes on where it stopped."""

from musiclab.training.bundle import (
    BUNDLE,
    FORMAT,
    Bundle,
    is_bundle,
    load_bundle,
    new_bundle,
    save_bundle,
)
from musiclab.training.checkpoint import CHECKPOINT
from musiclab.training.fitting import History, train

__all__ = [
    "BUNDLE",
    "CHECKPOINT",
    "FORMAT",
    "Bundle",
    "History",
    "is_bundle",
    "load_bundle",
    "new_bundle",
    "save_bundle",
    "train",
]
