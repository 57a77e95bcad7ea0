"""Whatever a student's cell holds, the answer is one Spanish sentence and never a traceback."""

import itertools
import threading
import time

import numpy as np
import pytest

from musiclab.exercises import PENDING, RIGHT, WRONG, Exercise, Question
from musiclab.exercises.calling import MOST_PRINTED, Outcome, call
from musiclab.exercises.comparing import difference, kind_of, shown
from musiclab.exercises.exercise import is_stub, typed


def transpose(pitches, semitones):
    return [pitch + semitones for pitch in pitches]


def cases(rng):
    return [([60], 2), ([60, 64], 3), (rng.integers(40, 80, 6).tolist(), 5)]


TRANSPOSE = Exercise(
    "transportar",
    transpose,
    cases,
    wrong={
        "down": (lambda p, s: [a - s for a in p], "Has bajado en vez de subir."),
        "first": (lambda p, s: [p[0] + s, *p[1:]], "Solo has subido la primera."),
        "octave": (
            lambda p, s: [(a + s) % 12 for a in p],
            "Te has quedado con la clase de altura.",
        ),
        "identity": (lambda p, s: p, "No has cambiado nada."),
        "breaks": (lambda p, s: 1 // 0, "Nunca se dice."),
        "no_return": (lambda p, s: {}, "Has devuelto un diccionario."),
        "right": (transpose, "Está bien, así que nunca se dice."),
    },
    limit_s=0.3,
)
ARRAY = Exercise("suavizar", lambda x: x / 2, lambda rng: [(np.array([1.0, 2.0]),)], limit_s=0.3)


def check(function, exercise=TRANSPOSE):
    verdict = exercise.check(function)
    assert "\n" not in verdict.reason and len(verdict.reason) < 600
    html = verdict._repr_html_()
    assert html.startswith("<div") and html.endswith("</div>") and str(verdict) == repr(verdict)
    return verdict


# Right, and not yet written


@pytest.mark.parametrize(
    "function",
    [
        transpose,
        lambda p, s: [a + s for a in p],
        lambda p, s: tuple(a + s for a in p),
        lambda p, s: [np.int64(a + s) for a in p],
        lambda *arguments: transpose(*arguments),
        lambda p, s, extra=3: transpose(p, s),
        lambda p, s: list(map(lambda a: a + s, p)),
    ],
)
def test_right_answers_are_right(function):
    verdict = check(function)
    assert (verdict.status, verdict.n_right, verdict.n_cases) == (RIGHT, 3, 3)
    assert str(verdict) == "transportar: correcto"


def documented(pitches, semitones):
    """Sube todas las alturas."""


def dots(pitches, semitones):
    """Sube todas las alturas."""
    # Escribe aquí tu código
    ...


def passes(pitches, semitones):
    pass


def returns(pitches, semitones):
    return


def returns_none(pitches, semitones=2, *more, named=None):
    return None


@pytest.mark.parametrize("stub", [None, ..., documented, dots, passes, returns, returns_none])
def test_what_is_not_yet_written_is_pending(stub):
    verdict = check(stub)
    assert verdict.status == PENDING and "Escribe la función" in verdict.reason


class Method:
    def method(self, x): ...

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __call__(self, *arguments):
        return []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda a, b: a + b,
        lambda x: not x,
        lambda x: -x,
        lambda x: "C4",
        lambda x: 0,
        lambda x: False,
        lambda x: [],
        lambda x: (yield),
        lambda x: x[0],
        len,
        Method(),
        Method,
        3,
    ],
    ids=range(14),
)
def test_a_short_answer_is_no_stub(function):
    assert not is_stub(function)


def test_a_method_and_a_closure_without_a_body_are_stubs():
    inside = 3

    def closure(x):
        """No usa nada de fuera."""

    assert is_stub(Method.method) and is_stub(closure) and inside


async def asynchronous(pitches, semitones): ...


def endless_generator(pitches, semitones):
    while True:
        yield 1


@pytest.mark.filterwarnings("ignore:coroutine")
def test_what_returns_later_is_no_stub():
    assert "coroutine" in check(asynchronous).reason
    assert (
        "un generador y se pide una lista: conviértelo con list" in check(endless_generator).reason
    )


