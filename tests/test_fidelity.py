from dataclasses import replace

import pytest
from hypothesis import given
from strategies import odd_songs

from musiclab.encoding import ENCODINGS, fidelity_table
from musiclab.encoding.fidelity import fidelities
from musiclab.errors import ParameterError
from musiclab.music import NoteEvent, Song

# A chord whose octaves tell, a rest, a note across the grid of sixteenths, a
# grace note, five notes at once, and neither tempo nor velocities by default.
EVENTS = (
    NoteEvent(0, 0.5, (48, 64), 20),
    NoteEvent(0.5, 0.5, (60,), 33),
    NoteEvent(1.5, 1 / 3, (62,), 50),
    NoteEvent(2, 0, (65,), 64),
    NoteEvent(2, 1, (40, 52, 60, 67, 76), 112),
)
SONG = Song(EVENTS, tempo_bpm=90.0)


def by_name(songs):
    return {one.encoding: one for one in fidelities(songs)}


def test_prices_of_a_song_that_was_counted_by_hand():
    found = by_name([SONG])
    tutorial, events, grid = (found[name] for name in ("tutorial", "events", "grid"))
    # 0.4 gives back 64 and another C, 0.4.7 60, 67 and another E, and two notes fewer.
    assert (tutorial.vocab_size, tutorial.tokens_per_note) == (6, 5 / 10)
    assert (tutorial.pitches, tutorial.pitch_classes) == (6 / 10, 8 / 10)
    assert (tutorial.durations, tutorial.onsets, tutorial.changed) == (3 / 10, 6 / 10, 8 / 10)
    assert (tutorial.rests, tutorial.velocities, tutorial.tempos) == (0, 0, 0)
    assert (events.pitches, events.durations, events.changed, events.rests) == (1, 1, 0, 1)
    assert events.tokens_per_note == (10 + 2 + 2) / 10
    assert (grid.pitches, grid.tokens_per_note) == (8 / 10, (4 * 12 + 2) / 10)


def test_a_note_is_compared_with_its_own_pitch_first():
    doubled = Song((NoteEvent(0, 1, (48, 60, 64)),))  # comes back as C4 E4
    tutorial = by_name([doubled])["tutorial"]
    assert (tutorial.pitches, tutorial.pitch_classes) == (2 / 3, 2 / 3)


def test_an_encoding_loses_what_it_says_and_nothing_else():
    for name, one in by_name([SONG]).items():
        losses = ENCODINGS[name].loses.split(";")[0]
        assert ("octavas" in losses or "notas de adorno" in losses) == (one.pitches < 1)
        assert ("duraciones" in losses) == (one.durations < 0.5)
        assert ("intensidad" in losses) == (one.velocities < 1)
        assert ("tempo" in losses) == (one.tempos < 1)
        assert ("silencios" in losses) == (one.rests == 0)


def test_there_is_nothing_to_keep_of_what_all_songs_take_for_granted():
    plain = Song((NoteEvent(0, 0.5, (60,)), NoteEvent(0.5, 0.5, (62,))))
    for one in fidelities([plain]):
        assert (one.velocities, one.tempos, one.rests) == (None, None, None)
        assert (one.pitches, one.durations, one.onsets, one.changed) == (1, 1, 1, 0)
    assert fidelity_table([plain]).splitlines()[-2].startswith("–: nada que conservar")


@given(odd_songs())
def test_shares_are_shares(song):
    if not song.events:
        with pytest.raises(ParameterError, match="ninguna nota que medir"):
            fidelities([song])
        return
    for one in fidelities([song, replace(song, tempo_bpm=61.0)]):
        shares = [one.pitches, one.durations, one.onsets, one.changed]
        assert 0 <= min(shares) and max(shares) <= 1 and one.tempos == 0
        assert one.pitches <= one.pitch_classes <= 1
        assert 1 - one.changed <= min(shares[:3]) + 1e-9


def test_table_is_aligned():
    head, *rows = fidelity_table([SONG]).splitlines()
    assert head.split() == ["codificación", *ENCODINGS]
    assert rows[-1].startswith("notas cambiadas") and rows[-1].endswith(" %")
    assert {len(line) for line in rows} == {len(head)}
