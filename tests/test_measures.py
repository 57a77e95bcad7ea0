import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab import measures
from musiclab.measures import STATISTICS, statistics_of, statistics_table
from musiclab.notes import NoteEvent, Song

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
    assert measures.polyphony_rate(song, threshold=1) == pytest.approx(2 / 5)


def test_the_same_pitch_twice_at_once_is_one():
    song = make_song((0, 2, (60,)), (1, 2, (60,)))
    assert measures.polyphony(song) == 1 and measures.polyphony_rate(song, threshold=1) == 0


@pytest.mark.parametrize("root", range(12))
def test_a_scale_is_consistent_in_every_key_and_mode(root):
    for mode in ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)):
        song = make_song(*((k, 1, (48 + root + p,)) for k, p in enumerate(mode)))
        assert measures.scale_consistency(song) == 1
    chromatic = make_song(*((k, 1, (48 + k,)) for k in range(12)))
    assert measures.scale_consistency(chromatic) == 7 / 12
    assert measures.pitch_class_entropy(chromatic) == pytest.approx(math.log2(12))


def test_thirds_of_a_quarter_leave_no_gap():
    thirds = make_song(*((k / 3, 1 / 3, (60 + k % 2,)) for k in range(9)))
    assert measures.empty_beat_rate(thirds) == 0
    assert measures.polyphony(thirds) == measures.groove_consistency(thirds, 1.0) == 1


def test_beats_and_grace_notes():
    assert measures.empty_beat_rate(make_song((2.5, 0.5, (60,)))) == pytest.approx(2 / 3)
    assert measures.empty_beat_rate(make_song((0, 0, (60,)), (1, 1, (62,)))) == 0
    grace = make_song((0, 0, (60,)))
    assert math.isnan(measures.polyphony(grace)) and measures.n_pitches_used(grace) == 1


def test_groove():
    def bars(*onsets):
        return make_song(*((onset, 0.25, (60,)) for onset in onsets))

    assert measures.groove_consistency(bars(0, 1, 3, 4, 6), 3.0) == pytest.approx(1 - 1 / 72)
    assert measures.groove_consistency(bars(0, 1, 3, 4), 3.0) == 1
    assert math.isnan(measures.groove_consistency(bars(0, 1), 3.0))


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
