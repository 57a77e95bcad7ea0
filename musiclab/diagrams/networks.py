"""One step of a recurrent network, the same network unrolled in time, an LSTM's gates.

Conventions: time goes to the right, what is read comes from below. x is the
input of a step, h the state, c an LSTM's memory; W, U and b are the weights
for the input, those for the state before, and the bias.
"""

from musiclab.diagrams.drawing import arrow, box, canvas, disc, finished, words
from musiclab.plotting.style import BLUE, GREEN, GREY, ORANGE, SLATE

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
RADIUS = 0.36  # of a circle with a sign in it


def rnn_step():
    """Draw how one step makes the new state of the input and of the state before."""
    figure, ax = canvas(14, 6)
    box(ax, 1.4, 4.0, "h antes", 2.2, colour=GREEN)
    box(ax, 7.0, 0.8, "x, la entrada", 3.2, colour=ORANGE)
    box(ax, 7.0, 4.0, "suma", 2.0, colour=SLATE)
    box(ax, 9.9, 4.0, "tanh", 1.8, colour=SLATE)
    box(ax, 12.6, 4.0, "h ahora", 2.2, colour=GREEN, filled=True)
    # Three terms meet in the sum.
    arrow(ax, 2.5, 4.0, 6.0, 4.0)
    words(ax, 4.25, 4.4, "por U", SLATE)
    arrow(ax, 7.0, 1.3, 7.0, 3.5)
    words(ax, 7.8, 2.4, "por W", SLATE)
    arrow(ax, 7.0, 5.3, 7.0, 4.5)
    words(ax, 7.0, 5.6, "b, el sesgo", SLATE)
    # One number comes out of each unit.
    arrow(ax, 8.0, 4.0, 9.0, 4.0)
    arrow(ax, 10.8, 4.0, 11.5, 4.0)
    alt = (
        "Un paso de una red recurrente: la entrada x por W, el estado anterior h por U y el sesgo b "
        "se suman, y la tanh de la suma es el estado nuevo."
    )
    return finished(figure, alt)


def unrolled(names, wrong_from=None):
    """Draw a network unrolled in time: the same box at each step, the state passed on.

    names: what is read at each step, such as names of pitches, one or more
    wrong_from: the number of the first step, from 0, that goes wrong, if any
    """
    apart, half = 2.7, 0.85  # between boxes, and of a box
    figure, ax = canvas(apart * len(names) + 2.6, 5.6)
    words(ax, 0.65, 2.8, "h₀ = 0", GREEN)
    arrow(ax, 1.3, 2.8, apart - half, 2.8, GREEN)
    for k, name in enumerate(names, start=1):
        x, number = apart * k, str(k).translate(SUBSCRIPTS)
        is_wrong = wrong_from is not None and k > wrong_from
        box(ax, x, 0.7, name, 2 * half, colour=ORANGE)
        box(ax, x, 2.8, "W, U, b", 2 * half, colour=ORANGE if is_wrong else BLUE, filled=True)
        words(ax, x, 5.0, f"y{number}", SLATE, 11)
        arrow(ax, x, 1.2, x, 2.3)
        arrow(ax, x, 3.3, x, 4.65)
        # The state goes on to the next step; the last one, to nobody.
        arrow(ax, x + half, 2.8, x + apart - half, 2.8, GREEN)
        words(ax, x + apart / 2, 3.2, f"h{number}", GREEN)
    alt = (
        f"Una red recurrente desplegada en {len(names)} pasos: en cada uno la misma caja, con los "
        f"mismos pesos W, U y b, lee un símbolo ({', '.join(names)}) y el estado del paso "
        "anterior, da una salida y pasa su estado al siguiente."
    )
    if wrong_from is not None:
        alt += f" Desde el paso {wrong_from + 1}, en naranja, el estado no es el correcto."
    return finished(figure, alt)


def lstm_gates():
    """Draw an LSTM's cell: its memory above, and the gates that change and show it."""
    figure, ax = canvas(16.5, 8.6)
    memory, shown, gates, read = 7.6, 5.7, 3.3, 0.8
    columns = {"olvido f": 2.8, "entrada i": 6.0, "candidato g": 9.2, "salida o": 12.4}
    # The memory's way: a product and a sum are all that touches it.
    words(ax, 0.75, memory, "c antes", GREEN)
    disc(ax, 2.8, memory, RADIUS, "×", size=12)
    disc(ax, 7.6, memory, RADIUS, "+", size=12)
    words(ax, 15.6, memory, "c ahora", GREEN)
    for start, end in ((1.5, 2.44), (3.16, 7.24), (7.96, 14.8)):
        arrow(ax, start, memory, end, memory, GREEN)
    # What is read goes to all four.
    words(ax, 1.0, read, "x, h antes", ORANGE)
    ax.plot([2.0, 12.4], [read, read], color=GREY, linewidth=1.5)
    for name, x in columns.items():
        is_gate = name != "candidato g"
        box(ax, x, gates, f"{name}\n{'σ' if is_gate else 'tanh'}", 2.5, 1.4,
            BLUE if is_gate else SLATE, filled=is_gate)  # fmt: skip
        arrow(ax, x, read, x, gates - 0.7)
    # Forget, then add the candidate as far as the input gate lets it.
    arrow(ax, 2.8, gates + 0.7, 2.8, memory - RADIUS)
    disc(ax, 7.6, shown, RADIUS, "×", size=12)
    arrow(ax, 6.4, gates + 0.7, 7.35, shown - 0.27)
    arrow(ax, 8.8, gates + 0.7, 7.85, shown - 0.27)
    arrow(ax, 7.6, shown + RADIUS, 7.6, memory - RADIUS)
    # The output gate says how much of the memory is shown.
    disc(ax, 12.4, shown, RADIUS, "×", size=12)
    arrow(ax, 12.4, gates + 0.7, 12.4, shown - RADIUS)
    arrow(ax, 12.4, memory, 12.4, shown + RADIUS)
    words(ax, 13.0, 6.7, "tanh", SLATE)
    arrow(ax, 12.76, shown, 14.8, shown, GREEN)
    words(ax, 15.6, shown, "h ahora", GREEN)
    alt = (
        "Las puertas de una LSTM: la memoria c se multiplica por la puerta de olvido, se le suma el "
        "candidato multiplicado por la puerta de entrada, y la puerta de salida multiplica la tanh "
        "de la memoria para dar el estado h. Las cuatro leen x y el estado anterior."
    )
    return finished(figure, alt)
