"""The course's figures: an `ax` comes in and goes out, its labels in Spanish.

Colours are those of Okabe and Ito, which colour-blind eyes tell apart.
"""

from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from musiclab.encoding import pitch_name

STYLE = Path(__file__).with_name("course.mplstyle")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A9099"


def use_style():
    """Draw all figures of this process in the course's style."""
    plt.style.use(STYLE)


def learning_curves(history, ax, baselines=()):
    """Draw the loss of training and of the held-out songs, epoch by epoch.

    history: training.History
    baselines: (name, nats) pairs, drawn as horizontal lines to compare with
    """
    epochs = np.arange(1, history.n_epochs + 1)
    ax.plot(epochs, history.loss, marker="o", label="entrenamiento")
    ax.plot(epochs, history.val_loss, marker="o", label="validación")
    ax.axvline(history.best_epoch, color=GREY, linestyle=":", label="mejor época")
    for name, nats in baselines:
        ax.axhline(nats, color=GREY, linewidth=1.2, linestyle="--")
        ax.text(0.75, nats, name, va="bottom", color=GREY, fontsize=10)
    ax.set(title="Pérdida", xlabel="época", ylabel="nats por símbolo")
    ax.margins(y=0.15)
    _whole_epochs(ax, epochs)
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.88))
    return ax


def accuracy_curves(history, ax):
    """Draw the share of symbols that were predicted right, epoch by epoch."""
    epochs = np.arange(1, history.n_epochs + 1)
    ax.plot(epochs, np.multiply(history.accuracy, 100), marker="o", label="entrenamiento")
    ax.plot(epochs, np.multiply(history.val_accuracy, 100), marker="o", label="validación")
    ax.set(title="Exactitud", xlabel="época", ylabel="% de aciertos", ylim=(0, None))
    _whole_epochs(ax, epochs)
    ax.legend(loc="best")
    return ax


def _whole_epochs(ax, epochs):
    ax.set_xlim(0.7, epochs[-1] + 0.3)
    ax.xaxis.get_major_locator().set_params(integer=True)


def piano_roll(song, ax, prompt_ql=0.0, title=""):
    """Draw a song: time to the right, pitch upwards, one bar a note.

    prompt_ql: quarter lengths at the start that were given, not generated;
        they are drawn in another colour
    """
    bars = defaultdict(list)
    for event in song.events:
        for pitch in event.pitches:
            given = event.onset_ql < prompt_ql
            # A gap between notes, so that repeated ones can be told apart.
            bars[pitch, given].append((event.onset_ql, max(0.86 * event.duration_ql, 0.05)))
    for (pitch, given), spans in bars.items():
        ax.broken_barh(spans, (pitch - 0.4, 0.8), facecolors=ORANGE if given else BLUE)
    if prompt_ql:
        ax.axvline(prompt_ql, color=GREY, linestyle=":")
        for label, colour in (("motivo inicial", ORANGE), ("generado", BLUE)):
            ax.plot([], [], linewidth=6, color=colour, label=label)
        ax.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.14), borderaxespad=0)
    pitches = [pitch for event in song.events for pitch in event.pitches] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0] or [min(pitches)]
    ax.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
    ax.set(xlim=(0, song.duration_ql), ylim=(low, high), xlabel="tiempo (negras)", ylabel="altura")
    ax.set_title(title)
    return ax


def common_tokens(pairs, ax, title=""):
    """Draw how often the commonest symbols occur.

    pairs: (token, count), commonest first
    """
    tokens, counts = zip(*pairs, strict=True)
    ax.bar(tokens, counts)
    ax.set(ylabel="apariciones", title=title)
    ax.grid(visible=False, axis="x")
    ax.tick_params(axis="x", rotation=60 if max(map(len, tokens)) > 3 else 0)
    return ax


def nll_ladder(pairs, ax, title="Canciones de validación"):
    """Draw the held-out NLL of several predictors as horizontal bars.

    pairs: (name, nats), drawn from top to bottom; the best one stands out
    """
    names, nats = zip(*pairs, strict=True)
    colours = [ORANGE if value == min(nats) else BLUE for value in nats]
    ax.barh(names, nats, color=colours)
    for name, value in pairs:
        ax.text(value, name, f" {value:.2f}", va="center")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(title=title, xlabel="NLL (nats por símbolo; menos es mejor)")
    ax.set_xlim(0, 1.12 * max(nats))
    return ax
