"""Key signatures, and the names and accidentals of notes in them."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scores import (
    C_MAJOR,
    G_MAJOR,
    MEI,
    accidentals,
    melody,
    notes_in,
    read,
    scale,
    sounding,
)

from musiclab.engraving.mei import score_mei


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


def test_a_note_that_is_tied_into_another_key_keeps_its_name():
    song = melody((3, 2, 68), (5, 1, 68), keys=((0.0, -3, "major"), (4.0, 2, "major")))
    notes = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}note")
    assert [note.get("pname") for note in notes] == ["a", "a", "g"]
    assert accidentals(song) == ["", "", "s"]


def test_a_guessed_key_gives_names_that_are_read_with_ease():
    # C# and G# with every white key: four sharps would fit, with B# and E# for C and F.
    lengths = {64: 4, 71: 4, 69: 3, 68: 3, 61: 2, 66: 2, 63: 1, 60: 2, 65: 2}
    starts = np.cumsum([0, *lengths.values()]).tolist()
    song = melody(*((o, d, p) for o, (p, d) in zip(starts, lengths.items(), strict=False)))
    notes = [note.attrib for note in ET.fromstring(score_mei(song)[0]).iter(f"{MEI}note")]
    odd = {("e", "s"), ("b", "s"), ("c", "f"), ("f", "f")}
    assert not {(n["pname"], n.get("accid", n.get("accid.ges", ""))) for n in notes} & odd
