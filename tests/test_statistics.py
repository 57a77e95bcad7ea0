import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.errors import ParameterError
from musiclab.evaluation import statistics, statistics_of, statistics_table
from musiclab.evaluation.statistics import STATISTICS, overlapping_area, shares_of
from musiclab.music import NoteEvent, Song

EMPTY = Song(())


def make_song(*notes):
    return Song(tuple(NoteEvent(onset, length, pitches) for onset, length, pitches in notes))


def test_statistics_by_hand():
    # Quarters 0-1 C E G, 1-2 C, 2-3 silence, 3-5 G# with a C above it from 4 on.
    song = make_song((0, 1, (60, 64, 67)), (1, 1, (60,)), (3, 2, (68,)), (4, 1, (72,)))
    shares = np.array([2, 1, 1, 1, 1]) / 6  # of C4, E4, G4, G#4 and C5
    classes = np.array([3, 1, 1, 1]) / 6
    values = {name: value[0] for name, value in statistics_of([song]).items()}
    assert values == pytest.approx(
        {
            "pitch_range": 12,
            "n_pitches_used": 5,
            "n_pitch_classes_used": 4,
            "pitch_entropy": -(shares * np.log2(shares)).sum(),
            "pitch_class_entropy": -(classes * np.log2(classes)).sum(),
            "scale_consistency": 5 / 6,  # C major lacks the G#, and no scale has all
            "polyphony": (3 + 1 + 1 + 2) / 4,
            "polyphony_rate": 1 / 5,
            "empty_beat_rate": 1 / 5,
            "groove_consistency": 1
            - 2 / 48,  # one bar begins on quarters 1, 2 and 4, the other on 1
        }
    )
    assert statistics.polyphony_rate(song, threshold=1) == pytest.approx(2 / 5)


def test_the_same_pitch_twice_at_once_is_one():
    song = make_song((0, 2, (60,)), (1, 2, (60,)))
    assert statistics.polyphony(song) == 1 and statistics.polyphony_rate(song, threshold=1) == 0


@pytest.mark.parametrize("root", range(12))
def test_a_scale_is_consistent_in_every_key_and_mode(root):
    for mode in ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)):
        song = make_song(*((k, 1, (48 + root + p,)) for k, p in enumerate(mode)))
        assert statistics.scale_consistency(song) == 1
    chromatic = make_song(*((k, 1, (48 + k,)) for k in range(12)))
    assert statistics.scale_consistency(chromatic) == 7 / 12
    assert statistics.pitch_class_entropy(chromatic) == pytest.approx(math.log2(12))


def test_thirds_of_a_quarter_leave_no_gap():
    thirds = make_song(*((k / 3, 1 / 3, (60 + k % 2,)) for k in range(9)))
    assert statistics.empty_beat_rate(thirds) == 0
    assert statistics.polyphony(thirds) == statistics.groove_consistency(thirds, 1.0) == 1


def test_beats_and_grace_notes():
    assert statistics.empty_beat_rate(make_song((2.5, 0.5, (60,)))) == pytest.approx(2 / 3)
    assert statistics.empty_beat_rate(make_song((0, 0, (60,)), (1, 1, (62,)))) == 0
    grace = make_song((0, 0, (60,)))
    assert math.isnan(statistics.polyphony(grace)) and statistics.n_pitches_used(grace) == 1


def test_groove():
    def bars(*onsets):
        return make_song(*((onset, 0.25, (60,)) for onset in onsets))

    assert statistics.groove_consistency(bars(0, 1, 3, 4, 6), 3.0) == pytest.approx(1 - 1 / 72)
    assert statistics.groove_consistency(bars(0, 1, 3, 4), 3.0) == 1
    assert math.isnan(statistics.groove_consistency(bars(0, 1), 3.0))


def test_a_song_without_notes_has_counts_of_0_and_no_rates():
    values = {name: value[0] for name, value in statistics_of([EMPTY]).items()}
    counts = ("pitch_range", "n_pitches_used", "n_pitch_classes_used")
    assert [values.pop(name) for name in counts] == [0, 0, 0]
    assert all(math.isnan(value) for value in values.values())


notes = st.tuples(
    st.integers(0, 40).map(lambda t: t / 3),
    st.integers(0, 9).map(lambda t: t / 3),
    st.lists(st.integers(20, 100), min_size=1, max_size=4, unique=True).map(sorted).map(tuple),
)


@given(st.lists(notes, min_size=1, max_size=9).map(sorted), st.integers(-20, 20))
def test_statistics_know_no_key_and_stay_in_range(notes, semitones):
    song = make_song(*notes)
    values = statistics_of([song, song.transposed(semitones)])
    assert list(values) == [f.__name__ for f in STATISTICS]
    for name, (value, transposed) in values.items():
        np.testing.assert_allclose(value, transposed)
        if name.endswith(("rate", "consistency")):
            assert math.isnan(value) or 0 <= value <= 1
    assert not values["polyphony"][0] < 1


