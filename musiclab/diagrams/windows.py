"""A window slides over a song: while the network learns, and while it writes.

Conventions: a song is a row of boxes, one a symbol, read from left to right.
The window is blue, what has to be foretold is orange and filled.
"""

from musiclab.diagrams.drawing import arrow, box, canvas, finished, words
from musiclab.plotting.style import BLUE, GREY, ORANGE, PALE

LEFT, GAP, ROW = 2.2, 0.2, 1.15  # where boxes begin, and between them and from row to row, in cm


def sliding_window(symbols, window_length, n_examples=3, first=0):
    """Return a Diagram of a song and the examples that its first windows make.

    symbols: what is written in the boxes, more than window_length of them
    n_examples: how many windows to draw, at most; first: where the first one begins
    """
    n_examples = max(min(n_examples, len(symbols) - window_length - first), 1)
    width = _width(symbols)
    figure, ax = canvas(_place(len(symbols), width), (n_examples + 1) * ROW + 1.3)
    # The song above, and below it a row for each example.
    top = n_examples * ROW + 1.8
    words(ax, 0.15, top, "canción", ha="left")
    _row(ax, symbols, 0, top, width, GREY)
    for k in range(n_examples):
        start = first + k
        y = top - (k + 1) * ROW
        end = start + window_length
        words(ax, 0.15, y, f"ejemplo {start}", ha="left")
        _row(ax, symbols[start:end], start, y, width, BLUE)
        _row(ax, symbols[end : end + 1], end, y, width, ORANGE, filled=True)
    words(ax, LEFT, 0.9, "la ventana: lo que la red lee", BLUE, ha="left")
    words(ax, LEFT, 0.35, "la respuesta: el símbolo que sigue", ORANGE, ha="left")
    return finished(figure, _in_words(symbols, window_length, n_examples, first))


def _width(symbols):
    """Return the width of all boxes: the longest symbol fits."""
    longest = max(map(len, map(str, symbols)))
    return max(1.35, 0.5 + 0.21 * longest)


def _row(ax, symbols, start, y, width, colour, filled=False):
    for k, symbol in enumerate(symbols, start=start):
        x = _place(k, width)
        box(ax, x, y, str(symbol), width, 0.75, colour, filled)


def _place(k, width):
    """Return where the box of symbol k has its centre."""
    return LEFT + k * (width + GAP) + width / 2


def _in_words(symbols, window_length, n_examples, first):
    examples = []
    for start in range(first, first + n_examples):
        end = start + window_length
        window = ", ".join(map(str, symbols[start:end]))
        answer = ", ".join(map(str, symbols[end : end + 1]))
        examples.append(f"de {window} se pide {answer}")
    return f"Una ventana de {window_length} símbolos avanza por una canción: {'; '.join(examples)}."


def writing_loop(symbols, window_length, new="?"):
    """Return a Diagram of a network that writes: what is drawn goes to the song's end.

    symbols: the song so far, at least window_length of them; new: the one that comes
    """
    whole = window_length == len(symbols)
    read = "la canción" if whole else f"los últimos {window_length} símbolos"
    n = len(symbols)
    first = n - window_length  # of those that are read
    width = _width([*symbols, new])
    figure, ax = canvas(_place(n + 1, width), 4.9)
    low, high = 0.95, 3.7
    # Below, the song: what is not read, what is, and what comes.
    words(ax, 0.15, low, "canción", ha="left")
    _row(ax, symbols[:first], 0, low, width, PALE)
    _row(ax, symbols[first:], first, low, width, BLUE)
    _row(ax, [new], n, low, width, ORANGE, filled=True)

    # Above, the network over the middle of what it reads, and chance over what it draws.
    middle = _place(n - (window_length + 1) / 2, width)
    chance = _place(n, width)
    box(ax, middle, high, "red", width=2.6)
    box(ax, chance, high, "sorteo", colour=ORANGE, width=1.9)
    # Up, across and down again.
    given, taken = middle + 1.4, chance - 1.05
    arrow(ax, middle, low + 0.5, middle, high - 0.6, BLUE)
    arrow(ax, given, high, taken, high)
    arrow(ax, chance, high - 0.6, chance, low + 0.5, ORANGE)
    between = (low + high) / 2
    words(ax, (given + taken) / 2, high + 0.75, "probabilidades", GREY)
    words(ax, middle - 0.2, between, "lee " + read, BLUE, ha="right")
    words(ax, chance - 0.2, between, "se añade", ORANGE, ha="right")
    return finished(
        figure,
        f"La red lee {read} y da probabilidades; un sorteo elige el símbolo siguiente, {new}, que "
        "se añade al final, y vuelta a empezar.",
    )
