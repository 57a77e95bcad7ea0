"""Exercises of lesson 1: the number of a pitch, windows with their answers, a draw.

Conventions: a pitch's name is a Spanish or an English one, sharps (#) or
flats (b or -), and a digit for the octave, such as Re4, Sib3, F#5 or B-3;
60 is middle C. Probabilities sum to 1, and u, in [0, 1), is what chance says.
"""

from musiclab.diagrams import sliding_window
from musiclab.exercises.exercise import Exercise, Question
from musiclab.music import NoteEvent, Song
from musiclab.playback import player

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SPANISH = dict(zip(("Do", "Re", "Mi", "Fa", "Sol", "La", "Si"), STEPS, strict=True))
SIGNS = {"#": 1, "b": -1, "-": -1}


# 1. The MIDI number of a name


def parts_of(name):
    """Return a name's (letter, signs, octave), such as ("B", "b", 3) of Sib3."""
    octave = int(name[-1])
    word = name[:-1].rstrip("#b-")
    signs = name[len(word) : -1]
    return SPANISH.get(word, word), signs, octave


def midi_number(name):
    """Return the MIDI number (0-127) of a pitch's name."""
    letter, signs, octave = parts_of(name)
    return _start_of(octave) + STEPS[letter] + _alteration(signs)


def _start_of(octave):
    """Return the number of an octave's C: octave -1 begins at 0."""
    return 12 * (octave + 1)


def _alteration(signs):
    """Return by how many semitones signs change a pitch: each counts."""
    return sum(SIGNS[sign] for sign in signs)


def _octave_from_zero(name):
    return midi_number(name) - 12


def _without_signs(name):
    letter, _, octave = parts_of(name)
    return _start_of(octave) + STEPS[letter]


def _flats_up(name):
    letter, signs, octave = parts_of(name)
    return _start_of(octave) + STEPS[letter] + len(signs)


def _without_flats(name):
    return _without_signs(name) + parts_of(name)[1].count("#")


def _one_sign(name):
    letter, signs, octave = parts_of(name)
    return _start_of(octave) + STEPS[letter] + _alteration(signs[:1])


def _hyphen_of_the_octave(name):
    letter, signs, octave = parts_of(name)
    octave = -octave if "-" in signs else octave
    return _start_of(octave) + STEPS[letter] + signs.count("#") - signs.count("b")


def _within_the_octave(name):
    octave = parts_of(name)[2]
    return _start_of(octave) + midi_number(name) % 12


def _from_a(name):
    letter, signs, octave = parts_of(name)
    steps = dict(zip("ABCDEFG", (0, 2, 3, 5, 7, 8, 10), strict=True))
    return _start_of(octave) + steps[letter] + _alteration(signs)


def _white_keys(name):
    letter, signs, octave = parts_of(name)
    return _start_of(octave) + list(STEPS).index(letter) + _alteration(signs)


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


NUMERO_MIDI = Exercise(
    "numero_midi",
    midi_number,
    _name_cases,
    {
        "octave_from_zero": (
            _octave_from_zero,
            (
                "Te falta una octava: el do de la octava 0 es el 12, así que suma 1 a la octava "
                "antes de multiplicar por 12."
            ),
        ),
        "from_a": (
            _from_a,
            "Cuentas desde el la, por orden alfabético: la octava empieza en el do.",
        ),
        "white_keys": (
            _white_keys,
            "Cuentas teclas blancas: de do a re hay dos semitonos, y de mi a fa, uno.",
        ),
        "without_flats": (
            _without_flats,
            "Has contado los sostenidos y no los bemoles: b y - bajan un semitono.",
        ),
        "without_signs": (
            _without_signs,
            "No has contado las alteraciones: # sube un semitono; b y - lo bajan.",
        ),
        "flats_up": (_flats_up, "Los bemoles (b y -) bajan un semitono, y tú lo subes."),
        "hyphen_of_the_octave": (
            _hyphen_of_the_octave,
            "Aquí el guion es un bemol, no el signo menos de la octava.",
        ),
        "one_sign": (
            _one_sign,
            "Solo has contado la primera alteración: puede haber varias, y cada una cuenta.",
        ),
        "within_the_octave": (
            _within_the_octave,
            (
                "Una alteración puede salirse de la octava: el do bemol 4 es el si 3. Suma al final, "
                "sin el resto entre 12."
            ),
        ),
    },
    _two_notes,
)
check_numero_midi = NUMERO_MIDI.check


# 2. Windows and their answers


def examples(ids, length):
    """Return a list of pairs: length ids in a row, and the id that follows them."""
    pairs = []
    for start in range(len(ids)):
        end = start + length
        if end < len(ids):
            pairs.append((ids[start:end], ids[end]))
    return pairs


def _without_the_last(ids, length):
    return examples(ids, length)[:-1]


def _one_after_another(ids, length):
    return examples(ids, length)[::length]


def _answer_inside(ids, length):
    return [(window, window[-1]) for window, _ in examples(ids, length)]


def _answer_a_step_late(ids, length):
    pairs = examples(ids, length + 1)
    return [(window[:length], answer) for window, answer in pairs]


def _windows_alone(ids, length):
    return [window for window, _ in examples(ids, length)]


def _answers_first(ids, length):
    return [(answer, window) for window, answer in examples(ids, length)]


def _a_symbol_longer(ids, length):
    return examples(ids, length + 1)


def _a_symbol_shorter(ids, length):
    return examples(ids, length - 1)


def _answer_as_list(ids, length):
    return [(window, [answer]) for window, answer in examples(ids, length)]


def _window_cases(rng):
    cases = [([5, 7, 9, 4, 8, 6], 2), ([5, 7, 9], 2), ([5, 7], 2), ([], 2), ([3, 3, 8], 1)]
    for _ in range(12):
        n_ids, length = rng.integers(0, 16), rng.integers(1, 6)
        cases.append((rng.integers(1, 20, n_ids).tolist(), int(length)))
    return cases


