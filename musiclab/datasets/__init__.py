"""Which sets of songs there are, how they are built, and how they are split."""

from musiclab.datasets.corpus import ROOT, SETS, build_dataset, load_dataset
from musiclab.datasets.splitting import Split, in_all_keys, pitch_limits, split_by_song

__all__ = [
    "ROOT",
    "SETS",
    "Split",
    "build_dataset",
    "in_all_keys",
    "load_dataset",
    "pitch_limits",
    "split_by_song",
]