# Wrong: what kind of wrong


def prints(pitches, semitones):
    print([a + semitones for a in pitches])


def changes(pitches, semitones):
    for k in range(len(pitches)):
        pitches[k] += semitones
    return pitches


def appends(pitches, semitones):
    result = [a + semitones for a in pitches]
    pitches.clear()
    return result


def raises(pitches, semitones):
    return pitches[7]


def leaves(pitches, semitones):
    raise SystemExit(3)


def interrupts(pitches, semitones):
    raise KeyboardInterrupt


def recurses(pitches, semitones):
    return recurses(pitches, semitones)


class RudeError(Exception):
    def __str__(self):
        raise ValueError


def rude(pitches, semitones):
    raise RudeError


def forgets(pitches, semitones):
    [a + semitones for a in pitches]


@pytest.mark.parametrize(
    "function, misconception, phrase",
    [
        (prints, "printed", "imprime el resultado y no lo devuelve: usa return"),
        (forgets, "no_return", "no devuelve nada: ¿falta un return?"),
        (changes, "changed_argument", "cambia sus argumentos: trabaja con una copia"),
        (appends, "changed_argument", "transportar([60], 2) cambia sus argumentos"),
        (raises, "exception", "IndexError: list index out of range (línea"),
        (leaves, "exception", "se detiene con SystemExit: 3"),
        (interrupts, "exception", "se detiene con KeyboardInterrupt"),
        (recurses, "exception", "RecursionError"),
        (rude, "exception", "se detiene con RudeError"),
        (lambda p: p, "exception", "se llama con 2 argumentos y tu función tiene estos: p"),
        (lambda: 3, "exception", "se llama con 2 argumentos y tu función no tiene ninguno"),
        (lambda p, s, t: p, "exception", "tiene estos: p, s, t"),
        (lambda p, *, s: p, "exception", "se llama con 2 argumentos"),
        (lambda p, s: np.array(p) + s, "", "devuelve un array de NumPy y se pide una lista: convi"),
        (lambda p, s: (a + s for a in p), "", "un generador y se pide una lista"),
        (lambda p, s: map(lambda a: a + s, p), "", "un generador y se pide una lista"),
        (lambda p, s: {a + s for a in p}, "", "devuelve un conjunto (set) y se pide una lista"),
        (lambda p, s: str(p), "", "devuelve un texto (str) y se pide una lista"),
        (lambda p, s: transpose, "", "devuelve una función y se pide una lista"),
        (lambda p, s: len, "", "devuelve una función y se pide una lista"),
        (lambda p, s: 62, "", "devuelve un entero (int) y se pide una lista"),
        (lambda p, s: True, "", "devuelve True o False y se pide una lista"),
        (lambda p, s: [], "", "devuelve 0 elementos y deben ser 1"),
        (lambda p, s: [a + float(s) for a in p], "", "en el elemento 0, devuelve un número (float)"),
        (lambda p, s: [True], "", "en el elemento 0, devuelve True o False y se pide un entero"),
        (lambda p, s: [None], "", "en el elemento 0, devuelve None y se pide un entero"),
        (lambda p, s: [10**5000], "", "en el elemento 0, da algo de tipo int y debe dar 62"),
        (lambda p, s: [float("nan")], "", "un número (float) y se pide un entero (int): usa //"),
        (lambda p, s: [a - s for a in p], "down", "da 58 y debe dar 62. Has bajado en vez de"),
        (lambda p, s: p, "identity", "No has cambiado nada."),
        (lambda p, s: [a % 12 + s for a in p], "octave", "Te has quedado con la clase de altura."),
        (lambda p, s: {}, "no_return", "diccionario (dict) y se pide una lista. Has devuelto un"),
    ],
    ids=range(32),
)  # fmt: skip
def test_wrong_answers_are_told_what_is_wrong(function, misconception, phrase):
    verdict = check(function)
    assert (verdict.status, verdict.misconception) == (WRONG, misconception)
    assert phrase in verdict.reason
    assert verdict.reason.startswith("transportar([60], 2) ")
    assert verdict.call == "transportar([60], 2)" and verdict.expected == [62]


