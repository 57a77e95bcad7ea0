"""Lesson 3: likelihood, a unigram; from `leaks`, a split and copied passages; questions.

Conventions: probabilities are floats in (0, 1], NLL is in nats; symbols are
ids from 0.
"""

from math import e, log

from musiclab.exercises.exercise import Exercise, Question
from musiclab.exercises.leaks import PASAJE_COPIADO, REPARTIR

# 1. NLL


def _nll(probabilities):
    total = 0.0
    for p in probabilities:
        total += -log(p)  # the surprise, in nats: the less it was expected, the larger
    return total / len(probabilities)


def _probabilities(rng):
    cases = [[0.5], [0.5, 0.25], [1.0], [1.0, 0.1, 0.1]]
    for n in (4, 9, 30):
        cases.append(rng.uniform(0.01, 1, n).round(3).tolist())
    return [(probabilities,) for probabilities in cases]


def _mean(numbers):
    return sum(numbers) / len(numbers)


NLL = Exercise(
    "nll",
    _nll,
    _probabilities,
    wrong={
        "log2": (
            lambda p: _nll(p) / log(2),
            "Has usado el logaritmo en base 2: eso son bits. Los nats piden el natural, math.log.",
        ),
        "log10": (
            lambda p: _nll(p) / log(10),
            "Has usado el logaritmo en base 10: los nats piden el natural, math.log.",
        ),
        "sign": (
            lambda p: -_nll(p),
            "Has olvidado el signo menos: el logaritmo de una probabilidad es negativo o cero.",
        ),
        "sum": (
            lambda p: _nll(p) * len(p),
            "Has sumado las sorpresas sin dividir entre cuántas son: se pide la media.",
        ),
        "log_of_mean": (
            lambda p: -log(_mean(p)),
            "Has calculado el logaritmo de la media: se pide la media de los logaritmos.",
        ),
        "perplexity": (
            lambda p: e ** _nll(p),
            "Eso es la perplejidad: te sobra la exponencial.",
        ),
        "mean_probability": (
            _mean,
            "Eso es la media de las probabilidades: falta el logaritmo, con su signo.",
        ),
    },
)

# 2. Unigram


def _unigram(songs, n_symbols):
    counts = [1] * n_symbols  # one more than were seen
    for song in songs:
        for symbol in song:
            counts[symbol] += 1
    # Shares of all that was counted, so that they sum to 1.
    total = sum(counts)
    return [count / total for count in counts]


def _counts(songs, n_symbols):
    counts = []
    for symbol in range(n_symbols):
        counts.append(sum(song.count(symbol) for song in songs))
    return counts


def _without_the_others(songs, n_symbols):
    n = sum(map(len, songs))
    return [(count + 1) / n for count in _counts(songs, n_symbols)]


def _one_more_in_all(songs, n_symbols):
    n = sum(map(len, songs))
    return [(count + 1) / (n + 1) for count in _counts(songs, n_symbols)]


def _by_kinds_seen(songs, n_symbols):
    n = sum(map(len, songs))
    n_kinds = len(set().union(*songs))
    return [(count + 1) / (n + n_kinds) for count in _counts(songs, n_symbols)]


def _only_the_unseen(songs, n_symbols):
    counts = [max(count, 1) for count in _counts(songs, n_symbols)]
    return [count / sum(counts) for count in counts]


def _share_of_songs(songs, n_symbols):
    counts = []
    for symbol in range(n_symbols):
        counts.append(1 + sum(symbol in song for song in songs))
    return [count / sum(counts) for count in counts]


def _unigram_cases(rng):
    cases = [([[0, 0, 0, 1]], 4), ([[0, 1], [1, 1, 2]], 3), ([[2], [0, 2, 2, 2], [3]], 5)]
    for n_symbols in (3, 6, 12):
        # Three songs, in which the last symbol never comes.
        lengths = rng.integers(2, 9, 3)
        songs = [rng.integers(0, n_symbols - 1, n).tolist() for n in lengths]
        cases.append((songs, n_symbols))
    return cases


UNIGRAMA = Exercise(
    "unigrama",
    _unigram,
    _unigram_cases,
    wrong={
        "no_smoothing": (
            lambda songs, n: [count / sum(_counts(songs, n)) for count in _counts(songs, n)],
            (
                "Falta sumar 1 a cada cuenta: lo que no ha salido tiene probabilidad 0, y su sorpresa "
                "sería infinita."
            ),
        ),
        "total_without_ones": (
            _without_the_others,
            (
                "Has sumado 1 a las cuentas y no al total: súmale n_simbolos, un 1 por símbolo. "
                "Comprueba que las probabilidades suman 1."
            ),
        ),
        "total_one_more": (
            _one_more_in_all,
            "Al total le has sumado un solo 1: súmale n_simbolos, un 1 por símbolo.",
        ),
        "kinds_seen": (
            _by_kinds_seen,
            (
                "Al total le has sumado los símbolos que han salido: deben ser todos los que hay, "
                "n_simbolos."
            ),
        ),
        "only_unseen": (
            _only_the_unseen,
            "Has dado un 1 solo a lo que no ha salido: súmalo a todas las cuentas.",
        ),
        "first_song": (
            lambda songs, n: _unigram(songs[:1], n),
            "Solo has contado la primera canción: cuéntalas todas.",
        ),
        "songs_not_symbols": (
            _share_of_songs,
            "Has contado en cuántas canciones sale cada símbolo: cuenta cuántas veces sale.",
        ),
        "counts": (
            lambda songs, n: [count + 1 for count in _counts(songs, n)],
            "Eso son las cuentas: divídelas entre su suma.",
        ),
    },
)

# Questions

PREGUNTA_1 = Question(
    "pregunta_1",
    log(8),
    why="Da 1/8 a cada símbolo, y −ln(1/8) = ln 8, unos 2,08 nats. Su perplejidad es 8.",
    hint="¿Qué probabilidad da a cada símbolo? La NLL es menos su logaritmo natural.",
    tolerance=0.005,
)
PREGUNTA_2 = Question(
    "pregunta_2",
    "b",
    {
        "a": "No: la de entrenamiento seguiría bajando y la de validación subiendo. Ya memoriza.",
        "b": "Eso es: las curvas se separan porque memoriza. Se usan los pesos de la mejor época, "
        "y más canciones distintas ayudarían.",
        "c": "No: una red demasiado pequeña no bajaría tampoco la de entrenamiento.",
    },
)
PREGUNTA_3 = Question(
    "pregunta_3",
    "c",
    {
        "a": "No: por suerte se aciertan 6 o más de 10 unas 8 veces de cada 100. No es tan raro.",
        "b": "No: que la suerte baste para explicarlo no demuestra que no distingan.",
        "c": "Eso es: por suerte pasaría unas 8 veces de cada 100. Con más votos se sabría.",
    },
)

check_nll = NLL.check
check_unigrama = UNIGRAMA.check
check_repartir = REPARTIR.check
check_pasaje_copiado = PASAJE_COPIADO.check
check_pregunta_1 = PREGUNTA_1.check
check_pregunta_2 = PREGUNTA_2.check
check_pregunta_3 = PREGUNTA_3.check

ALL = {
    exercise.name: exercise
    for exercise in (
        NLL,
        UNIGRAMA,
        REPARTIR,
        PASAJE_COPIADO,
        PREGUNTA_1,
        PREGUNTA_2,
        PREGUNTA_3,
    )
}
