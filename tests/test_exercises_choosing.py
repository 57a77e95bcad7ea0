"""Lesson 5's exercises know their right answers, and what is wrong with the usual others."""

import numpy as np
import pytest

from musiclab.exercises import PENDING, RIGHT, WRONG, choosing, looping
from musiclab.generation import sample_id
from musiclab.logits import softmax


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exercise", choosing.EXERCISES, ids=lambda e: e.name)
def test_the_specification_is_right(exercise, seed):
    assert exercise.check(exercise.solve, seed).status == RIGHT


def test_the_package_agrees_with_the_specifications():
    rng = np.random.default_rng(0)
    for z, t in choosing._logits_cases(rng):
        assert np.allclose(choosing.softmax_t(z, t), softmax(z / t))
    for seed in range(60):
        logits, u = rng.normal(0, 2, 9), np.random.default_rng(seed).random()
        drawn = sample_id(logits, 1.0, np.random.default_rng(seed), banned_ids=[3])
        assert choosing.elegir(logits, [0, 3], u) == drawn
        p = choosing._allowed(logits, [0])
        cut = choosing.top_p(p, 0.7)
        drawn = sample_id(logits, 1.0, np.random.default_rng(seed), top_p=0.7)
        assert int(np.searchsorted(cut.cumsum(), u, side="right")) == drawn


# softmax_t


def s_multiplied(z, t):
    powers = np.exp(z * t - np.max(z * t))
    return powers / powers.sum()


def s_no_temperature(z, t):
    powers = np.exp(z - np.max(z))
    return powers / powers.sum()


def s_overflow(z, t):
    with np.errstate(all="ignore"):
        return np.exp(z / t) / np.sum(np.exp(z / t))


def s_not_normalised(z, t):
    return np.exp((z - np.max(z)) / t)


def s_divided_later(z, t):
    return s_no_temperature(z, t) / t


def s_by_the_largest(z, t):
    powers = np.exp(z / t - max(z / t))
    return powers / powers.max()


def s_list(z, t):
    return choosing.softmax_t(z, t).tolist()


# top_p


def t_one_short(probabilidades, p):
    order = np.argsort(-probabilidades, kind="stable")
    inside = [
        k for k, total in zip(order, probabilidades[order].cumsum(), strict=True) if total < p
    ]
    result = np.zeros_like(probabilidades)
    result[inside] = probabilidades[inside]
    return result / result.sum()


def t_not_normalised(probabilidades, p):
    order = np.argsort(-probabilidades, kind="stable")
    n = int((probabilidades[order].cumsum() < p).sum()) + 1
    result = np.zeros_like(probabilidades)
    result[order[:n]] = probabilidades[order[:n]]
    return result


def t_unsorted(probabilidades, p):
    n = int((probabilidades.cumsum() < p).sum()) + 1
    result = np.where(np.arange(len(probabilidades)) < n, probabilidades, 0)
    return result / result.sum()


def t_above_p(probabilidades, p):
    result = np.where(probabilidades > p, probabilidades, 0)
    with np.errstate(all="ignore"):
        return result / result.sum()


def t_last_of_equals(probabilidades, p):
    order = np.argsort(probabilidades, kind="stable")[::-1]
    n = int((probabilidades[order].cumsum() < p).sum()) + 1
    result = np.zeros_like(probabilidades)
    result[order[:n]] = probabilidades[order[:n]]
    return result / result.sum()


def t_left_sorted(probabilidades, p):
    return (
        -np.sort(-t_not_normalised(probabilidades, p)) / t_not_normalised(probabilidades, p).sum()
    )


def t_strictly(probabilidades, p):
    order = np.argsort(-probabilidades, kind="stable")
    n = int((probabilidades[order].cumsum() <= p).sum()) + 1
    result = np.zeros_like(probabilidades)
    result[order[:n]] = probabilidades[order[:n]]
    return result / result.sum()


