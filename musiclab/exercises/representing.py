"""Lesson 2: pitch classes, transposition, and a small encoding with chords and rests.

Conventions: pitches are MIDI numbers 0-127; the times of the small encoding
are whole sixteenths. Its tokens are `60.64.67:4` for what sounds, `r:2` for a
rest, and END_OF_SONG, which closes every song.
"""

from functools import partial
from math import inf

from musiclab.exercises.artifact import Artifact
from musiclab.exercises.exercise import Exercise, Question
from musiclab.music import NoteEvent, Song
from musiclab.playback import player

END_OF_SONG = "fin"
LONGEST_HEARD = 24  # notes of an answer that are played

# What the lesson asks for


def clase_de_altura(alturas):
    """Return the distinct pitch classes of pitches, ascending, as a list."""
    return sorted({altura % 12 for altura in alturas})


def transportar(alturas, semitonos, lowest=0, highest=127):
    """Return pitches so many semitones higher, in their order, without what leaves 0-127."""
    higher = [altura + semitonos for altura in alturas]
    return [altura for altura in higher if lowest <= altura <= highest]


def _since_the_end(onset, end, before):
    return onset - end


def a_eventos(notas, silence=_since_the_end, shortest=1, order=sorted, chord=sorted):
    """Return the tokens of (onset, duration, pitches) tuples that do not overlap, in any order.

    silence: (onset, end and onset of the note before) -> how long nothing sounds;
        with the others, what students get wrong
    """
    tokens, end, before = [], 0, 0
    for onset, duration, pitches in order(notas):
        rest = silence(onset, end, before)
        if rest >= shortest:  # nothing has sounded since the last note ended
            tokens.append(f"r:{rest}")
        name = ".".join(map(str, chord(pitches)))
        tokens.append(f"{name}:{duration}")
        end, before = onset + duration, onset
    return [*tokens, END_OF_SONG]


def de_eventos(simbolos, notes_last=True):
    """Return the (onset, duration, pitches) tuples of tokens, up to END_OF_SONG."""
    return [note for note in _with_rests(simbolos, notes_last) if note[2]]


def _with_rests(tokens, notes_last=True):
    """Return what `de_eventos` does, and rests as notes without pitches."""
    notes, now = [], 0
    for token in tokens:
        if token == END_OF_SONG:
            break
        name, duration = token.split(":")
        pitches = [int(pitch) for pitch in name.split(".") if pitch != "r"]
        notes.append((now, int(duration), pitches))
        if notes_last or not pitches:
            now += int(duration)  # rests take time too
    return notes


# Cases from a seed, the smallest first


def _pitch_lists(rng):
    small = [[60], [64, 60, 48], [67, 72, 64], [59, 61], []]
    drawn = [rng.integers(0, 128, 8).tolist() for _ in range(4)]
    return [(pitches,) for pitches in small + drawn]


def _melodies(rng):
    small = [([60, 62, 64], 2), ([67, 60, 67], -5), ([0, 64, 127], 0)]
    small += [([126, 60, 127], 1), ([1, 60, 0], -1), ([], 3)]
    shifts = rng.integers(-30, 31, 4).tolist()
    return small + [(rng.integers(0, 128, 10).tolist(), shift) for shift in shifts]


def _songs(rng):
    small = [
        [(0, 4, [60])],
        [(0, 4, [60]), (4, 2, [62])],
        [(0, 4, [60, 64, 67]), (6, 2, [72])],
        [(2, 2, [67, 60])],
        [(8, 4, [65]), (0, 4, [60])],
        [],
    ]
    drawn = [_some_song(rng) for _ in range(4)]
    return [(song,) for song in small + drawn]


def _token_lists(rng):
    small = [
        ["60:4", "fin"],
        ["60:4", "62:2", "fin"],
        ["60.64.67:4", "r:2", "72:2", "fin"],
        ["r:4", "67:12", "fin"],
        ["60:4", "fin", "62:4"],
        ["fin"],
    ]
    drawn = [a_eventos(_some_song(rng)) for _ in range(4)]
    return [(tokens,) for tokens in small + drawn]


def _some_song(rng):
    """Return notes and chords in any order, with rests between some of them."""
    notes, now = [], 0
    for _ in range(6):
        now += int(rng.choice((0, 0, 1, 3)))
        duration = int(rng.choice((1, 2, 4, 12)))
        n_pitches = int(rng.integers(1, 4))
        pitches = rng.choice(range(48, 80), n_pitches, replace=False).tolist()
        notes.append((now, duration, pitches))
        now += duration
    return [notes[k] for k in rng.permutation(len(notes))]


# Hearing the difference


def _heard(read):
    """Return what shows two answers, of which read(answer) is notes as `de_eventos` gives them."""

    def show(arguments, expected, got):
        players = ""
        for title, answer in (("Lo que se pide", expected), ("Lo que da tu función", got)):
            if notes := read(answer):
                players += player(_song(notes), title).data
        return players

    return show