def test_further_cases_decide_between_misconceptions():
    # With one note, both lower the first note and both lower all of them look alike.
    several = {
        "all": (lambda p, s: [a - s for a in p], "Todas."),
        "first": (lambda p, s: [p[0] - s, *(a + s for a in p[1:])], "La primera."),
    }
    exercise = Exercise("transportar", transpose, cases, several)
    verdicts = [exercise.check(variant) for variant, _ in several.values()]
    assert [verdict.misconception for verdict in verdicts] == ["all", "first"]
    assert verdicts[1].reason.endswith("da 58 y debe dar 62. La primera.")
    # Neither of them in the end: the first that fits what was seen.
    neither = exercise.check(lambda p, s: [p[0] - s, *p[1:]])
    assert neither.misconception == "all" and neither.n_right == 0
    stops = exercise.check(lambda p, s: [p[0] - s] if len(p) == 1 else p[99])
    assert stops.misconception == "all"


@pytest.mark.parametrize("thing", [3, "texto", [60], np.array([1, 2]), {}, object(), True])
def test_what_is_no_function_is_told_so(thing):
    verdict = check(thing)
    assert verdict.status == WRONG and "debe ser una función: usa def" in verdict.reason


def test_later_cases_count_the_right_ones_before():
    verdict = check(lambda p, s: [a + s for a in p[:2]])
    assert (verdict.n_right, verdict.n_cases) == (2, 3)
    assert "devuelve 2 elementos y deben ser 6" in verdict.reason


# Time


def loops(pitches, semitones):
    while True:
        pass


def loops_and_prints(pitches, semitones):
    while True:
        print("x" * 100)


def catches_everything(pitches, semitones):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def catches_once(pitches, semitones):
    try:
        while True:
            pass
    except BaseException:
        return [62]


STOP = threading.Event()


def catches_all(pitches, semitones):
    while not STOP.is_set():
        try:
            time.sleep(0.005)
        except BaseException:
            pass


@pytest.mark.parametrize(
    "function", [loops, loops_and_prints, catches_everything, catches_once],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_endless_loop_is_stopped(function, capfd):
    start, threads = time.perf_counter(), threading.active_count()
    verdict = check(function)
    assert time.perf_counter() - start < 30  # a busy machine may take its time
    assert verdict.misconception == "late" and threading.active_count() == threads
    assert "no acaba en 0,3 segundos: ¿un bucle sin fin?" in verdict.reason
    assert "Reinicia" not in verdict.reason
    assert capfd.readouterr() == ("", "")


def test_a_thread_that_cannot_be_stopped_is_said_to_run_on(capfd):
    try:
        verdict = check(catches_all)
        assert verdict.misconception == "late" and "Reinicia el núcleo: sigue en" in verdict.reason
    finally:
        STOP.set()
    assert capfd.readouterr() == ("", "")


def test_slow_but_in_time_is_right():
    slow = Exercise("transportar", transpose, cases, limit_s=2)
    assert slow.check(lambda p, s: time.sleep(0.15) or transpose(p, s)).status == RIGHT


def test_what_is_printed_is_kept_in_part_and_not_shown(capfd):
    outcome = call(lambda: print("á" * 10 * MOST_PRINTED), ())
    assert len(outcome.printed) <= MOST_PRINTED + 1 and outcome.printed.startswith("ááá")
    assert capfd.readouterr() == ("", "")


def test_call_leaves_the_callers_arguments_alone():
    mine = [[1, 2], {"a": [3]}]

    def spoil(items, table):
        items.append(0)
        table["a"].clear()

    assert call(spoil, mine).arguments == ([1, 2, 0], {"a": []})
    assert mine == [[1, 2], {"a": [3]}]


# Arrays


@pytest.mark.parametrize(
    "function, phrase",
    [
        (lambda x: (x / 2).tolist(), "devuelve una lista y se pide un array de NumPy: conviértelo"),
        (lambda x: x[None] / 2, "devuelve un array de forma (1, 2) y se pide (2,)"),
        (lambda x: x[:1], "devuelve un array de forma (1,) y se pide (2,)"),
        (lambda x: x, "da 1 en la posición [0] y debe dar 0.5"),
        (lambda x: x / 2 * [1, np.nan], "da nan en la posición [1] y debe dar 1"),
        (lambda x: x / 2 * [1, np.inf], "da inf en la posición [1] y debe dar 1"),
        (lambda x: (x / 2).astype(str), "devuelve un array de <U32 y se piden números"),
        (lambda x: (x / 2).astype(object), "devuelve un array de object y se piden números"),
        (lambda x: (x / 2).astype(complex), "devuelve un array de complex128 y se piden números"),
        (lambda x: x > 1, "devuelve un array de bool y se piden números"),
        (lambda x: np.float64(0.5), "devuelve un número (float) y se pide un array de NumPy"),
        (lambda x: np.array(0.5), "devuelve un número (float) y se pide un array de NumPy"),
        (lambda x: np.array(None), "devuelve un array de forma () y se pide (2,)"),
    ],
    ids=range(13),
)
def test_arrays_are_told_what_is_wrong(function, phrase):
    verdict = check(function, ARRAY)
    assert verdict.status == WRONG and phrase in verdict.reason


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / 2 + 1e-9,
        lambda x: (x / 2).astype(np.float32),
        lambda x: np.ma.masked_array(x / 2, [False, False]),
    ],
)
def test_nearly_equal_arrays_are_right(function):
    assert check(function, ARRAY).status == RIGHT


