"""Exercises on recurrent networks: a step, its weights counted, shapes, a whole sequence.

Conventions: rows are examples, so an input x (n_inputs,) meets its weights as
x @ W, with W (n_inputs, n_units), U (n_units, n_units) and b (n_units,).
"""

from functools import partial

import numpy as np

from musiclab.diagrams import unrolled
from musiclab.exercises.exercise import Exercise, Question

FEW_STEPS = 6  # as many as fit into a picture


def _weights(rng, n_inputs, n_units):
    """Return W, U and b, with few decimals, so that they can be copied and tried."""
    W = rng.normal(0, 0.8, (n_inputs, n_units)).round(2)
    U = rng.normal(0, 0.6, (n_units, n_units)).round(2)
    b = rng.uniform(0.3, 0.9, n_units).round(2)
    return W, U, b


# 1. One step


def _step(x, h, W, U, b):
    """Return the new state (n_units,): tanh(x W + h U + b), unit by unit."""
    new = np.zeros(len(b))
    for unit in range(len(b)):
        # What it hears of the input, and what of the units a step ago.
        from_input = sum(x[k] * W[k, unit] for k in range(len(x)))
        from_state = sum(h[k] * U[k, unit] for k in range(len(h)))
        new[unit] = np.tanh(from_input + from_state + b[unit])
    return new


def _linear(x, h, W, U, b):
    return x @ W + h @ U + b


def _step_cases(rng):
    # As many inputs as units comes first: there a transposed W fits, and can be told.
    sizes = [(2, 2), (3, 3), (1, 2), (4, 3), (8, 5)]
    cases = []
    for n_inputs, n_units in sizes:
        x = rng.normal(0, 1, n_inputs).round(2)
        h = rng.uniform(-0.9, 0.9, n_units).round(2)
        cases.append((x, h, *_weights(rng, n_inputs, n_units)))
    return cases


_WRONG_PASO_RNN = {
    "no_bias": (
        lambda x, h, W, U, b: _step(x, h, W, U, 0 * b),
        "Has olvidado el sesgo: suma b antes de la tanh.",
    ),
    "no_tanh": (
        _linear,
        "Has olvidado la tanh: sin ella, el estado puede crecer sin límite.",
    ),
    "no_state": (
        lambda x, h, W, U, b: np.tanh(x @ W + b),
        "Has olvidado el estado anterior: falta h @ U, y sin él la red no recuerda nada.",
    ),
    "transposed_state": (
        lambda x, h, W, U, b: _step(x, h, W, U.T, b),
        "Has traspuesto U: el vector va delante de la matriz, h @ U y no U @ h.",
    ),
    "transposed_input": (
        lambda x, h, W, U, b: _step(x, h, W.T, U, b),
        "Has traspuesto W: el vector va delante de la matriz, x @ W y no W @ x.",
    ),
    "both_transposed": (
        lambda x, h, W, U, b: _step(x, h, W.T, U.T, b),
        "Has traspuesto las dos matrices: el vector va delante, x @ W y h @ U.",
    ),
    "bias_outside": (
        lambda x, h, W, U, b: np.tanh(x @ W + h @ U) + b,
        "Has sumado el sesgo después de la tanh: va dentro, con los otros dos sumandos.",
    ),
    "two_tanh": (
        lambda x, h, W, U, b: np.tanh(x @ W + b) + np.tanh(h @ U),
        "Has aplicado la tanh a cada sumando: primero se suma todo y luego, una sola tanh.",
    ),
    "logistic": (
        lambda *arguments: 1 / (1 + np.exp(-_linear(*arguments))),
        "Has usado la sigmoide, que es la de las puertas: aquí va la tanh.",
    ),
    "swapped": (
        lambda x, h, W, U, b: _step(x, h, U, W, b),
        "Has cambiado las matrices: W es para la entrada x y U, para el estado h.",
    ),
}

PASO_RNN = Exercise("paso_rnn", _step, _step_cases, _WRONG_PASO_RNN)


# 2. The weights of an LSTM, counted


def _lstm_weights(n_inputs, n_units, n_gates=4, n_biases=1):
    """Return how many weights an LSTM layer of Keras has: three gates and the candidate."""
    total = 0
    for _gate in range(n_gates):
        total += n_inputs * n_units  # W
        total += n_units * n_units  # U
        total += n_units * n_biases  # b
    return total


def _lstm_cases(rng):
    more = rng.integers(2, 200, (6, 2)).tolist()
    # With 4 and 3, no two misconceptions give the same number.
    return [(4, 3), (1, 1), (3, 2), *map(tuple, more)]


