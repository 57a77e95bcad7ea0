"""The exercises of lesson 1 know what students get wrong, and say so."""

import random
from bisect import bisect_left, bisect_right
from itertools import accumulate

import pytest

from musiclab.exercises import PENDING, RIGHT, WRONG
from musiclab.exercises.exercise import Exercise
from musiclab.exercises.playing import ALL, check_numero_midi, check_sortear, check_ventanas

SCALE = {
    "Do": 0, "Re": 2, "Mi": 4, "Fa": 5, "Sol": 7, "La": 9, "Si": 11,
    "C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11,
}  # fmt: skip


def split(name):
    """Return (step, sharps, flats, octave) of a name, the way a student may find them."""
    word = max((w for w in SCALE if name.startswith(w)), key=len)
    rest = name[len(word) :]
    return SCALE[word], rest.count("#"), rest.count("b") + rest.count("-"), int(rest[-1])


def numero_midi(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + step + sharps - flats


def ventanas(ids, length):
    return [(ids[k : k + length], ids[k + length]) for k in range(len(ids) - length)]


def sortear(probabilities, u):
    sums = list(accumulate(probabilities))
    return min(bisect_right(sums, u), len(sums) - 1)


@pytest.mark.parametrize("seed", range(5))
def test_right_answers_are_right(seed):
    for one in ALL.values():
        answer = one.solve if isinstance(one, Exercise) else one.answer
        assert one.check(answer, seed).status == RIGHT
    for check, answer in (
        (check_numero_midi, numero_midi),
        (check_ventanas, ventanas),
        (check_sortear, sortear),
    ):
        assert check(answer, seed).status == RIGHT


@pytest.mark.parametrize("seed", range(5))
def test_no_draw_hangs_on_rounding(seed):
    """Another way to add gives other last digits, and is as right."""

    def from_behind(probabilities, u):
        k = len(probabilities) - 1
        while k > 0 and (u < 1 - sum(probabilities[k:]) or not probabilities[k]):
            k -= 1
        return k

    assert check_sortear(from_behind, seed).status == RIGHT


# Exercise 1


def middle_c_is_48(name):
    step, sharps, flats, octave = split(name)
    return octave * 12 + step + sharps - flats


def deaf_to_signs(name):
    step, _, _, octave = split(name)
    return (octave + 1) * 12 + step


def sharps_only(name):
    step, sharps, _, octave = split(name)
    return (octave + 1) * 12 + step + sharps


def every_sign_rises(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + step + sharps + flats


def minus_octave(name):
    step, sharps, flats, octave = split(name)
    if "-" in name:
        return (1 - octave) * 12 + step
    return (octave + 1) * 12 + step + sharps - flats


def one_sharp_at_most(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + step + bool(sharps) - bool(flats)


def wrapped(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + (step + sharps - flats) % 12


def alphabetical(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + (step - 9) % 12 + sharps - flats


def sevenths(name):
    step, sharps, flats, octave = split(name)
    return (octave + 1) * 12 + (0, 2, 4, 5, 7, 9, 11).index(step) + sharps - flats


# Exercise 2


def stops_early(ids, length):
    return [(ids[k : k + length], ids[k + length]) for k in range(len(ids) - length - 1)]


def in_blocks(ids, length):
    starts = range(0, len(ids) - length, length)
    return [(ids[k : k + length], ids[k + length]) for k in starts]


def gives_it_away(ids, length):
    return [(ids[k : k + length], ids[k + length - 1]) for k in range(len(ids) - length)]


def only_windows(ids, length):
    return [ids[k : k + length] for k in range(len(ids) - length)]


def too_long(ids, length):
    return [(ids[k : k + length + 1], ids[k + length + 1]) for k in range(len(ids) - length - 1)]


def jumps(ids, length):
    return [(ids[k : k + length], ids[k + length + 1]) for k in range(len(ids) - length - 1)]


def turned(ids, length):
    return [(ids[k + length], ids[k : k + length]) for k in range(len(ids) - length)]


def slices(ids, length):
    pairs = (ids[k : k + length + 1] for k in range(len(ids) - length))
    return [(pair[:-1], pair[-1:]) for pair in pairs]


def runs_out(ids, length):
    return [(ids[k : k + length], ids[k + length]) for k in range(len(ids))]


def pops(ids, length):
    pairs = []
    while len(ids) > length:
        pairs.append((ids[:length], ids[length]))
        ids.pop(0)
    return pairs


# Exercise 3


def argmax(probabilities, u):
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def first_larger(probabilities, u):
    for k, p in enumerate(probabilities):
        if p > u:
            return k
    return len(probabilities) - 1


def left_of_the_border(probabilities, u):
    return bisect_left(list(accumulate(probabilities)), u)


def fair(probabilities, u):
    n = len(probabilities)
    return next(k for k in range(n) if u < (k + 1) / n)


def from_one(probabilities, u):
    return sortear(probabilities, u) + 1


def value(probabilities, u):
    return probabilities[sortear(probabilities, u)]


def in_order(probabilities, u):
    return sortear(sorted(probabilities)[::-1], u)


def last_first(probabilities, u):
    remaining = 1.0
    for k, p in enumerate(probabilities):
        remaining -= p
        if remaining <= u:
            return k
    return 0


def ignores_u(probabilities, u):
    return random.choices(range(len(probabilities)), probabilities)[0] + 100


FAULTS = [
    (check_numero_midi, middle_c_is_48, "octave_from_zero", "Te falta una octava"),
    (check_numero_midi, deaf_to_signs, "without_signs", "No has contado las alteraciones"),
    (check_numero_midi, sharps_only, "without_flats", "no los bemoles"),
    (check_numero_midi, every_sign_rises, "flats_up", "bajan un semitono, y tú lo subes"),
    (check_numero_midi, minus_octave, "hyphen_of_the_octave", "el guion es un bemol"),
    (check_numero_midi, one_sharp_at_most, "one_sign", "Solo has contado la primera"),
    (check_numero_midi, wrapped, "within_the_octave", "el do bemol 4 es el si 3"),
    (check_numero_midi, alphabetical, "from_a", "la octava empieza en el do"),
    (check_numero_midi, sevenths, "white_keys", "Cuentas teclas blancas"),
    (check_numero_midi, str, "", "se pide un entero"),
    (check_ventanas, stops_early, "without_the_last", "Falta la última ventana"),
    (check_ventanas, in_blocks, "one_after_another", "no se solapan"),
    (check_ventanas, gives_it_away, "answer_inside", "está dentro de la ventana"),
    (check_ventanas, only_windows, "windows_alone", "Falta la respuesta"),
    (check_ventanas, too_long, "a_symbol_longer", "un símbolo de más"),
    (check_ventanas, jumps, "answer_a_step_late", "Te saltas un símbolo"),
    (check_ventanas, turned, "answers_first", "al revés"),
    (check_ventanas, slices, "answer_as_list", "un solo símbolo, no una lista"),
    (check_ventanas, runs_out, "exception", "IndexError"),
    (check_ventanas, pops, "changed_argument", "trabaja con una copia"),
    (check_sortear, argmax, "likeliest", "eso no es sortear"),
    (check_sortear, first_larger, "each_alone", "con la suma de todas hasta ahí"),
    (check_sortear, left_of_the_border, "up_to_the_sum", "compara con <"),
    (check_sortear, fair, "all_alike", "A todos les das la misma parte"),
    (check_sortear, from_one, "index_from_one", "empiezan en 0"),
    (check_sortear, value, "its_probability", "se pide el índice"),
    (check_sortear, in_order, "index_of_the_sorted", "déjalas en su orden"),
    (check_sortear, last_first, "backwards", "del final al principio"),
    (check_sortear, ignores_u, "", "debe dar"),
]


@pytest.mark.parametrize("seed", (0, 7))
@pytest.mark.parametrize(
    "check, answer, name, phrase",
    FAULTS,
    ids=lambda part: getattr(part, "__name__", str(part))[:40],
)
def test_wrong_answers_are_told_what_is_wrong(check, answer, name, phrase, seed):
    verdict = check(answer, seed)
    assert (verdict.status, verdict.misconception) == (WRONG, name), verdict.reason
    assert phrase in verdict.reason


def test_a_difference_is_heard_or_drawn():
    assert "<audio" in check_numero_midi(deaf_to_signs).picture
    assert "Así es el ejemplo 1" in check_ventanas(in_blocks).picture
    assert "<svg" not in check_ventanas(in_blocks).picture  # it is an image, with its text
    assert "avanza por una canción" in check_ventanas(in_blocks).picture
    assert "Una regla de 0 a 1" in check_sortear(argmax).picture


@pytest.mark.parametrize(
    "name, wrong, phrase",
    [
        ("pregunta_1", "a", "no borra el orden"),
        ("pregunta_1", "c", "el orden del vocabulario"),
        ("pregunta_2", "a", "el bucle"),
        ("pregunta_2", "b", "La ventana sí avanza"),
        ("pregunta_3", 108, "Cuenta cada canción por su lado"),
        ("pregunta_3", 78, "Cuenta cada canción por su lado"),
    ],
)
def test_questions_answer(name, wrong, phrase):
    assert ALL[name].check(ALL[name].answer).status == RIGHT
    assert ALL[name].check(None).status == ALL[name].check(...).status == PENDING
    verdict = ALL[name].check(wrong)
    assert verdict.status == WRONG and phrase in verdict.reason


def test_stubs_are_pending():
    def stub(one, other=None):
        """Say what it should do."""

    exercises = [one for one in ALL.values() if isinstance(one, Exercise)]
    assert {one.check(stub).status for one in exercises} == {PENDING}
