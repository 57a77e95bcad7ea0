"""Figures in a notebook, each with a text that tells who cannot see it what it draws.

JupyterLab and nbconvert give a picture of the kind `image/png` no text of its
own, whatever its metadata say; an `img` of the kind `text/html` keeps its
`alt`. The text is made of what stands in the figure: titles, labels, values.
"""

import html

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.container import BarContainer
from matplotlib_inline.config import InlineBackend

from musiclab.files import data_url
from musiclab.music import pitch_name
from musiclab.plotting.style import STYLE, comma

FEW = 8  # bars whose values are all said; of more, the highest and the lowest


def use_style():
    """Draw all figures of this process in the course's style, in a notebook with their text."""
    plt.style.use(STYLE)
    if shell := get_ipython():
        # A backend that were loaded later would bring its own way to show a figure.
        plt.switch_backend(plt.get_backend())
        # So would music21, a second after its import, by asking for this format.
        InlineBackend.instance(parent=shell).figure_formats = {"retina"}
        formatters = shell.display_formatter.formatters
        formatters["image/png"].pop(plt.Figure, None)
        formatters["text/html"].for_type(plt.Figure, figure_html)


def figure_html(figure):
    """Return a figure as an `img` with its text; None for an empty one, which nobody shows."""
    png = print_figure(figure, fmt="png")  # draws the names of the ticks too
    if png is None:
        return None
    alt = html.escape(describe(figure))
    return f'<img alt="{alt}" style="max-width:100%" src="{data_url(png, "image/png")}">'


def describe(figure):
    """Return what a figure draws, in one Spanish sentence."""
    # A colour bar is an ax too, which matplotlib labels so, and says nothing by itself.
    parts = [_about(ax) for ax in figure.axes if ax.get_label() != "<colorbar>"]
    return f"Figura. {'. '.join(parts)}."


def _about(ax):
    """Return the kind of an ax, its title and what it draws."""
    rolls = [drawn for drawn in ax.collections if drawn.get_gid() == "notas"]
    bars = [drawn for drawn in ax.containers if isinstance(drawn, BarContainer)]
    if rolls:
        kind, said = "Rollo de pianola", [_notes(ax, rolls[0]), *_legend(ax), *_texts(ax)]
    elif ax.images:
        kind, said = "Mapa de colores", [_colours(ax, ax.images[0])]
    elif bars:
        kind = _axes_names(ax, "Barras", bars[0].orientation == "vertical")
        said = [*map(_bars, bars), *_lines(ax)]
    else:
        kind, said = _axes_names(ax, "Curvas", True), [*_lines(ax), *_texts(ax)]
    if title := ax.get_title(loc="left"):
        kind += f" «{title}»"
    return f"{kind}: {'; '.join(said) or 'sin datos'}"


def _axes_names(ax, kind, upright):
    """Return «Curvas de nats por símbolo según época»."""
    value, place = ax.get_ylabel(), ax.get_xlabel()
    if not upright:
        value, place = place, value
    if value:
        kind += f" de {value}"
    if place:
        kind += f" según {place}"
    return kind


def _texts(ax):
    """Return what is written in an ax, without the names of its parts."""
    return [text.get_text().strip() for text in ax.texts if not text.get_gid()]


def _legend(ax):
    """Return what the legend says of the colours."""
    legend = ax.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def _notes(ax, drawn):
    """Return how many notes a roll shows, between which pitches and from when to when."""
    # The middle of a note's box is its pitch.
    boxes = [path.get_extents() for path in drawn.get_paths()]
    pitches = [round((box.y0 + box.y1) / 2) for box in boxes]
    limits = ""
    if pitches:
        limits = f", de {pitch_name(min(pitches))} a {pitch_name(max(pitches))}"
    start, end = map(_number, ax.get_xlim())
    return f"{len(pitches)} notas{limits}, de la negra {start} a la {end}"


def _colours(ax, image):
    """Return what the colours of a map stand for, and between which values they lie."""
    values = image.get_array()
    scale = image.colorbar.ax.get_ylabel() if image.colorbar else "valores"
    limits = f"de {_number(values.min())} a {_number(values.max())}"
    return f"{ax.get_ylabel()} (filas) y {ax.get_xlabel()} (columnas), {scale} {limits}"


def _bars(bars):
    """Return the values of bars with the names below them; of many, the highest and the lowest."""
    upright = bars.orientation == "vertical"
    values = list(bars.datavalues)
    pairs = zip(bars, values, strict=True)
    said = [f"{_bar_name(bar, upright)} = {_number(value)}" for bar, value in pairs]
    if len(said) > FEW:
        high = said[values.index(max(values))]
        low = said[values.index(min(values))]
        said = [f"{len(said)} barras", f"la más alta {high}", f"la más baja {low}"]
    # matplotlib calls what has no name _something.
    label = bars.get_label()
    group = "" if label.startswith("_") else f"{label}: "
    return group + ", ".join(said)


def _bar_name(bar, upright):
    """Return the label of the place where a bar stands."""
    x, y = bar.get_center()
    place = round(x if upright else y)
    axis = bar.axes.xaxis if upright else bar.axes.yaxis
    return axis.get_major_formatter()(place) or str(place)


def _lines(ax):
    """Return what the lines do that have a name; one that is alone needs none."""
    lines = list(ax.lines)
    named = [line for line in lines if not line.get_label().startswith("_")]
    if not named and len(lines) == 1 and not ax.containers:
        return [_line(lines[0])]  # alone, it needs no name
    return [f"{line.get_label()}: {_line(line)}" for line in named]


def _line(line):
    """Return from where to where a line goes, and how far beyond its ends."""
    x, y = np.asarray(line.get_data(), float)
    # An upright line is a mark, a level one a value.
    if len(set(x)) == 1:
        return f"en {_number(x[0])}"
    if len(set(y)) == 1:
        return _number(y[0])
    first, last = y[0], y[-1]
    lowest, highest = y.min(), y.max()
    said = f"de {_number(first)} a {_number(last)}"
    if lowest < min(first, last) or highest > max(first, last):
        said += f" (entre {_number(lowest)} y {_number(highest)})"
    return said


def _number(value):
    return comma(f"{value:.3g}").replace("-", "−")