def t_kept_ids(probabilidades, p):
    return [int(k) for k in np.flatnonzero(choosing.top_p(probabilidades, p))]


# elegir


def probabilities(logits):
    powers = np.exp(np.asarray(logits) - np.max(logits))
    return powers / powers.sum()


def e_not_banned(logits, prohibidos, u):
    return int(np.searchsorted(probabilities(logits).cumsum(), u, side="right"))


def e_as_if_zero(logits, prohibidos, u):
    logits = logits.copy()
    logits[prohibidos] = 0
    return e_not_banned(logits, [], u)


def e_not_shared_again(logits, prohibidos, u):
    p = probabilities(logits)
    p[prohibidos] = 0
    return int(np.searchsorted(p.cumsum(), u, side="right"))


def e_argmax(logits, prohibidos, u):
    return max((k for k in range(len(logits)) if k not in prohibidos), key=lambda k: logits[k])


def e_renumbered(logits, prohibidos, u):
    return e_not_banned([z for k, z in enumerate(logits) if k not in prohibidos], [], u)


def e_changed(logits, prohibidos, u):
    logits[prohibidos] = -np.inf
    return e_not_banned(logits, [], u)


# escribir


def w_end_kept(siguiente, inicio, fin, maximo):
    ids = list(inicio)
    while len(ids) - len(inicio) < maximo and (len(ids) == len(inicio) or ids[-1] != fin):
        ids.append(siguiente(ids))
    return ids[len(inicio) :]


def w_never_ends(siguiente, inicio, fin, maximo):
    ids = list(inicio)
    for _ in range(maximo):
        ids.append(siguiente(ids))
    return ids[len(inicio) :]


def w_prompt_kept(siguiente, inicio, fin, maximo):
    return [*inicio, *looping.escribir(siguiente, inicio, fin, maximo)]


def w_prompt_counted(siguiente, inicio, fin, maximo):
    ids = list(inicio)
    while len(ids) < maximo and (new := siguiente(ids)) != fin:
        ids.append(new)
    return ids[len(inicio) :]


def w_last_only(siguiente, inicio, fin, maximo):
    ids = list(inicio)
    while len(ids) - len(inicio) < maximo and (new := siguiente([ids[-1]])) != fin:
        ids.append(new)
    return ids[len(inicio) :]


def w_deaf(siguiente, inicio, fin, maximo):
    ids = []
    while len(ids) < maximo and (new := siguiente(inicio)) != fin:
        ids.append(new)
    return ids


def w_changed(siguiente, inicio, fin, maximo):
    n_given = len(inicio)
    while len(inicio) - n_given < maximo and (new := siguiente(inicio)) != fin:
        inicio.append(new)
    return inicio[n_given:]


def w_endless(siguiente, inicio, fin, maximo):
    ids = list(inicio)
    while siguiente(inicio) != fin:
        pass
    return ids


# ordenar_por_temperatura


def entropy_of(ids):
    counts = np.unique(ids, return_counts=True)[1] / len(ids)
    return -(counts * np.log(counts)).sum()


def o_reversed(canciones):
    return sorted(range(len(canciones)), key=lambda k: -entropy_of(canciones[k]))


def o_distinct(canciones):
    return sorted(range(len(canciones)), key=lambda k: len(set(canciones[k])))


def o_length(canciones):
    return sorted(range(len(canciones)), key=lambda k: len(canciones[k]))


def o_ranks(canciones):
    return np.argsort(np.argsort([entropy_of(ids) for ids in canciones])).tolist()


def o_songs(canciones):
    return sorted(canciones, key=entropy_of)


def o_from_one(canciones):
    return [1 + k for k in np.argsort([entropy_of(ids) for ids in canciones]).tolist()]


def o_array(canciones):
    return np.argsort([entropy_of(ids) for ids in canciones], kind="stable")


