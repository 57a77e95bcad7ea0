"""Inside a network: how far back it remembers, and which symbols it holds for alike."""

import numpy as np

from musiclab.plotting.style import BLACK, BLUE, ORANGE, colour_bar, decimal_comma

DASHES = {"recién creada": "--", "entrenada": "-"}


def memory_curves(curves, ax):
    """Draw how much the last state hangs on what was read k steps before, on a log scale.

    curves: {(cell, when): (n_steps,)}, with `when` one of DASHES; k counts from 0
    """
    cells = list(dict.fromkeys(cell for cell, _ in curves))
    for (cell, when), curve in curves.items():
        colour = (BLUE, ORANGE)[cells.index(cell) % 2]
        ax.plot(curve, DASHES[when], color=colour, label=f"{cell}, {when}")
    ax.set_yscale("log")
    ax.set(xlabel="pasos hacia atrás, k", ylabel="dependencia (k = 0 es 1)")
    ax.legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none")
    return ax


def similarity_map(similar, names, ax, title=""):
    """Draw the cosines between all pairs of symbols, red where they point the same way.

    similar: (n_symbols, n_symbols), from -1 to 1
    """
    drawn = ax.imshow(similar, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower")
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(title=title, xlabel="nota", ylabel="nota")
    ax.grid(visible=False)
    colour_bar(drawn, "coseno")
    return ax


def interval_bars(cosines, ax):
    """Draw how alike notes are that lie so many semitones apart, as means over networks.

    cosines: (n_intervals, n_networks), those of one semitone first; each
        network is a point
    """
    semitones = np.arange(1, len(cosines) + 1)
    ax.bar(semitones, cosines.mean(axis=1))
    for network in cosines.T:
        ax.plot(semitones, network, ".", color=BLACK)
    ax.axhline(0, color=BLACK, linewidth=0.8)
    ax.set_xticks(semitones)
    ax.set(xlabel="semitonos entre las dos notas (7: quinta; 12: octava)", ylabel="coseno medio")
    decimal_comma(ax.yaxis)
    return ax
