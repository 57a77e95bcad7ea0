"""Lesson 3: likelihood, a unigram; from `leaks`, a split and copied passages; questions.

Conventions: probabilities are floats in (0, 1], NLL is in nats; symbols are
ids from 0.
"""

from functools import partial
from math import exp, log, log2, log10
from statistics import fmean

from musiclab.exercises.exercise import Exercise, Question
from musiclab.exercises.leaks import PASAJE_COPIADO, REPARTIR

# 1. NLL


def _nll(probabilities, log=log):
    # The surprise, in nats: the less it was expected, the larger.
    surprises = [-log(p) for p in probabilities]
    return sum(surprises) / len(surprises)


def _probabilities(rng):
    cases = [[0.5], [0.5, 0.25], [1.0], [1.0, 0.1, 0.1]]
    for n in (4, 9, 30):
        cases.append(rng.uniform(0.01, 1, n).round(3).tolist())
    return [(probabilities,) for probabilities in cases]


_WRONG_NLL = {
    "log2": (
        partial(_nll, log=log2),
        "Has usado el logaritmo en base 2: eso son bits. Los nats piden el natural, math.log.",
    ),
    "log10": (
        partial(_nll, log=log10),
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
        lambda p: -log(fmean(p)),
        "Has calculado el logaritmo de la media: se pide la media de los logaritmos.",
    ),
    "perplexity": (
        lambda p: exp(_nll(p)),
        "Eso es la perplejidad: te sobra la exponencial.",
    ),
    "mean_probability": (
        fmean,
        "Eso es la media de las probabilidades: falta el logaritmo, con su signo.",
    ),
}

NLL = Exercise("nll", _nll, _probabilities, _WRONG_NLL)

# 2. Unigram


def _unigram(songs, n_symbols):
    counts = _counts(songs, n_symbols, start=1)  # one more than were seen
    # Shares of all that was counted, so that they sum to 1.
    return _shares(counts, sum(counts))


def _counts(songs, n_symbols, start=0):
    counts = [start] * n_symbols
    for song in songs:
        for symbol in song:
            counts[symbol] += 1
    return counts


def _shares(counts, total):
    return [count / total for count in counts]


def _of_all(count_them):
    """Return the function that gives the shares of some other counts."""

    def shares(songs, n_symbols):
        counts = count_them(songs, n_symbols)
        return _shares(counts, sum(counts))

    return shares


def _with_total(n_more):
    """Return the function that adds n_more(songs), and not one a symbol, to how many were seen."""

    def shares(songs, n_symbols):
        n_seen = sum(map(len, songs))
        return _shares(_counts(songs, n_symbols, start=1), n_seen + n_more(songs))

    return shares


def _unigram_cases(rng):
    cases = [([[0, 0, 0, 1]], 4), ([[0, 1], [1, 1, 2]], 3), ([[2], [0, 2, 2, 2], [3]], 5)]
    for n_symbols in (3, 6, 12):
        # Three songs, in which the last symbol never comes.
        lengths = rng.integers(2, 9, 3)
        songs = [rng.integers(0, n_symbols - 1, n).tolist() for n in lengths]
        cases.append((songs, n_symbols))
    return cases


_WRONG_UNIGRAMA = {
    "no_smoothing": (
        _of_all(_counts),
        (
            "Falta sumar 1 a cada cuenta: lo que no ha salido tiene probabilidad 0, y su sorpresa "
            "sería infinita."
        ),
    ),
    "total_without_ones": (
        _with_total(lambda songs: 0),
        (
            "Has sumado 1 a las cuentas y no al total: súmale n_simbolos, un 1 por símbolo. "
            "Comprueba que las probabilidades suman 1."
        ),
    ),
    "total_one_more": (
        _with_total(lambda songs: 1),
        "Al total le has sumado un solo 1: súmale n_simbolos, un 1 por símbolo.",
    ),
    "kinds_seen": (
        _with_total(lambda songs: len(set().union(*songs))),
        (
            "Al total le has sumado los símbolos que han salido: deben ser todos los que hay, "
            "n_simbolos."
        ),
    ),
    "only_unseen": (
        _of_all(lambda songs, n: [count or 1 for count in _counts(songs, n)]),
        "Has dado un 1 solo a lo que no ha salido: súmalo a todas las cuentas.",
    ),
    "first_song": (
        lambda songs, n: _unigram(songs[:1], n),
        "Solo has contado la primera canción: cuéntalas todas.",
    ),
    "songs_not_symbols": (
        lambda songs, n: _unigram(map(set, songs), n),
        "Has contado en cuántas canciones sale cada símbolo: cuenta cuántas veces sale.",
    ),
    "counts": (
        partial(_counts, start=1),
        "Eso son las cuentas: divídelas entre su suma.",
    ),
}

UNIGRAMA = Exercise("unigrama", _unigram, _unigram_cases, _WRONG_UNIGRAMA)

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

EXERCISES = (NLL, UNIGRAMA, REPARTIR, PASAJE_COPIADO)
QUESTIONS = (PREGUNTA_1, PREGUNTA_2, PREGUNTA_3)
ALL = {one.name: one for one in EXERCISES + QUESTIONS}

check_nll, check_unigrama, check_repartir, check_pasaje_copiado = (one.check for one in EXERCISES)
check_pregunta_1, check_pregunta_2, check_pregunta_3 = (one.check for one in QUESTIONS)
