"""The exercises of lesson 5 on whole songs: the loop that writes one, and hot or cold.

Conventions: a song is a list of ids; what follows it is asked of a function.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from musiclab.encoding.motifs import parse_motif
from musiclab.exercises.comparing import shown
from musiclab.exercises.exercise import Exercise

N_TRIES = 2000  # at a case that tells all wrong variants apart


def telling(make, solve, wrong, rng):
    """Return a case for which the right result and those of the wrong variants all differ.

    make: rng -> a tuple of arguments; solve, wrong: the specification and its wrong variants
    """
    functions = [solve, *(variant for variant, _ in wrong.values())]
    best, most = None, 0
    for _ in range(N_TRIES):
        arguments = make(rng)
        n_results = len({shown(function(*arguments)) for function in functions})
        if n_results > most:
            best, most = arguments, n_results
        if most == len(functions):
            break
    return best


# 4. escribir


@dataclass(frozen=True)
class Dictado:
    """A function from all the ids so far to the next one: it dictates, then begins again.

    n_given: how many ids the prompt has; ids: what it dictates
    """

    n_given: int
    ids: tuple

    def __call__(self, ids):
        """Return the id that follows."""
        n_dictated = len(ids) - self.n_given
        return self.ids[n_dictated % len(self.ids)]

    def __repr__(self):
        return f"dictado({', '.join(map(str, self.ids))})"


def escribir(siguiente, inicio, fin, maximo, seen=lambda inicio, new: [*inicio, *new]):
    """Return what `siguiente` writes after the ids of `inicio`, a list of ids.

    Stops before `fin`, which is not part of it, or after `maximo` new ids.
    seen: what `siguiente` is asked with, where students do not give it all that there is
    """
    new = []
    while len(new) < maximo:
        # It is asked with all that there is so far, the prompt and what was written.
        following = siguiente(seen(inicio, new))
        if following == fin:
            break
        new.append(following)
    return new


def _to_the_end(siguiente, inicio, fin, maximo):
    return escribir(siguiente, inicio, None, maximo)


def _end_kept(siguiente, inicio, fin, maximo):
    new = escribir(siguiente, inicio, fin, maximo)
    return [*new, fin] if len(new) < maximo else new


def _prompt_kept(siguiente, inicio, fin, maximo):
    return [*inicio, *escribir(siguiente, inicio, fin, maximo)]


_WRONG_LOOPS = {
    "end_kept": (
        _end_kept,
        "Has dejado el símbolo de fin en el resultado: dice que se acabó, no se toca.",
    ),
    "never_ends": (
        _to_the_end,
        "No has parado al salir el símbolo de fin: la canción acababa ahí.",
    ),
    "end_skipped": (
        lambda siguiente, inicio, fin, maximo: [
            k for k in _to_the_end(siguiente, inicio, fin, maximo) if k != fin
        ],
        "Has quitado el símbolo de fin, pero has seguido escribiendo después.",
    ),
    "prompt_kept": (
        _prompt_kept,
        "Has devuelto también el motivo inicial: se piden solo los símbolos nuevos.",
    ),
    "prompt_counted": (
        lambda siguiente, inicio, fin, maximo: escribir(
            siguiente, inicio, fin, maximo - len(inicio)
        ),
        "Has contado el motivo inicial: maximo es de símbolos nuevos.",
    ),
    "one_too_many": (
        lambda siguiente, inicio, fin, maximo: escribir(siguiente, inicio, fin, maximo + 1),
        "Has escrito uno de más: como mucho son maximo.",
    ),
    "last_only": (
        partial(escribir, seen=lambda inicio, new: [*inicio, *new][-1:]),
        "A siguiente solo le has dado el último símbolo: necesita todos, con el motivo inicial.",
    ),
    "prompt_forgotten": (
        partial(escribir, seen=lambda inicio, new: new),
        "A siguiente no le has dado el motivo inicial: va delante de lo escrito.",
    ),
    "deaf": (
        partial(escribir, seen=lambda inicio, new: inicio),
        "Siguiente recibe siempre lo mismo: añade cada símbolo nuevo antes de pedir otro.",
    ),
}


def _loop_cases(rng):
    cases = [
        (Dictado(2, (5, 7, 6, 2, 9, 8)), [1, 4], 2, 10),
        (Dictado(2, (5, 7, 6, 8, 9, 3)), [1, 4], 2, 4),
        (Dictado(1, (2, 5, 6)), [1], 2, 5),
    ]
    for n in (8, 15):
        ids = rng.integers(3, 40, n).tolist()
        ids[n // 2] = 2  # the end, in the middle
        prompt = [1, *rng.integers(3, 40, 3).tolist()]
        # Once there is room for it, and once it would come too late.
        cases.append((Dictado(4, tuple(ids)), prompt, 2, n))
        cases.append((Dictado(4, tuple(ids)), prompt, 2, n // 2))
    return [*cases, (Dictado(1, (7,)), [1], 2, 0)]


LOOP = Exercise("escribir", escribir, _loop_cases, _WRONG_LOOPS, limit_s=2.0)


# 5. ordenar_por_temperatura


def entropy(ids):
    """Return the entropy in nats of how often each id occurs."""
    shares = [count / len(ids) for count in _counts(ids)]
    return _surprise(shares)


def _counts(ids):
    return [ids.count(kind) for kind in sorted(set(ids))]


def _surprise(shares):
    return -sum(share * math.log(share) for share in shares)


def ordenar_por_temperatura(canciones, measure=entropy):
    """Return the places of the songs, lists of ids, from the lowest entropy to the highest."""
    return sorted(range(len(canciones)), key=lambda k: (measure(canciones[k]), k))


_WRONG_ORDERS = {
    "reversed": (
        lambda canciones: ordenar_por_temperatura(canciones)[::-1],
        "Van de caliente a fría. ¿Falta el signo menos de la entropía?",
    ),
    "distinct": (
        partial(ordenar_por_temperatura, measure=lambda ids: len(set(ids))),
        "Has contado símbolos distintos: la entropía mira también cuánto sale cada uno.",
    ),
    "length": (
        partial(ordenar_por_temperatura, measure=len),
        "Has ordenado por longitud, y una canción larga puede ser fría.",
    ),
    "ranks": (
        lambda canciones: np.argsort(ordenar_por_temperatura(canciones)).tolist(),
        "Es el puesto de cada canción: se pide, en orden, qué canción va en cada puesto.",
    ),
    "not_shares": (
        partial(ordenar_por_temperatura, measure=lambda ids: _surprise(_counts(ids))),
        "Te falta dividir las veces entre la longitud: la entropía es de proporciones.",
    ),
    "from_one": (
        lambda canciones: [k + 1 for k in ordenar_por_temperatura(canciones)],
        "Has contado desde 1: la primera canción de la lista es la 0.",
    ),
    "songs": (
        lambda canciones: [canciones[k] for k in ordenar_por_temperatura(canciones)],
        "Son las canciones mismas: se piden sus lugares en la lista.",
    ),
}


def _make_songs(rng, n=5):
    """Return songs whose entropies lie well apart."""
    songs = []
    for _ in range(n):
        # The smaller the number, the fewer of the twelve ids have nearly all the chances.
        evenness = rng.uniform(0.05, 2)
        chances = rng.dirichlet(np.full(12, evenness))
        length = rng.integers(6, 25)
        songs.append((3 + rng.choice(12, length, p=chances)).tolist())
    gaps = np.diff(sorted(map(entropy, songs)))
    return (songs,) if gaps.min() > 0.02 else _make_songs(rng, n)


def _order_cases(rng):
    first = telling(_make_songs, ordenar_por_temperatura, _WRONG_ORDERS, rng)
    small = [[5, 6, 7, 8], [5, 5, 5, 5], [5, 6, 5, 5]]
    few, many = _make_songs(rng, 3), _make_songs(rng, 8)
    equal = [[3, 4, 3, 4], [9, 9], [7, 8]]  # two of the same entropy: the first goes first
    return [first, (small,), few, many, (equal,)]


def _show_entropies(arguments, expected, got):
    rows = "<tr><th>canción</th><th>entropía (nats)</th></tr>"
    for k, ids in enumerate(arguments[0]):
        nats = f"{entropy(ids):.3f}".replace(".", ",")
        rows += f"<tr><td>{k}</td><td>{nats}</td></tr>"
    return f"<table>{rows}</table>"


ORDER = Exercise(
    "ordenar_por_temperatura", ordenar_por_temperatura, _order_cases, _WRONG_ORDERS,
    show=_show_entropies,
)  # fmt: skip


# What the network of the lesson wrote after one motif: question 1 asks at which temperature.
MELODIAS = {
    "A": "E4:1/2 G4:1/2 B4:1/2 G4:1/2 A4:1/3 F#5:1/2 G4:1/2 A5:1/2 C5:1/2 D5:1/4 G5:1/6 D5:1/4 "
    "D5:2 G3:1 F#5:1/2 G5:1/3 F5:1/3 G5:1/3 E5:1/2 D5:3/2 C5:1/2 C5:1/2 A4:1/2 G4:1/2 B4:1/2",
    "B": "E4:1/2 G4:1/2 B4:1/2 G4:1/2 A4:1/2 G4:1/2 E4:1/2 G4:1/2 A4:1/2 G4:1/2 E4:1/2 G4:1/2 "
    "A4:1/2 G4:1/2 E4:1/2 G4:1/2 A4:1/2 G4:1/2 E4:1/2 G4:1/2 G4:1/2 B4:1/2 G4:1/2 A4:1/2",
    "C": "E4:1/2 G4:1/2 B4:1/2 G4:1/2 A4:1/2 C#5:1/2 B4:1/2 C#5:1/2 D5:1/2 B4:1/2 A4:1/2 G4:1/2 "
    "F#4:1/2 D4:1/2 F#4:1/2 G4:1/2 A4:1/2 B4:1/2 A4:1/2 G4:1/2 E4:1/2 F#4:1/2 F4:1/2 D4:1/2",
}


def melodia(name):
    """Return one of the three melodies of question 1, a Song for flute."""
    return replace(parse_motif(MELODIAS[name]), source=f"Melodía {name}", program=73)
