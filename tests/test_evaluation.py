import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.evaluation import (
    CopiedRun,
    Copy,
    Likelihood,
    NGram,
    copied_run,
    held_out_likelihood,
    held_out_nll,
)
from musiclab.music import NoteEvent, Song

# Predictors

some_ids = st.lists(st.integers(0, 6), max_size=12).map(lambda ids: np.array(ids, dtype=int))


@pytest.mark.parametrize("predictor", [*range(5), Copy])
@given(st.lists(some_ids, max_size=3), some_ids, some_ids, st.integers(1, 4))
def test_rows_are_distributions_that_know_only_the_past(predictor, songs, past, future, lag):
    predictor = Copy(songs, 7, lag) if predictor is Copy else NGram(songs, 7, predictor)
    rows = np.exp(predictor(np.append(past, future)))
    assert rows.shape == (len(past) + len(future), 7) and (rows > 0).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    same_past = np.exp(predictor(np.append(past, [0])))
    np.testing.assert_allclose(same_past[: len(past)], rows[: len(past)])


def test_order_0_is_uniform(sequences):
    score = held_out_likelihood(NGram(sequences, 7, 0), sequences)
    assert score.nll == pytest.approx(np.log(7)) and score.perplexity == pytest.approx(7)


def test_bigram_by_hand():
    # Song 1 1 2 over 4 ids: c(1) = 2 and c(2) = 1; after 1 came 1 and 2, once each; after 3 nothing.
    rows = np.exp(NGram([np.array([1, 1, 2]), np.array([], int)], 4, 2)(np.array([1, 1, 3, 0])))
    unigram = 2 / 5 * np.full(4, 1 / 4) + 1 / 5 * np.array([0, 2, 1, 0])
    after_one = 2 / 4 * unigram + 1 / 4 * np.array([0, 1, 1, 0])
    np.testing.assert_allclose(rows, [unigram, after_one, after_one, unigram])
    apart = NGram([np.array([1, 2]), np.array([3, 1])], 5, 2)(np.array([2, 0]))
    np.testing.assert_allclose(apart[1], apart[0])  # no context crosses from song to song


def test_copy_by_hand():
    # 1 1 2 and 3 3 3: of four symbols three repeat; with Laplace's two more cases 4/6.
    songs = [np.array([1, 1, 2]), np.array([3, 3, 3]), np.array([2])]
    unigram = np.exp(NGram(songs, 4, 1)(np.array([0])))[0]
    first, second, third = np.exp(Copy(songs, 4)(np.array([2, 2, 1])))
    rest = unigram * (np.arange(4) != 2)
    np.testing.assert_allclose(first, unigram)
    np.testing.assert_allclose(second, 4 / 6 * np.eye(4)[2] + 2 / 6 * rest / rest.sum())
    np.testing.assert_allclose(third, second)


def test_copy_of_a_voice_looks_back_over_the_others():
    song = np.array([1, 2, 3, 4] * 9)  # four voices, each on its note
    by_voice, before = Copy([song], 5, lag=4), Copy([song], 5)
    assert held_out_nll(by_voice, [song], first=4) < 0.1
    assert held_out_nll(before, [song], first=4) > 1
    assert by_voice.p_repeat == 33 / 34
    with pytest.raises(ParameterError, match="lag es 0"):
        Copy([song], 5, lag=0)


# Scores


