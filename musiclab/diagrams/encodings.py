"""One bar as tokens of three encodings, and what the two times of a token mean.

Conventions: a note and the tokens that tell of it have one colour; time
runs to the right, TO_QL centimetres a quarter length.
"""

from itertools import cycle

import numpy as np
from matplotlib.patches import Rectangle

from musiclab.diagrams.drawing import arrow, box, canvas, finished, words
from musiclab.encoding import END, REST, START, get_encoding, token_events
from musiclab.errors import ParameterError
from musiclab.music import pitch_name
from musiclab.music.voices import N_VOICES, SIXTEENTHS
from musiclab.plotting.style import BLUE, GREEN, GREY, ORANGE, PALE, SLATE

LONGEST_QL = 4
LEFT, RIGHT, TO_QL = 3.2, 23.6, 5.0  # where time begins; the width of the drawing
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00")


def bar_in_encodings(song):
    """Return the Diagram of a bar, above its tokens in «tutorial», «events» and «grid».

    song: at most LONGEST_QL long, with a dozen tokens in «events» at most
    Raises ParameterError for a longer one.
    """
    if not 0 < song.duration_ql <= LONGEST_QL:
        raise ParameterError(
            f"la canción dura {song.duration_ql:g} negras y debe durar {LONGEST_QL} como mucho: "
            "dibuja un solo compás"
        )
    figure, ax = canvas(RIGHT, 11.2)
    _roll(ax, song, bottom=7.3, top=10.3)
    counts = {
        "tutorial": _row(ax, song, "tutorial", 6.0),
        "events": _row(ax, song, "events", 4.5),
        "grid": _table(ax, song, 3.2),
    }
    said = ", ".join(f"{n} en «{name}»" for name, n in counts.items())
    return finished(figure, f"Un compás como rollo de pianola y, debajo, sus símbolos: {said}.")


def _colours(song):
    """Return {onset_ql: colour}: what begins together looks alike."""
    onsets = sorted({event.onset_ql for event in song.events})
    return dict(zip(onsets, cycle(COLOURS), strict=False))


def _roll(ax, song, bottom, top):
    """Draw the notes between two heights, and the quarters below them."""
    colours = _colours(song)
    # A row for each pitch that there is.
    pitches = sorted({pitch for event in song.events for pitch in event.pitches})
    step = (top - bottom) / len(pitches)
    _quarters(ax, LEFT + TO_QL * np.arange(LONGEST_QL + 1), bottom, top)
    for event in song.events:
        colour = colours[event.onset_ql]
        middle = LEFT + TO_QL * (event.onset_ql + event.duration_ql / 2)
        width = TO_QL * event.duration_ql - 0.12  # a gap between notes
        for pitch in event.pitches:
            y = bottom + step * (pitches.index(pitch) + 0.5)
            box(ax, middle, y, pitch_name(pitch), width, 0.7 * step, colour, filled=True)
    words(ax, LEFT - 0.3, (bottom + top) / 2, "el compás", ha="right")


def _quarters(ax, places, bottom, top):
    """Draw lines where quarters begin, and count them below."""
    ax.vlines(places, bottom, top, color=PALE, linewidth=1, zorder=0)
    for k, x in enumerate(places):
        words(ax, x, bottom - 0.3, str(k), SLATE, 9)
    words(ax, places[0] - 0.3, bottom - 0.3, "negras", SLATE, 9, ha="right")


def _row(ax, song, name, y):
    """Draw the tokens of an encoding side by side, and return how many there are."""
    encoding, colours = get_encoding(name), _colours(song)
    tokens = encoding.encode(song)
    # What each token plays gives it its colour; without times there is one for each chord.
    played = token_events(tokens, name) if encoding.timed else song.chords()
    x = LEFT
    for token, event in zip(tokens, played, strict=True):
        width = 0.8 + 0.22 * len(token)
        colour = colours.get(event.onset_ql, GREY) if event else GREY
        box(ax, x + width / 2, y, token, width, 0.8, colour)
        x += width + 0.15
    _name(ax, name, f"{len(tokens)} símbolos", y)
    return len(tokens)


def _table(ax, song, top):
    """Draw the tokens of «grid», a column for each sixteenth, and return how many there are."""
    tokens = get_encoding("grid").encode(song)
    played, colours = token_events(tokens, "grid"), _colours(song)
    width, height = TO_QL / SIXTEENTHS, 0.7
    pairs = zip(tokens, played, strict=True)
    inside = [(token, event) for token, event in pairs if token not in (START, END)]
    colour_of = {}  # what a voice sings: a note that it holds keeps its colour
    for k, (token, event) in enumerate(inside):
        column, voice = divmod(k, N_VOICES)
        if token == REST:
            colour_of[voice] = GREY
        elif token != "_":
            colour_of[voice] = colours[event.onset_ql]
        # A cell of the table, and the token in its middle.
        x, y = LEFT + width * column, top - height * (voice + 1)
        ax.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor=PALE))
        words(ax, x + width / 2, y + height / 2, token, colour_of[voice], 10, weight="bold")
    # START and END are not drawn.
    about = f"{len(inside)} + {len(tokens) - len(inside)} símbolos"
    _name(ax, "grid", about, top - height * N_VOICES / 2)
    return len(tokens)


def _name(ax, name, about, y):
    words(ax, LEFT - 0.3, y + 0.22, f"«{name}»", ha="right")
    words(ax, LEFT - 0.3, y - 0.28, about, SLATE, 9, ha="right")


def duration_and_wait():
    """Return the Diagram of three tokens of «events»: how long a note lasts, how long one waits."""
    figure, ax = canvas(RIGHT, 6.6)
    to_ql, left = 6.0, 4.6
    # Each note as a bar, as long as its token says: onset, duration, height.
    for token, colour, onset, duration, y in (
        ("B-4:1:0", BLUE, 0, 1.0, 5.4),
        ("E-3:5/2:1", ORANGE, 0, 2.5, 3.9),
        ("C5:3/2:3/2", GREEN, 1, 1.5, 2.4),
    ):
        begin = left + to_ql * onset
        end = left + to_ql * (onset + duration)
        words(ax, left - 0.4, y, token, colour, 12, ha="right", weight="bold")
        text = f"dura {token.split(':')[1]}"
        box(ax, (begin + end) / 2, y, text, end - begin - 0.1, 0.7, colour, filled=True)
    _quarters(ax, left + to_ql * np.arange(4), 1.7, 6.2)
    # The waits, one behind the other.
    arrow(ax, left, 0.75, left + to_ql, 0.75, ORANGE)
    words(ax, left + to_ql / 2, 0.35, "E-3 espera 1", ORANGE, 10)
    arrow(ax, left + to_ql, 0.75, left + 2.5 * to_ql, 0.75, GREEN)
    words(ax, left + 1.75 * to_ql, 0.35, "C5 espera 3/2", GREEN, 10)
    words(ax, left - 0.4, 0.55, "B-4 espera 0", BLUE, 10, ha="right")
    return finished(
        figure,
        "Tres símbolos de «events» sobre un eje de tiempo: la barra de cada nota mide su duración "
        "y las flechas de abajo, lo que se espera hasta la siguiente. B-4 dura 1 y espera 0, de "
        "modo que E-3 empieza a la vez; E-3 dura 5/2 y espera 1; C5 empieza en 1, mientras E-3 sigue.",
    )
