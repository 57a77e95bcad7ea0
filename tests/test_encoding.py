import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from music21.chord import Chord
from music21.pitch import Pitch

from musiclab import encoding
from musiclab.encoding import UNKNOWN, Vocabulary, decode_song, get_encoding, make_windows
from musiclab.errors import ParameterError, ShortSequenceError, VocabularyError
from musiclab.notes import NoteEvent, Song

chords = st.lists(
    st.sets(st.integers(encoding.LOWEST_PITCH, 127), min_size=1, max_size=6), max_size=8
)


def encode(chords, name):
    events = [NoteEvent(k / 2, 0.5, tuple(sorted(pitches))) for k, pitches in enumerate(chords)]
    return get_encoding(name).encode(Song(tuple(events)))


# Songs and tokens


def test_pitch_names_are_those_of_music21():
    for pitch in range(encoding.LOWEST_PITCH, 128):
        assert encoding.pitch_number(encoding.pitch_name(pitch)) == pitch
        assert encoding.pitch_name(pitch) == Pitch(midi=pitch).nameWithOctave
    assert [encoding.pitch_name(pitch) for pitch in (0, 4, 11)] == ["C0", "E0", "B0"]
    for name in ("", "H4", "C", "c4", "Db4", "E--1", "C10", UNKNOWN, "0.4.7"):
        with pytest.raises(VocabularyError, match="se escriben como"):
            encoding.pitch_number(name)


# All 4,095 sets take 27 s, nearly all of it in music21.
@given(st.sets(st.integers(0, 11), min_size=1))
def test_normal_order_is_that_of_music21(classes):
    assert encoding.normal_order(classes) == Chord(sorted(classes)).normalOrder


@given(chords)
def test_pitches_survive_their_encoding(chords):
    events = decode_song(encode(chords, "pitches"), "pitches").events
    assert [set(event.pitches) for event in events] == chords


@pytest.mark.parametrize("name", encoding.ENCODINGS)
@given(chords)
def test_tokens_survive_decoding(name, chords):
    no_octaves = [c for c in chords if len(c) == 1 or len({p % 12 for p in c}) > 1]
    tokens = encode(no_octaves, name)
    assert get_encoding(name).encode(decode_song(tokens, name)) == tokens


@pytest.mark.parametrize("name, octave", [("tutorial", (48, 60)), ("pitches", (0, 12))])
def test_octave_survives_decoding(name, octave):
    tokens = encode([octave], name)
    assert get_encoding(name).encode(decode_song(tokens, name)) == tokens


def test_symbols_of_the_tutorial():
    tokens = ["C4", "E-4", "0.4.7", "0.4.7", "9.11.2.5"]
    chords = [{60}, {63}, {48, 64, 79}, {52, 55, 72}, {59, 62, 65, 69}]
    assert encode(chords, "tutorial") == tokens
    song = decode_song(tokens[2:], "tutorial", step_ql=2, program=40, tempo_bpm=60.0)
    assert [e.pitches for e in song.events] == [(60, 64, 67)] * 2 + [(69, 71, 74, 77)]
    assert [(e.onset_ql, e.duration_ql) for e in song.events] == [(0, 2), (2, 2), (4, 2)]
    assert (song.program, song.tempo_bpm) == (40, 60.0)
    with pytest.raises(VocabularyError, match=UNKNOWN):
        decode_song([UNKNOWN], "tutorial")
    with pytest.raises(ParameterError, match=r"«midi».*tutorial o pitches"):
        get_encoding("midi")


# Tokens and ids


def test_vocabulary_is_in_musical_order():
    songs = [["G9", "10.1", "B-1", "0.4.7"], ["A2", "2.5", "C4", "A2"]]
    order = ["B-1", "A2", "C4", "G9", "2.5", "10.1", "0.4.7"]
    assert Vocabulary.fit(songs).tokens == (UNKNOWN, *order)
    chords = Vocabulary.fit([["C4.E4.G4", "D4.F4", "C4.A4", "B4"]])
    assert chords.tokens[1:] == ("B4", "C4.A4", "D4.F4", "C4.E4.G4")
    assert encoding.most_common(songs, 1) == [("A2", 2)]


@given(st.lists(st.sampled_from(["C4", "D4", "0.4.7", "E-5"]), min_size=1))
def test_ids_are_inverse_to_tokens(tokens):
    vocabulary = Vocabulary.fit([tokens])
    ids = vocabulary.to_ids(tokens)
    assert vocabulary.to_tokens(ids) == tokens and ids.dtype == np.int32
    assert set(ids) == set(range(1, len(vocabulary)))
    assert vocabulary.to_ids(["F#4"]).tolist() == [0] and vocabulary.to_tokens([0]) == [UNKNOWN]


@pytest.mark.parametrize("tokens", [(), ("C4",), ("C4", UNKNOWN), (UNKNOWN, "C4", "C4")])
def test_damaged_vocabulary_is_refused(tokens):
    with pytest.raises(VocabularyError):
        Vocabulary(tokens)


# Ids and windows


@pytest.mark.parametrize("every_step", [False, True])
@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 8))
def test_windows_are_whole_and_none_is_lost(every_step, lengths, window_length):
    # No id occurs twice, so that each says where it stands.
    songs = np.split(np.arange(1, sum(lengths) + 1), np.cumsum(lengths)[:-1])
    long = [song for song in songs if len(song) > window_length]
    if not long:
        with pytest.raises(ShortSequenceError, match=f"hacen falta {window_length + 1}"):
            make_windows(songs, window_length, every_step)
        return
    x, y = make_windows(songs, window_length, every_step)
    assert x.dtype == y.dtype == np.int32 and x.shape == (len(y), window_length)
    assert y.shape == (x.shape if every_step else x.shape[:1])
    y = y.reshape(len(x), -1)
    assert (np.diff(x) == 1).all() and (y == x[:, -y.shape[1] :] + 1).all()
    song_of_id = np.repeat(np.arange(len(songs)), lengths)
    assert (song_of_id[x[:, 0] - 1] == song_of_id[y[:, -1] - 1]).all()
    targets = [k for song in long for k in song[1 if every_step else window_length :]]
    assert sorted(set(y.ravel())) == targets
    n_windows = sum(-(-(len(song) - 1) // window_length) for song in long)
    assert len(x) == (n_windows if every_step else len(targets))


def test_window_length_must_be_positive():
    with pytest.raises(ParameterError, match="SEQUENCE_LEN es 0"):
        make_windows([np.arange(9)], 0)