_WRONG_PESOS_LSTM = {
    "no_bias": (
        partial(_lstm_weights, n_biases=0),
        "Has olvidado los sesgos: cada puerta tiene uno por unidad.",
    ),
    "three_gates": (
        partial(_lstm_weights, n_gates=3),
        "Has contado tres puertas y falta el candidato: son cuatro juegos de W, U y b.",
    ),
    "one_gate": (
        partial(_lstm_weights, n_gates=1),
        "Eso es una SimpleRNN: una LSTM tiene cuatro juegos de W, U y b.",
    ),
    "gru": (
        partial(_lstm_weights, n_gates=3, n_biases=2),
        "Eso es una GRU de Keras: una LSTM tiene cuatro juegos y un solo sesgo en cada uno.",
    ),
    "two_biases": (
        partial(_lstm_weights, n_biases=2),
        "Has contado dos sesgos por puerta: en la LSTM de Keras hay uno.",
    ),
    "no_state": (
        lambda n, m: 4 * (n * m + m),
        "Has olvidado U: el estado anterior entra también en cada puerta.",
    ),
    "one_bias": (
        lambda n, m: 4 * (n * m + m * m) + m,
        "Has contado los sesgos de una sola puerta: son cuatro veces n_unidades.",
    ),
    "square_inputs": (
        lambda n, m: 4 * (n * m + n * n + m),
        "Has contado U con n_entradas: va de estado a estado, n_unidades por n_unidades.",
    ),
}

PESOS_LSTM = Exercise("pesos_lstm", _lstm_weights, _lstm_cases, _WRONG_PESOS_LSTM)


# 3. Shapes in a stack


def _shapes(n_windows, n_steps, n_features, units):
    """Return (input, state, output) of each layer; the last layer gives its last step alone."""
    shapes, width = [], n_features
    for number, n_units in enumerate(units, start=1):
        is_last = number == len(units)
        read = (n_windows, n_steps, width)
        state = (n_windows, n_units)
        given = state if is_last else (n_windows, n_steps, n_units)
        shapes.append((read, state, given))
        width = n_units  # what a layer gives is what the next one reads
    return shapes


def _each_layer(change):
    """Return the function that gives change(read, state, given) of each layer."""
    return lambda *sizes: [change(*layer) for layer in _shapes(*sizes)]


def _with_steps(read, state):
    """Return the shape of a state at every step that was read."""
    return (*read[:2], state[1])


def _same_input(n, t, d, units):
    return [((n, t, d), state, given) for _, state, given in _shapes(n, t, d, units)]


def _steps_first(*layer):
    # States have no steps, and stay as they are.
    return [(shape[1], shape[0], shape[2]) if len(shape) == 3 else shape for shape in layer]


def _shape_cases(rng):
    cases = [(2, 3, 4, [5]), (2, 3, 4, [5, 6])]
    for n_layers in (1, 2, 3, 4):
        sizes = rng.integers(5, 100, 3).tolist()  # windows, steps, features
        units = rng.integers(5, 300, n_layers).tolist()
        cases.append((*sizes, units))
    return cases


_WRONG_FORMAS = {
    "every_step": (
        _each_layer(lambda read, state, given: (read, state, _with_steps(read, state))),
        "La última capa da solo el último paso: su salida no tiene el eje de los pasos.",
    ),
    "only_last": (
        _each_layer(lambda read, state, given: (read, state, state)),
        "Las capas que no son la última dan una salida en cada paso: la siguiente los necesita.",
    ),
    "state_with_steps": (
        _each_layer(lambda read, state, given: (read, _with_steps(read, state), given)),
        "El estado no guarda un valor por paso: es lo que hay en un momento, (ventanas, unidades).",
    ),
    "same_input": (
        _same_input,
        "Cada capa lee lo que da la anterior: desde la segunda, su entrada tiene las unidades de esa.",
    ),
    "steps_first": (
        _each_layer(_steps_first),
        "Has puesto los pasos delante de las ventanas: en Keras, las ventanas van primero.",
    ),
    "no_windows": (
        _each_layer(lambda *layer: [shape[1:] for shape in layer]),
        "Has olvidado el eje de las ventanas, que es el primero de todas las formas.",
    ),
    "square_state": (
        _each_layer(lambda read, state, given: (read, 2 * state[1:], given)),
        "Esa es la forma de U, no la del estado: cada ventana tiene un número por unidad.",
    ),
}

FORMAS = Exercise("formas", _shapes, _shape_cases, _WRONG_FORMAS)


# 4. A whole sequence


def _states(xs, W, U, b, step=_step, first=np.zeros):
    """Return the states (n_steps, n_units) of a sequence xs (n_steps, n_inputs), from h = 0."""
    h, states = first(len(b)), []
    for x in xs:
        h = step(x, h, W, U, b)
        states.append(h)
    return np.array(states)


def _with_first(xs, W, U, b):
    return np.vstack([np.zeros(len(b)), _states(xs, W, U, b)])


def _sequence_cases(rng):
    sizes = [(2, 1, 1), (3, 2, 2), (FEW_STEPS, 3, 4), (12, 5, 3), (1, 2, 3)]
    cases = []
    for n_steps, n_inputs, n_units in sizes:
        xs = rng.normal(0, 1, (n_steps, n_inputs)).round(2)
        cases.append((xs, *_weights(rng, n_inputs, n_units)))
    return cases