def test_changed_array_is_seen():
    def halve(x):
        x /= 2
        return x

    assert check(halve, ARRAY).misconception == "changed_argument"


@pytest.mark.parametrize(
    "expected, got, phrase",
    [
        (np.array([1, 2]), np.array([1.0, 2.0]), "devuelve números con decimales (float64)"),
        (np.array([1, 2]), np.array([1, 2], np.int8), ""),
        (np.array([1, 2]), np.array([1, 2], np.uint8), ""),
        (np.array([1.0, 2.0]), np.array([1, 2]), ""),
        (np.array([True]), np.array([1]), "devuelve un array de int64 y se piden True o False"),
        (np.array([True, False]), np.array([True, True]), "da True en la posición [1]"),
        (np.array([2**53]), np.array([2**53 + 1]), "en la posición [0]"),
        (np.array([1_000_000]), np.array([1_000_001]), "da 1000001 en la posición [0]"),
        (np.array([np.nan, 1]), np.array([np.nan, 1]), ""),
        (np.array([1j]), np.array([1j]), ""),
        (np.zeros((2, 0)), np.zeros((2, 0)), ""),
        (np.zeros((2, 0)), np.zeros((0, 2)), "forma (0, 2) y se pide (2, 0)"),
        (np.array([["a"]]), np.array([["a"]]), "se piden números"),
    ],
)
def test_arrays_differ_by_shape_kind_and_place(expected, got, phrase):
    said = difference(expected, got)
    assert (phrase in said) if phrase else said == ""


# Any value


