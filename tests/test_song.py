from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.music import NoteEvent, Song, joined


@pytest.mark.parametrize(
    "name, values",
    [
        ("pitches", [(), (64, 60), (60, 60), (-1,), (128,)]),
        ("onset_ql", [-0.5]),
        ("duration_ql", [-0.5]),
        ("velocity", [0, 128]),
    ],
)
def test_impossible_event_is_refused(song, name, values):
    for value in values:
        with pytest.raises(ValueError, match=r"\d|\(\)"):
            replace(song.events[0], **{name: value})
    with pytest.raises(FrozenInstanceError):
        song.events[0].velocity = 1


def test_durations(song):
    assert (len(song), song.duration_ql, Song(()).duration_s) == (5, 6, 0)
    assert song.duration_s == pytest.approx(4)
    assert Song((NoteEvent(0, 9, (60,)), NoteEvent(1, 1, (62,)))).duration_ql == 9


@given(st.integers(-24, 24), st.integers(0, 24))
def test_runs_survive_transposition_and_a_later_start(song, interval, thirds):
    moved = song.transposed(interval)
    later = tuple(replace(e, onset_ql=e.onset_ql + thirds / 3) for e in moved.events)
    assert replace(moved, events=later, tempo_bpm=60.0).pitch_ngrams(16) == song.pitch_ngrams(16)
    assert moved.events[-1].pitches == (60 + interval, 64 + interval, 67 + interval)
    assert moved.transposed(-interval) == song


def test_runs_tell_tunes_apart(song):
    first, *rest = song.events
    for changed in (replace(first, pitches=(61,)), replace(first, pitches=(60, 64))):
        assert Song((changed, *rest)).pitch_ngrams(16) != song.pitch_ngrams(16)
    assert Song((replace(first, duration_ql=0.25), *rest)).pitch_ngrams(16) == song.pitch_ngrams(16)
    assert Song(()).pitch_ngrams(16) == set()
    with pytest.raises(ValueError, match="0-127"):
        song.transposed(61)


def test_transposing_moves_the_key_too():
    song = Song((NoteEvent(0, 1, (60,)),), keys=((0.0, 0, "major"), (4.0, 3, "minor")))
    assert song.transposed(2).keys == ((0.0, 2, "major"), (4.0, 5, "minor"))
    assert song.transposed(-1).keys == ((0.0, 5, "major"), (4.0, -4, "minor"))
    assert song.transposed(12).keys == song.transposed(0).keys == song.keys


def test_songs_are_joined_without_a_gap_of_a_quarter():
    first = Song((NoteEvent(0, 1.5, (60,)), NoteEvent(1.5, 0.25, (62,))), program=73)
    song, starts = joined([first, Song((NoteEvent(0.5, 1, (64,)),)), first])
    assert starts == [0, 2, 4]
    assert [event.onset_ql for event in song.events] == [0, 1.5, 2.5, 4, 5.5]
    assert song.program == 73
