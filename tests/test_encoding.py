import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from music21.chord import Chord
from music21.pitch import Pitch
from strategies import at_most_four, notes_of, odd_songs, written

from musiclab import encoding, music
from musiclab.encoding import (
    END,
    REST,
    START,
    UNKNOWN,
    Vocabulary,
    decode_song,
    get_encoding,
    make_windows,
)
from musiclab.encoding.tokens import HOLD, token_key
from musiclab.errors import ParameterError, ShortSequenceError, VocabularyError
from musiclab.music import NoteEvent, Song
from musiclab.music.pitch import LOWEST_PITCH, normal_order

chords = st.lists(st.sets(st.integers(LOWEST_PITCH, 127), min_size=1, max_size=6), max_size=8)


def encode(chords, name):
    events = [NoteEvent(k / 2, 0.5, tuple(sorted(pitches))) for k, pitches in enumerate(chords)]
    return get_encoding(name).encode(Song(tuple(events)))


# Songs and tokens


def test_pitch_names_are_those_of_music21():
    for pitch in range(LOWEST_PITCH, 128):
        assert music.pitch_number(music.pitch_name(pitch)) == pitch
        assert music.pitch_name(pitch) == Pitch(midi=pitch).nameWithOctave
    assert [music.pitch_name(pitch) for pitch in (0, 4, 11)] == ["C0", "E0", "B0"]
    for name in ("", "H4", "C", "c4", "Db4", "E--1", "C10", UNKNOWN, "0.4.7"):
        with pytest.raises(VocabularyError, match="se escriben como"):
            music.pitch_number(name)


# All 4,095 sets take 27 s, nearly all of it in music21.
@given(st.sets(st.integers(0, 11), min_size=1))
def test_normal_order_is_that_of_music21(classes):
    assert normal_order(classes) == Chord(sorted(classes)).normalOrder


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
    with pytest.raises(ParameterError, match=r"«midi».*tutorial, pitches, .* o grid$"):
        get_encoding("midi")


# Where a prompt ends


def onsets_of(tokens, name):
    """Return the set of the (onset, pitch) of the notes that tokens say."""
    return {(e.onset_ql, pitch) for e in decode_song(tokens, name).events for pitch in e.pitches}


@pytest.mark.parametrize("name", encoding.ENCODINGS)
@given(odd_songs())
def test_next_note_begins_where_the_prompt_ends(name, song):
    tokens = [token for token in get_encoding(name).encode(song) if token != END]
    used = {pitch for _, pitch in onsets_of(tokens, name)}
    pitch = next(pitch for pitch in range(60, 127) if pitch not in used)
    token = music.pitch_name(pitch)
    token += {"events": ":1:1", "events+velocity": ":1:1:mf"}.get(name, "")
    for k in range(len(tokens) + 1):
        onset_ql = encoding.prompt_end_ql(tokens[:k], name)
        assert (onset_ql, pitch) in onsets_of([*tokens[:k], token], name)


@pytest.mark.parametrize("name", encoding.ENCODINGS)
@given(odd_songs())
def test_of_whole_chords_all_notes_begin_before_the_end(name, song):
    tokens = [token for token in get_encoding(name).encode(song) if token != END]
    for k in range(len(tokens) + 1):
        whole = encoding.whole_chords(tokens[:k], name)
        assert tokens[: len(whole)] == whole and len(whole) <= k
        end_ql = encoding.prompt_end_ql(whole, name)
        assert end_ql == encoding.prompt_end_ql(tokens[:k], name)
        assert all(onset_ql < end_ql for onset_ql, _ in onsets_of(whole, name))


def test_prompt_ends_of_a_few_prompts():
    prompt = [START, "E4:1:0", "C4:2:1", "rest:1/2", UNKNOWN, "G4:1:0"]
    ends = [encoding.prompt_end_ql(prompt[:k], "events") for k in range(7)]
    assert ends == [0, 0, 0, 1, 1.5, 1.5, 1.5]
    assert encoding.whole_chords(prompt, "events") == prompt[:4]
    assert encoding.whole_chords(prompt[:2], "events") == [START]
    grid = [START, "C5", HOLD, REST, REST, "D5", UNKNOWN]
    assert encoding.prompt_end_ql(grid, "grid") == 0.25
    assert encoding.whole_chords(grid, "grid") == grid[:5]
    assert encoding.prompt_end_ql(["C4", "0.4.7"], "tutorial", step_ql=2) == 4
    assert encoding.whole_chords(["C4", "0.4.7"], "tutorial") == ["C4", "0.4.7"]


# Round trips: what an encoding keeps of any song, in a form that forgets the rest


def names_of_events(song):
    return [{written(pitch) for pitch in event.pitches} for event in song.chords()]


def tutorial_symbols(song):
    return [
        written(*event.pitches) if len(event.pitches) == 1 else {p % 12 for p in event.pitches}
        for event in song.chords()
    ]


def timed_notes(song):
    return {(start, stop, written(pitch)) for start, stop, pitch, _ in notes_of(song, 24)}


