"""The course's figures: an `ax` comes in and goes out, its labels in Spanish."""

from musiclab.plotting.activity import activity_player, activity_roll
from musiclab.plotting.attention import attention_roll
from musiclab.plotting.inside import interval_bars, memory_curves, similarity_map
from musiclab.plotting.learning import (
    learning_curves,
    next_symbol_bars,
    nll_ladder,
    surprise_bars,
    transition_map,
)
from musiclab.plotting.rolls import compare_songs, piano_roll, piano_rolls, roll_png
from musiclab.plotting.showing import describe, use_style
from musiclab.plotting.statistics import histograms, self_similarity
from musiclab.plotting.style import comma, decimal_comma

__all__ = [
    "activity_player",
    "activity_roll",
    "attention_roll",
    "comma",
    "compare_songs",
    "decimal_comma",
    "describe",
    "histograms",
    "interval_bars",
    "learning_curves",
    "memory_curves",
    "next_symbol_bars",
    "nll_ladder",
    "piano_roll",
    "piano_rolls",
    "roll_png",
    "self_similarity",
    "similarity_map",
    "surprise_bars",
    "transition_map",
    "use_style",
]
