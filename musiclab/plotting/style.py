"""The course's figures: an `ax` comes in and goes out, its labels in Spanish.

Colours are those of Okabe and Ito (2008), which colour-blind eyes tell apart;
four voices and two histograms differ in grey too. Where colours stand for a
quantity, more is darker. All notes of a roll are one collection, «notas».
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.ticker import ScalarFormatter

STYLE = Path(__file__).with_name("course.mplstyle")
BLUE, ORANGE, YELLOW, GREEN = "#0072B2", "#D55E00", "#E69F00", "#009E73"
BLACK, SLATE, GREY, PALE, DIM = "#1B1E22", "#5A626B", "#8A9099", "#C3C9D0", "#7FA8C9"
VOICES = {"soprano": YELLOW, "alto": GREEN, "tenor": BLUE, "bajo": BLACK}
PARTS = (*VOICES.values(), ORANGE, "#CC79A7", "#56B4E9")


# From pale to dark, without the ends that a white page swallows.
LOUDNESS = ListedColormap(plt.get_cmap("viridis_r")(np.linspace(0.12, 1, 256)))
WEIGHT = ListedColormap(plt.get_cmap("Blues")(np.linspace(0.04, 1, 256)))
MAX_BARS = 400  # of a song in one figure


class _Comma(ScalarFormatter):
    def __call__(self, x, pos=None):
        return comma(super().__call__(x, pos))


def decimal_comma(*axes):
    """Write the numbers along axes (`ax.yaxis`, ...) with a decimal comma, as Spanish does."""
    for axis in axes:
        axis.set_major_formatter(_Comma())


def comma(number):
    """Return a number, or its text, with a decimal comma."""
    return str(number).replace(".", ",")


def colour_bar(drawn, label):
    """Put a colour bar beside an ax, as high as what is drawn there, and return it."""
    ax = drawn.axes
    if ax.get_aspect() == "auto":
        place = {"ax": ax, "pad": 0.012, "aspect": 18}
    else:  # a map is lower than the room that it has
        place = {"cax": ax.inset_axes((1.03, 0, 0.05, 1))}
    bar = ax.figure.colorbar(drawn, label=label, **place)
    decimal_comma(bar.ax.yaxis)
    bar.outline.set_visible(False)
    return bar


def in_points(ax):
    """Return the width and the height of an ax."""
    return 72 * ax.bbox.size / ax.figure.dpi


def label_at(ax, text, place, offset_pt, coordinates="data", **style):
    """Write small words at a place, moved by so many points."""
    style = {"ha": "right", "fontsize": "small", "color": SLATE, "zorder": 6} | style
    ax.annotate(text, place, offset_pt, coordinates, textcoords="offset points", **style)


def draw_columns(ax, names, groups, title):
    """Draw columns side by side around the name of each place, and a legend of their groups.

    groups: (label, colour, shares (n_names,)) of each, from left to right
    """
    width = 0.84 / len(groups)  # the rest is the gap between places
    for k, (label, colour, shares) in enumerate(groups):
        places = np.arange(len(names)) + width * (k - (len(groups) - 1) / 2)
        ax.bar(places, 100 * shares, width, color=colour, label=label)
    ax.set_xticks(range(len(names)), names)
    ax.set_title(title)
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")
    style = {"handlelength": 1.3, "columnspacing": 1.4, "borderaxespad": 0.2}
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, **style)


def percent(share):
    """Return a share from 0 to 1 as whole percents, in Spanish."""
    return f"{100 * share:.0f} %"