def test_table_is_aligned_and_shows_mean_and_spread():
    two = [make_song((0, 1, (60, 64))), make_song((0, 1, (60, 70)), (1, 1, (61,)))]
    lines = statistics_table(two, [EMPTY]).splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 1 + len(STATISTICS)
    assert lines[0].split() == ["estadística", "corpus", "(2)", "generadas", "(1)"]
    assert lines[1].endswith("7.00 ± 3.00    0.00 ± 0.00")
    assert lines[-1].split()[-4:] == ["sin", "datos", "sin", "datos"]


# Shares


def test_shares_by_hand():
    songs = [make_song((0, 1, (60, 64)), (1, 0.5, (72,))), make_song((0, 1 / 3, (48,)))]
    assert shares_of(songs) == {0: 3 / 4, 4: 1 / 4}
    assert shares_of(songs, "pitch") == dict.fromkeys((48, 60, 64, 72), 1 / 4)
    assert shares_of(songs, "duration") == {0.333333: 1 / 4, 0.5: 1 / 4, 1.0: 1 / 2}
    assert shares_of(songs, "interval") == {8: 1.0}, "from E4 to C5; no step between songs"
    assert shares_of([EMPTY]) == shares_of([], "interval") == {}
    with pytest.raises(ParameterError, match="«tono»: elige pitch_class o pitch o"):
        shares_of(songs, "tono")


def test_the_skyline_is_the_upper_line():
    # A bass that moves under a held note is not in it, nor is a chord's inside.
    song = make_song((0, 2, (60, 72)), (1, 1, (48,)), (2, 1, (50,)), (2, 1, (71,)), (3, 1, (40,)))
    assert statistics.skyline(song).tolist() == [72, 71, 40]
    above = make_song((0, 4, (60,)), (1, 1, (70,)), (2, 1, (64,)), (2, 0, (69,)))
    assert statistics.skyline(above).tolist() == [60, 70, 69]
    assert statistics.skyline(EMPTY).tolist() == []


def test_overlapping_area_by_hand():
    p, q = {0: 0.5, 2: 0.5}, {0: 0.2, 1: 0.3, 2: 0.5}
    assert overlapping_area(p, q) == overlapping_area(q, p) == pytest.approx(0.7)
    assert overlapping_area(p, p) == 1 and overlapping_area(p, {1: 1.0}) == 0
    assert math.isnan(overlapping_area(p, {})) and math.isnan(overlapping_area({}, {}))


@given(st.lists(notes, min_size=1, max_size=9).map(sorted), st.sampled_from(statistics.ASPECTS))
def test_shares_sum_to_one_and_overlap_with_themselves(notes, what):
    shares = shares_of([make_song(*notes)], what)
    assert list(shares) == sorted(shares)
    if shares:
        assert sum(shares.values()) == pytest.approx(1)
        assert overlapping_area(shares, shares) == pytest.approx(1)


# Similarity


def test_chroma_by_hand():
    song = make_song((0, 1.5, (60,)), (0.5, 0.5, (62, 72)), (3, 0, (61,)), (3.25, 0.25, (59,)))
    expected = np.zeros((4, 12))
    expected[0, [0, 2]], expected[1, 0], expected[3, 11] = (1.5, 0.5), 0.5, 0.25
    np.testing.assert_allclose(statistics.chroma(song), expected)
    np.testing.assert_allclose(2 * statistics.chroma(song, 2), expected[::2] + expected[1::2])
    assert statistics.chroma(EMPTY).shape == (0, 12)
    thirds = make_song(*((k / 3, 1 / 3, (60,)) for k in range(6)))
    np.testing.assert_allclose(statistics.chroma(thirds)[:, 0], [1, 1], atol=1e-5)


def test_similarity_by_hand():
    song = make_song((0, 1, (60, 64)), (1, 1, (72,)), (4, 1, (61,)))
    s = 1 / math.sqrt(2)
    silence = [0, 0, 1, 1, 0]
    expected = [[1, s, 0, 0, 0], [s, 1, 0, 0, 0], silence, silence, [0, 0, 0, 0, 1]]
    np.testing.assert_allclose(statistics.similarity_matrix(song), expected, atol=1e-12)
    assert statistics.similarity_matrix(EMPTY).shape == (0, 0)


@given(st.lists(notes, min_size=1, max_size=9).map(sorted), st.integers(-20, 20))
def test_similarity_is_symmetric_and_knows_no_key(notes, semitones):
    song = make_song(*notes)
    matrix = statistics.similarity_matrix(song)
    assert matrix.shape == (math.ceil(round(song.duration_ql, 6)),) * 2
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert not matrix.size or (0 <= matrix.min() and matrix.max() <= 1)
    np.testing.assert_allclose(
        matrix, statistics.similarity_matrix(song.transposed(semitones)), atol=1e-12
    )
