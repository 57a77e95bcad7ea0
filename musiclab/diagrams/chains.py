"""A Markov chain of a short tune, and how far back n-grams look."""

from collections import Counter
from itertools import pairwise
from math import cos, pi, sin

from matplotlib.patches import Circle, FancyArrowPatch

from musiclab.diagrams.drawing import Diagram, arrow, box, canvas, finished, words
from musiclab.encoding import token_key
from musiclab.plotting.style import BLUE, GREY, ORANGE, SLATE, comma

STATE, RING = 0.55, 3.8  # radii of a state and of the circle on which states stand, in cm
SIDE = 11.8  # of the whole drawing


def markov_chain(tokens) -> Diagram:
    """Draw the states of a short tune, clockwise from low to high, and what follows each how often.

    tokens: two symbols or more, with eight different ones at most to be legible
    """
    followers = _followers(tokens)
    states = sorted(set(tokens), key=token_key)
    place_of = dict(zip(states, _around(len(states)), strict=True))
    figure, ax = canvas(SIDE, SIDE)
    for state, counts in followers.items():
        for follower, count in counts.items():
            label = _share(count, counts)
            start, end = place_of[state], place_of[follower]
            if state == follower:
                _loop(ax, start, label)
            else:
                _transition(ax, start, end, label)
    # The states last, so that they stand over the ends of the arrows.
    for state, place in place_of.items():
        ax.add_patch(Circle(place, STATE, facecolor="white", edgecolor=BLUE, linewidth=1.8))
        words(ax, *place, state, size=11, weight="bold")
    return finished(figure, _chain_in_words(followers))


def _followers(tokens):
    """Return {symbol: Counter of what follows it}."""
    followers = {}
    for token, following in pairwise(tokens):
        followers.setdefault(token, Counter())[following] += 1
    return followers


def _share(count, counts):
    return comma(f"{count / counts.total():.2g}")


def _around(n):
    """Return n places on a circle, from the top on clockwise."""
    places = []
    for k in range(n):
        angle = pi / 2 - 2 * pi * k / n
        x = SIDE / 2 + RING * cos(angle)
        y = SIDE / 2 + RING * sin(angle)
        places.append((x, y))
    return places


def _towards(start, end):
    """Return the vector of length 1 from a point to another."""
    dx = end[0] - start[0]
    dy = end[1] - start[1]
    length = (dx**2 + dy**2) ** 0.5
    return dx / length, dy / length


def _moved(point, by_x, by_y):
    x, y = point
    return x + by_x, y + by_y


def _transition(ax, start, end, label):
    dx, dy = _towards(start, end)
    # From the edge of one state to that of the other.
    back = STATE + 0.08
    start = _moved(start, back * dx, back * dy)
    end = _moved(end, -back * dx, -back * dy)
    # The side to the right of the way: an arrow and the one back do not meet.
    aside = 0.17
    start = _moved(start, aside * dy, -aside * dx)
    end = _moved(end, aside * dy, -aside * dx)
    arrow(ax, start, end)
    # Arrows between neighbours fill their side: they speak behind its middle, longer ones before.
    width, height = end[0] - start[0], end[1] - start[1]
    way = 0.72 if width**2 + height**2 < RING**2 else 0.35
    x, y = _moved(start, way * width, way * height)
    words(ax, x + 0.48 * dy, y - 0.36 * dx, label, SLATE, size=9)


def _loop(ax, place, label):
    """Draw an arrow from a state to itself, on its outer side."""
    dx, dy = _towards((SIDE / 2, SIDE / 2), place)
    from_angle = 0.5  # radians between the way out and each end
    radius = STATE + 0.04
    ends = []
    for angle in (from_angle, -from_angle):
        # The way out, turned.
        x = dx * cos(angle) - dy * sin(angle)
        y = dx * sin(angle) + dy * cos(angle)
        ends.append(_moved(place, radius * x, radius * y))
    style = {"arrowstyle": "-|>", "mutation_scale": 10, "color": GREY, "linewidth": 1.5}
    bend = {"connectionstyle": "arc3,rad=-1.9", "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(FancyArrowPatch(*ends, **style, **bend))
    words(ax, *_moved(place, 1.62 * dx, 1.55 * dy), label, SLATE, size=9)


def _chain_in_words(followers):
    sentences = []
    for state, counts in followers.items():
        shares = []
        for follower, count in counts.items():
            shares.append(f"{follower} con probabilidad {_share(count, counts)}")
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
        arrow(ax, (last - width / 2 - 0.1, y), (last, y), ORANGE)
    return finished(figure, _context_in_words(tokens, order))


def _context_in_words(tokens, order):
    several = f"los {order - 1} símbolos anteriores, {tokens[-order]} … {tokens[-2]}"
    seen = several if order > 2 else f"el símbolo anterior, {tokens[-2]}"
    return (
        "Una melodía cuyo último símbolo hay que adivinar. El unigrama no mira nada; "
        f"el {order}-grama mira {seen}."
    )
