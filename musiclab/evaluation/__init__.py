"""What a predictor and a song are worth: likelihood, baselines, copies, statistics. No TensorFlow."""

from musiclab.evaluation.baselines import Copy, NGram
from musiclab.evaluation.copying import CopiedRun, copied_run, longest_copied_run
from musiclab.evaluation.likelihood import (
    Likelihood,
    held_out_likelihood,
    held_out_nll,
    log_probabilities,
)
from musiclab.evaluation.statistics import statistics_of, statistics_table

__all__ = [
    "CopiedRun",
    "Copy",
    "Likelihood",
    "NGram",
    "copied_run",
    "held_out_likelihood",
    "held_out_nll",
    "log_probabilities",
    "longest_copied_run",
    "statistics_of",
    "statistics_table",
]
