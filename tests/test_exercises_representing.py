"""Lesson 2's exercises know the right answer, and what is wrong with the usual wrong ones."""

import numpy as np
import pytest

from musiclab.exercises import PENDING, RIGHT, WRONG, representing
from musiclab.exercises.representing import (
    A_EVENTOS,
    ALL,
    CLASE,
    DE_EVENTOS,
    GRID,
    LOSSES,
    TRANSPORTAR,
    WAIT,
)

EXERCISES = (CLASE, TRANSPORTAR, A_EVENTOS, DE_EVENTOS)

# Right answers, written in another way than the specifications


def right_classes(alturas):
    return [clase for clase in range(12) if any(a % 12 == clase for a in alturas)]


def right_transposition(alturas, semitonos):
    moved = []
    for altura in alturas:
        if altura + semitonos in range(128):
            moved.append(altura + semitonos)
    return moved


def right_tokens(notas):
    by_onset = {inicio: (duracion, alturas) for inicio, duracion, alturas in notas}
    simbolos, reloj, silencio = [], 0, 0
    end = max((inicio + duracion for inicio, duracion, _ in notas), default=0)
    while reloj < end:
        if reloj not in by_onset:
            reloj, silencio = reloj + 1, silencio + 1
            continue
        if silencio:
            simbolos.append(f"r:{silencio}")
        duracion, alturas = by_onset[reloj]
        names = [format(a, "d") for a in np.sort(alturas)]
        simbolos.append(f"{'.'.join(names)}:{duracion}")
        reloj, silencio = reloj + duracion, 0
    return [*simbolos, "fin"]


def right_notes(simbolos):
    simbolos = simbolos[: simbolos.index("fin")]
    durations = [int(s.split(":")[1]) for s in simbolos]
    onsets = [sum(durations[:k]) for k in range(len(durations))]
    return [
        (onset, duration, [int(a) for a in s.split(":")[0].split(".")])
        for s, onset, duration in zip(simbolos, onsets, durations, strict=True)
        if s[0] != "r"
    ]


# Wrong ones


def with_octaves_left(alturas):
    found = []
    for a in alturas:
        if a not in found:
            found.append(a)
    found.sort()
    return found


def without_sorting(alturas):
    found = []
    for a in alturas:
        if a % 12 not in found:
            found.append(a % 12)
    return found


def with_repetitions(alturas):
    found = [a % 12 for a in alturas]
    found.sort()
    return found


