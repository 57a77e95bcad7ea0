"""Exercises of lesson 1: the number of a pitch, windows with their answers, a draw.

Conventions: a pitch's name is a Spanish or an English one, sharps (#) or
flats (b or -), and a digit for the octave, such as Re4, Sib3, F#5 or B-3;
60 is middle C. Probabilities sum to 1, and u, in [0, 1), is what chance says.
"""

import operator
import re
from functools import partial
from itertools import accumulate

from musiclab.diagrams import ruler, sliding_window
from musiclab.exercises.exercise import Exercise, Question
from musiclab.music import NoteEvent, Song
from musiclab.playback import player

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SPANISH = dict(zip(("Do", "Re", "Mi", "Fa", "Sol", "La", "Si"), STEPS, strict=True))
SIGNS = {"#": 1, "b": -1, "-": -1}


# 1. The MIDI number of a name


def midi_number(name, steps=STEPS):
    """Return the MIDI number (0-127) of a pitch's name; steps: semitones from C to each letter."""
    octave = int(name[-1])
    word = name[:-1].rstrip("#b-")
    signs = name[len(word) : -1]
    octave_start = 12 * (octave + 1)  # octave -1 begins at 0
    alteration = sum(SIGNS[sign] for sign in signs)  # each sign counts
    return octave_start + steps[SPANISH.get(word, word)] + alteration


FROM_A = {letter: (step - 9) % 12 for letter, step in STEPS.items()}
WHITE_KEYS = {letter: k for k, letter in enumerate(STEPS)}


def _minus_octave(name):
    """What comes of a hyphen that is taken for the sign of the octave."""
    number = midi_number(name.replace("-", ""))
    return number - 24 * int(name[-1]) if "-" in name else number


def _name_cases(rng):
    names = ["Do4", "C4", "Re4", "A4", "Mi5", "Sol#3", "F#5", "Sib4", "Eb2", "B-3", "F##4", "Mibb4"]
    names += ["Dob4", "Si#3", "C0", "G9"]
    for _ in range(16):
        word = str(rng.choice([*SPANISH, *STEPS]))
        sign = str(rng.choice(("", "#", "b", "-", "##", "bb")))
        names.append(f"{word}{sign}{rng.integers(1, 9)}")
    return [(name,) for name in names]


def _two_notes(arguments, expected, got):
    """Return a player of the pitch that is asked for, and then of the student's."""
    notes = tuple(NoteEvent(2 * k, 2, (pitch,)) for k, pitch in enumerate((expected, got)))
    return player(Song(notes), f"Primero {arguments[0]}; después, la tuya").data


_WRONG_NUMERO_MIDI = {
    "octave_from_zero": (
        lambda name: midi_number(name) - 12,
        (
            "Te falta una octava: el do de la octava 0 es el 12, así que suma 1 a la octava "
            "antes de multiplicar por 12."
        ),
    ),
    "from_a": (
        partial(midi_number, steps=FROM_A),
        "Cuentas desde el la, por orden alfabético: la octava empieza en el do.",
    ),
    "white_keys": (
        partial(midi_number, steps=WHITE_KEYS),
        "Cuentas teclas blancas: de do a re hay dos semitonos, y de mi a fa, uno.",
    ),
    "without_flats": (
        lambda name: midi_number(re.sub("[b-]", "", name)),
        "Has contado los sostenidos y no los bemoles: b y - bajan un semitono.",
    ),
    "without_signs": (
        lambda name: midi_number(re.sub("[#b-]", "", name)),
        "No has contado las alteraciones: # sube un semitono; b y - lo bajan.",
    ),
    "flats_up": (
        lambda name: midi_number(re.sub("[b-]", "#", name)),
        "Los bemoles (b y -) bajan un semitono, y tú lo subes.",
    ),
    "hyphen_of_the_octave": (
        _minus_octave,
        "Aquí el guion es un bemol, no el signo menos de la octava.",
    ),
    "one_sign": (
        lambda name: midi_number(re.sub("([#b-])[#b-]+", r"\1", name)),
        "Solo has contado la primera alteración: puede haber varias, y cada una cuenta.",
    ),
    "within_the_octave": (
        lambda name: midi_number(f"C{name[-1]}") + midi_number(name) % 12,
        (
            "Una alteración puede salirse de la octava: el do bemol 4 es el si 3. Suma al final, "
            "sin el resto entre 12."
        ),
    ),
}

