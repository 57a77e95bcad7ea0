"""Where a transformer looks, drawn over the notes."""

import numpy as np

from musiclab.errors import ParameterError
from musiclab.plotting.rolls import draw_frame, draw_notes, notes_of
from musiclab.plotting.style import BLACK, GREY, ORANGE, WEIGHT, colour_bar, label_at, percent


def attention_roll(events, weights, ax, step=None, title="", n_arrows=3):
    """Draw how much one step of a sequence looks at each note before it.

    events: what each step plays, see `token_events`
    weights: a row of attention (n_steps,): models.attention_weights(...)[layer, head, step]
    step: who looks, the last one if None: its note has an orange edge
    n_arrows: how many notes, those with most weight, an arrow leads to

    The darker a note, the more weight; notes to come are hollow. What weight
    lies on steps that play nothing the title says. Raises ParameterError for
    a step that there is not.
    """
    weights = np.asarray(weights, dtype=float)
    n_steps = min(len(weights), len(events))
    step = n_steps - 1 if step is None else step
    if not 0 <= step < n_steps:
        raise ParameterError(f"step es {step} y hay {n_steps} símbolos: elige de 0 a {n_steps - 1}")
    # The steps that have sounded so far; their notes, and those to come.
    heard = [k for k in range(step + 1) if events[k]]
    now = notes_of(events[k] for k in heard)
    to_come = notes_of(filter(None, events[step + 1 : n_steps]))
    notes = now + to_come
    draw_frame(ax, notes, 0, max((event.end_ql for event, _ in notes), default=0))
    # The darker, the more weight; the note that looks has an orange edge.
    steps = [k for k in heard for _ in events[k].pitches]
    shares = weights[steps]
    edges = {
        "edgecolors": [ORANGE if k == step else GREY for k in steps],
        "linewidths": [2.4 if k == step else 0.5 for k in steps],
    }
    drawn = draw_notes(ax, now, array=100 * shares, cmap=WEIGHT, **edges)
    drawn.set_clim(0, 100 * max(shares.max(initial=0), 1e-9))
    colour_bar(drawn, "peso de atención (%)")
    if to_come:
        hollow = {"facecolors": "white", "edgecolors": GREY, "linewidths": 0.8}
        draw_notes(ax, to_come, gid="por venir", **hollow)
    if events[step]:
        _arrows(ax, events, weights, heard, n_arrows)
    silent = weights[: step + 1].sum() - weights[heard].sum()
    also = f"; {percent(silent)} en símbolos que no suenan" if silent > 0.005 else ""
    ax.set_title(title or f"Adónde mira el símbolo {step}{also}", parse_math=False)
    return ax


def _arrows(ax, events, weights, heard, n_arrows):
    """Draw arrows from the last step heard to the notes before with most weight; say how much."""
    *before, last = heard
    now = events[last]
    style = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.4, "shrinkA": 5, "shrinkB": 2}
    style["connectionstyle"] = "arc3,rad=0.2"
    start = now.onset_ql, now.pitches[-1]
    by_weight = sorted(before, key=lambda k: -weights[k])
    for k in by_weight[:n_arrows]:
        # To the end of the note, or to now where it still sounds.
        event = events[k]
        pitch = event.pitches[-1]
        end = min(event.end_ql, now.onset_ql), pitch
        ax.annotate("", end, start, arrowprops=style, zorder=5)
        above = 1 if pitch >= now.pitches[-1] else -1  # where the arrow does not come from
        middle = event.onset_ql + event.duration_ql / 2, pitch
        white = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
        place = {"ha": "center", "va": "center", "color": BLACK, "bbox": white}
        label_at(ax, percent(weights[k]), middle, (0, 11 * above), **place)
