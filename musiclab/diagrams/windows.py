"""A window slides over a song: while the network learns, and while it writes.

Conventions: a song is a row of boxes, one a symbol, read from left to right.
The window is blue, what has to be foretold is orange and filled.
"""

from musiclab.diagrams.drawing import arrow, box, canvas, finished, words
from musiclab.plotting.style import BLUE, GREY, ORANGE, PALE

STEP, ROW = 1.55, 1.15  # centimetres from one box to the next, and to the next row
BOX = {"width": 1.35, "height": 0.75}
LEFT = 2.9  # where the first box has its centre


def sliding_window(symbols, window_length, n_examples=3, first=0):
    """Return a Diagram of a song and the examples that its first windows make.

    symbols: what is written in the boxes, more than window_length of them
    n_examples: how many windows to draw, at most; first: where the first one begins
    """
    n_examples = max(min(n_examples, len(symbols) - window_length - first), 1)
    figure, ax = canvas(LEFT + len(symbols) * STEP, (n_examples + 1) * ROW + 1.3)
    top = n_examples * ROW + 1.8
    words(ax, 0.15, top, "canción", ha="left")
    _row(ax, symbols, 0, top, GREY)
    for k in range(n_examples):
        start, y = first + k, top - (k + 1) * ROW
        words(ax, 0.15, y, f"ejemplo {start}", ha="left")
        _example(ax, symbols, start, window_length, y)
    words(ax, LEFT - 0.7, 0.9, "la ventana: lo que la red lee", BLUE, ha="left")
    words(ax, LEFT - 0.7, 0.35, "la respuesta: el símbolo que sigue", ORANGE, ha="left")
    return finished(figure, _in_words(symbols, window_length, n_examples, first))


def _row(ax, symbols, start, y, colour, filled=False):
    for k, symbol in enumerate(symbols):
        box(ax, _place(start + k), y, str(symbol), colour=colour, filled=filled, **BOX)


def _example(ax, symbols, start, window_length, y):
    """Draw a window in its place below the song, and its answer behind it."""
    end = start + window_length
    _row(ax, symbols[start:end], start, y, BLUE)
    _row(ax, symbols[end : end + 1], end, y, ORANGE, filled=True)


def _place(k):
    return LEFT + k * STEP


def _in_words(symbols, window_length, n_examples, first):
    examples = []
    for start in range(first, first + n_examples):
        end = start + window_length
        window = ", ".join(map(str, symbols[start:end]))
        examples.append(f"de {window} se pide {', '.join(map(str, symbols[end : end + 1]))}")
    return f"Una ventana de {window_length} símbolos avanza por una canción: {'; '.join(examples)}."


def writing_loop(symbols, window_length, new="?"):
    """Return a Diagram of a network that writes: what is drawn goes to the song's end.

    symbols: the song so far, at least window_length of them; new: the one that comes
    """
    whole = window_length == len(symbols)
    read = "la canción" if whole else f"los últimos {window_length} símbolos"
    n = len(symbols)
    figure, ax = canvas(LEFT + (n + 1) * STEP, 4.9)
    low, high = 0.95, 3.7
    words(ax, 0.15, low, "canción", ha="left")
    _row(ax, symbols[: n - window_length], 0, low, PALE)
    _row(ax, symbols[n - window_length :], n - window_length, low, BLUE)
    _row(ax, [new], n, low, ORANGE, filled=True)

    middle = _place(n - (window_length + 1) / 2)
    chance = _place(n)
    box(ax, middle, high, "red", width=2.6)
    box(ax, chance, high, "sorteo", colour=ORANGE, width=1.9)
    arrow(ax, (middle, low + 0.5), (middle, high - 0.6), BLUE)
    arrow(ax, (middle + 1.4, high), (chance - 1.05, high))
    arrow(ax, (chance, high - 0.6), (chance, low + 0.5), ORANGE)
    words(ax, (middle + 1.4 + chance - 1.05) / 2, high + 0.75, "probabilidades", GREY)
    words(ax, middle - 0.2, (low + high) / 2, "lee " + read, BLUE, ha="right")
    words(ax, chance - 0.2, (low + high) / 2, "se añade", ORANGE, ha="right")
    return finished(
        figure,
        f"La red lee {read} y da probabilidades; un sorteo elige el símbolo siguiente, {new}, que "
        "se añade al final, y vuelta a empezar.",
    )