NUMERO_MIDI = Exercise("numero_midi", midi_number, _name_cases, _WRONG_NUMERO_MIDI, show=_two_notes)


# 2. Windows and their answers


def examples(ids, length):
    """Return a list of pairs: length ids in a row, and the id that follows them."""
    pairs = []
    for start in range(len(ids)):
        end = start + length
        if end < len(ids):
            pairs.append((ids[start:end], ids[end]))
    return pairs


def _window_cases(rng):
    cases = [([5, 7, 9, 4, 8, 6], 2), ([5, 7, 9], 2), ([5, 7], 2), ([], 2), ([3, 3, 8], 1)]
    for _ in range(12):
        n_ids, length = rng.integers(0, 16), rng.integers(1, 6)
        cases.append((rng.integers(1, 20, n_ids).tolist(), int(length)))
    return cases


def _first_other_window(arguments, expected, got):
    """Return a drawing of the first example that is not as it should be."""
    others = (k for k, pair in enumerate(expected) if k >= len(got) or tuple(got[k]) != pair)
    first = next(others)
    drawing = sliding_window(*arguments, n_examples=1, first=first)
    return f"<br>Así es el ejemplo {first}:<br>{drawing._repr_html_()}"


_WRONG_VENTANAS = {
    "windows_alone": (
        lambda ids, length: [window for window, _ in examples(ids, length)],
        "Falta la respuesta: cada elemento es una pareja (ventana, símbolo que sigue).",
    ),
    "answers_first": (
        lambda ids, length: [pair[::-1] for pair in examples(ids, length)],
        "La pareja va al revés: primero la ventana.",
    ),
    "answer_inside": (
        lambda ids, length: [(window, window[-1]) for window, _ in examples(ids, length)],
        (
            "La respuesta está dentro de la ventana: la red la copiaría sin aprender nada. Es el "
            "símbolo siguiente."
        ),
    ),
    "answer_as_list": (
        lambda ids, length: [(window, [answer]) for window, answer in examples(ids, length)],
        "La respuesta es un solo símbolo, no una lista: usa ids[k] y no un trozo.",
    ),
    "answer_a_step_late": (
        lambda ids, length: [(window[:-1], answer) for window, answer in examples(ids, length + 1)],
        "Te saltas un símbolo: la respuesta va justo detrás de la ventana.",
    ),
    "without_the_last": (
        lambda ids, length: examples(ids, length)[:-1],
        (
            "Falta la última ventana, la que tiene por respuesta el último símbolo: revisa hasta "
            "dónde llega range."
        ),
    ),
    "one_after_another": (
        lambda ids, length: examples(ids, length)[::length],
        "Tus ventanas no se solapan: empieza una en cada símbolo.",
    ),
    "a_symbol_longer": (
        lambda ids, length: examples(ids, length + 1),
        "Tus ventanas tienen un símbolo de más: ids[a:b] no incluye el b.",
    ),
    "a_symbol_shorter": (
        lambda ids, length: examples(ids, length - 1),
        "Tus ventanas tienen un símbolo de menos: ids[a:b] no incluye el b.",
    ),
}

VENTANAS = Exercise("ventanas", examples, _window_cases, _WRONG_VENTANAS, show=_first_other_window)


# 3. A draw


def drawn(probabilities, u, ends=accumulate, is_before=operator.lt):
    """Return the index that u draws: the first whose running sum is more than u."""
    # On a line from 0 to 1, the piece of each index ends where the sum of all so far is.
    for index, end in enumerate(ends(probabilities)):
        if is_before(u, end):
            return index
    return len(probabilities) - 1  # the sum may fall a hair short of 1


