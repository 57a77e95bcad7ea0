"""The exercises of lesson 5: softmax, the nucleus, a draw; `looping` has those on whole songs.

Conventions: z are logits, T a temperature above 0, u a number in [0, 1) that
chance has given. Where two symbols are equally likely, the lower id goes first.
"""

import math
from functools import partial

import numpy as np

from musiclab.diagrams import nucleus, ruler
from musiclab.exercises.exercise import Exercise, Question
from musiclab.exercises.looping import LOOP, ORDER, telling

MARGIN = 1e-6  # no case hangs on how a sum is rounded


# 1. softmax_t


def softmax_t(z, T):  # noqa: N803
    """Return softmax(z / T): the probabilities of logits z (n_symbols,) at temperature T."""
    # The largest logit is taken off all: the shares stay the same, and no power is too large.
    largest = max(z)
    powers = [math.exp((value - largest) / T) for value in z]
    total = sum(powers)
    return np.array([power / total for power in powers])


def _powers(z, T):  # noqa: N803
    with np.errstate(all="ignore"):
        return np.exp(z / T)


def _overflown(z, T):  # noqa: N803
    with np.errstate(all="ignore"):
        return _powers(z, T) / _powers(z, T).sum()


def _logits_cases(rng):
    few, more = np.array([2.0, 1.0, 0.0]), np.array([0.0, 3.0, -1.0, 1.0])
    made = []
    for n in (4, 6, 10, 30):
        logits = rng.normal(0, 3, n)
        temperature = float(np.round(rng.uniform(0.2, 2.5), 2))
        made.append((logits, temperature))
    # Of these the exponentials overflow, or are all 0.
    high, low = np.array([1000.0, 999.0, 990.0]), np.array([-1000.0, -1001.0])
    wide = rng.normal(0, 200, 12) + 2000
    return [(few, 2.0), (more, 0.5), *made, (high, 1.0), (low, 0.5), (wide, 0.8)]


_WRONG_SOFTMAX = {
    "multiplied": (
        lambda z, T: softmax_t(z * T, 1),  # noqa: N803
        "Has multiplicado por T en vez de dividir: así, más temperatura enfría.",
    ),
    "no_temperature": (
        lambda z, T: softmax_t(z, 1),  # noqa: N803
        "Te has olvidado de la temperatura: divide los logits entre T.",
    ),
    "divided_later": (
        lambda z, T: softmax_t(z, 1) / T,  # noqa: N803
        "Has dividido entre T las probabilidades, y son los logits lo que se divide.",
    ),
    "not_normalised": (
        lambda z, T: _powers(z - z.max(), T),  # noqa: N803
        "Falta dividir entre la suma: no suman 1.",
    ),
    "not_normalised_and_unstable": (
        _powers,
        "Son exponenciales, no probabilidades: falta dividir entre la suma.",
    ),
    "by_the_largest": (
        lambda z, T: softmax_t(z, T) / softmax_t(z, T).max(),  # noqa: N803
        "Has dividido entre el mayor: hay que dividir entre la suma.",
    ),
    "no_exponential": (
        lambda z, T: z / T / (z / T).sum(),  # noqa: N803
        "Falta la exponencial: un logit puede ser negativo, una probabilidad no.",
    ),
    "overflow": (
        _overflown,
        "La exponencial se ha desbordado, o ha dado 0: resta antes el logit más alto.",
    ),
}

SOFTMAX = Exercise("softmax_t", softmax_t, _logits_cases, _WRONG_SOFTMAX)


# 2. top_p


def _likeliest_first(probabilities):
    return sorted(range(len(probabilities)), key=lambda k: (-probabilities[k], k))


def top_p(probabilidades, p, order=_likeliest_first, n_more=0):
    """Return the probabilities (n_symbols,) of the nucleus, which sum to 1; the others are 0.

    The nucleus: symbols from the likeliest on (of equals, the lower id first),
    until their sum reaches p. With another order, or so many more symbols, it
    is what students get wrong.
    """
    ids = order(probabilidades)
    n_kept, together = 0, 0.0
    while n_kept < len(ids) and together < p:
        together += probabilidades[ids[n_kept]]
        n_kept += 1
    return _kept(probabilidades, ids[: max(n_kept + n_more, 1)])


def _kept(probabilities, kept):
    """Return the probabilities of the ids that are kept, made to sum to 1; the others are 0."""
    result = np.zeros(len(probabilities))
    result[kept] = np.asarray(probabilities)[kept]
    with np.errstate(invalid="ignore"):  # a wrong variant may keep nothing
        return result / result.sum()


