"""Lesson 2's diagrams say what the encodings do, and are the same each time."""

import pytest

from musiclab.diagrams import bar_in_encodings, duration_and_wait
from musiclab.encoding import decode_song, get_encoding
from musiclab.encoding.motifs import parse_motif
from musiclab.errors import ParameterError

BAR = parse_motif("C4+E4+G4 r:1/2 E4:1/2 G4:2")


def test_a_bar_says_how_many_tokens_each_encoding_takes():
    alt = bar_in_encodings(BAR).alt
    for name in ("tutorial", "events", "grid"):
        assert f"{len(get_encoding(name).encode(BAR))} en «{name}»" in alt


@pytest.mark.parametrize("draw", [lambda: bar_in_encodings(BAR), duration_and_wait])
def test_a_diagram_is_the_same_each_time(draw):
    assert draw() == draw()
    assert draw().svg.rstrip().endswith("</svg>")


def test_the_tokens_of_durations_and_waits_play_what_is_drawn():
    alt = duration_and_wait().alt
    song = decode_song(["B-4:1:0", "E-3:5/2:1", "C5:3/2:3/2"], "events")
    played = [(event.onset_ql, event.duration_ql) for event in song.events]
    assert played == [(0, 1), (0, 2.5), (1, 1.5)]
    assert "C5 empieza en 1" in alt and "E-3 dura 5/2 y espera 1" in alt


def test_only_one_bar_is_drawn():
    with pytest.raises(ParameterError, match="un solo compás"):
        bar_in_encodings(parse_motif("C4:3 D4:2"))