def _first_wrong_step(arguments, expected, got):
    """Return a picture of the network unrolled, red from the first step whose state is wrong."""
    got = np.asarray(got, dtype=float)
    if got.shape != expected.shape or len(expected) > FEW_STEPS:
        return ""
    # A step is wrong where one unit is.
    wrong = ~np.isclose(got, expected, rtol=1e-6, atol=1e-6).all(axis=1)
    names = [f"xs[{k}]" for k in range(len(expected))]
    return unrolled(names, wrong_from=int(wrong.argmax()))._repr_html_()


_WRONG_RECORRER = {
    "forgetful": (
        lambda xs, W, U, b: np.tanh(xs @ W + b),
        "El estado no pasa de un paso al siguiente: lo que devuelve un paso entra en el otro.",
    ),
    "with_first": (
        _with_first,
        "Sobra el estado inicial, el de ceros: devuelve uno por cada símbolo leído.",
    ),
    "before_each": (
        lambda *arguments: _with_first(*arguments)[:-1],
        "Guardas el estado antes de leer cada símbolo: guárdalo después.",
    ),
    "last_only": (
        lambda *arguments: _states(*arguments)[-1],
        "Has devuelto solo el último estado: guarda el de cada paso.",
    ),
    "no_tanh": (partial(_states, step=_linear), "Has olvidado la tanh en cada paso."),
    "no_bias": (
        lambda xs, W, U, b: _states(xs, W, U, 0 * b),
        "Has olvidado el sesgo: súmalo en cada paso.",
    ),
    "transposed_state": (
        lambda xs, W, U, b: _states(xs, W, U.T, b),
        "Has traspuesto U: es h @ U y no U @ h.",
    ),
    "backwards": (
        lambda xs, W, U, b: _states(xs[::-1], W, U, b),
        "Has leído la secuencia del final al principio.",
    ),
    "from_ones": (
        partial(_states, first=np.ones),
        "El estado inicial es de ceros, no de unos.",
    ),
}

RECORRER = Exercise("recorrer", _states, _sequence_cases, _WRONG_RECORRER, show=_first_wrong_step)


# Questions


def follower(pitches, memory):
    """Return the states (n_notes,) of a unit made by hand that follows a melody.

    pitches: MIDI numbers (n_notes,), heard as octaves above or below middle G
    memory: how much of the state before stays, from 0 to 1

    It is an RNN of one unit, with W = 1 - memory, U = memory and b = 0.
    """
    h, states = 0.0, []
    for pitch in pitches:
        h = float(np.tanh((1 - memory) * (pitch - 67) / 6 + memory * h))
        states.append(h)
    return np.array(states)


def quiz(rng):
    """Return (pitches, curves) of the first question: what is heard, and {letter: states}.

    One melody goes up and stays, one leaps up and down, one goes up and comes back.
    """
    rise = 54 + np.cumsum(rng.integers(2, 4, 8))
    leaps = 67 + np.tile([9, -9], 8)
    melodies = {
        "A": [*rise, *[rise[-1]] * 8],
        "B": [*(leaps + rng.integers(-1, 2, 16))],
        "C": [*rise, *rise[::-1]],
    }
    heard = [int(pitch) for pitch in melodies[PREGUNTA_1.answer.upper()]]
    return heard, {letter: follower(pitches, 0.6) for letter, pitches in melodies.items()}


PREGUNTA_1 = Question(
    "pregunta_1",
    "c",
    {
        "a": "No: en la curva A la unidad sube y se queda arriba, y la melodía vuelve a bajar.",
        "b": "No: la curva B oscila nota a nota, como una melodía que salta arriba y abajo.",
        "c": "Sí: la melodía sube y vuelve a bajar, y la curva C hace lo mismo, con algo de retraso.",
    },
)

PREGUNTA_2 = Question(
    "pregunta_2",
    44,
    why="0,9 elevado a 43 es 0,0108 y elevado a 44, 0,0097: por debajo del 1 % desde el paso 44.",
    hint="De un paso al siguiente queda el 90 %: busca el primer k con 0,9 elevado a k menor que 0,01.",
)

PREGUNTA_3 = Question(
    "pregunta_3",
    "b",
    {
        "a": "No: tiene el doble de pesos que en un solo sentido, pero eso no le impide escribir.",
        "b": "Sí: la mitad de la red lee del final al principio, y al escribir no hay final todavía.",
        "c": "No: las dos mitades se juntan sin dificultad; sus salidas se ponen una detrás de otra.",
    },
)

EXERCISES = (PASO_RNN, PESOS_LSTM, FORMAS, RECORRER)
QUESTIONS = (PREGUNTA_1, PREGUNTA_2, PREGUNTA_3)
ALL = {one.name: one for one in EXERCISES + QUESTIONS}

check_paso_rnn, check_pesos_lstm, check_formas, check_recorrer = (one.check for one in EXERCISES)
check_pregunta_1, check_pregunta_2, check_pregunta_3 = (one.check for one in QUESTIONS)
