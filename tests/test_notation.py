"""Sheet music: what stands in the score is what sounds, and the reader can count on it."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import verovio
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import odd_songs, random_chorale, written

from musiclab import notation
from musiclab.bars import TICKS, bars_of, sections_of
from musiclab.errors import MusiclabError, OutputError, ParameterError, ShortSequenceError
from musiclab.grid import grid_to_song
from musiclab.mei import score_mei
from musiclab.notation import save_pdf, score_svgs, sheet
from musiclab.notes import NoteEvent, Song
from musiclab.rhythm import split

MEI = "{http://www.music-encoding.org/ns/mei}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
LETTERS = dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))
ALTERATIONS = {"ff": -2, "f": -1, "n": 0, "s": 1, "x": 2, "ss": 2}


def melody(*notes, **fields):
    """A song of (onset, duration, pitch or pitches)."""
    chord = lambda p: (p,) if isinstance(p, int) else p
    return Song(tuple(NoteEvent(o, d, chord(p)) for o, d, p in notes), **fields)


def pitch_of(note):
    drawn = ALTERATIONS[note.get("accid") or note.get("accid.ges") or "n"]
    return 12 * (int(note.get("oct")) + 1) + LETTERS[note.get("pname")] + drawn


def length_of(element):
    """The quarters of a written value, as an exact fraction."""
    value = element.get("dur")
    length = Fraction(8) if value == "breve" else Fraction(4, int(value))
    return length * Fraction(3, 2) if element.get("dots") else length


def read(song, **options):
    """Return what the MEI of a song says, read by another way than it was written.

    notes: Counter of (onset, duration, pitch) in quarters, tied values summed
    graces: Counter of (onset, pitch)

    Asserts that every layer fills its bar.
    """
    root = ET.fromstring(score_mei(song, **options)[0])
    ends = {tie.get("startid")[1:]: tie.get("endid")[1:] for tie in root.iter(f"{MEI}tie")}
    found, graces = {}, Counter()

    def walk(parent, time, ratio=Fraction(1)):
        for element in parent:
            kind = element.tag.removeprefix(MEI)
            if kind in ("beam", "tuplet"):
                time = walk(element, time, ratio * (Fraction(2, 3) if kind == "tuplet" else 1))
                continue
            notes = {"note": [element], "chord": list(element)}.get(kind, [])
            if element.get("grace"):
                graces.update((time, pitch_of(note)) for note in notes)
                continue
            for note in notes:
                assert note.get(XML_ID) not in found
                found[note.get(XML_ID)] = (time, length_of(element) * ratio, pitch_of(note))
            time += length_of(element) * ratio
        return time

    measures = list(root.iter(f"{MEI}measure"))
    for measure, bar in zip(measures, bars_of(sections_of(song)), strict=False):
        for layer in measure.iter(f"{MEI}layer"):
            if layer[0].tag != f"{MEI}mRest":
                assert walk(layer, Fraction(bar.start, TICKS)) == Fraction(bar.stop, TICKS)
    notes = Counter()
    for name in found.keys() - set(ends.values()):
        onset, length, pitch = found[name]
        while name in ends:
            name = ends[name]
            assert found[name][0] == onset + length and found[name][2] == pitch
            length += found[name][1]
        notes[onset, length, pitch] += 1
    return notes, graces


def notes_in(song):
    return Counter(
        (
            Fraction(e.onset_ql).limit_denominator(48),
            Fraction(e.duration_ql).limit_denominator(48),
            p,
        )
        for e in song.events
        for p in e.pitches
    )


# What sounds is what is written


@pytest.mark.parametrize("seed", range(5))
def test_a_chorale_is_written_note_for_note(seed):
    chorale = random_chorale(seed, 64)
    apart = chorale.clip([70, 64, 55, 40], [81, 69, 63, 54])  # no unisons
    song = grid_to_song(np.where(chorale, apart, 0))
    assert read(song) == (notes_in(song), Counter())
    assert score_mei(song)[0].count("<staffDef") == 2


@st.composite
def melodies(draw):
    """One line, whose beats are of sixteenths, triplets, sextuplets or thirty-seconds."""
    events, now = [], Fraction(0)
    for _ in range(draw(st.integers(1, 12))):
        steps = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
        for k in range(steps):
            events.append(NoteEvent(float(now + Fraction(k, steps)), 1 / steps, (60 + k,)))
        now += 1
        if draw(st.booleans()):
            rest, held = draw(st.integers(0, 3)), draw(st.integers(1, 9))
            events.append(NoteEvent(float(now + rest), held, (72,)))
            now += rest + held
    bars = st.sampled_from([(), ((0.0, 3, 4),), ((0.0, 2, 2),), ((0.0, 1, 4), (1.0, 5, 4))])
    return Song(tuple(events), bars=draw(bars))


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


KEYS = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 4.0, 7.1]), st.integers(-7, 7)), max_size=4)


@st.composite
def scores(draw):
    """Two to five lines of sixteenths, in parts of their own, with changing metres and keys."""
    lines = []
    for _ in range(draw(st.integers(2, 5))):
        now, line = draw(st.integers(0, 12)) / 4, []
        for duration, rest in draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)))):
            line.append((now, duration / 4, draw(st.integers(53, 64))))
            now += (duration + rest) / 4
        lines.append(line)
    keys = tuple((onset, sharps, "major") for onset, sharps in sorted(draw(KEYS)))
    bars = draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(METRES)), max_size=5))
    bars = tuple((float(onset), *metre) for onset, metre in sorted(dict(bars).items()))
    programs = draw(st.sampled_from([0, 40, 52]))
    return voices(*lines, bars=bars, keys=keys, programs=(programs,) * 5)


METRES = [(4, 4), (3, 4), (2, 4), (1, 4), (6, 8), (3, 8), (5, 8), (2, 2)]


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


def sounding(song):
    """(onset, pitch) of what verovio itself would play of the score, in quarters."""
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.loadData(score_mei(song)[0])
    return {
        (entry["qstamp"], toolkit.getMIDIValuesForElement(note)["pitch"])
        for entry in toolkit.renderToTimemap({"includeRests": False})
        for note in entry.get("on", [])
    }


@given(melodies())
@settings(max_examples=20)
def test_verovio_reads_what_was_meant(song):
    """Key signatures and accidentals within a bar too: it plays what a reader would."""
    found = sounding(song)
    for onset, _, pitch in notes_in(song):
        assert any(abs(float(onset) - o) < 1e-3 and p == pitch for o, p in found)


def accidentals(song):
    """The accidentals that are drawn, in the order of the text."""
    notes = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}note")
    return [note.get("accid", "") for note in notes]


def scale(*pitches, length=0.5, **fields):
    return melody(*((k * length, length, p) for k, p in enumerate(pitches)), **fields)


C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
G_MAJOR = (67, 69, 71, 72, 74, 76, 78, 79)


def test_accidentals_are_drawn_once_a_bar_and_taken_back():
    # F natural, again, F sharp; the F an octave lower has its own; a new bar forgets.
    song = scale(*G_MAJOR * 3, 78, 77, 77, 78, 67, 65, 71, 79, 77)
    assert 'keysig="1s"' in score_mei(song)[0]
    assert accidentals(song) == [""] * 24 + ["", "n", "", "s", "", "n", "", "", "n"]


def test_a_tied_note_needs_no_accidental_and_the_next_does():
    start = [(k, 1, pitch) for k, pitch in enumerate(C_MAJOR * 4)]
    song = melody(*start, (32, 1.5, 67), (33.5, 2.5, 66), (36, 2, 66))
    # The long note begins before a beat, as a tied eighth; then comes a new bar.
    assert accidentals(song)[32:] == ["", "s", "", "s"]
    song = melody(*start, (32, 3, 67), (35, 2, 66), (37, 1, 66))
    assert accidentals(song)[32:] == ["", "s", "", "s"]
    assert read(song)[0] == notes_in(song)


@pytest.mark.parametrize(
    ("pitches", "key"),
    [
        (C_MAJOR, "0"),
        ((69, 71, 72, 74, 76, 77, 80, 81, 69, 76, 69), "0"),  # A minor, with its G sharp
        ((62, 64, 66, 67, 69, 71, 73, 74), "2s"),
        ((63, 65, 67, 68, 70, 72, 74, 75), "3f"),
    ],
)
def test_key_signatures(pitches, key):
    assert f'keysig="{key}"' in score_mei(scale(*pitches))[0]


def keys_drawn(song):
    """The key signatures of a score, at the start and where they change."""
    return re.findall('keysig="(.*?)"', score_mei(song)[0])


@pytest.mark.parametrize("sharps", range(-7, 8))
def test_the_key_that_a_song_says_is_drawn(sharps):
    song = scale(*[pitch + 7 * sharps % 12 for pitch in C_MAJOR], keys=((0.0, sharps, "major"),))
    assert keys_drawn(song) == [f"{abs(sharps)}{'s' if sharps > 0 else 'f'}" if sharps else "0"]
    assert accidentals(song) == [""] * 8
    assert sounding(song) == {(float(o), p) for o, _, p in notes_in(song)}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        # Of several at one tick the last holds.
        (((0.0, -3, "major"), (0.0, 6, "major")), ["6s"]),
        (((0.0, 0, "major"), (4.0, 2, "major"), (4.0, 3, "major")), ["0", "3s"]),
        # Within a bar, it waits for the next; beyond the end there is none.
        (((0.0, 0, "major"), (5.0, 2, "minor"), (100.0, 4, "major")), ["0", "2s"]),
        # A key that comes a little late is the song's.
        (((0.5, -2, "major"),), ["2f"]),
        # Before a later one, the notes say which.
        (((8.0, -2, "major"),), ["0", "2f"]),
        (((0.0, 1, "major"), (4.0, 1, "minor"), (8.0, 0, "minor")), ["1s", "0"]),
    ],
)
def test_changes_of_key(keys, found):
    song = scale(*C_MAJOR * 3, keys=keys)
    assert keys_drawn(song) == found
    assert sounding(song) == {(float(o), p) for o, _, p in notes_in(song)}


def test_accidentals_follow_the_key_of_their_bar():
    keys = ((0.0, 1, "major"), (4.0, -1, "major"))
    song = melody(*((k, 1, p) for k, p in enumerate((66, 65, 70, 71) * 2)), keys=keys)
    # F#, F and Bb, B: in G major, then in F major.
    assert accidentals(song) == ["", "n", "f", "n", "s", "n", "", "n"]


def test_a_guessed_key_gives_names_that_are_read_with_ease():
    # C# and G# with every white key: four sharps would fit, with B# and E# for C and F.
    lengths = {64: 4, 71: 4, 69: 3, 68: 3, 61: 2, 66: 2, 63: 1, 60: 2, 65: 2}
    starts = np.cumsum([0, *lengths.values()]).tolist()
    song = melody(*((o, d, p) for o, (p, d) in zip(starts, lengths.items(), strict=False)))
    notes = [note.attrib for note in ET.fromstring(score_mei(song)[0]).iter(f"{MEI}note")]
    odd = {("e", "s"), ("b", "s"), ("c", "f"), ("f", "f")}
    assert not {(n["pname"], n.get("accid", n.get("accid.ges", ""))) for n in notes} & odd


def clefs(song):
    definitions = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}staffDef")
    return ["".join(d.get(f"clef.{k}", "") for k in ("shape", "line", "dis")) for d in definitions]


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
    mei = score_mei(Song(events, programs=(40, 40, 42)), names=["Ana & Eva\x00", "Luis"])[0]
    labels = re.findall("<label>(.*?)</label>", mei)
    assert labels == ["Ana &amp; Eva", "Luis", "violonchelo"]


def test_two_parts_of_a_piano_are_two_hands():
    events = tuple(NoteEvent(0, 4, (60 - 7 * part,), part=part) for part in range(2))
    mei = score_mei(Song(events, programs=(0, 0)))[0]
    assert 'symbol="brace"' in mei and "<label>" not in mei


# A choir


def voices(*lines, **fields):
    """A song of one line of (onset, duration, pitch) a part."""
    events = [NoteEvent(o, d, (p,), part=k) for k, line in enumerate(lines) for o, d, p in line]
    fields.setdefault("programs", (52,) * len(lines))
    return Song(tuple(sorted(events, key=lambda event: event.onset_ql)), **fields)


SOPRANO = [(0, 1, 72), (1, 1, 74), (2, 2, 65), (4, 2, 67), (6, 2, 72)]
ALTO = [(0, 1, 67), (1, 1, 67), (2, 2, 69), (4, 2, 67), (6, 2, 67)]
TENOR = [(0, 4, 60), (4, 4, 55)]
BASS = [(0, 2, 48), (2, 2, 53), (4, 4, 55)]


def layers(song):
    """A list of staves of a list of bars of a list of layers, as texts such as "c5 r4 s4"."""

    def text(element):
        kind = element.tag.removeprefix(MEI)
        name = {"rest": "r", "space": "s", "mRest": "R"}.get(kind) or element.get("pname", "?")
        return f"{name}{element.get('oct', '') or element.get('dur', '')}"

    kinds = {f"{MEI}{kind}" for kind in ("note", "rest", "space", "mRest")}
    inside = lambda layer: " ".join(text(e) for e in layer.iter() if e.tag in kinds)
    found = {}
    for staff in ET.fromstring(score_mei(song)[0]).iter(f"{MEI}staff"):
        found.setdefault(staff.get("n"), []).append([inside(layer) for layer in staff])
    return list(found.values())


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
    labels = re.findall("<label>(.*?)</label>", score_mei(song, ["S", "A", "T", "B"])[0])
    assert labels == ["S, A", "T, B"]


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
        ("1", "1", "♩ = 120"),
        ("2", "1", "♩ = 90"),
        ("3", "3", "♩ = 60"),
        ("4", "2.08333", "♩ = 45"),
    ]
    song = scale(*[60] * 12, bars=((0.0, 6, 8),), tempos=((3.0, 90.0),))
    assert tempos(song) == [("1", "1", "♩. = 80"), ("2", "1", "♩. = 60")]


def test_the_tempos_of_a_player_are_not_marked():
    rng = np.random.default_rng(0)
    changes = tuple((k / 2, float(rng.uniform(80, 140))) for k in range(1, 60))
    assert tempos(scale(*C_MAJOR * 8, tempos=changes)) == [("1", "1", "♩ = 120")]
    changes = tuple((float(k), float(rng.uniform(80, 140))) for k in range(1, 30))
    assert tempos(scale(*C_MAJOR * 8, tempos=changes)) == [("1", "1", "♩ = 120")]


# Bars and beats


def bars(song):
    measures = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}measure")
    return [(m.get("n"), m.get("metcon")) for m in measures]


def test_a_pick_up_is_no_bar_of_its_own():
    song = scale(*[60] * 9, length=1.0, bars=((0.0, 1, 4), (1.0, 4, 4)))
    assert bars(song) == [("0", "false"), ("1", None), ("2", None)]
    assert score_mei(song)[0].count("meter.count") == 1


def test_a_bar_that_a_repeat_divides_keeps_its_metre():
    signatures = ((0.0, 6, 8), (6.0, 5, 8), (8.5, 1, 8), (9.0, 6, 8))
    song = scale(*[60] * 30, bars=signatures)
    assert [bar.phase for bar in bars_of(sections_of(song))] == [0, 0, 0, 60, 0, 0]
    assert score_mei(song)[0].count("meter.count") == 1


def metres(*signatures, quarters=40):
    """(metre, phase in quarters) of the first bars, as long as there are signatures, and one."""
    song = melody((0, quarters, 60), bars=signatures)
    found = list(bars_of(sections_of(song)))
    return [(f"{bar.metre[0]}/{bar.metre[1]}", bar.phase / TICKS) for bar in found]


def test_single_bars_of_other_metres_have_their_signatures():
    song = scale(*[60] * 80, bars=((0, 4, 4), (8, 6, 8), (11, 2, 4), (13, 6, 8), (16, 4, 4)))
    mei = score_mei(song)[0]
    found = re.findall('meter.count="(.)" meter.unit="(.)"', mei)
    assert found == [("4", "4"), ("6", "8"), ("2", "4"), ("6", "8"), ("4", "4")]
    assert 'metcon="false"' not in mei
    assert read(song)[0] == notes_in(song)


@pytest.mark.parametrize(
    ("signatures", "found"),
    [
        # Pick-ups, one of them before a bar that a repeat divides.
        (((0, 1, 4), (1, 3, 4)), ["3/4+2.0", "3/4+0.0"]),
        (((0, 1, 4), (1, 3, 4), (4, 1, 4), (5, 4, 4)), ["4/4+3.0", "4/4+0.0", "4/4+3.0"]),
        (((0, 5, 8), (2.5, 6, 8)), ["6/8+0.5", "6/8+0.0"]),
        (((0, 4, 4), (2, 4, 4)), ["4/4+2.0", "4/4+0.0"]),
        # No pick-ups: beats of three parts before beats of two, and metres that grow.
        (((0, 6, 8), (3, 4, 4)), ["6/8+0.0", "4/4+0.0"]),
        (((0, 2, 4), (2, 3, 4), (5, 4, 4)), ["2/4+0.0", "3/4+0.0", "4/4+0.0"]),
        # Divided bars.
        (((0, 4, 4), (4, 3, 4), (7, 1, 4), (8, 4, 4)), ["4/4+0.0", "4/4+0.0", "4/4+3.0"]),
        (((0, 4, 4), (4, 2, 4), (8, 4, 4)), ["4/4+0.0", "4/4+0.0", "4/4+2.0", "4/4+0.0"]),
        # The end of a strain, and a pick-up between two.
        (((0, 1, 4), (1, 4, 4), (9, 3, 4), (12, 4, 4)), ["4/4+3.0", *["4/4+0.0"] * 4]),
        (((0, 4, 4), (4, 1, 8), (4.5, 4, 4)), ["4/4+0.0", "4/4+3.5", "4/4+0.0"]),
        # Changes of metre.
        (((0, 4, 4), (4, 3, 4), (7, 4, 4)), ["4/4+0.0", "3/4+0.0", "4/4+0.0"]),
        (((0, 4, 4), (4, 3, 4), (7, 2, 4), (9, 4, 4)), ["4/4+0.0", "3/4+0.0", "2/4+0.0"]),
        (((0, 4, 4), (4, 6, 8), (7, 1, 4), (8, 4, 4)), ["4/4+0.0", "6/8+0.0"]),
        (((0, 4, 4), (36, 2, 4)), [*["4/4+0.0"] * 9, *["2/4+0.0"] * 2]),
    ],
)
def test_parts_of_bars_are_told_from_changes_of_metre(signatures, found):
    assert [f"{metre}+{phase}" for metre, phase in metres(*signatures)][: len(found)] == found


def test_a_new_metre_is_written():
    song = scale(*[60] * 14, length=1.0, bars=((8.0, 3, 4),))
    mei = score_mei(song)[0]
    assert re.findall('meter.count="(.)"', mei) == ["4", "3"]


@pytest.mark.parametrize(
    ("onset", "duration", "metre", "values"),
    [
        (0, 4, (4, 4), ["4"]),
        (0, 2.5, (4, 4), ["2", "1/2"]),
        (1.5, 1, (4, 4), ["1/2", "1/2"]),  # the middle of the bar is seen
        (0.5, 1, (4, 4), ["1"]),
        (1, 2, (4, 4), ["2"]),
        (0.25, 1, (4, 4), ["3/4", "1/4"]),
        (0, 2, (6, 8), ["3/2", "1/2"]),
        (0, 4.5, (9, 8), ["3", "3/2"]),
        (0, 5, (5, 4), ["4", "1"]),
    ],
)
def test_values_show_the_beat(onset, duration, metre, values):
    found = split(round(onset * TICKS), round((onset + duration) * TICKS), metre)
    assert [str(Fraction(stop - start, TICKS)) for start, stop in found] == values


def beamed(song):
    """How many notes stand under each beam."""
    root = ET.fromstring(score_mei(song)[0])
    return [len(list(beam.iter(f"{MEI}note"))) for beam in root.iter(f"{MEI}beam")]


def test_beams_follow_the_beat():
    assert beamed(scale(*[60] * 8)) == [4, 4]
    assert beamed(scale(*[60] * 16, length=0.25)) == [4, 4, 4, 4]
    assert beamed(scale(*[60] * 6, bars=((0.0, 6, 8),))) == [3, 3]
    assert beamed(scale(*[60] * 7, bars=((0.0, 7, 8),))) == [2, 2, 3]
    assert beamed(scale(*[60] * 12, length=1 / 3)) == [3, 3, 3, 3]


def test_careless_playing_is_written_as_it_was_meant():
    rng = np.random.default_rng(3)
    exact = scale(*rng.integers(60, 72, 64).tolist(), length=0.5)
    played = tuple(
        replace(e, onset_ql=max(0, e.onset_ql + rng.normal(0, 0.02)), duration_ql=0.44)
        for e in exact.events
    )
    assert read(Song(played))[0] == read(exact)[0]


def test_a_pick_up_of_half_a_beat_keeps_its_triplet():
    triplet = [(k / 6, 1 / 6, 67 + k) for k in range(3)]
    song = melody(*triplet, (0.5, 2, 72), (2.5, 2, 71), bars=((0.0, 1, 8), (0.5, 2, 4)))
    assert read(song)[0] == notes_in(song)


def test_grace_notes():
    song = melody((0, 0, 62), (0, 0, 64), (0, 1, 60), (1, 1, 60), (2, 0, 67), (3, 1, 60))
    notes, graces = read(song)
    assert graces == Counter({(0, 62): 1, (0, 64): 1})
    assert notes[2, Fraction(1, 4), 67] == 1  # nothing to adorn: a short note


# Files and pictures


def images(html):
    data = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    return [base64.b64decode(picture).decode() for picture in data]


def test_a_sheet_is_safe_and_has_a_size(song):
    html = sheet(song, title='<script>alert("x")</script>').data
    assert not re.search("<script|<svg|http:", re.sub('base64,[^"]*', "", html))
    assert html.count("<img alt=") == html.count("background:white") == len(images(html)) == 1
    assert 'alt="Partitura de «&lt;script&gt;' in html
    for svg in images(html):
        width, height = re.match(r'<svg width="(\d+)px" height="(\d+)px"', svg).groups()
        assert int(width) > 300 and int(height) > 50
        assert "♩ = 90" in svg and "@font-face" not in svg


def test_the_same_song_gives_the_same_bytes(song, tmp_path, in_fresh_process):
    source = f"""
