"""A Markov chain of a short tune, and how far back n-grams look."""

from collections import Counter
from itertools import pairwise

import numpy as np

from musiclab.diagrams.drawing import Diagram, arrow, box, canvas, disc, finished, words
from musiclab.encoding import token_key
from musiclab.plotting.style import BLUE, ORANGE, SLATE, comma

STATE, RING = 0.55, 3.8  # radii of a state and of the circle on which states stand, in cm
SIDE = 11.8  # of the whole drawing


def markov_chain(tokens) -> Diagram:
    """Draw the states of a short tune, clockwise from low to high, and what follows each how often.

    tokens: two symbols or more, with eight different ones at most to be legible
    """
    followers = _followers(tokens)
    states = sorted(set(tokens), key=token_key)
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(states)) / len(states)
    angle_of = dict(zip(states, angles, strict=True))
    figure, ax = canvas(SIDE, SIDE)
    for state, counts in followers.items():
        for follower, count in counts.items():
            label = _share(count, counts)
            if state == follower:
                _loop(ax, angle_of[state], label)
            else:
                _transition(ax, _place(angle_of[state]), _place(angle_of[follower]), label)
    for state, angle in angle_of.items():
        disc(ax, *_place(angle), STATE, state, BLUE, size=11, weight="bold")
    return finished(figure, _chain_in_words(followers))


def _followers(tokens):
    """Return {symbol: Counter of what follows it}."""
    followers = {}
    for token, following in pairwise(tokens):
        followers.setdefault(token, Counter())[following] += 1
    return followers


def _share(count, counts):
    return comma(f"{count / counts.total():.2g}")


def _way(angle):
    """Return the vector (2,) of length 1 in a direction."""
    return np.array([np.cos(angle), np.sin(angle)])


def _place(angle):
    """Return the centre (2,) of the state that stands in a direction."""
    return SIDE / 2 + RING * _way(angle)


def _transition(ax, start, end, label):
    way = (end - start) / np.hypot(*(end - start))
    to_the_right = np.array([way[1], -way[0]])
    # From edge to edge, to the right of the way: an arrow and the one back do not meet.
    start = start + (STATE + 0.08) * way + 0.17 * to_the_right
    end = end - (STATE + 0.08) * way + 0.17 * to_the_right
    arrow(ax, *start, *end)
    # Arrows between neighbours fill their side: they speak behind its middle, longer ones before.
    part = 0.72 if np.hypot(*(end - start)) < RING else 0.35
    place = start + part * (end - start) + (0.48, 0.36) * to_the_right
    words(ax, *place, label, SLATE, size=9)


def _loop(ax, angle, label):
    """Draw an arrow from a state to itself, on its outer side."""
    place = _place(angle)
    ends = [place + (STATE + 0.04) * _way(angle + turn) for turn in (0.5, -0.5)]  # radians
    arrow(ax, *ends[0], *ends[1], curve=-1.9)
    words(ax, *(place + (1.62, 1.55) * _way(angle)), label, SLATE, size=9)


def _chain_in_words(followers):
    sentences = []
    for state, counts in followers.items():
        shares = [f"{k} con probabilidad {_share(n, counts)}" for k, n in counts.items()]
        sentences.append(f"a {state} sigue {', '.join(shares)}")
    return f"Cadena de Markov: {'; '.join(sentences)}."


def ngram_context(tokens, order=5) -> Diagram:
    """Draw what each n-gram sees of a tune before it guesses the last symbol.

    tokens: two or more, and as many as `order`; a question mark hides the last one
    order: of the longest n-gram, 2 or more
    """
    width, gap, row = 1.75, 0.2, 0.78
    left, top = 2.9, order * row + 1.4
    figure, ax = canvas(left + len(tokens) * (width + gap) + 0.3, top + 1.0)
    # The tune in a row; its last symbol is hidden.
    centres = [left + (width + gap) * k + width / 2 for k in range(len(tokens))]
    *before, last = centres
    for centre, token in zip(before, tokens[:-1], strict=True):
        box(ax, centre, top, token, width)
    box(ax, last, top, "?", width, colour=ORANGE, filled=True)
    # Below it a bar for each n-gram, under the symbols that it sees.
    for n in range(1, order + 1):
        y = top - 0.55 - row * n
        name = "unigrama" if n == 1 else f"{n}-grama"
        words(ax, left - 0.3, y, name, ha="right")
        seen = centres[len(tokens) - n : -1]
        if seen:
            edges = seen[0] - width / 2, seen[-1] + width / 2
            ax.plot(edges, (y, y), color=BLUE, linewidth=7, solid_capstyle="butt")
        else:
            words(ax, before[-1], y, "(nada)", SLATE)
        arrow(ax, last - width / 2 - 0.1, y, last, y, ORANGE)
    return finished(figure, _context_in_words(tokens, order))


def _context_in_words(tokens, order):
    several = f"los {order - 1} símbolos anteriores, {tokens[-order]} … {tokens[-2]}"
    seen = several if order > 2 else f"el símbolo anterior, {tokens[-2]}"
    return (
        "Una melodía cuyo último símbolo hay que adivinar. El unigrama no mira nada; "
        f"el {order}-grama mira {seen}."
    )
