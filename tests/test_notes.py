from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.notes import NoteEvent, Song


@pytest.mark.parametrize(
    "wrong",
    [
        {"pitches": ()},
        {"pitches": (64, 60)},
        {"pitches": (60, 60)},
        {"pitches": (-1,)},
        {"pitches": (128,)},
        {"onset_ql": -0.5},
        {"duration_ql": -0.5},
        {"velocity": 0},
        {"velocity": 128},
    ],
)
def test_impossible_event_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\d|\(\)"):
        NoteEvent(**{"onset_ql": 0, "duration_ql": 1, "pitches": (60,)} | wrong)


def test_events_and_songs_cannot_change(song):
    with pytest.raises(FrozenInstanceError):
        song.events[0].velocity = 1
    with pytest.raises(FrozenInstanceError):
        song.tempo_bpm = 1


def test_durations(song):
    assert len(song) == 5 and song.duration_ql == 6
    assert song.duration_s == pytest.approx(4)
    assert Song(()).duration_s == 0
    held = Song((NoteEvent(0, 9, (60,)), NoteEvent(1, 1, (62,))))
    assert held.duration_ql == 9


@given(st.integers(-24, 24), st.integers(0, 24))
def test_shape_survives_transposition_and_a_later_start(song, interval, beats):
    moved = song.transposed(interval)
    later = tuple(replace(e, onset_ql=e.onset_ql + beats / 3) for e in moved.events)
    assert replace(moved, events=later, tempo_bpm=60.0).shape() == song.shape()


def test_shape_tells_tunes_apart(song):
    first, *rest = song.events
    higher = NoteEvent(first.onset_ql, first.duration_ql, (61,))
    later = NoteEvent(0.25, 0.75, first.pitches)
    for changed in (higher, later):
        assert Song((changed, *rest)).shape() != song.shape()
    assert Song(()).shape() == ()


def test_transposed_moves_the_pitches_alone(song):
    higher = song.transposed(7)
    assert [e.pitches for e in higher.events][-2:] == [(74,), (67, 71, 74)]
    assert higher.transposed(-7) == song
    for interval in (61, -61):
        with pytest.raises(ValueError, match="0-127"):
            song.transposed(interval)