def loud_notes(song):
    nearest = lambda velocity: min(range(8), key=lambda k: (abs(16 * (k + 1) - velocity), -k))
    return {
        (start, stop, written(pitch), nearest(velocity))
        for start, stop, pitch, velocity in notes_of(song, 24)
    }


def sixteenths(song):
    notes = notes_of(song, 4)
    return {(start, stop, written(pitch)) for start, stop, pitch, _ in notes if stop > start}


KEPT = {
    "tutorial": tutorial_symbols,
    "pitches": names_of_events,
    "events": timed_notes,
    "events+velocity": loud_notes,
    "grid": sixteenths,
}
TIMED = [name for name, codec in encoding.ENCODINGS.items() if codec.timed]


@pytest.mark.parametrize("name", encoding.ENCODINGS)
@given(odd_songs())
def test_what_an_encoding_keeps_survives(name, song):
    song = at_most_four(song) if name == "grid" else song
    tokens = get_encoding(name).encode(song)
    back = decode_song(tokens, name)
    assert KEPT[name](back) == KEPT[name](song)
    onsets = [event.onset_ql for event in back.events]
    assert onsets == sorted(onsets)
    Vocabulary.fit([tokens])  # each token has its place


@pytest.mark.parametrize("name", ["events", "events+velocity"])
@given(odd_songs())
def test_events_are_one_token_a_note_and_a_rest(name, song):
    tokens = get_encoding(name).encode(song)
    back = get_encoding(name).encode(decode_song(tokens, name))
    assert tokens[0] == START and tokens[-1] == END
    assert back == tokens
    n_rests = sum(token.startswith(REST) for token in tokens)
    assert n_rests == len(gaps(song))
    assert len(tokens) == 2 + n_rests + len(KEPT[name](song))


def gaps(song):
    found, end = [], 0
    for start, stop, *_ in sorted(notes_of(song, 24)):
        found += [(end, start)] if start > end else []
        end = max(end, stop)
    return found


def test_tokens_of_events_read_like_the_score():
    events = [
        NoteEvent(1, 1, (60, 64)),
        NoteEvent(1, 0, (58,)),
        NoteEvent(1.5, 1 / 3, (72,), 64),
        NoteEvent(3, 2, (0,), 127),
    ]
    body = ["rest:1", "B-3:0:0", "E4:1:0", "C4:1:1/2", "C5:1/3:1/2", "rest:1", "C0:2:2"]
    codec = get_encoding("events")
    assert codec.encode(Song(tuple(events))) == [START, *body, END]
    loud = get_encoding("events+velocity").encode(Song(tuple(events)))
    dynamics = ["", ":mf", ":mf", ":mf", ":mp", "", ":fff"]
    assert loud[1:-1] == [token + dynamic for token, dynamic in zip(body, dynamics, strict=True)]
    assert codec.decode(body[:4])[1] == NoteEvent(1, 1, (60, 64))
    for token in ("C4", "C4:1", "C4:-1:0", "C4:1/0:1", "C4:1/5:1", "C4:1:1:forte", "H4:1:1", ""):
        with pytest.raises(VocabularyError, match=f"^«{token}» no es un símbolo con tiempos.*;"):
            codec.decode([token])


def test_grid_has_four_tokens_a_sixteenth():
    events = [NoteEvent(0, 0.5, (48, 55, 64, 72)), NoteEvent(0.75, 0.25, (74,))]
    tokens = get_encoding("grid").encode(Song(tuple(events)))
    columns = [["C5", "E4", "G3", "C3"], [HOLD] * 4, [REST] * 4, ["D5", REST, REST, REST]]
    assert tokens == [START, *(token for column in columns for token in column), END]
    with pytest.raises(VocabularyError, match="«C4:1:1»"):
        decode_song(["C4:1:1"], "grid")


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("n_notes", [0, 1])
def test_songs_of_no_and_of_one_note(name, n_notes):
    song = Song((NoteEvent(0, 0.25, (60,)),) * n_notes)
    tokens = get_encoding(name).encode(song)
    assert tokens[0] == START and tokens[-1] == END
    assert len(tokens) == 2 + n_notes * (4 if name == "grid" else 1)
    assert decode_song(tokens, name) == song


WRITABLE = {
    "events": ["rest:1", "C4:0:0", "C4:1:1/2", "G9:1/24:3", "C4:1:0"],
    "events+velocity": ["rest:1/3", "C4:1:1/2:ppp", "C4:1:0:fff"],
    "grid": [HOLD, REST, "C4", "G9", "C0"],
}


@pytest.mark.parametrize("name", TIMED)
@given(st.data())
def test_whatever_a_network_writes_can_be_played(name, data):
    tokens = data.draw(st.lists(st.sampled_from([UNKNOWN, START, END, *WRITABLE[name]])))
    events = decode_song(tokens, name).events
    assert events == decode_song([START, *tokens, END, "?"], name).events
    if END in tokens:
        assert events == decode_song(tokens[: tokens.index(END)], name).events
    elif name != "grid":
        n_notes = len({*tokens} - {UNKNOWN, START}) - any(t.startswith(REST) for t in {*tokens})
        assert len(events) >= min(n_notes, 1)