def _ascending(probabilities):
    return np.argsort(probabilities, kind="stable")


def _nucleus_cases(rng):
    exact = [
        # Eighths and sixteenths have exact sums.
        (np.array([0.125, 0.5, 0.25, 0.0625, 0.0625]), 0.8),
        (np.array([0.0625, 0.25, 0.0625, 0.5, 0.125]), 0.75),
        (np.array([0.25, 0.25, 0.25, 0.25]), 0.5),
    ]
    made = []
    for n in (6, 9, 20, 40):
        p = rng.dirichlet(np.full(n, 0.6))
        wanted = float(np.round(rng.uniform(0.3, 0.95), 2))
        sums = np.sort(p)[::-1].cumsum()
        if np.abs(sums - wanted).min() > MARGIN:
            made.append((p, wanted))
    return [*exact, *made, (np.array([0.9, 0.0625, 0.0375]), 0.5)]


def _show_nucleus(arguments, expected, got):
    probabilities, p = arguments
    return nucleus(range(len(probabilities)), probabilities, p)._repr_html_()


_WRONG_NUCLEUS = {
    "not_normalised": (
        lambda p, enough: np.where(top_p(p, enough) > 0, p, 0.0),
        "Falta repartir de nuevo: divide lo que queda entre su suma, para que sume 1.",
    ),
    "one_short": (
        partial(top_p, n_more=-1),
        "Te has quedado un símbolo corto: el que hace llegar la suma a p también queda dentro.",
    ),
    "unsorted": (
        partial(top_p, order=lambda p: range(len(p))),
        "Has sumado sin ordenar: empieza por el símbolo más probable.",
    ),
    "ascending": (
        partial(top_p, order=_ascending),
        "Has ordenado al revés: empieza por el más probable, no por el menos.",
    ),
    "left_sorted": (
        lambda p, enough: np.sort(top_p(p, enough))[::-1],
        "Las has dejado ordenadas: cada probabilidad debe volver al lugar de su símbolo.",
    ),
    "above_p": (
        lambda p, enough: _kept(p, np.flatnonzero(p >= enough)),
        "Has comparado con p cada probabilidad, y es la suma de las mayores lo que llega a p.",
    ),
    "strictly_more": (
        lambda p, enough: top_p(p, enough + MARGIN),
        "Cuando la suma es justo p ya basta: no hace falta otro símbolo.",
    ),
    "one_more": (partial(top_p, n_more=1), "Sobra un símbolo: para cuando la suma llega a p."),
    "last_of_equals": (
        partial(top_p, order=lambda p: _ascending(p)[::-1]),
        "Entre símbolos igual de probables has empezado por el último: va antes el primero.",
    ),
}

NUCLEUS = Exercise("top_p", top_p, _nucleus_cases, _WRONG_NUCLEUS, show=_show_nucleus)


# 3. elegir


def elegir(logits, prohibidos, u):
    """Return the id that u falls on, when all but the banned ids share the ruler from 0 to 1.

    The ids stand on the ruler in their order, each as long as its softmax
    probability among those that are allowed.
    """
    p = _allowed(logits, prohibidos)
    end = 0.0  # where the piece of an id ends, on the ruler
    for k in range(len(logits)):
        end += p[k]
        if u < end:
            return k
    return int(np.flatnonzero(p)[-1])  # the sum may fall a hair short of 1


def _allowed(logits, banned):
    """Return the softmax of the logits, in which the banned ids have 0."""
    struck_out = np.array(logits, dtype=float)
    struck_out[banned] = -np.inf
    powers = np.exp(struck_out - struck_out.max())
    return powers / powers.sum()


def _as_if_zero(logits, prohibidos, u):
    changed = np.array(logits, dtype=float)
    changed[prohibidos] = 0.0
    return elegir(changed, [], u)


def _not_shared_again(logits, prohibidos, u):
    p = softmax_t(logits, 1)
    p[prohibidos] = 0.0
    return int(np.searchsorted(p.cumsum(), u, side="right"))


def _all_alike(logits, prohibidos, u):
    allowed = [k for k in range(len(logits)) if k not in prohibidos]
    return allowed[int(u * len(allowed))]


def _from_the_likeliest(logits, prohibidos, u):
    order = _likeliest_first(_allowed(logits, prohibidos))
    banned = [order.index(k) for k in prohibidos]
    return order[elegir(logits[order], banned, u)]