class Yes:
    """Equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = None


class YesInt(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class YesText(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class YesList(list):
    def __iter__(self):
        return itertools.count()

    def __eq__(self, other):
        return True

    __hash__ = None


class Mute:
    def __repr__(self):
        raise RuntimeError("no")


class Odd:
    def __repr__(self):
        return 3

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


class Box:
    def __init__(self, inside):
        self.inside = inside


ITSELF = []
ITSELF.append(ITSELF)
ITS_OWN_DICT = {}
ITS_OWN_DICT["a"] = ITS_OWN_DICT
OWN_ARRAY = np.empty((), object)
OWN_ARRAY[()] = OWN_ARRAY
ANYTHING = [
    *(None, ..., True, 0, -1, 10**400, 10**5000, 0.5, float("nan"), float("inf"), 1j, "", "a" * 10**5),
    *(b"x", [], (), {}, set(), frozenset({1}), range(3), iter([]), object(), object, len, np, Yes()),
    *(YesInt(1), YesText("x"), YesList([1, 2]), Mute(), Odd(), [Mute()], {Mute(): Mute()}),
    *(ITSELF, ITS_OWN_DICT, OWN_ARRAY, Box(1), Box, np.float64(1), np.int8(1), np.bool_(True)),
    *(np.array(1), np.array([]), np.zeros((3, 0)), np.array([None]), np.array(["a"]), np.array(None)),
    *(np.datetime64("2026-01-01"), np.zeros(2, "i4,f4"), [[[[[[[[1]]]]]]]], float, NotImplemented),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(ANYTHING)))
@pytest.mark.parametrize(
    "expected",
    [1, 0.5, True, "x", [1, 2], {"a": 1}, {1}, np.array([1.0, 2.0]), None, (1, [2, (3,)]), 1j],
    ids=repr,
)
def test_no_value_is_a_traceback(expected, k):
    value = ANYTHING[k]
    assert isinstance(shown(value), str) and len(shown(value)) <= 160
    said = difference(expected, value)
    assert isinstance(said, str) and len(said) < 400 and "\n" not in said
    exercise = Exercise("f", lambda x: expected, lambda rng: [(1,)], limit_s=2)
    assert (check(lambda x: value, exercise).status == RIGHT) == (said == "")
    assert kind_of(value)


@pytest.mark.parametrize(
    "expected, got",
    [
        (1, Yes()),
        (2, YesInt(1)),
        ("y", YesText("x")),
        ([1, 3], YesList([1, 2])),
        ([2], [YesInt(1)]),
        ({"a": "y"}, {"a": YesText("x")}),
        ({"y"}, {"x"}),
        (Box(1), Box(2)),
        (Box(1), Yes()),
        (2**60, 2**60 + 1),
        (1_000_000, 1_000_001),
        (True, 1),
        (1, True),
        (0.5, float("nan")),
        (1.0, 10**400),
        (0.1, "0.1"),
        ([1], [[1]]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
        (float("inf"), float("-inf")),
        (1j, 2j),
    ],
    ids=range(21),
)
def test_what_differs_is_said_to(expected, got):
    assert difference(expected, got)


@pytest.mark.parametrize(
    "expected, got",
    [
        (1, YesInt(1)),
        ([1, 2], YesList([1, 2])),
        ([1, 2], (1, np.int64(2))),
        (0.5, np.float32(0.5)),
        (0.3, 0.1 + 0.2),
        (1e9, 1e9 + 1),
        (2.0, 2),
        (0.5, np.array(0.5)),
        (float("nan"), np.nan),
        (float("inf"), np.inf),
        ({"a": (1,)}, {"a": [1]}),
        ({1, 2}, frozenset({2, 1})),
        (True, np.bool_(True)),
        (Box([1]), Box([1])),
        (1j, np.complex128(1j)),
        (None, None),
    ],
    ids=range(16),
)
def test_what_is_as_good_is_taken(expected, got):
    assert difference(expected, got) == ""


def test_objects_that_equal_only_themselves_are_not_said_to_change():
    exercise = Exercise("mirar", lambda box: box.inside, lambda rng: [(Box(3),)])
    assert exercise.check(lambda box: box.inside).status == RIGHT

    def spoil(box):
        box.inside += 1
        return box.inside - 1

    assert exercise.check(spoil).misconception == "changed_argument"


def test_numbers_that_look_alike_are_told_apart():
    assert difference(1.000003, 1.0) == "da 1.0 y debe dar 1.000003"
    said = difference(np.array([1.000003]), np.array([1.0]))
    assert said == "da 1.0 en la posición [0] y debe dar 1.000003"


def test_things_are_shown_without_their_address():
    assert shown(Box(1)) == "algo de tipo Box" and shown([Mute()]) == "[algo de tipo Mute]"
    assert shown(transpose) == "<function transpose>" and shown(np.float64(0.1 + 0.2)) == "0.3"
    assert "0x" not in shown([print, transpose, Box, iter([]), threading.Lock()])


def test_a_call_is_typed_short():
    text = typed("f", (list(range(100)), "a" * 500, np.zeros((50, 50)), Mute(), 0.1 + 0.2))
    assert len(text) < 500 and text.startswith("f([0, 1, 2, 3, 4, 5, 6, 7, ...], ")
    assert text.endswith(", 0.3)") and "\n" not in text


def test_a_picture_is_shown_and_one_that_fails_is_not():
    show = lambda arguments, expected, got: f"<b>{got[0]}</b>"
    exercise = Exercise("transportar", transpose, cases, show=show)
    assert "<div><b>60</b></div>" in check(lambda p, s: p, exercise)._repr_html_()
    assert check(lambda p, s: [], exercise).picture == ""
    assert "&lt;b" in check("<b>", exercise)._repr_html_()


def test_cases_hang_on_the_seed():
    seen = []
    for seed in (0, 0, 1):
        TRANSPOSE.check(lambda p, s: seen.append(tuple(p)) or transpose(p, s), seed=seed)
    assert seen[:3] == seen[3:6] and seen[6:8] == seen[:2] and seen[8] != seen[2]


def test_judge_takes_answers_of_another_process():
    answers = iter([Outcome(value=[62]), Outcome(value=[63, 67]), Outcome(late=True, stuck=True)])
    verdict = TRANSPOSE.judge(lambda arguments: next(answers))
    assert verdict.misconception == "late" and verdict.n_right == 2


# Questions

LETTER = Question("pregunta_1", "b", {"a": "No: es una quinta.", "b": "Sí: la octava.", "c": "No."})
NUMBER = Question("pregunta_2", 12, why="Doce semitonos.", hint="Cuenta las teclas.")
THIRD = Question("pregunta_3", 1 / 3, tolerance=0.01)


@pytest.mark.parametrize("answer", [None, ..., "", "  "])
@pytest.mark.parametrize("question", [LETTER, NUMBER])
def test_a_question_without_an_answer_is_pending(question, answer):
    assert question.check(answer).status == PENDING


@pytest.mark.parametrize(
    "answer, status, reason",
    [
        ("b", RIGHT, "Sí: la octava."),
        (" B ", RIGHT, "Sí: la octava."),
        ("b)", RIGHT, "Sí: la octava."),
        (YesText("b"), RIGHT, "Sí: la octava."),
        ("a", WRONG, "No: es una quinta."),
        (YesText("a"), WRONG, "No: es una quinta."),
        ("d", WRONG, 'Tu respuesta es \'d\' y debe ser "a", "b" o "c".'),
        ("ab", WRONG, "debe ser"),
        (2, WRONG, "Tu respuesta es 2 y debe ser"),
        (["b"], WRONG, "Tu respuesta es ['b'] y debe ser"),
        ({"b"}, WRONG, "debe ser"),
        (Yes(), WRONG, "debe ser"),
        (Mute(), WRONG, "Tu respuesta es algo de tipo Mute"),
        (np.array(["b"]), WRONG, "debe ser"),
        (ITSELF, WRONG, "debe ser"),
    ],
    ids=range(15),
)
def test_letters(answer, status, reason):
    verdict = LETTER.check(answer)
    assert verdict.status == status and reason in verdict.reason


@pytest.mark.parametrize(
    "answer, status, reason",
    [
        *((value, RIGHT, "Doce semitonos.") for value in (12, 12.0, np.int64(12), np.array(12))),
        *((value, WRONG, "Cuenta las teclas.") for value in (11, 12.5, -12, 10**400, 10**5000)),
        *((value, WRONG, "Cuenta las teclas.") for value in (float("nan"), float("inf"), YesInt(3))),
        *((value, WRONG, "debe ser un número, sin comillas") for value in ("12", "doce", True, [12])),
        *((value, WRONG, "debe ser un número") for value in (Yes(), Mute(), {}, np.zeros(2), 12j)),
    ],
    ids=range(21),
)  # fmt: skip
def test_numbers(answer, status, reason):
    verdict = NUMBER.check(answer)
    assert verdict.status == status and reason in verdict.reason


def test_a_number_may_be_off_by_its_tolerance():
    assert THIRD.check(0.33).status == RIGHT and THIRD.check(0.3).status == WRONG
