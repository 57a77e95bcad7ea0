import numpy as np
import pytest

from musiclab.exercises import PENDING, RIGHT, WRONG, networks

N_SEEDS = 5


def good_step(x, h, W, U, b):
    return np.tanh(x @ W + h @ U + b)


def good_count(n_entradas, n_unidades):
    return 4 * n_unidades * (n_entradas + n_unidades + 1)


def good_shapes(ventanas, pasos, rasgos, unidades):
    found = []
    for k, n in enumerate(unidades):
        read = (ventanas, pasos, rasgos if k == 0 else unidades[k - 1])
        found.append((read, (ventanas, n), (ventanas, pasos, n)))
    read, state, _ = found[-1]
    return [*found[:-1], (read, state, state)]


def good_sequence(xs, W, U, b):
    h = np.zeros(len(b))
    rows = []
    for x in xs:
        h = good_step(x, h, W, U, b)
        rows.append(h)
    return np.stack(rows)


GOOD = {
    "paso_rnn": good_step,
    "pesos_lstm": good_count,
    "formas": good_shapes,
    "recorrer": good_sequence,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_right_answer_is_right_for_every_seed(name):
    exercise = networks.ALL[name]
    for seed in range(N_SEEDS):
        assert exercise.check(GOOD[name], seed).status == RIGHT
        assert exercise.check(exercise.solve, seed).status == RIGHT


@pytest.mark.parametrize("name", GOOD)
def test_every_misconception_is_wrong_and_known_by_its_name(name):
    exercise = networks.ALL[name]
    for misconception, (variant, _) in exercise.wrong.items():
        for seed in range(N_SEEDS):
            verdict = exercise.check(variant, seed)
            assert (verdict.status, verdict.misconception) == (WRONG, misconception)


# Wrong answers as students write them


def step_without_bias(x, h, W, U, b):
    return np.tanh(np.dot(x, W) + np.dot(h, U))


def step_without_tanh(x, h, W, U, b):
    return np.dot(x, W) + np.dot(h, U) + b


def step_without_state(x, h, W, U, b):
    total = b.copy()
    for k in range(len(x)):
        total = total + x[k] * W[k]
    return np.tanh(total)


def step_transposed(x, h, W, U, b):
    return np.tanh(x @ W + np.dot(U, h) + b)


def step_both_transposed(x, h, W, U, b):
    return np.tanh(W @ x + U @ h + b)


def step_sigmoid(x, h, W, U, b):
    return 1 / (1 + np.exp(-(x @ W + h @ U + b)))


def step_bias_late(x, h, W, U, b):
    return b + np.tanh(h @ U + x @ W)


def step_of_lists(x, h, W, U, b):
    return good_step(x, h, W, U, b).tolist()


def step_in_place(x, h, W, U, b):
    h[:] = np.tanh(x @ W + h @ U + b)
    return h


def step_printed(x, h, W, U, b):
    print(good_step(x, h, W, U, b))


def count_without_bias(n, m):
    return 4 * m * (n + m)


def count_three(n, m):
    return 3 * m * (n + m + 1)


def count_one(n, m):
    return m * (n + m + 1)


def count_without_state(n, m):
    return 4 * m * (n + 1)


def count_torch(n, m):
    return 4 * m * (n + m + 2)


def count_gru(n, m):
    return 3 * m * (n + m + 2)


def count_floats(n, m):
    return 4.0 * m * (n + m + 1)


def shapes_every_step(v, t, d, unidades):
    found = []
    for n in unidades:
        found.append([(v, t, d), (v, n), (v, t, n)])
        d = n
    return found


def shapes_last_only(v, t, d, unidades):
    found = []
    for n in unidades:
        found.append([(v, t, d), (v, n), (v, n)])
        d = n
    return found


def shapes_same_input(v, t, d, unidades):
    return [((v, t, d), state, given) for _, state, given in good_shapes(v, t, d, unidades)]


def shapes_steps_first(v, t, d, unidades):
    layers = good_shapes(t, v, d, unidades)
    return [
        (read, (v, n), (v, n) if len(given) == 2 else given)
        for (read, _, given), n in zip(layers, unidades, strict=True)
    ]


def shapes_without_windows(v, t, d, unidades):
    return [tuple(shape[1:] for shape in layer) for layer in good_shapes(v, t, d, unidades)]


def shapes_state_of_steps(v, t, d, unidades):
    return [(read, (*read[:2], n), given)
            for (read, _, given), n in zip(good_shapes(v, t, d, unidades), unidades, strict=True)]  # fmt: skip


def walk_forgetful(xs, W, U, b):
    h = np.zeros(len(b))
    return np.array([good_step(x, h, W, U, b) for x in xs])


def walk_with_first(xs, W, U, b):
    rows = [np.zeros(len(b))]
    for x in xs:
        rows.append(good_step(x, rows[-1], W, U, b))
    return np.array(rows)


def walk_before(xs, W, U, b):
    return walk_with_first(xs, W, U, b)[:-1]


def walk_last(xs, W, U, b):
    h = np.zeros(len(b))
    for x in xs:
        h = good_step(x, h, W, U, b)
    return h


def walk_without_tanh(xs, W, U, b):
    h, rows = np.zeros(len(b)), []
    for x in xs:
        h = step_without_tanh(x, h, W, U, b)
        rows.append(h)
    return np.array(rows)


def walk_without_bias(xs, W, U, b):
    h, rows = np.zeros(len(b)), []
    for x in xs:
        h = step_without_bias(x, h, W, U, b)
        rows.append(h)
    return np.array(rows)


def walk_backwards(xs, W, U, b):
    return good_sequence(np.flip(xs, axis=0), W, U, b)


WRONG_ANSWERS = [
    ("paso_rnn", step_without_bias, "no_bias", "Has olvidado el sesgo"),
    ("paso_rnn", step_without_tanh, "no_tanh", "Has olvidado la tanh"),
    ("paso_rnn", step_without_state, "no_state", "falta h @ U"),
    ("paso_rnn", step_transposed, "transposed_state", "Has traspuesto U"),
    ("paso_rnn", step_both_transposed, "both_transposed", "las dos matrices"),
    ("paso_rnn", step_sigmoid, "logistic", "sigmoide"),
    ("paso_rnn", step_bias_late, "bias_outside", "después de la tanh"),
    ("paso_rnn", step_of_lists, "", "np.array"),
    ("paso_rnn", step_in_place, "changed_argument", "trabaja con una copia"),
    ("paso_rnn", step_printed, "printed", "usa return"),
    ("pesos_lstm", count_without_bias, "no_bias", "olvidado los sesgos"),
    ("pesos_lstm", count_three, "three_gates", "tres puertas"),
    ("pesos_lstm", count_one, "one_gate", "SimpleRNN"),
    ("pesos_lstm", count_without_state, "no_state", "Has olvidado U"),
    ("pesos_lstm", count_torch, "two_biases", "dos sesgos"),
    ("pesos_lstm", count_gru, "gru", "GRU"),
    ("pesos_lstm", count_floats, "", "usa // o int"),
    ("formas", shapes_every_step, "every_step", "solo el último paso"),
    ("formas", shapes_last_only, "only_last", "la siguiente los necesita"),
    ("formas", shapes_same_input, "same_input", "lee lo que da la anterior"),
    ("formas", shapes_steps_first, "steps_first", "las ventanas van primero"),
    ("formas", shapes_without_windows, "no_windows", "el eje de las ventanas"),
    ("formas", shapes_state_of_steps, "state_with_steps", "lo que hay en un momento"),
    ("recorrer", walk_forgetful, "forgetful", "no pasa de un paso al siguiente"),
    ("recorrer", walk_with_first, "with_first", "Sobra el estado inicial"),
    ("recorrer", walk_before, "before_each", "guárdalo después"),
    ("recorrer", walk_last, "last_only", "solo el último estado"),
    ("recorrer", walk_without_tanh, "no_tanh", "Has olvidado la tanh"),
    ("recorrer", walk_without_bias, "no_bias", "Has olvidado el sesgo"),
    ("recorrer", walk_backwards, "backwards", "del final al principio"),
]


@pytest.mark.parametrize("name, answer, misconception, phrase", WRONG_ANSWERS)
def test_a_typical_wrong_answer_hears_what_is_wrong(name, answer, misconception, phrase):
    for seed in range(N_SEEDS):
        verdict = networks.ALL[name].check(answer, seed)
        assert (verdict.status, verdict.misconception) == (WRONG, misconception), verdict
        assert phrase in verdict.reason
        assert verdict.call.startswith(f"{name}(")


def test_a_forgetful_walk_is_shown_from_its_first_wrong_step():
    verdict = networks.check_recorrer(walk_forgetful)
    assert "Desde el paso 2, en naranja" in verdict.picture
    assert "data:image/svg+xml;base64," in verdict.picture
    assert networks.check_recorrer(walk_last).picture == ""


@pytest.mark.parametrize("name", GOOD)
def test_a_stub_is_pending(name):
    def stub(a, b, c):
        """What it shall do."""

    assert networks.ALL[name].check(stub).status == PENDING


# Questions


@pytest.mark.parametrize(
    "name, right, wrong, hint",
    [
        ("pregunta_1", "c", "a", "vuelve a bajar"),
        ("pregunta_1", "C ", "b", "oscila nota a nota"),
        ("pregunta_2", 44, 43, "90 %"),
        ("pregunta_2", 44.0, 45, "busca el primer k"),
        ("pregunta_3", "b", "a", "doble de pesos"),
        ("pregunta_3", "b", "c", "las dos mitades"),
    ],
)
def test_questions_know_their_answer(name, right, wrong, hint):
    question = networks.ALL[name]
    assert question.check(None).status == PENDING
    assert question.check(right).status == RIGHT
    verdict = question.check(wrong)
    assert verdict.status == WRONG and hint in verdict.reason


def test_the_second_question_is_answered_by_what_it_asks():
    k = 0
    while 0.9**k >= 0.01:
        k += 1
    assert networks.PREGUNTA_2.answer == k


def test_the_unit_of_the_first_question_is_a_recurrent_network():
    pitches, memory = [60, 72, 67], 0.75
    xs = (np.array(pitches) - 67)[:, None] / 6
    states = good_sequence(xs, np.array([[1 - memory]]), np.array([[memory]]), np.zeros(1))
    assert np.allclose(networks.follower(pitches, memory), states[:, 0])


def test_the_right_curve_of_the_first_question_is_that_of_the_melody_heard():
    for seed in range(N_SEEDS):
        heard, curves = networks.quiz(np.random.default_rng(seed))
        letter = networks.PREGUNTA_1.answer.upper()
        own = networks.follower(heard, 0.6)
        fits = [name for name, curve in curves.items() if np.allclose(own, curve)]
        assert fits == [letter] and list(curves) == ["A", "B", "C"]
        # As the answers say: A stays above, B leaps at each note, C rises and falls.
        assert curves["A"][-1] > 0.3 and curves["C"][-1] < 0 < curves["C"].max()
        assert (np.diff(np.sign(curves["B"])) != 0).all()


def test_all_holds_what_the_notebook_calls():
    assert list(networks.ALL) == [*GOOD, "pregunta_1", "pregunta_2", "pregunta_3"]
    for name, exercise in networks.ALL.items():
        assert getattr(networks, f"check_{name}") == exercise.check
