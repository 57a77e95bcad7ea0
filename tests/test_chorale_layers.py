"""The tables of a chorale network: which weight is given to which symbol."""

import numpy as np
import pytest

from musiclab.chorales.files import LIMIT
from musiclab.chorales.layers import (
    GAIN,
    SURE,
    TONES,
    EndScores,
    HoldScores,
    PairScores,
    RangeScores,
)

N = 30  # symbols
NOTES = {"own": [[12]], "around": [[5, 20, 9]], "chosen": [[7, 20, -1]]}  # of one voice


def array(name):
    return np.array(NOTES[name], dtype="int32")[None]


def heard(layer, **inputs):
    """Return {symbol: score} of what a layer gives to a lone voice, without zeros."""
    scores = np.asarray(layer(**inputs)).reshape(-1)
    return {int(k): float(scores[k]) for k in np.flatnonzero(scores)}


def with_one(layer, inputs, table, place):
    """Return a layer in which one weight of a table is 1 and all others are 0."""
    layer(**inputs)
    weights = np.zeros(getattr(layer, table).shape, dtype="float32")
    weights[place] = 1
    getattr(layer, table).assign(weights)
    return layer


def test_a_voice_has_notes_of_its_own():
    voice = np.array([[[2]]], dtype="int32")
    layer = with_one(RangeScores(N), {"voice": voice}, "shares", (2, 17))
    assert heard(layer, voice=voice) == {17: SURE}
    assert heard(layer, voice=voice - 1) == {}


# C major over its root, in the third bar of the second phrase; its voices lasted 8 sixteenths
# and more, and the bass came from the fifth above.
SOUNDED = {
    "previous": np.array([[[25, 13, 20, 17]]], dtype="int32"),
    "held": np.array([[[8, 9, 12, 8]]], dtype="int32"),
    "came_from": np.array([[LIMIT - 7]], dtype="int32"),
    "place": np.array([[2 * 16 + 12]], dtype="int32"),
    "phrase": np.array([[1]], dtype="int32"),
    "tones": np.eye(24, dtype="float32")[[[5]]] / TONES,
}


@pytest.mark.parametrize(
    ("table", "place", "other"),
    [
        ("of_chord", 2 * 16 + 8, {"previous": np.array([[[25, 13, 20, 16]]])}),  # in minor
        ("of_chord", 2 * 16 + 8, {"previous": np.array([[[25, 13, 20, 18]]])}),  # with a fourth
        ("of_chord", 2 * 16 + 8, {"previous": np.array([[[25, 17, 20, 13]]])}),  # over its third
        ("of_chord", 2 * 16 + 8, {"held": np.array([[[8, 9, 7, 8]]])}),
        ("of_place", 12 * 16 + 8, {"place": np.array([[2 * 16 + 8]])}),
        ("of_bar", 6, {"phrase": np.array([[0]])}),
        ("of_bass", LIMIT - 7, {"came_from": np.array([[LIMIT]])}),
        ("of_tones", 5, {"tones": np.eye(24, dtype="float32")[[[6]]]}),
    ],
)
def test_the_end_hangs_on_what_has_sounded(table, place, other):
    layer = with_one(EndScores(), SOUNDED, table, place)
    assert layer(**SOUNDED).numpy().tolist() == [[1]]
    [(name, value)] = other.items()
    other = {name: value.astype(SOUNDED[name].dtype)}
    assert layer(**(SOUNDED | other)).numpy().tolist() == [[0]]


@pytest.mark.parametrize(
    ("table", "place"),
    [
        # The voice 2 in the fourth sixteenth of a bar, its note held for seven.
        ("of_time", (2 * 16 + 3) * 16 + 7),
        # Of the voices before it the first has moved, the second stayed, the third is to come.
        ("of_others", (2 * 4 + 3) * 27 + 2 + 1 * 3 + 0 * 9),
    ],
)
def test_what_is_held_is_the_own_note_at_its_time(table, place):
    inputs = {
        "voice": np.array([[[2]]], dtype="int32")[..., None],
        "held": np.array([[[7]]], dtype="int32"),
        "place": np.array([[[16 + 3]]], dtype="int32"),
        **{name: array(name)[None] for name in NOTES},
    }
    layer = with_one(HoldScores(N), inputs, table, place)
    assert heard(layer, **inputs) == {12: GAIN}
    assert heard(layer, **{**inputs, "place": inputs["place"] + 1}) == {}
    assert heard(layer, **{**inputs, "voice": inputs["voice"] + 1}) == {}
    other = "held" if table == "of_time" else "chosen"
    assert heard(layer, **{**inputs, other: inputs[other] + 1}) == {}


def test_two_voices_that_go_in_fifths_are_one_place_of_the_table():
    """Own 12 over 5, a fifth; the other goes up to 7: only 14 keeps the fifth upwards."""
    inputs = {
        "voice": np.array([[[2]]], dtype="int32")[..., None],
        **{name: array(name)[None] for name in NOTES},
    }
    up = 2
    layer = with_one(PairScores(N), inputs, "any_two", (7 * 3 + up, 7 * 3 + up))
    assert heard(layer, **inputs) == {14: GAIN, 26: GAIN}  # and an octave higher
    down = {**inputs, "chosen": np.array([[[[3, 20, -1]]]], dtype="int32")}
    assert heard(layer, **down) == {}
