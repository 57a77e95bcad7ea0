import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.errors import ShortSequenceError
from musiclab.evaluation import NGram, held_out_nll, longest_copied_run

ids_strategy = st.lists(st.integers(0, 4), max_size=15).map(np.array)


@pytest.mark.parametrize("order", range(5))
def test_rows_of_an_ngram_are_distributions(sequences, order):
    rows = np.exp(NGram(sequences, 7, order)(np.array([1, 2, 0, 6, 3, 3, 3])))
    assert rows.shape == (7, 7) and (rows > 0).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_order_zero_is_uniform(sequences):
    assert held_out_nll(NGram(sequences, 7, 0), sequences) == pytest.approx(np.log(7))


def test_bigram_by_hand():
    """Song 1 1 2 over 4 ids: unigram c(1)=2, c(2)=1; after 1 came 1 and 2, once each."""
    rows = np.exp(NGram([np.array([1, 1, 2])], 4, 2)(np.array([1, 1, 3, 0])))
    unigram = 2 / 5 * np.full(4, 1 / 4) + 1 / 5 * np.array([0, 2, 1, 0])
    after_one = 2 / 4 * unigram + 1 / 4 * np.array([0, 1, 1, 0])
    after_unseen = unigram  # nothing ever came after 3
    np.testing.assert_allclose(rows, [unigram, after_one, after_one, after_unseen])


def test_contexts_do_not_cross_songs():
    apart = NGram([np.array([1, 2]), np.array([3, 1])], 5, 2)
    np.testing.assert_allclose(apart(np.array([2, 0]))[1], apart(np.array([2, 0]))[0])


def test_row_is_given_only_what_came_before(sequences):
    predictor = NGram(sequences, 5, 3)
    song = sequences[0]
    changed = np.r_[song[:4], (song[4:] + 1) % 5]
    np.testing.assert_array_equal(predictor(song)[:5], predictor(changed)[:5])


def test_held_out_nll_is_the_mean_of_the_judged_symbols():
    def predictor(ids):
        return -np.arange(3.0) - 10 * np.arange(len(ids))[:, None]

    songs = [np.array([0, 1, 2]), np.array([2]), np.array([1, 1])]
    assert held_out_nll(predictor, songs) == pytest.approx((0 + 11 + 22 + 2 + 1 + 11) / 6)
    assert held_out_nll(predictor, songs, first=1) == pytest.approx((11 + 22 + 11) / 3)
    with pytest.raises(ShortSequenceError, match="pasa de 3"):
        held_out_nll(predictor, songs, first=3)


@given(ids_strategy, st.lists(ids_strategy, max_size=3))
def test_longest_copied_run_is_that_of_brute_force(ids, songs):
    def contained(run):
        return [
            (k, start)
            for k, song in enumerate(songs)
            for start in range(len(song) - len(run) + 1)
            if song[start : start + len(run)].tolist() == run
        ]

    runs = {tuple(ids[a:b].tolist()) for a in range(len(ids)) for b in range(a + 1, len(ids) + 1)}
    longest = max((len(run) for run in runs if contained(list(run))), default=0)
    length, k, start = longest_copied_run(ids, songs)
    assert length == longest
    if length:
        assert tuple(songs[k][start : start + length].tolist()) in runs