WRONG_ANSWERS = [
    ("softmax_t", s_multiplied, "Has multiplicado por T"),
    ("softmax_t", s_no_temperature, "olvidado de la temperatura"),
    ("softmax_t", s_overflow, "resta antes el logit más alto"),
    ("softmax_t", s_not_normalised, "Falta dividir entre la suma"),
    ("softmax_t", s_divided_later, "Has dividido entre T las probabilidades"),
    ("softmax_t", s_by_the_largest, "Falta dividir entre la suma"),
    ("softmax_t", s_list, "conviértelo con np.array"),
    ("top_p", t_one_short, "un símbolo corto"),
    ("top_p", t_not_normalised, "Falta repartir de nuevo"),
    ("top_p", t_unsorted, "sin ordenar"),
    ("top_p", t_above_p, "posición"),
    ("top_p", t_last_of_equals, "has empezado por el último"),
    ("top_p", t_left_sorted, "Las has dejado ordenadas"),
    ("top_p", t_strictly, "Cuando la suma es justo p ya basta"),
    ("top_p", t_kept_ids, "conviértelo con np.array"),
    ("elegir", e_not_banned, "No has quitado los prohibidos"),
    ("elegir", e_as_if_zero, "Un logit 0 no prohíbe nada"),
    ("elegir", e_not_shared_again, "sin repartir su parte"),
    ("elegir", e_argmax, "aquí decide u"),
    ("elegir", e_renumbered, "devuelve el id de antes"),
    ("elegir", e_changed, "cambia sus argumentos"),
    ("escribir", w_end_kept, "Has dejado el símbolo de fin"),
    ("escribir", w_never_ends, "No has parado"),
    ("escribir", w_prompt_kept, "también el motivo inicial"),
    ("escribir", w_prompt_counted, "maximo es de símbolos nuevos"),
    ("escribir", w_last_only, "solo le has dado el último símbolo"),
    ("escribir", w_deaf, "recibe siempre lo mismo"),
    ("escribir", w_changed, "cambia sus argumentos"),
    ("escribir", w_endless, "¿un bucle sin fin?"),
    ("ordenar_por_temperatura", o_reversed, "de caliente a fría"),
    ("ordenar_por_temperatura", o_distinct, "Has contado símbolos distintos"),
    ("ordenar_por_temperatura", o_length, "por longitud"),
    ("ordenar_por_temperatura", o_ranks, "el puesto de cada canción"),
    ("ordenar_por_temperatura", o_songs, "Son las canciones mismas"),
    ("ordenar_por_temperatura", o_from_one, "Has contado desde 1"),
    ("ordenar_por_temperatura", o_array, "conviértelo con .tolist()"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name, answer, phrase",
    WRONG_ANSWERS,
    ids=lambda part: getattr(part, "__name__", str(part))[:40],
)
def test_a_wrong_answer_is_told_what_it_is(name, answer, phrase):
    for seed in (0, 3):
        verdict = choosing.ALL[name].check(answer, seed)
        assert verdict.status == WRONG
        assert phrase in verdict.reason
        if phrase == "¿un bucle sin fin?":
            break


@pytest.mark.parametrize("name", ["top_p", "elegir", "ordenar_por_temperatura"])
def test_the_difference_is_shown(name):
    answer = next(answer for exercise, answer, _ in WRONG_ANSWERS if exercise == name)
    assert choosing.ALL[name].check(answer).picture


@pytest.mark.parametrize("question", choosing.QUESTIONS, ids=lambda q: q.name)
def test_questions(question):
    assert question.check(None).status == PENDING
    for letter in "abc":
        assert question.check(letter).status == (RIGHT if letter == question.answer else WRONG)
    assert "debe ser" in question.check("d").reason


def test_the_melodies_go_from_cold_to_hot_as_the_question_says():
    songs = [looping.melodia(name) for name in "ABC"]
    assert {song.duration_ql >= 12 for song in songs} == {True}
    ids = [[e.pitches[0] * 100 + round(96 * e.duration_ql) for e in song.events] for song in songs]
    assert looping.ordenar_por_temperatura(ids) == [1, 2, 0]
