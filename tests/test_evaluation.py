import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.errors import ShortSequenceError
from musiclab.evaluation import NGram, held_out_nll, longest_copied_run


@pytest.mark.parametrize("order", range(5))
def test_rows_are_distributions_that_know_only_the_past(sequences, order):
    predictor = NGram(sequences, 7, order)
    rows = np.exp(predictor(np.array([1, 2, 0, 6, 3, 3, 3])))
    assert rows.shape == (7, 7) and (rows > 0).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(predictor(np.array([1, 2, 0, 5])))[:4], rows[:4])
    if order == 0:
        assert held_out_nll(predictor, sequences) == pytest.approx(np.log(7))


def test_bigram_by_hand():
    # Song 1 1 2 over 4 ids: c(1) = 2 and c(2) = 1; after 1 came 1 and 2, once each; after 3 nothing.
    rows = np.exp(NGram([np.array([1, 1, 2]), np.array([], int)], 4, 2)(np.array([1, 1, 3, 0])))
    unigram = 2 / 5 * np.full(4, 1 / 4) + 1 / 5 * np.array([0, 2, 1, 0])
    after_one = 2 / 4 * unigram + 1 / 4 * np.array([0, 1, 1, 0])
    np.testing.assert_allclose(rows, [unigram, after_one, after_one, unigram])
    apart = NGram([np.array([1, 2]), np.array([3, 1])], 5, 2)(np.array([2, 0]))
    np.testing.assert_allclose(apart[1], apart[0])  # no context crosses from song to song


def test_held_out_nll_is_the_mean_of_the_judged_symbols():
    def predictor(ids):
        return -np.arange(3.0) - 10 * np.arange(len(ids))[:, None]

    songs = [np.array([0, 1, 2]), np.array([2]), np.array([1, 1])]
    assert held_out_nll(predictor, songs) == pytest.approx((0 + 11 + 22 + 2 + 1 + 11) / 6)
    assert held_out_nll(predictor, songs, first=1) == pytest.approx((11 + 22 + 11) / 3)
    with pytest.raises(ShortSequenceError, match="pasa de 3"):
        held_out_nll(predictor, songs, first=3)


@given(*2 * [st.lists(st.text("abc", max_size=15), max_size=3)])
def test_longest_copied_run_is_that_of_brute_force(pieces, songs):
    song = "".join(pieces)
    cuts = range(len(song) + 1)
    runs = {song[a:b] for a in cuts for b in cuts[a + 1 :] if any(song[a:b] in s for s in songs)}
    as_ids = [np.array([ord(c) for c in s], dtype=int) for s in (song, *songs)]
    length, k, start = longest_copied_run(as_ids[0], as_ids[1:])
    assert length == max(map(len, runs), default=0)
    assert not length or songs[k][start : start + length] in runs