def _draw_cases(rng):
    """Return cases whose u stands exactly on a sum of halves and quarters, or far from any."""
    four = [0.25, 0.125, 0.5, 0.125]
    cases = [(four, u) for u in (0.1, 0.3, 0.5, 0.8, 0.9, 0.0, 0.25, 0.375)]
    cases += [([0.0, 1.0], 0.0), ([0.5, 0.0, 0.5], 0.5), ([1.0], 0.7)]
    for _ in range(16):
        weights = rng.integers(0, 9, rng.integers(2, 8)) + 0.0
        weights[rng.integers(len(weights))] += 1
        probabilities = (weights / weights.sum()).tolist()
        # Choose the piece on which u is to fall, and where in it.
        index = rng.choice(len(weights), p=probabilities)
        below = sum(probabilities[:index])
        u = float(below + rng.uniform(0.1, 0.9) * probabilities[index])
        cases.append((probabilities, u))
    return cases


def _line(arguments, expected, got):
    """Return the line from 0 to 1 in pieces, with an arrow where u falls."""
    probabilities, u = arguments
    return ruler(range(len(probabilities)), probabilities, u)._repr_html_()


_WRONG_SORTEAR = {
    "up_to_the_sum": (
        partial(drawn, is_before=operator.le),
        "Cuando u cae justo en una suma ya toca el pedazo siguiente: compara con < y no con <=.",
    ),
    "all_alike": (
        lambda probabilities, u: int(u * len(probabilities)),
        "A todos les das la misma parte de 0 a 1: el pedazo de cada uno mide su probabilidad.",
    ),
    "index_of_the_sorted": (
        lambda probabilities, u: drawn(sorted(probabilities, reverse=True), u),
        "Al ordenar las probabilidades pierdes de quién es cada una: déjalas en su orden.",
    ),
    "each_alone": (
        partial(drawn, ends=iter),
        "Comparas u con cada probabilidad suelta: compárala con la suma de todas hasta ahí.",
    ),
    "likeliest": (
        lambda probabilities, u: probabilities.index(max(probabilities)),
        "Eliges siempre el más probable (argmax), diga u lo que diga: eso no es sortear.",
    ),
    "backwards": (
        lambda probabilities, u: len(probabilities) - 1 - drawn(probabilities[::-1], u),
        "Recorres la lista del final al principio: el pedazo del índice 0 es el primero.",
    ),
    "index_from_one": (
        lambda probabilities, u: drawn(probabilities, u) + 1,
        "Los índices empiezan en 0, y los tuyos en 1.",
    ),
    "its_probability": (
        lambda probabilities, u: probabilities[drawn(probabilities, u)],
        "Devuelves la probabilidad, y se pide el índice: usa enumerate.",
    ),
}

SORTEAR = Exercise("sortear", drawn, _draw_cases, _WRONG_SORTEAR, show=_line)


# Questions

PREGUNTA_1 = Question(
    "pregunta_1",
    "b",
    {
        "a": "Dividir no borra el orden: sigue habiendo símbolos vecinos y símbolos lejanos.",
        "b": "Eso es: el número es una etiqueta, y la red lo lee como una cantidad.",
        "c": "El número lo pone el orden del vocabulario, no las veces que aparece el símbolo.",
    },
)
PREGUNTA_2 = Question(
    "pregunta_2",
    "c",
    {
        "a": "La pérdida se calcula con muchos símbolos distintos; quien elige uno es el bucle.",
        "b": "La ventana sí avanza: lo nuevo entra por el final. Lo que no cambia es otra cosa.",
        "c": "Eso es: casi las mismas probabilidades en cada paso, y el mismo ganador siempre.",
    },
)
PREGUNTA_3 = Question(
    "pregunta_3",
    76,
    why="Eso es: 100 − 32 de la primera canción y 40 − 32 de la segunda.",
    hint="Cuenta cada canción por su lado: una ventana empieza donde, detrás de sus 32 símbolos, "
    "todavía queda otro de la misma canción.",
)

EXERCISES = (NUMERO_MIDI, VENTANAS, SORTEAR)
QUESTIONS = (PREGUNTA_1, PREGUNTA_2, PREGUNTA_3)
ALL = {one.name: one for one in EXERCISES + QUESTIONS}

check_numero_midi, check_ventanas, check_sortear = (one.check for one in EXERCISES)
check_pregunta_1, check_pregunta_2, check_pregunta_3 = (one.check for one in QUESTIONS)