_WRONG_CHOICES = {
    "not_banned": (
        lambda logits, prohibidos, u: elegir(logits, [], u),
        "No has quitado los prohibidos: también ocupan sitio en la regla.",
    ),
    "not_shared_again": (
        _not_shared_again,
        "Has quitado los prohibidos sin repartir su parte: lo que queda debe sumar 1.",
    ),
    "as_if_zero": (
        _as_if_zero,
        "Un logit 0 no prohíbe nada: su probabilidad no es 0. Pon −inf (-np.inf).",
    ),
    "argmax": (
        lambda logits, prohibidos, u: int(_allowed(logits, prohibidos).argmax()),
        "Has tomado siempre el más probable: aquí decide u.",
    ),
    "one_before": (
        lambda logits, prohibidos, u: elegir(logits, prohibidos, u) - 1,
        "Te has quedado en el símbolo anterior: es el primero cuya suma pasa de u.",
    ),
    "all_alike": (
        _all_alike,
        "Has sorteado como si todos fueran igual de probables: usa las probabilidades.",
    ),
    "renumbered": (
        lambda logits, prohibidos, u: elegir(np.delete(logits, prohibidos), [], u),
        "Al borrar los prohibidos, los demás han cambiado de número: devuelve el id de antes.",
    ),
    "from_the_likeliest": (
        _from_the_likeliest,
        "Has puesto en la regla primero los más probables: van en el orden de sus ids.",
    ),
}


def _make_choice(rng, n=16):
    logits = np.round(rng.normal(0, 1.5, n), 2)
    banned = sorted(rng.choice(n, n // 4, replace=False).tolist())
    u = float(np.round(rng.uniform(0.05, 0.95), 2))
    # Too near to the end of a piece, rounding would decide: make another.
    ends = np.cumsum(_allowed(logits, banned))
    if np.abs(ends - u).min() < 1e-3:
        return _make_choice(rng, n)
    return logits, banned, u


def _choice_cases(rng):
    first = telling(_make_choice, elegir, _WRONG_CHOICES, rng)
    made = [_make_choice(rng, n) for n in (5, 12, 30)]
    alike = np.array([1.0, 1.0, 1.0]), [], 0.0
    large = np.array([800.0, 801.0, 799.0]), [1], 0.9
    return [first, *made, alike, large]


def _show_ruler(arguments, expected, got):
    logits, banned, u = arguments
    p = _allowed(logits, banned)
    allowed = np.flatnonzero(p)
    return ruler(allowed, p[allowed], u)._repr_html_()


CHOICE = Exercise("elegir", elegir, _choice_cases, _WRONG_CHOICES, show=_show_ruler)


# Questions

QUESTION_1 = Question(
    "pregunta_1",
    "b",
    {
        "a": "Fíjate en A: salta por todas partes y cambia de ritmo. No puede ser la más fría.",
        "b": "B da vueltas a las mismas notas, C canta y A salta sin rumbo.",
        "c": "Fíjate en B: da vueltas a las mismas notas. No puede ser la más caliente.",
    },
)
QUESTION_2 = Question(
    "pregunta_2",
    "c",
    {
        "a": "Al revés: más temperatura acerca las probabilidades, no las separa.",
        "b": "La temperatura no divide las probabilidades, sino los logits: mira qué le pasa a e^(z/T).",
        "c": "Sí: la diferencia de logits, ln 100, se divide entre 2, y e^(ln 100 / 2) = √100 = 10.",
    },
)
QUESTION_3 = Question(
    "pregunta_3",
    "a",
    {
        "a": "Sí: top-k guarda cinco, estén como estén; top-p se adapta, y aquí con uno llega.",
        "b": "Los has cambiado: el que cuenta símbolos es top-k.",
        "c": "top-p no cuenta símbolos: con el primero ya llega a 0,9 y no necesita más.",
    },
)

EXERCISES = (SOFTMAX, NUCLEUS, CHOICE, LOOP, ORDER)
QUESTIONS = (QUESTION_1, QUESTION_2, QUESTION_3)
ALL = {one.name: one for one in EXERCISES + QUESTIONS}

check_softmax_t, check_top_p, check_elegir, check_escribir, check_ordenar_por_temperatura = (
    one.check for one in EXERCISES
)
check_pregunta_1, check_pregunta_2, check_pregunta_3 = (one.check for one in QUESTIONS)
