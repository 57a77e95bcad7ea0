"""Sheet music as text: what stands in the score is what sounds, on the right staff."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scores import (
    C_MAJOR,
    MEI,
    accidentals,
    clefs,
    layers,
    melodies,
    melody,
    notes_in,
    read,
    scale,
    scores,
    sounding,
    voices,
)
from strategies import odd_songs, random_chorale, written

from musiclab.engraving.mei import score_mei
from musiclab.music import NoteEvent, Song
from musiclab.music.voices import grid_to_song

# What sounds is what is written


@pytest.mark.parametrize("seed", range(5))
def test_a_chorale_is_written_note_for_note(seed):
    chorale = random_chorale(seed, 64)
    apart = chorale.clip([70, 64, 55, 40], [81, 69, 63, 54])  # no unisons
    song = grid_to_song(np.where(chorale, apart, 0))
    assert read(song) == (notes_in(song), Counter())
    assert score_mei(song)[0].count("<staffDef") == 2


@given(melodies())
def test_a_melody_keeps_its_triplets_and_its_ties(song):
    assert read(song) == (notes_in(song), Counter())


SIGNATURES = st.tuples(
    st.sampled_from([0.0, 1.0, 2.5, 7.0, 7.1]),
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 255]),
    st.sampled_from([1, 2, 4, 8, 16, 32, 64, 3]),
)


ODD_KEYS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 2.5, 7.0]), st.integers(-7, 7)))


@given(
    odd_songs(),
    st.lists(SIGNATURES, unique_by=lambda signature: signature[0]),
    ODD_KEYS,
    st.integers(1, 4),
)
@settings(max_examples=200)
def test_any_song_fills_its_bars_and_loses_no_onset(song, bars, keys, n_parts):
    parted = tuple(replace(event, part=k % n_parts) for k, event in enumerate(song.events))
    keys = tuple((onset, sharps, "minor") for onset, sharps in sorted(keys))
    song = replace(song, events=parted, bars=tuple(sorted(bars)), keys=keys)
    if not song.events:
        return
    notes, graces = read(song, max_bars=1000)
    near = lambda onset, pitch: any(
        abs(onset - other) < 0.26 and pitch == found
        for other, found in [*((time, p) for time, _, p in notes), *graces]
    )
    assert all(near(e.onset_ql, written(p)) for e in song.events for p in e.pitches)
    assert all(length > 0 for _, length, _ in notes)


@given(scores())
@settings(max_examples=200)
def test_several_parts_keep_every_note(song):
    if song.events:
        assert read(song, max_bars=1000) == (notes_in(song), Counter())


@given(scores())
@settings(max_examples=20)
def test_verovio_plays_several_parts_as_they_are(song):
    if song.events:
        notes, found = notes_in(song), sounding(song)
        assert {(onset, pitch) for onset, _, pitch in notes} <= found
        # It names a tied note again, while that sounds.
        assert all(
            any(onset <= time < onset + length and same == pitch for onset, length, same in notes)
            for time, pitch in found
        )


@given(melodies())
@settings(max_examples=20)
def test_verovio_reads_what_was_meant(song):
    """Key signatures and accidentals within a bar too: it plays what a reader would."""
    found = sounding(song)
    for onset, _, pitch in notes_in(song):
        assert any(abs(float(onset) - o) < 1e-3 and p == pitch for o, p in found)


@pytest.mark.parametrize(
    ("pitches", "program", "found"),
    [
        ((67, 72, 76), 40, ["G2"]),
        ((43, 48, 52), 42, ["F4"]),
        ((55, 60, 67), 41, ["C3"]),
        ((43, 52, 59), 24, ["G28"]),
        ((86, 91, 96), 72, ["G28"]),
        ((97, 103, 108), 72, ["G215"]),
        ((36, 48, 60, 72, 84), 0, ["G2", "F4"]),
        (((36, 48), (72, 76), (40, 48, 64, 67)), 48, ["G2", "F4"]),
    ],
)
def test_clefs_and_staves(pitches, program, found):
    assert clefs(scale(*pitches, program=program)) == found


def test_a_part_has_its_staff_and_its_name():
    events = tuple(NoteEvent(0, 4, (60 - 7 * part,), part=part) for part in range(3))
    mei = score_mei(Song(events, programs=(40, 40, 42)))[0]
    assert re.findall("<label>(.*?)</label>", mei) == ["violín 1", "violín 2", "violonchelo"]


def test_two_parts_of_a_piano_are_two_hands():
    events = tuple(NoteEvent(0, 4, (60 - 7 * part,), part=part) for part in range(2))
    mei = score_mei(Song(events, programs=(0, 0)))[0]
    assert 'symbol="brace"' in mei and "<label>" not in mei


# A choir


SOPRANO = [(0, 1, 72), (1, 1, 74), (2, 2, 65), (4, 2, 67), (6, 2, 72)]
ALTO = [(0, 1, 67), (1, 1, 67), (2, 2, 69), (4, 2, 67), (6, 2, 67)]
TENOR = [(0, 4, 60), (4, 4, 55)]
BASS = [(0, 2, 48), (2, 2, 53), (4, 4, 55)]


def test_a_choir_of_four_parts_is_a_closed_score():
    song = voices(SOPRANO, ALTO, TENOR, BASS, keys=((0.0, 0, "major"),))
    assert clefs(song) == ["G2", "F4"]
    assert "<label>" not in score_mei(song)[0]
    # The voices cross, and sing the same note.
    assert layers(song) == [
        [["c5 d5 f4", "g4 g4 a4"], ["g4 c5", "g4 g4"]],
        [["c4", "c3 f3"], ["g3", "g3"]],
    ]
    assert read(song)[0] == notes_in(song)


@st.composite
def choirs(draw):
    """Four lines that may rest, cross and meet, in parts of their own."""
    lines = []
    for low, high in ((60, 72), (57, 69), (50, 64), (43, 57)):
        now, line = draw(st.integers(0, 8)) / 4, []
        steps = st.tuples(st.integers(1, 9), st.integers(0, 5), st.integers(low, high))
        for duration, rest, pitch in draw(st.lists(steps, min_size=1, max_size=8)):
            line.append((now, duration / 4, pitch))
            now += (duration + rest) / 4
        lines.append(line)
    keys = ((0.0, draw(st.integers(-7, 7)), "major"), (4.0, draw(st.integers(-7, 7)), "minor"))
    return voices(*lines, keys=keys, bars=draw(st.sampled_from([(), ((0.0, 6, 8), (3.0, 3, 4))])))


@given(choirs())
def test_a_choir_keeps_every_note_of_its_voices(song):
    assert read(song, max_bars=1000) == (notes_in(song), Counter())


def test_a_unison_of_two_voices_needs_one_accidental():
    line = [(0, 4, 66)]
    song = voices(line, line, TENOR, BASS, keys=((0.0, 0, "major"),))
    assert Counter(accidentals(song)) == Counter({"": 6, "s": 1})


@pytest.mark.parametrize(
    ("programs", "n_staves"),
    [
        ((0,) * 4, 2),
        ((19,) * 4, 2),
        ((52, 52, 53, 53), 2),
        ((48,) * 4, 2),
        ((40, 40, 41, 42), 4),
        ((73, 68, 71, 70), 4),
    ],
)
def test_other_quartets_keep_four_staves(programs, n_staves):
    song = voices(SOPRANO, ALTO, TENOR, BASS, programs=programs)
    assert len(clefs(song)) == n_staves


def test_what_is_no_choir():
    assert len(clefs(voices(BASS, TENOR, ALTO, SOPRANO))) == 4
    assert len(clefs(voices(SOPRANO, ALTO, TENOR))) == 3
    assert len(clefs(voices(SOPRANO, [*ALTO, (0, 1, 64)], TENOR, BASS))) == 4
    assert len(clefs(voices(SOPRANO, [*ALTO, (8, 1, 80)], TENOR, BASS))) == 4


def test_drums_are_not_drawn():
    song = voices(SOPRANO, ALTO, TENOR, BASS)
    assert score_mei(replace(song, drums=(NoteEvent(0, 1, (36,)),))) == score_mei(song)


# Rests


def test_each_voice_of_a_choir_rests_where_it_is_silent():
    late, pauses = ALTO[3:], [(0, 1, 72), (2, 2, 72), (4, 2, 72)]
    song = voices(pauses, late, TENOR[:1], [*BASS[:2], (12, 4, 48)])
    assert layers(song) == [
        [["c5 r4 c5", "R"], ["c5 r2", "g4 g4"], ["R"], ["R"]],
        [["c4", "c3 f3"], ["R"], ["R"], ["R", "c3"]],
    ]
    assert read(song)[0] == notes_in(song)


def test_a_rest_of_both_voices_is_written_once():
    upper, lower = [(0, 2, 72), (3, 1, 72)], [(0, 2, 67), (3, 1, 67)]
    song = voices(upper, lower, TENOR[:1], BASS[:2])
    assert layers(song)[0] == [["c5 r4 c5", "g4 s4 g4"]]


def test_a_second_voice_that_enters_late_has_rests_in_its_bars():
    upper = [(k, 1, 76 + k % 3) for k in range(12)]
    song = melody(*upper, (6, 1.5, 64), (9.5, 2.5, 65), program=73)
    [staff] = layers(song)
    assert [len(bar) for bar in staff] == [1, 2, 2]
    assert [bar[1] for bar in staff[1:]] == ["r2 e4 r8", "r4 r8 f4 f4"]


def test_a_chord_of_both_hands_hides_no_rest_and_asks_for_none():
    # While the upper layer plays chords, the lower one has nothing to rest from.
    song = melody((0, 2, (72, 76)), (2, 1, 76), (2, 2, 64), (3, 1, 77), program=73)
    assert layers(song) == [[["c5 e5 e5 f5", "s2 e4"]]]


def test_a_unison_of_guessed_voices_is_no_rest():
    chorale = np.array([[72, 67, 60, 48], [74, 67, 60, 48], [71, 71, 60, 50], [72, 67, 60, 48]])
    begins = np.ones((16, 4), dtype=bool) & (np.arange(16) % 4 == 0)[:, None]
    song = grid_to_song(np.repeat(chorale, 4, axis=0), begins)
    assert "r" not in " ".join(layers(song)[0][0])


def test_a_silent_part_of_a_bar_has_a_rest_as_long_as_it():
    song = voices([(1, 4, 72)], [(0, 1, 72)], bars=((0.0, 1, 4), (1.0, 4, 4)))
    assert layers(song) == [[["r4"], ["c5"]], [["c5"], ["R"]]]


# Tempo


def tempos(song):
    """(number of the measure, beat, text) of each metronome mark."""
    return [
        (measure.get("n"), mark.get("tstamp"), mark.text)
        for measure in ET.fromstring(score_mei(song)[0]).iter(f"{MEI}measure")
        for mark in measure.iter(f"{MEI}tempo")
    ]


def test_changes_of_tempo_are_marked():
    changes = ((4.0, 90.0), (8.0, 90.8), (10.0, 60.0), (13.0, 50.0), (13.1, 45.0))
    song = scale(*C_MAJOR * 4, tempos=changes)
    assert tempos(song) == [
        ("1", "0", "♩ = 120"),
        ("2", "1", "♩ = 90"),
        ("3", "3", "♩ = 60"),
        ("4", "2.08333", "♩ = 45"),
    ]
    song = scale(*[60] * 12, bars=((0.0, 6, 8),), tempos=((3.0, 90.0),))
    assert tempos(song) == [("1", "0", "♩. = 80"), ("2", "1", "♩. = 60")]


def test_the_tempos_of_a_player_are_not_marked():
    rng = np.random.default_rng(0)
    changes = tuple((k / 2, float(rng.uniform(80, 140))) for k in range(1, 60))
    assert tempos(scale(*C_MAJOR * 8, tempos=changes)) == [("1", "0", "♩ = 120")]
    changes = tuple((float(k), float(rng.uniform(80, 140))) for k in range(1, 30))
    assert tempos(scale(*C_MAJOR * 8, tempos=changes)) == [("1", "0", "♩ = 120")]