def _first_other_window(arguments, expected, got):
    """Return a drawing of the first example that is not as it should be."""
    ids, length = arguments
    others = (k for k, pair in enumerate(expected) if k >= len(got) or tuple(got[k]) != pair)
    first = next(others)
    return f"<br>Así es el ejemplo {first}:<br>{_drawn(ids, length, first)}"


def _drawn(ids, length, first):
    return sliding_window(ids, length, n_examples=1, first=first)._repr_html_()


VENTANAS = Exercise(
    "ventanas",
    examples,
    _window_cases,
    {
        "windows_alone": (
            _windows_alone,
            "Falta la respuesta: cada elemento es una pareja (ventana, símbolo que sigue).",
        ),
        "answers_first": (_answers_first, "La pareja va al revés: primero la ventana."),
        "answer_inside": (
            _answer_inside,
            (
                "La respuesta está dentro de la ventana: la red la copiaría sin aprender nada. Es el "
                "símbolo siguiente."
            ),
        ),
        "answer_as_list": (
            _answer_as_list,
            "La respuesta es un solo símbolo, no una lista: usa ids[k] y no un trozo.",
        ),
        "answer_a_step_late": (
            _answer_a_step_late,
            "Te saltas un símbolo: la respuesta va justo detrás de la ventana.",
        ),
        "without_the_last": (
            _without_the_last,
            (
                "Falta la última ventana, la que tiene por respuesta el último símbolo: revisa hasta "
                "dónde llega range."
            ),
        ),
        "one_after_another": (
            _one_after_another,
            "Tus ventanas no se solapan: empieza una en cada símbolo.",
        ),
        "a_symbol_longer": (
            _a_symbol_longer,
            "Tus ventanas tienen un símbolo de más: ids[a:b] no incluye el b.",
        ),
        "a_symbol_shorter": (
            _a_symbol_shorter,
            "Tus ventanas tienen un símbolo de menos: ids[a:b] no incluye el b.",
        ),
    },
    _first_other_window,
)
check_ventanas = VENTANAS.check


# 3. A draw


def drawn(probabilities, u):
    """Return the index that u draws: the first whose running sum is more than u."""
    total = 0.0  # where the piece of this index ends, on a line from 0 to 1
    for index, probability in enumerate(probabilities):
        total += probability
        if u < total:
            return index
    return len(probabilities) - 1  # the sum may fall a hair short of 1


def _likeliest(probabilities, u):
    return probabilities.index(max(probabilities))


def _each_alone(probabilities, u):
    over = (k for k, probability in enumerate(probabilities) if u < probability)
    return next(over, len(probabilities) - 1)


def _up_to_the_sum(probabilities, u):
    total = 0.0
    for index, probability in enumerate(probabilities):
        total += probability
        if u <= total:
            return index
    return len(probabilities) - 1


def _all_alike(probabilities, u):
    return int(u * len(probabilities))


def _index_from_one(probabilities, u):
    return drawn(probabilities, u) + 1


def _index_of_the_sorted(probabilities, u):
    return drawn(sorted(probabilities, reverse=True), u)


def _its_probability(probabilities, u):
    return probabilities[drawn(probabilities, u)]


def _backwards(probabilities, u):
    return len(probabilities) - 1 - drawn(probabilities[::-1], u)


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
    pieces = "".join(_piece(k, p, k == expected) for k, p in enumerate(probabilities) if p)
    arrow = f'<div style="margin-left: {100 * u:.2f}%; line-height: 1">↑ u</div>'
    line = f'<div style="display: flex">{pieces}</div>{arrow}'
    return f'<div style="max-width: 30em">{line}</div>'


def _piece(index, probability, is_drawn):
    colour = "#D55E00; color: white" if is_drawn else "#E3E6EA; color: black"
    style = f"width: {100 * probability:.2f}%; background: {colour}; text-align: center"
    return f'<div style="{style}; outline: 1px solid white">{index}</div>'


SORTEAR = Exercise(
    "sortear",
    drawn,
    _draw_cases,
    {
        "up_to_the_sum": (
            _up_to_the_sum,
            "Cuando u cae justo en una suma ya toca el pedazo siguiente: compara con < y no con <=.",
        ),
        "all_alike": (
            _all_alike,
            "A todos les das la misma parte de 0 a 1: el pedazo de cada uno mide su probabilidad.",
        ),
        "index_of_the_sorted": (
            _index_of_the_sorted,
            "Al ordenar las probabilidades pierdes de quién es cada una: déjalas en su orden.",
        ),
        "each_alone": (
            _each_alone,
            "Comparas u con cada probabilidad suelta: compárala con la suma de todas hasta ahí.",
        ),
        "likeliest": (
            _likeliest,
            "Eliges siempre el más probable (argmax), diga u lo que diga: eso no es sortear.",
        ),
        "backwards": (
            _backwards,
            "Recorres la lista del final al principio: el pedazo del índice 0 es el primero.",
        ),
        "index_from_one": (_index_from_one, "Los índices empiezan en 0, y los tuyos en 1."),
        "its_probability": (
            _its_probability,
            "Devuelves la probabilidad, y se pide el índice: usa enumerate.",
        ),
    },
    _line,
)
check_sortear = SORTEAR.check


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
check_pregunta_1 = PREGUNTA_1.check
check_pregunta_2 = PREGUNTA_2.check
check_pregunta_3 = PREGUNTA_3.check

ALL = {
    one.name: one for one in (NUMERO_MIDI, VENTANAS, SORTEAR, PREGUNTA_1, PREGUNTA_2, PREGUNTA_3)
}