import hashlib
from musiclab.notation import save_pdf, sheet
from musiclab.notes import NoteEvent, Song
song = {song!r}
pdf = save_pdf(song, {str(tmp_path / "otro.pdf")!r}, "Título").read_bytes()
print(hashlib.sha256(sheet(song, "Título").data.encode() + pdf).hexdigest())"""
    finish = in_fresh_process(source, PYTHONHASHSEED="7")
    pdf = save_pdf(song, tmp_path / "canción.pdf", "Título").read_bytes()
    assert pdf.startswith(b"%PDF")
    mine = hashlib.sha256(sheet(song, "Título").data.encode() + pdf).hexdigest()
    assert finish() == (f"{mine}\n", "")


def test_a_thread_engraves_what_the_main_thread_does(song, in_fresh_process):
    source = f"""
import hashlib, threading
from musiclab.notation import score_svgs
from musiclab.notes import NoteEvent, Song
song, found = {song!r}, []
thread = threading.Thread(target=lambda: found.append(score_svgs(song)))
thread.start()
thread.join()
found.append(score_svgs(song))
print(len(found[0]), found[0] == found[1])
print(hashlib.sha256("".join(found[0]).encode()).hexdigest())"""
    mine = hashlib.sha256("".join(score_svgs(song)).encode()).hexdigest()
    assert in_fresh_process(source)() == (f"1 True\n{mine}\n", "")


def test_a_score_without_a_page_is_an_error(monkeypatch):
    monkeypatch.setattr(notation, "score_mei", lambda *_: ("<mei", ""))
    for draw in (sheet, score_svgs):
        with pytest.raises(MusiclabError, match="ninguna página"):
            draw(scale(60))


def test_the_title_of_a_pdf_is_text(song, tmp_path):
    assert save_pdf(song, tmp_path / "a.pdf", '#panic("x") $ \\ "').stat().st_size > 5000


def test_a_folder_that_cannot_be_written(song, tmp_path):
    (tmp_path / "fichero").write_text("")
    with pytest.raises(OutputError):
        save_pdf(song, tmp_path / "fichero" / "a.pdf")


# Limits


@given(odd_songs())
@settings(max_examples=20)
def test_verovio_takes_any_song(song):
    if song.events:
        assert all(svg.startswith("<svg") for svg in score_svgs(song))


def test_what_has_no_score():
    with pytest.raises(ShortSequenceError, match="ninguna nota"):
        sheet(Song(()))
    with pytest.raises(ParameterError, match="max_bars es 0"):
        score_svgs(scale(60), max_bars=0)


def test_long_songs_are_cut_and_say_so(tmp_path):
    song = scale(*[60, 64, 67, 72] * 210, length=1.0)
    assert "los compases 1 a 64 de 210." in sheet(song).data
    assert "Se muestran" not in sheet(song, max_bars=210).data
    assert len(images(sheet(song).data)) > 5
    far = Song((*song.events, NoteEvent(1e9, 1e9, (60,))))
    assert len(score_svgs(far, max_bars=2)) == 1


def test_dense_songs_and_many_parts_are_cut_and_say_so():
    rng = np.random.default_rng(0)
    notes = [
        NoteEvent(*rng.uniform(0, 4, 2), (int(rng.integers(60, 72)),), part=int(rng.integers(60)))
        for _ in range(40_000)
    ]
    mei, left_out = score_mei(Song(tuple(notes), programs=(40,) * 60))
    assert "las partes 1 a 16 de 60 y las notas 1 a 5000 de" in left_out
    assert mei.count("<staffDef") == 16
    assert mei.count("<note") < 10_000
