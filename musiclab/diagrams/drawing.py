"""Boxes, arrows and words for diagrams, drawn by matplotlib and shown as SVG with a text.

Conventions: coordinates are centimetres of the drawing, y upwards; `alt` is
a Spanish sentence that says what a reader who cannot see it would miss.
"""

import base64
import html
import io
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

from musiclab.plotting.style import BLACK, BLUE, GREY

CM = 1 / 2.54  # inches


@dataclass(frozen=True)
class Diagram:
    """An SVG picture and the sentence that stands for it."""

    svg: str
    alt: str

    def _repr_html_(self):
        data = base64.b64encode(self.svg.encode()).decode()
        alt = html.escape(self.alt, quote=True)
        return f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}" style="max-width: 100%">'

    def __repr__(self):
        return f"Diagrama: {self.alt}"


def canvas(width, height):
    """Return (figure, ax) of an empty drawing of so many centimetres, without axes."""
    figure = plt.figure(figsize=(width * CM, height * CM), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return figure, ax


def box(ax, x, y, text, width=2.0, height=1.0, colour=BLUE, filled=False):
    """Draw a box with its centre at (x, y), and a text in it."""
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height,
        boxstyle="round,pad=0,rounding_size=0.15",
        facecolor=colour if filled else "white", edgecolor=colour, linewidth=1.6,
    )  # fmt: skip
    ax.add_patch(shape)
    words(ax, x, y, text, "white" if filled else BLACK)


def disc(ax, x, y, radius, text, colour=BLACK, **style):
    """Draw a circle around (x, y), and a text in it."""
    circle = Circle((x, y), radius, facecolor="white", edgecolor=colour, linewidth=1.6, zorder=3)
    ax.add_patch(circle)
    words(ax, x, y, text, zorder=4, **style)


def arrow(ax, x, y, to_x, to_y, colour=GREY, curve=0.0):
    """Draw an arrow from (x, y) to (to_x, to_y)."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    style["connectionstyle"] = f"arc3,rad={curve}"
    ax.annotate("", (to_x, to_y), (x, y), arrowprops=style)


def words(ax, x, y, text, colour=BLACK, size=10, **place):
    """Write a text with its centre at (x, y)."""
    place = {"ha": "center", "va": "center"} | place
    ax.text(x, y, text, color=colour, fontsize=size, **place)


def finished(figure, alt):
    """Return the Diagram of a figure, which is closed; the same bytes each time."""
    with plt.rc_context({"svg.hashsalt": "musiclab", "svg.fonttype": "path"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return Diagram(buffer.getvalue(), alt)