def test_unknown_and_missing_tokens_of_the_grid_hold_what_sounds():
    tokens = [START, "C5", "E4", HOLD, "C3", UNKNOWN, REST, REST, UNKNOWN, "D5"]
    voices = [(0, 2, 72), (0, 1, 64), (0, 3, 48), (2, 3, 74)]
    assert sixteenths(decode_song(tokens, "grid")) == set(voices)


# Tokens and ids


def test_vocabulary_is_in_musical_order():
    songs = [["G9", "10.1", "B-1", "0.4.7"], ["A2", "2.5", "C4", "A2"]]
    order = ["B-1", "A2", "C4", "G9", "2.5", "10.1", "0.4.7"]
    assert Vocabulary.fit(songs).tokens == (UNKNOWN, *order)
    chords = Vocabulary.fit([["C4.E4.G4", "D4.F4", "C4.A4", "B4"]])
    assert chords.tokens[1:] == ("B4", "C4.A4", "D4.F4", "C4.E4.G4")
    assert encoding.most_common(songs, 1) == [("A2", 2)]
    order = [START, END, HOLD, REST, "rest:1/2", "rest:1", "A2", "C4:1/2:1", "C4:1:0", "C4:1:1/2"]
    order += ["D4:1:1/2:p", "D4:1:1/2:f", "2.5", "C4.E4.G4"]
    assert Vocabulary.fit([order[::-1], [UNKNOWN]]).tokens == (UNKNOWN, *order)
    for token in ("", "<x>", "C4:", "H4", "²", "0.²", "0.x", "0.0", "12", "4.", "٤", "0" * 5000):
        with pytest.raises(VocabularyError, match=f"«{token}»"):
            token_key(token)


def test_tokens_that_a_vocabulary_lacks_are_named_on_demand():
    vocabulary = Vocabulary.fit([[START, "C4:1:1", "C4:1:1/2", "D5:2:2", END]])
    assert vocabulary.to_ids(["C4:1:1", "C9:1:1"]).tolist()[1] == 0
    assert vocabulary.to_ids(["C4:1:1", END], strict=True).tolist() == [4, 2]
    for tokens in (["C4:1:1", "C4:1:2"], [UNKNOWN, "C4:1:2"]):
        with pytest.raises(VocabularyError, match=r"«C4:1:2».* prueba con .*C4:1:1\b"):
            vocabulary.to_ids(tokens, strict=True)


@given(st.lists(st.sampled_from(["C4", "D4", "0.4.7", "E-5"]), min_size=1))
def test_ids_are_inverse_to_tokens(tokens):
    vocabulary = Vocabulary.fit([tokens])
    ids = vocabulary.to_ids(tokens)
    assert vocabulary.to_tokens(ids) == tokens and ids.dtype == np.int32
    assert set(ids) == set(range(1, len(vocabulary)))
    assert vocabulary.to_ids(["F#4"]).tolist() == [0] and vocabulary.to_tokens([0]) == [UNKNOWN]


@pytest.mark.parametrize(
    "tokens", [(), ("C4",), ("C4", UNKNOWN), (UNKNOWN, "C4", "C4"), (UNKNOWN, 4), (UNKNOWN, ["C4"])]
)
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
    x, y = np.asarray(x), np.asarray(y).reshape(len(x), -1)
    assert (np.diff(x) == 1).all() and (y == x[:, -y.shape[1] :] + 1).all()
    song_of_id = np.repeat(np.arange(len(songs)), lengths)
    assert (song_of_id[x[:, 0] - 1] == song_of_id[y[:, -1] - 1]).all()
    targets = [k for song in long for k in song[1 if every_step else window_length :]]
    assert sorted(set(y.ravel())) == targets
    n_windows = sum(-(-(len(song) - 1) // window_length) for song in long)
    assert len(x) == (n_windows if every_step else len(targets))


def test_windows_are_indexed_as_the_array_for_which_they_stand():
    windows = make_windows([np.arange(9), np.arange(20, 27)], 3)[0]
    array = np.array(windows)
    assert array.tolist()[5:7] == [[5, 6, 7], [20, 21, 22]] and len(windows) == len(array)
    for key in (2, -1, slice(1, 4), slice(None, None, -2), [3, 0, 3], array[:, 0] > 4,
                (slice(None), 0), (..., None), None, (2, slice(1)), ...):  # fmt: skip
        np.testing.assert_array_equal(windows[key], array[key])
        assert windows[key].dtype == np.int32
    assert [*map(list, windows)] == array.tolist()
    assert np.asarray(windows, dtype=float).dtype == float
    with pytest.raises(IndexError):
        windows[len(windows)]


@pytest.mark.parametrize("every_step", [False, True])
def test_memory_grows_with_the_ids_and_not_with_the_windows(every_step):
    songs = [np.zeros(100_000, dtype=np.int32)] * 3
    tracemalloc.start()
    x, y = make_windows(songs, 200, every_step)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 300_000 and x.shape[1] == 200 and len(x) == len(y)


def test_window_length_must_be_positive():
    with pytest.raises(ParameterError, match="SEQUENCE_LEN es 0"):
        make_windows([np.arange(9)], 0)
