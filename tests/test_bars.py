"""Bars, parts of bars, beats and the values that show them."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scores import MEI, melody, notes_in, read, scale

from musiclab.engraving.mei import score_mei
from musiclab.engraving.rhythm import split
from musiclab.music import Song
from musiclab.music.bars import TICKS, bars_of, sections_of


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
