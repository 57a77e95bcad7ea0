"""A network is fitted, kept whole on the disk, and goes on where it stopped."""

from musiclab.training.fitting import (
    BUNDLE,
    CHECKPOINT,
    Bundle,
    History,
    is_bundle,
    load_bundle,
    new_bundle,
    save_bundle,
    train,
)

__all__ = [
    "BUNDLE",
    "CHECKPOINT",
    "Bundle",
    "History",
    "is_bundle",
    "load_bundle",
    "new_bundle",
    "save_bundle",
    "train",
]