def _song(notes):
    events = []
    for onset, duration, pitches in sorted(notes[:LONGEST_HEARD]):  # in sixteenths, four a quarter
        events.append(NoteEvent(onset / 4, duration / 4, tuple(sorted(set(pitches)))))
    return Song(tuple(events), tempo_bpm=96.0)


def _melody(pitches):
    return [(2 * k, 2, [pitch]) for k, pitch in enumerate(pitches)]


# Known misconceptions


def _without_first_rest(notas):
    tokens = a_eventos(notas)
    return tokens[1:] if tokens[0].startswith("r:") else tokens


def _without_rests(tokens):
    return [token for token in tokens if not token.startswith("r:")]


_WRONG_CLASE = {
    "repeated": (
        lambda alturas: sorted(altura % 12 for altura in alturas),
        "Has dejado repetidas: un do grave y un do agudo son la misma clase de altura.",
    ),
    "unsorted": (
        lambda alturas: list(dict.fromkeys(altura % 12 for altura in alturas)),
        "Has olvidado ordenarlas de menor a mayor.",
    ),
    "repeated_unsorted": (
        lambda alturas: [altura % 12 for altura in alturas],
        "Has olvidado quitar las repetidas y ordenar.",
    ),
    "octave": (
        lambda alturas: sorted({altura // 12 for altura in alturas}),
        "Has usado // en vez de %: el cociente dice la octava; el resto, la clase de altura.",
    ),
    "pitches": (
        lambda alturas: sorted(set(alturas)),
        "Has devuelto alturas: quítales la octava con % 12.",
    ),
    "from_middle_c": (
        lambda alturas: sorted({altura - 60 for altura in alturas}),
        "Has restado 60, y eso solo vale en la octava del do central: usa % 12.",
    ),
    "from_one": (
        lambda alturas: sorted({altura % 12 + 1 for altura in alturas}),
        "Has contado desde 1: do es 0.",
    ),
    "seven": (
        lambda alturas: sorted({altura % 7 for altura in alturas}),
        "Has dividido entre 7, las teclas blancas: la octava tiene doce semitonos.",
    ),
}

CLASE = Exercise("clase_de_altura", clase_de_altura, _pitch_lists, _WRONG_CLASE)

_WRONG_TRANSPORTAR = {
    "kept": (
        partial(transportar, lowest=-inf, highest=inf),
        "Has dejado alturas fuera de 0–127: compruébalo después de sumar.",
    ),
    "clipped": (
        lambda alturas, semitonos: [min(max(a + semitonos, 0), 127) for a in alturas],
        "Has llevado al borde lo que no cabe, y así suena otra melodía: déjalo fuera.",
    ),
    "wrapped": (
        lambda alturas, semitonos: [(altura + semitonos) % 128 for altura in alturas],
        "Con % 128 una nota muy aguda vuelve como muy grave: déjala fuera.",
    ),
    "none": (
        lambda alturas, semitonos: [
            a + semitonos if 0 <= a + semitonos <= 127 else None for a in alturas
        ],
        "Has puesto None en el lugar de lo que no cabe: no pongas nada.",
    ),
    "without_127": (
        partial(transportar, highest=126),
        "Has dejado fuera el 127, que todavía es una altura: usa <= 127.",
    ),
    "without_0": (
        partial(transportar, lowest=1),
        "Has dejado fuera el 0, que ya es una altura: usa >= 0.",
    ),
    "downwards": (
        lambda alturas, semitonos: transportar(alturas, -semitonos),
        "Has bajado en vez de subir: los semitonos se suman.",
    ),
    "octaves": (
        lambda alturas, semitonos: transportar(alturas, 12 * semitonos),
        "Has transportado octavas: un semitono es 1, no 12.",
    ),
    "not_moved": (
        lambda alturas, semitonos: list(alturas),
        "Has devuelto la melodía sin transportar.",
    ),
    "distinct": (
        lambda alturas, semitonos: list(dict.fromkeys(transportar(alturas, semitonos))),
        "Has quitado notas repetidas, y una melodía puede repetir notas.",
    ),
    "sorted": (
        lambda alturas, semitonos: sorted(transportar(alturas, semitonos)),
        "Has ordenado las notas: en una melodía el orden es lo que suena.",
    ),
    "set": (
        lambda alturas, semitonos: sorted(set(transportar(alturas, semitonos))),
        "Has ordenado las notas y quitado las repetidas: conserva la melodía como es.",
    ),
}

TRANSPORTAR = Exercise(
    "transportar", transportar, _melodies, _WRONG_TRANSPORTAR, show=_heard(_melody)
)

_WRONG_A_EVENTOS = {
    "no_first_rest": (
        _without_first_rest,
        "Has olvidado el silencio del principio: la canción empieza en 0.",
    ),
    "no_rests": (
        lambda notas: _without_rests(a_eventos(notas)),
        "Has olvidado los silencios: compara cada inicio con el final de lo anterior.",
    ),
    "rests_until_onset": (
        partial(a_eventos, silence=lambda onset, end, before: onset * (onset > end)),
        "El silencio dura desde el final de lo anterior, no desde el principio de la canción.",
    ),
    "rests_from_onset": (
        partial(a_eventos, silence=lambda onset, end, before: onset - before),
        "El silencio se cuenta desde el final de lo anterior, no desde su inicio.",
    ),
    "empty_rests": (
        partial(a_eventos, shortest=0),
        "Has escrito silencios que no duran nada: solo los hay donde no suena nada.",
    ),
    "unsorted_notes": (
        partial(a_eventos, order=iter),
        "Has olvidado ordenar las notas por su inicio.",
    ),
    "unsorted_pitches": (
        partial(a_eventos, chord=iter),
        "Has olvidado ordenar las alturas de los acordes, de grave a aguda.",
    ),
    "no_end": (
        lambda notas: a_eventos(notas)[:-1],
        "Has olvidado cerrar la canción con «fin».",
    ),
    "ends": (
        lambda notas: a_eventos([(o, o + d, pitches) for o, d, pitches in notas]),
        "Detrás de los dos puntos has puesto el final de la nota: va la duración.",
    ),
    "no_durations": (
        lambda notas: [token.partition(":")[0] for token in a_eventos(notas)],
        "Has olvidado las duraciones.",
    ),
    "only_lowest": (
        lambda notas: a_eventos([(o, d, [min(pitches)]) for o, d, pitches in notas]),
        "Has escrito una sola altura de cada acorde: van todas, con un punto entre ellas.",
    ),
}

A_EVENTOS = Exercise("a_eventos", a_eventos, _songs, _WRONG_A_EVENTOS, show=_heard(de_eventos))

_WRONG_DE_EVENTOS = {
    "rests_take_no_time": (
        lambda simbolos: de_eventos(_without_rests(simbolos)),
        "Has saltado los silencios: no suenan, pero el tiempo pasa.",
    ),
    "notes_take_no_time": (
        partial(de_eventos, notes_last=False),
        "Has olvidado que el tiempo pasa también mientras suena una nota.",
    ),
    "goes_on": (
        lambda simbolos: de_eventos([token for token in simbolos if token != END_OF_SONG]),
        "Has seguido detrás de «fin»: la canción acaba ahí.",
    ),
    "rests_are_notes": (
        _with_rests,
        "Has devuelto los silencios como notas sin alturas: solo hacen pasar el tiempo.",
    ),
    "ends": (
        lambda simbolos: [(o + d, d, pitches) for o, d, pitches in de_eventos(simbolos)],
        "Has sumado la duración antes de tiempo: el inicio es donde acabó lo anterior.",
    ),
    "only_first": (
        lambda simbolos: [(o, d, pitches[:1]) for o, d, pitches in de_eventos(simbolos)],
        'Has leído una sola altura de cada acorde: sepáralas con split(".").',
    ),
    "texts": (
        lambda simbolos: [(o, d, list(map(str, ps))) for o, d, ps in de_eventos(simbolos)],
        "Has dejado las alturas como textos: conviértelas con int(...).",
    ),
}

DE_EVENTOS = Exercise("de_eventos", de_eventos, _token_lists, _WRONG_DE_EVENTOS, show=_heard(list))

WAIT = Question(
    "pregunta_1",
    "b",
    {
        "a": "No: 1/2 es lo que dura la nota. La siguiente puede tardar más, o menos, en empezar.",
        "b": "Sí: el último número es la espera, y se cuenta desde el inicio de la nota.",
        "c": "No: la espera se cuenta desde el inicio de la nota, no desde su final.",
    },
)

LOSSES = Question(
    "pregunta_2",
    "b",
    {
        "a": "No: «pitches» guarda las alturas en su orden, pero ni el silencio ni las duraciones.",
        "b": "Sí: un tercio de negra son 8 de sus veinticuatroavos, y el silencio es un símbolo.",
        "c": "No: un tercio de negra no cabe en la rejilla de semicorcheas y se redondea.",
    },
)

GRID = Question(
    "pregunta_3",
    130,
    why="Dos compases son 32 semicorcheas, de cuatro símbolos cada una; más <start> y <end>.",
    hint="En cada semicorchea hay un símbolo por voz, también si calla; suma <start> y <end>.",
)

SUNG = {"at_least": 48, "at_most": 84}  # from C3 to C6
MELODY = Artifact(
    "mi_melodia",
    "mi_melodia.mid",
    {"notes": {"at_least": 8}, "seconds": {"at_most": 60}, "pitches": SUNG},
)

EXERCISES = (CLASE, TRANSPORTAR, A_EVENTOS, DE_EVENTOS, MELODY)
QUESTIONS = (WAIT, LOSSES, GRID)
ALL = {one.name: one for one in EXERCISES + QUESTIONS}

check_clase_de_altura, check_transportar, check_a_eventos, check_de_eventos, check_mi_melodia = (
    one.check for one in EXERCISES
)
check_pregunta_1, check_pregunta_2, check_pregunta_3 = (one.check for one in QUESTIONS)
