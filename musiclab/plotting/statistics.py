"""What a song consists of, and where it repeats itself."""

from fractions import Fraction

import numpy as np

from musiclab.evaluation.statistics import overlapping_area, shares_of, similarity_matrix
from musiclab.music import pitch_name
from musiclab.music.pitch import PITCH_NAMES
from musiclab.plotting.rolls import first_bars, numbered_bars
from musiclab.plotting.style import (
    BLUE,
    WEIGHT,
    YELLOW,
    colour_bar,
    draw_columns,
    in_points,
    percent,
)

N_DURATIONS = 12  # that have a column of their own in a histogram
HISTOGRAMS = {
    "pitch_class": "clase de altura",
    "pitch": "altura",
    "duration": "duración (negras)",
    "interval": "intervalo de la línea superior (semitonos)",
}


def histograms(corpus, generated, ax, what="pitch_class"):
    """Draw the share of each value in the notes of the corpus and in those of generated songs.

    corpus, generated: lists of Songs
    what: pitch_class, pitch, duration or interval, see `statistics.shares_of`

    Of durations come the commonest, and intervals of an octave and more are
    one column. The title says how much of both overlaps, column by column of
    the whole histograms: `statistics.overlapping_area`.
    """
    sides = [shares_of(songs, what) for songs in (corpus, generated)]
    column_of, labels = _columns(what, sides)
    # Values that have a column together are added up.
    heights = []
    for shares in sides:
        columns = [column_of[value] for value in shares]
        heights.append(np.bincount(columns, [*shares.values()], len(labels)))
    names = f"corpus ({len(corpus)})", f"generadas ({len(generated)})"
    groups = [*zip(names, (YELLOW, BLUE), heights, strict=True)]
    area = overlapping_area(*sides)
    title = "Sin notas" if np.isnan(area) else f"Solapamiento: {percent(area)}"
    draw_columns(ax, labels, groups, title)
    counted = "los pasos" if what == "interval" else "las notas"
    ax.set(xlabel=HISTOGRAMS[what], ylabel=f"% de {counted}")
    return ax


def _columns(what, sides):
    """Return ({value: number of its column}, the columns' labels)."""
    found = sorted(set().union(*sides))
    if what == "pitch_class":
        return {k: k for k in range(12)}, PITCH_NAMES
    if what == "pitch":
        return _pitch_columns(found)
    if what == "interval":
        return _interval_columns(found)
    return _duration_columns(found, sides)


def _pitch_columns(found):
    """Return the columns of all pitches from the lowest to the highest; each C has its name."""
    pitches = range(min(found, default=60), max(found, default=60) + 1)
    names = [pitch_name(pitch) if pitch % 12 == 0 else "" for pitch in pitches]
    return {pitch: k for k, pitch in enumerate(pitches)}, names


def _interval_columns(found):
    """Return the columns of intervals within an octave; the outer ones hold what is wider."""
    names = [f"{k:+d}".replace("-", "−") if k % 2 == 0 else "" for k in range(-12, 13)]
    names[0], names[12], names[-1] = "≤ −12", "0", "≥ +12"
    return {interval: int(np.clip(interval, -12, 12)) + 12 for interval in found}, names


def _duration_columns(found, sides):
    """Return the columns of the commonest durations, and one for all others."""
    by_share = sorted(found, key=lambda value: -sum(side.get(value, 0) for side in sides))
    common = sorted(by_share[:N_DURATIONS])
    names = [str(Fraction(value).limit_denominator(24)) for value in common]
    own_columns = {value: k for k, value in enumerate(common)}
    column_of = dict.fromkeys(found, len(common)) | own_columns
    if len(found) > len(common):
        names.append("otras")
    return column_of, names


def self_similarity(song, ax, title="", frame_ql=1.0):
    """Draw how alike the moments of a song are to each other, its bars along both axes.

    frame_ql: quarter lengths of a moment; 4 shows the form of a long song better

    What comes back is a dark line beside the diagonal, and a section a dark
    square; see `statistics.similarity_matrix`. As in `piano_roll`, MAX_BARS at most.
    """
    song, left_out = first_bars(song)
    matrix = similarity_matrix(song, frame_ql)
    end_ql = frame_ql * max(1, len(matrix))
    style = {"cmap": WEIGHT, "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    pixels = matrix if len(matrix) else np.zeros((1, 1))
    image = ax.imshow(pixels, origin="lower", extent=(0, end_ql, 0, end_ql), **style)
    # The numbers of as many bars as there is room for, along both axes.
    numbers = numbered_bars(song, 0, end_ql, min(in_points(ax)) / 24)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(list(numbers.values()), map(str, numbers))
    ax.grid(visible=False)
    ax.set(xlabel="compás", ylabel="compás")
    title = f"{title} {left_out}".strip() if len(matrix) else "Sin notas"
    ax.set_title(title, parse_math=False)
    colour_bar(image, "parecido (coseno)")
    return ax
