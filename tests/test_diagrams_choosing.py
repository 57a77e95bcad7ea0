"""The diagrams of lesson 5 say what the algorithms do."""

import numpy as np
import pytest

from musiclab.diagrams import nucleus, ruler
from musiclab.exercises.choosing import top_p

NOTES = ["La4", "Si4", "Re5", "Fa#4", "Mi4"]
P = np.array([0.25, 0.4, 0.15, 0.12, 0.08])


@pytest.mark.parametrize("u, note", [(0, "La4"), (0.24, "La4"), (0.26, "Si4"), (0.999, "Mi4")])
def test_the_ruler_says_where_u_falls(u, note):
    assert ruler(NOTES, P, u).alt.endswith(f"cae en el tramo de {note}.")


@pytest.mark.parametrize("p", [0.1, 0.4, 0.5, 0.7, 0.9, 1.0])
def test_the_nucleus_is_that_of_top_p(p):
    n_kept = np.count_nonzero(top_p(P, p))
    assert f"quedan {n_kept}, Si4" in nucleus(NOTES, P, p).alt


def test_a_diagram_is_the_same_each_time_and_many_symbols_fit():
    many = [str(k) for k in range(200)], np.full(200, 1 / 200)
    assert nucleus(*many, 0.5).svg == nucleus(*many, 0.5).svg
    assert ruler(*many, 0.5).svg.startswith("<?xml")
