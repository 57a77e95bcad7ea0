import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SIXTEENTHS, notes_of, odd_songs, written

from musiclab.errors import ParameterError
from musiclab.music import NoteEvent, Song, voices
from musiclab.music.voices import grid_to_song, song_to_voices

GRIDS = st.lists(
    st.tuples(*[st.sampled_from([0, 1, 12, 55, 60, 61, 127])] * 4), min_size=1, max_size=12
).map(np.array)


def song(*notes):
    return Song(tuple(NoteEvent(onset, length, pitches) for onset, length, pitches in notes))


def song_to_grid(song):
    return song_to_voices(song)[0]


def test_held_notes_keep_their_voice_and_new_ones_their_order():
    held = song((0, 1, (48, 72)), (0, 0.5, (55, 64)), (0.5, 0.5, (57,)), (0.75, 0.25, (66,)))
    rows = [[72, 64, 55, 48]] * 2 + [[72, 0, 57, 48], [72, 66, 57, 48]]
    assert song_to_grid(held).tolist() == rows


def test_a_lone_note_goes_to_the_voice_that_leaps_least():
    chord = (0, 0.25, (40, 50, 60, 70))
    for pitch, voice in [(80, 0), (65, 0), (64, 1), (52, 2), (30, 3)]:
        row = song_to_grid(song(chord, (0.25, 0.25, (pitch,))))[1]
        assert row.tolist() == [pitch * (k == voice) for k in range(4)]
    three = song(chord, (0.25, 0.25, (41, 59, 61)))
    assert song_to_grid(three)[1].tolist() == [61, 59, 0, 41]
    # The bass is nearest, but it would cross the tenor, which still sounds.
    crossing = song((0, 0.25, (48, 60, 70)), (0, 0.5, (50,)), (0.25, 0.25, (51,)))
    assert song_to_grid(crossing)[1].tolist() == [0, 51, 50, 0]
    melody = song(*((k, 1, (p,)) for k, p in enumerate((67, 72, 60, 55, 64))))
    assert (song_to_grid(melody)[:, 0] > 0).all()


def test_of_more_than_four_notes_the_outer_ones_sound():
    assert song_to_grid(song((0, 0.25, (40, 45, 50, 55, 60, 65)))).tolist() == [[65, 60, 45, 40]]
    entering = song((0, 0.5, (48, 52, 55, 60)), (0.25, 0.25, (72,)))
    assert sorted(song_to_grid(entering)[1]) == [48, 52, 60, 72]  # 55 gives way to the melody


@given(odd_songs(SIXTEENTHS), st.randoms())
def test_voices_do_not_hang_on_the_order_of_the_events(odd, rng: random.Random):
    shuffled = Song(tuple(rng.sample(odd.events, len(odd))))
    for one, other in zip(song_to_voices(odd), song_to_voices(shuffled), strict=True):
        assert (one == other).all()


@given(odd_songs())
def test_what_sounds_was_written_and_the_outermost_notes_begin(odd):
    pitches, begins = song_to_voices(odd)
    written_notes = {(a, b, written(p)) for a, b, p, _ in notes_of(odd, 4) if b > a}
    assert pitches.shape == (max((b for _, b, _ in written_notes), default=0), 4)
    assert pitches.shape == begins.shape and not (begins & (pitches == 0)).any()
    heard = {(a, p): b for a, b, p, _ in notes_of(grid_to_song(pitches, begins), 4)}
    for (start, pitch), stop in heard.items():
        assert any((start, pitch) == (a, p) and stop <= b for a, b, p in written_notes)
    for start, _, pitch in written_notes:
        together = [p for a, b, p in written_notes if a <= start < b]
        if pitch in (min(together), max(together)) and together.count(pitch) == 1:
            assert (start, pitch) in heard


@given(GRIDS)
def test_a_grid_of_pitches_survives_but_for_its_voices(rows):
    back = song_to_grid(grid_to_song(rows))
    silent = np.zeros((len(rows) - len(back), 4), dtype=int)  # a song ends with its last note
    for row, again in zip(rows.tolist(), [*back.tolist(), *silent.tolist()], strict=True):
        assert {written(p) for p in row if p} == {p for p in again if p}


def test_equal_neighbours_are_one_note_unless_it_begins_again():
    rows = [[60, 0, 0, 48], [60, 0, 0, 48], [60, 0, 0, 0]]
    assert grid_to_song(rows, tempo_bpm=60.0) == Song(
        (NoteEvent(0, 0.75, (60,)), NoteEvent(0, 0.5, (48,), part=3)), tempo_bpm=60.0
    )
    begins = np.zeros((3, 4), dtype=bool)
    begins[1, 0] = True
    assert [e.onset_ql for e in grid_to_song(rows, begins).events] == [0, 0, 0.25]
    assert grid_to_song(np.zeros((0, 4), dtype=int)) == Song(())
    assert NoteEvent(0, 1, (60,)).velocity == voices.DEFAULT_VELOCITY


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], r"forma \(0,\)"),
        ([[60, 60, 60]], r"forma \(1, 3\) .*una columna por voz"),
        ([[60, 60, 60, 128]], "enteros de 0"),
        ([[60, 60, 60, -1]], "enteros de 0"),
        ([[60, 60, 60, 0.5]], "enteros de 0"),
        ([["60", "", "", ""]], "enteros de 0"),
    ],
)
def test_what_is_no_grid_is_refused(rows, message):
    with pytest.raises(ParameterError, match=message):
        grid_to_song(rows)


def test_four_parts_with_a_chord_are_not_four_voices():
    pitches = (72, 76), (67,), (60,), (48,)
    chord = Song(tuple(NoteEvent(0, 1, p, part=k) for k, p in enumerate(pitches)))
    assert not voices.has_four_voices(chord)
    lines = Song(tuple(NoteEvent(0, 1, p[:1], part=k) for k, p in enumerate(pitches)))
    assert voices.has_four_voices(lines)
