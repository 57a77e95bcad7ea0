"""How a training went, and what predictors and next symbols are worth."""

import matplotlib.pyplot as plt
import numpy as np

from musiclab.generation import next_symbol_probabilities
from musiclab.plotting.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SLATE,
    WEIGHT,
    colour_bar,
    comma,
    decimal_comma,
    draw_columns,
    percent,
)


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
        ax.text(0.75, nats, name, va="bottom", color=SLATE, fontsize="small")
    ax.set(title="Pérdida", xlabel="época", ylabel="nats por símbolo")
    ax.margins(y=0.15)
    ax.set_xlim(0.7, epochs[-1] + 0.3)
    ax.xaxis.get_major_locator().set_params(integer=True)
    decimal_comma(ax.yaxis)
    # A loss falls, so that corner has no curve; the other lines end at the legend's edge.
    ax.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none")
    return ax


def nll_ladder(pairs, ax, title="Canciones de validación"):
    """Draw the held-out NLL of several predictors as horizontal bars.

    pairs: (name, nats), drawn from top to bottom; the best one stands out
    """
    names, nats = zip(*pairs, strict=True)
    colours = [ORANGE if value == min(nats) else BLUE for value in nats]
    bars = ax.barh(names, nats, color=colours)
    ax.bar_label(bars, [comma(f" {value:.2f}") for value in nats])
    ax.invert_yaxis()
    decimal_comma(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.set(title=title, xlabel="NLL (nats por símbolo; menos es mejor)")
    ax.set_xlim(0, 1.2 * max(nats))  # room for the numbers
    return ax


def transition_map(shares, symbols, ax, title=""):
    """Draw with what probability each symbol follows each other one.

    shares: (n_symbols, n_symbols) from 0 to 1; row a, column b is that of b after a
    """
    drawn = ax.imshow(100 * np.asarray(shares), cmap=WEIGHT)
    _name_columns(ax, symbols)
    ax.set_yticks(range(len(symbols)), symbols)
    ax.set(xlabel="símbolo siguiente", ylabel="símbolo", title=title)
    ax.grid(visible=False)
    colour_bar(drawn, "probabilidad (%)")
    return ax


def surprise_bars(symbols, nats, ax, title=""):
    """Draw the surprise of each symbol of a song, and their mean.

    nats: (n_symbols,), the −ln p of each
    """
    ax.bar(range(len(symbols)), nats)
    mean = np.mean(nats)
    ax.axhline(mean, color=BLACK, linestyle=":", label=f"NLL, la media: {comma(f'{mean:.2f}')}")
    _name_columns(ax, symbols)
    ax.set(xlabel="símbolo de la canción", ylabel="sorpresa (nats)", title=title)
    ax.set_ylim(0, 1.25 * max(nats))  # room for the legend
    ax.grid(visible=False, axis="x")
    decimal_comma(ax.yaxis)
    ax.legend(loc="upper right")
    return ax


def _name_columns(ax, symbols):
    ax.set_xticks(range(len(symbols)), symbols)
    longest = max(map(len, symbols))
    ax.tick_params(axis="x", rotation=60 if longest > 3 else 0)


def next_symbol_bars(logits, vocabulary, ax, temperatures=(0.5, 1.0, 1.5), n=12):
    """Draw the probabilities of the likeliest next symbols at several temperatures.

    logits: (vocab_size,), of one step; vocabulary: an encoding.Vocabulary
    n: how many symbols; the legend says what is left for the others
    """
    # The likeliest ids; 0, the unknown symbol, is never drawn.
    order = 1 + np.argsort(-np.asarray(logits)[1:], kind="stable")[:n]
    colours = plt.get_cmap("plasma")(np.linspace(0.05, 0.8, len(temperatures)))
    groups = []
    for temperature, colour in zip(temperatures, colours, strict=True):
        p = next_symbol_probabilities(logits, temperature)[order]
        label = f"{comma(f'{temperature:g}')} (los demás: {percent(1 - p.sum())})"
        groups.append((label, colour, p))
    tokens = [vocabulary.tokens[k] for k in order]
    draw_columns(ax, tokens, groups, "Según la temperatura")
    if max(map(len, tokens)) > 5:
        plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    ax.set(xlabel="siguiente símbolo", ylabel="probabilidad (%)")
    return ax