def test_score_by_hand():
    p = np.array([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    songs = [np.array([0, 1, 1]), np.array([1])]
    score = held_out_likelihood(lambda ids: np.log(p[: len(ids)]), songs, n_notes=2)
    nats = -np.log([0.5, 0.3, 0.8, 0.25])
    assert score == Likelihood(pytest.approx(nats.mean()), 2 / 4, 4, 2)
    assert score.perplexity == pytest.approx(np.exp(nats.mean()))
    assert score.nll_per_note == pytest.approx(nats.sum() / 2)
    assert score.perplexity_per_note == pytest.approx(np.exp(nats.sum() / 2))
    assert np.isnan(held_out_likelihood(lambda ids: np.log(p[: len(ids)]), songs).nll_per_note)


def test_nll_per_note_does_not_depend_on_how_a_note_is_spelt():
    # The same notes as one symbol of 16 or as two of 4 are equally hard for who knows nothing.
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 16, 50)
    halves = np.stack([whole // 4, whole % 4], axis=1).ravel()
    one = held_out_likelihood(NGram([], 16, 0), [whole], n_notes=50)
    two = held_out_likelihood(NGram([], 4, 0), [halves], n_notes=50)
    assert one.nll != pytest.approx(two.nll)
    assert one.nll_per_note == pytest.approx(two.nll_per_note)


def test_held_out_nll_is_the_mean_of_the_judged_symbols():
    def predictor(ids):
        return -np.arange(3.0) - 10 * np.arange(len(ids))[:, None]

    songs = [np.array([0, 1, 2]), np.array([2]), np.array([1, 1])]
    assert held_out_nll(predictor, songs) == pytest.approx((0 + 11 + 22 + 2 + 1 + 11) / 6)
    assert held_out_nll(predictor, songs, first=1) == pytest.approx((11 + 22 + 11) / 3)
    with pytest.raises(ShortSequenceError, match="pasa de 3"):
        held_out_nll(predictor, songs, first=3)


# Copies


pitch_sets = st.lists(st.integers(40, 44), min_size=1, max_size=2, unique=True).map(sorted)
melodies = st.lists(pitch_sets.map(tuple), max_size=9)


def play(pitch_sets, source="", step_ql=0.5):
    events = (NoteEvent(k * step_ql, step_ql, pitches) for k, pitches in enumerate(pitch_sets))
    return Song(tuple(events), source)


def is_transposed(a, b):
    """Whether one number of semitones leads from all of a to all of b."""
    return any(a == [tuple(p + shift for p in ps) for ps in b] for shift in range(-9, 10))


@given(melodies, st.lists(melodies, max_size=3))
def test_copied_run_is_that_of_brute_force(melody, others):
    lengths = [
        n
        for other in others
        for n in range(1, min(len(melody), len(other)) + 1)
        for a in range(len(melody) - n + 1)
        for b in range(len(other) - n + 1)
        if is_transposed(melody[a : a + n], other[b : b + n])
    ]
    songs = [play(other, f"{k}", step_ql=2.0) for k, other in enumerate(others)]
    run = copied_run(play(melody), songs)
    assert run.length == max(lengths, default=0)
    if run.length:
        assert run.source == f"{run.source_index}"
        assert (run.onset_ql, run.source_onset_ql) == (run.start / 2, run.source_start * 2)
        source = songs[run.source_index].transposed(run.semitones).events[run.source_start :]
        copied = melody[run.start : run.start + run.length]
        assert copied == [event.pitches for event in source[: run.length]]


@given(st.integers(-20, 20), st.integers(0, 30), st.integers(0, 20), st.integers(0))
def test_a_planted_copy_is_found_in_any_key(semitones, start, source_start, seed):
    rng = np.random.default_rng(seed)

    def wander(n):
        return [(pitch,) for pitch in rng.integers(30, 90, n).tolist()]

    songs = [play(wander(60), f"{k}") for k in range(4)]
    loot = play([e.pitches for e in songs[2].events[source_start : source_start + 25]])
    loot = [event.pitches for event in loot.transposed(semitones).events]
    run = copied_run(play([*wander(start), (1, 2), *loot, (1, 2), *wander(10)]), songs)
    assert (run.length, run.source, run.semitones) == (25, "2", semitones)
    assert (run.start, run.source_start) == (start + 1, source_start)


def test_what_is_no_copy():
    tune = [(60,), (62,), (64, 67), (65,)]
    octave_apart = [(60,), (62,), (52, 67), (65,)]
    assert copied_run(play(octave_apart), [play(tune)]).length == 2
    key_changes = [*tune[:2], *((p + 1 for p in ps) for ps in tune[2:])]
    assert copied_run(play([tuple(ps) for ps in key_changes]), [play(tune)]).length == 2
    across = copied_run(play(tune), [play(tune[:2]), play(tune[2:])])  # no copy of two songs' seam
    assert across.length == 2
    for song, songs in ((play([]), [play(tune)]), (play(tune), [play([])]), (play(tune), [])):
        assert copied_run(song, songs) == CopiedRun()


def test_a_copy_says_where_it_stands():
    run = copied_run(play([(50,), (62,), (66,)]), [play([(1, 9)]), play([(61,), (65,)], "a.mid")])
    assert str(run) == (
        "comparte 2 notas o acordes seguidos, desde la negra 0.5, "
        "con «a.mid», desde la negra 0, a +1 semitonos"
    )
    assert str(CopiedRun()) == "no comparte ninguna nota"
