"""What a predictor and a song are worth: likelihood, rivals, copies, ears. No TensorFlow."""

from musiclab.evaluation.baselines import Copy, NGram
from musiclab.evaluation.copying import CopiedRun, copied_run
from musiclab.evaluation.likelihood import (
    Likelihood,
    held_out_likelihood,
    held_out_nll,
    log_probabilities,
)
from musiclab.evaluation.listening import BlindTest, count_votes
from musiclab.evaluation.statistics import statistics_of, statistics_table

__all__ = [
    "BlindTest",
    "CopiedRun",
    "Copy",
    "Likelihood",
    "NGram",
    "copied_run",
    "count_votes",
    "held_out_likelihood",
    "held_out_nll",
    "log_probabilities",
    "statistics_of",
    "statistics_table",
]
