"""How a symbol is chosen: drawn on a ruler of chances, from what a cut leaves."""

import numpy as np

from musiclab.diagrams.drawing import arrow, canvas, finished, words
from musiclab.plotting.style import BLUE, GREY, ORANGE, PALE, SLATE, comma

WIDTH = 17.0  # centimetres of both drawings
MOST_BARS = 14
LETTER = 0.18  # centimetres that a letter of a name takes


def ruler(tokens, probabilities, u):
    """Return the Diagram of one draw: a ruler from 0 to 1, a stretch for each symbol.

    tokens: their names or ids, in the order of the ruler; probabilities:
        (n_symbols,), which sum to 1; u: the number that was drawn, from 0 to 1
    """
    tokens = [*map(str, tokens)]
    ends = np.cumsum([0.0, *probabilities])
    drawn = min(int(np.searchsorted(ends[1:], u, side="right")), len(tokens) - 1)
    figure, ax = canvas(WIDTH, 4.0)
    left, length = 0.8, WIDTH - 1.6
    places, widths = left + length * ends, length * np.diff(ends)
    centres = places[:-1] + widths / 2
    colours = [ORANGE if k == drawn else BLUE for k in range(len(tokens))]
    ax.bar(centres, 1.0, widths, 1.4, color=colours, edgecolor="white")
    for token, centre, width in zip(tokens, centres, widths, strict=True):
        if width > 0.2 + LETTER * len(token):
            words(ax, centre, 1.9, token, "white", 10)
    # Below it where stretches meet, where there is room for the number.
    last = -np.inf  # where the number before stands
    for end, place in zip(ends, places, strict=True):
        if place - last > 0.95:
            ax.plot([place, place], [1.2, 1.4], color=GREY, linewidth=1)
            words(ax, place, 0.85, _number(end), SLATE, 9)
            last = place
    words(ax, WIDTH / 2, 0.3, "probabilidades acumuladas", SLATE, 9)
    # Above it an arrow where u falls.
    place = left + length * u
    arrow(ax, place, 3.2, place, 2.45, ORANGE)
    name = f"u = {_number(u)} → {tokens[drawn]}"
    words(ax, np.clip(place, 2.2, WIDTH - 2.2), 3.5, name, ORANGE, 11)
    alt = (
        f"Una regla de 0 a 1 partida en {len(tokens)} tramos, tan largos como las probabilidades "
        f"de {', '.join(tokens)}. El número u = {_number(u)} cae en el tramo de {tokens[drawn]}."
    )
    return finished(figure, alt)


def nucleus(tokens, probabilities, top_p):
    """Return the Diagram of top-p's cut: sorted columns, what they sum to, and where p is reached.

    tokens: names or ids; probabilities: (n_symbols,); both in any order. Of
        many symbols the first MOST_BARS are drawn.
    """
    tokens = [*map(str, tokens)]
    # From the likeliest on, as many as reach top_p together.
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    sorted_p = np.asarray(probabilities, dtype=float)[order]
    sums = np.cumsum(sorted_p)
    n_kept = 1 + int(np.searchsorted(sums[:-1], top_p * sums[-1]))
    n_drawn = min(len(order), MOST_BARS)
    figure, ax = canvas(WIDTH, 6.9)
    width = (WIDTH - 1.0) / n_drawn
    # A column each: its probability above it, below it its name and the sum so far.
    for k in range(n_drawn):
        place = 0.5 + width * (k + 0.5)
        colour, ink = (BLUE, SLATE) if k < n_kept else (PALE, GREY)
        name = tokens[order[k]].replace(":", "\n", 1)
        height = max(3.2 * sorted_p[k] / sorted_p[0], 0.04)
        ax.bar(place, height, 0.8 * width, 2.0, color=colour)
        words(ax, place, 2.25 + height, _number(sorted_p[k]), ink, 9)
        words(ax, place, 1.9, name, ink, 8, va="top")
        reaches_p = k == n_kept - 1
        words(ax, place, 0.8, _number(sums[k]), ORANGE if reaches_p else ink, 9)
    words(ax, WIDTH / 2, 0.25, "sumas, de izquierda a derecha", SLATE, 9)
    # A line behind those that are kept; its words stand on the side where there is room.
    if n_kept < n_drawn:
        cut = 0.5 + width * n_kept
        ax.plot([cut, cut], [0.6, 6.6], color=ORANGE, linewidth=1.6, linestyle="--")
        text = f"la suma llega a p = {_number(top_p)}: lo demás se corta"
        aside, ha = (0.2, "left") if cut < WIDTH / 2 else (-0.2, "right")
        words(ax, cut + aside, 6.35, text, ORANGE, 10, ha=ha)
    kept = [tokens[k] for k in order[:n_kept]]
    alt = (
        f"Columnas con las probabilidades de {len(tokens)} símbolos, de mayor a menor. Con "
        f"p = {_number(top_p)} quedan {n_kept}, {', '.join(kept[:MOST_BARS])}, que juntos suman "
        f"{_number(sums[n_kept - 1])}; los demás se cortan."
    )
    return finished(figure, alt)


def _number(value):
    return comma(f"{value:.2f}")
