import json
from itertools import product
from pathlib import Path

import pytest

from musiclab.errors import ParameterError
from musiclab.evaluation import BlindTest, count_votes
from musiclab.evaluation.listening import chance_by_luck
from musiclab.midi import load_midi

PIECES = Path(__file__).parents[1] / "docs" / "prueba_a_ciegas"


@pytest.mark.parametrize("n, n_pieces", [(0, 2), (1, 3), (4, 3), (5, 2)])
def test_luck_is_counted_over_all_ways_to_vote(n, n_pieces):
    rights = [votes.count(0) for votes in product(range(n_pieces), repeat=n)]
    for n_right in range(n + 1):
        share = sum(right >= n_right for right in rights) / len(rights)
        assert chance_by_luck(n_right, n, n_pieces) == pytest.approx(share)


def test_votes_by_hand():
    # Of 27 ways to vote, one has three right ones and six have two.
    assert count_votes("BBA", "B") == BlindTest(3, 2, pytest.approx(7 / 27))
    assert count_votes("BBB", "B") == BlindTest(3, 3, pytest.approx(1 / 27))
    assert count_votes("AC", "B") == BlindTest(2, 0, 1.0)
    assert count_votes("ab", "a", pieces="ab") == BlindTest(2, 1, pytest.approx(3 / 4))


@pytest.mark.parametrize("votes", ["AB CA", "a, b, c, a", ["A", "b", " C", "a"], "A\nB\nC;A"])
def test_votes_may_be_written_in_several_ways(votes):
    assert count_votes(votes, "a") == count_votes("ABCA", "A")


@pytest.mark.parametrize("votes", ["", "  ", [], ()])
def test_nobody_has_voted(votes):
    test = count_votes(votes, "A")
    assert test == BlindTest(0, 0, 1.0)
    assert str(test) == "nadie ha votado todavía"


def test_many_votes_overflow_nothing():
    assert count_votes("A" * 600, "A").chance == pytest.approx(3.0**-600, rel=1e-9, abs=0)
    assert count_votes("A" * 1000 + "B" * 2000, "A").chance == pytest.approx(0.5, abs=0.02)


def test_the_sentence_counts_votes_and_luck():
    assert str(count_votes("BBA", "B")) == (
        "3 votos, 2 aciertos; por suerte habría tantos o más el 25,9 % de las veces"
    )
    assert str(count_votes("B", "B")).startswith("1 voto, 1 acierto; ")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("ABD", "A"), "un voto es «D» y debe ser A, B o C"),
        ((["AB"], "A"), "un voto es «AB»"),
        ((["A", None], "A"), "los votos son"),
        ((7, "A"), "los votos son 7 y deben ser letras"),
        (("A", "X"), "la solución es «X»"),
        (("A", None), "la solución es «None»"),
        (("A", "A", "A"), "las piezas son «A»"),
        (("A", "A", "AAB"), "las piezas son «AAB»"),
        (("A", "A", 3), "las piezas son 3"),
    ],
)
def test_what_is_no_vote_is_refused(arguments, said):
    with pytest.raises(ParameterError, match=said):
        count_votes(*arguments)


def test_nothing_but_the_music_gives_the_pieces_of_lesson_3_away():
    key = json.loads((PIECES / "solucion.json").read_text(encoding="utf-8"))
    assert sorted(key.values()) == ["el 5-grama", "la persona", "la red"]
    pieces = [load_midi(PIECES / f"{letter}.mid") for letter in key]
    assert len({(piece.program, piece.tempo_bpm, piece.duration_ql) for piece in pieces}) == 1
    assert len({event.velocity for piece in pieces for event in piece.events}) == 1