def as_quotients(alturas):
    return list(np.unique([a // 12 for a in alturas]).tolist())


def below_middle_c(alturas):
    return sorted(set(np.array(alturas, dtype=int) - 60))


def one_based(alturas):
    return sorted({1 + a - 12 * (a // 12) for a in alturas})


def beyond_the_keyboard(alturas, semitonos):
    return (np.array(alturas, dtype=int) + semitonos).tolist()


def at_the_edge(alturas, semitonos):
    return np.clip(np.array(alturas, dtype=int) + semitonos, 0, 127).tolist()


def with_holes(alturas, semitonos):
    moved = []
    for a in alturas:
        b = a + semitonos
        moved.append(None if b > 127 or b < 0 else b)
    return moved


def strictly_below_127(alturas, semitonos):
    return [a + semitonos for a in alturas if 0 <= a + semitonos < 127]


def strictly_above_0(alturas, semitonos):
    return [a + semitonos for a in alturas if 0 < a + semitonos < 128]


def down(alturas, semitonos):
    return [a - semitonos for a in alturas if 0 <= a - semitonos <= 127]


def around(alturas, semitonos):
    return [(a + semitonos + 128) % 128 for a in alturas]


def in_order(alturas, semitonos):
    moved = [a + semitonos for a in alturas if 0 <= a + semitonos <= 127]
    moved.sort()
    return moved


def tokens_with(
    notas, rest=lambda now, begin, onset: onset - now, end=("fin",), first=0, order=sorted
):
    simbolos, now, begin = [], first, 0
    for onset, duration, alturas in order(notas):
        if rest and onset > now:
            simbolos.append(f"r:{rest(now, begin, onset)}")
        simbolos.append(".".join(str(a) for a in sorted(alturas)) + f":{duration}")
        now, begin = onset + duration, onset
    return [*simbolos, *end]


def without_rests(notas):
    return tokens_with(notas, rest=None)


def rests_from_the_start(notas):
    return tokens_with(notas, rest=lambda now, begin, onset: onset)


def without_the_end(notas):
    return tokens_with(notas, end=())


def as_they_come(notas):
    return tokens_with(notas, order=list)


def from_the_first_note(notas):
    return tokens_with(notas, first=min([onset for onset, _, _ in notas] or [0]))


def chords_as_they_come(notas):
    simbolos, now = [], 0
    for onset, duration, alturas in sorted(notas):
        simbolos += [f"r:{onset - now}"] * (onset > now)
        simbolos.append(".".join(str(a) for a in alturas) + f":{duration}")
        now = onset + duration
    return [*simbolos, "fin"]


def one_of_a_chord(notas):
    simbolos, now = [], 0
    for onset, duration, alturas in sorted(notas):
        simbolos += [f"r:{onset - now}"] * (onset > now)
        simbolos.append(f"{min(alturas)}:{duration}")
        now = onset + duration
    return [*simbolos, "fin"]


def rests_of_nothing(notas):
    simbolos, now = [], 0
    for onset, duration, alturas in sorted(notas):
        simbolos.append(f"r:{onset - now}")
        simbolos.append(".".join(str(a) for a in sorted(alturas)) + f":{duration}")
        now = onset + duration
    return [*simbolos, "fin"]


def read_with(simbolos, rest=1, note=1, stop=True, convert=int):
    notas, now = [], 0
    for simbolo in simbolos:
        if simbolo == "fin" and stop:
            return notas
        if simbolo == "fin":
            continue
        alturas, duration = simbolo.split(":")
        if alturas == "r":
            now += rest * int(duration)
        else:
            notas.append((now, int(duration), [convert(a) for a in alturas.split(".")]))
            now += note * int(duration)
    return notas


def rests_in_no_time(simbolos):
    return read_with(simbolos, rest=0)


def notes_in_no_time(simbolos):
    return read_with(simbolos, note=0)


def everything_at_once(simbolos):
    return read_with(simbolos, rest=0, note=0)


def beyond_the_end(simbolos):
    return read_with(simbolos, stop=False)


def as_texts(simbolos):
    return read_with(simbolos, convert=str)


def silent_notes(simbolos):
    notas, now = [], 0
    for simbolo in simbolos[: simbolos.index("fin")]:
        alturas, duration = simbolo.split(":")
        heard = [] if alturas == "r" else [int(a) for a in alturas.split(".")]
        notas.append((now, int(duration), heard))
        now += int(duration)
    return notas


WRONG_ANSWERS = [
    (CLASE, with_octaves_left, "pitches"),
    (CLASE, without_sorting, "unsorted"),
    (CLASE, with_repetitions, "repeated"),
    (CLASE, as_quotients, "octave"),
    (CLASE, below_middle_c, "from_middle_c"),
    (CLASE, one_based, "from_one"),
    (CLASE, lambda alturas: print(right_classes(alturas)), "printed"),
    (TRANSPORTAR, beyond_the_keyboard, "kept"),
    (TRANSPORTAR, at_the_edge, "clipped"),
    (TRANSPORTAR, with_holes, "none"),
    (TRANSPORTAR, strictly_below_127, "without_127"),
    (TRANSPORTAR, strictly_above_0, "without_0"),
    (TRANSPORTAR, down, "downwards"),
    (TRANSPORTAR, around, "wrapped"),
    (TRANSPORTAR, in_order, "sorted"),
    (A_EVENTOS, without_rests, "no_rests"),
    (A_EVENTOS, rests_from_the_start, "rests_until_onset"),
    (A_EVENTOS, without_the_end, "no_end"),
    (A_EVENTOS, as_they_come, "unsorted_notes"),
    (A_EVENTOS, from_the_first_note, "no_first_rest"),
    (A_EVENTOS, chords_as_they_come, "unsorted_pitches"),
    (A_EVENTOS, one_of_a_chord, "only_lowest"),
    (A_EVENTOS, rests_of_nothing, "empty_rests"),
    (A_EVENTOS, lambda notas: notas.sort() or right_tokens(notas), "changed_argument"),
    (DE_EVENTOS, rests_in_no_time, "rests_take_no_time"),
    (DE_EVENTOS, notes_in_no_time, "notes_take_no_time"),
    (DE_EVENTOS, everything_at_once, "notes_take_no_time"),
    (DE_EVENTOS, beyond_the_end, "goes_on"),
    (DE_EVENTOS, as_texts, "texts"),
    (DE_EVENTOS, silent_notes, "rests_are_notes"),
]


@pytest.mark.parametrize("seed", range(5))
def test_right_answers_are_right(seed):
    answers = (right_classes, right_transposition, right_tokens, right_notes)
    for exercise, answer in zip(EXERCISES, answers, strict=True):
        verdict = exercise.check(answer, seed)
        assert verdict.status == RIGHT, verdict
        assert exercise.check(exercise.solve, seed).status == RIGHT


@pytest.mark.parametrize(
    "exercise, answer, name", WRONG_ANSWERS, ids=[f"{e.name}-{n}" for e, _, n in WRONG_ANSWERS]
)
def test_a_wrong_answer_is_told_its_fault(exercise, answer, name):
    verdict = exercise.check(answer)
    assert (verdict.status, verdict.misconception) == (WRONG, name)
    if name in exercise.wrong:
        assert verdict.reason.endswith(exercise.wrong[name][1])


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_every_known_misconception_fails_and_is_known_by_its_name(exercise):
    for name, (variant, _) in exercise.wrong.items():
        assert exercise.check(variant).misconception == name


def test_the_difference_is_heard():
    assert TRANSPORTAR.check(down).picture.count("<audio") == 2
    assert A_EVENTOS.check(without_rests).picture.count("<audio") == 2
    assert DE_EVENTOS.check(notes_in_no_time).picture.count("<audio") == 2
    # What cannot be played leaves no picture and no exception.
    assert TRANSPORTAR.check(lambda alturas, semitonos: ["do"]).picture == ""


@pytest.mark.parametrize("seed", range(5))
def test_the_two_directions_are_inverse(seed):
    for (notes,) in A_EVENTOS.cases(np.random.default_rng(seed)):
        back = representing.de_eventos(representing.a_eventos(notes))
        assert back == [(onset, duration, sorted(p)) for onset, duration, p in sorted(notes)]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_stub_is_pending(exercise):
    def one(notas):
        """Say what is to be done."""

    def two(alturas, semitonos):
        """Say what is to be done."""

    stub = two if exercise is TRANSPORTAR else one
    assert exercise.check(stub).status == PENDING


@pytest.mark.parametrize(
    "question, right, wrong",
    [(WAIT, "b", "c"), (LOSSES, "B", "a"), (GRID, 130, 128), (GRID, 130.0, "muchos")],
)
def test_questions(question, right, wrong):
    assert question.check(right).status == RIGHT
    assert question.check(wrong).status == WRONG and question.check(wrong).reason
    assert question.check(None).status == PENDING


def test_what_the_questions_say_is_true():
    from musiclab.encoding import decode_song, get_encoding
    from musiclab.encoding.motifs import parse_motif

    song = parse_motif("C4+E4 r G4:1/3 A4:1/3 B4:1/3")
    same = {
        name: decode_song(get_encoding(name).encode(song), name).events == song.events
        for name in ("pitches", "events", "grid")
    }
    assert same == {"pitches": False, "events": True, "grid": False}
    melody = parse_motif(" ".join(["C4"] * 8))
    assert len(get_encoding("grid").encode(melody)) == GRID.answer


def test_every_exercise_has_its_check():
    for name, exercise in ALL.items():
        assert getattr(representing, f"check_{name}") == exercise.check
