"""The rules of the style, counted on chords whose faults are known."""

from dataclasses import fields

import numpy as np
import pytest

from musiclab.chorales import rules
from musiclab.chorales.rules import authentic_cadence, count_rules, root_position_triad

C = (72, 67, 64, 48)
STILL = [C, (74, 67, 65, 47)]  # a change without a fault


def faults(*chords):
    """Return the names of what is counted in some chords, and how often."""
    found = count_rules([np.repeat(np.array(chords), 4, axis=0)])
    n = found.n_changes
    names = [field.name for field in fields(found)][:-2]
    counts = {name: round(getattr(found, name) * n / 100) for name in names}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize(
    ("chords", "expected"),
    [
        (STILL, {}),
        # Alto and bass: G over C, then A over D; all others go the other way or stay.
        ([(72, 67, 64, 48), (72, 69, 62, 50)], {"fifths": 1}),
        # The same fifth struck again, or left in contrary motion, is none.
        ([(72, 67, 64, 48), (71, 67, 64, 48)], {}),
        ([(72, 67, 64, 60), (72, 74, 64, 55)], {"crossings": 1}),
        # Soprano and bass in octaves, a twelfth and a fifth count alike.
        ([(72, 67, 64, 48), (74, 65, 62, 50)], {"octaves": 1}),
        ([(67, 64, 60, 48), (69, 64, 60, 50)], {"fifths": 1}),
        # From a third to an octave, the soprano by a leap in the bass's direction.
        ([(64, 60, 55, 48), (69, 60, 52, 57)], {"hidden": 1, "crossings": 1}),
        ([(76, 67, 60, 48), (77, 67, 60, 53)], {}),  # by a step it is allowed
        # An alto that sings higher than the soprano.
        ([(67, 64, 60, 48), (65, 69, 60, 48)], {"crossings": 1}),
        # A bass too low, a soprano too high.
        ([(72, 67, 64, 48), (84, 67, 64, 48)], {"out_of_range": 1}),
        ([(72, 67, 64, 48), (72, 67, 64, 33)], {"out_of_range": 1, "leaps": 1}),
        # An octave is no leap too wide, a ninth is.
        ([(72, 67, 64, 48), (72, 67, 64, 60)], {}),
        ([(72, 67, 64, 45), (72, 67, 64, 58)], {"leaps": 1}),
        # G major with two B's, then C.
        ([(71, 67, 59, 55), (72, 64, 55, 48)], {"doubled_leading": 1}),
        # The alto leaps to a semitone below the soprano; reached by a step it is prepared.
        ([(72, 67, 64, 48), (72, 71, 64, 48)], {"dissonances": 1}),
        ([(72, 69, 64, 48), (72, 71, 64, 48)], {}),
        # The tenor leaps to a major seventh over the bass.
        ([(72, 67, 62, 48), (72, 67, 59, 48)], {"dissonances": 1}),
        # Silence breaks no rule.
        ([(72, 67, 0, 48), (74, 65, 0, 0)], {}),
    ],
)
def test_a_fault_is_counted_and_nothing_else(chords, expected):
    assert faults(*chords) == expected


def test_each_pair_of_voices_counts_once():
    """All four voices up a tone: three octaves or fifths lie between them."""
    moved = np.array([(72, 67, 60, 48)]) + np.array([[0], [2]])
    found = faults(*moved)
    assert found == {"fifths": 2, "octaves": 3}


def test_a_chord_that_lasts_is_one_and_rates_are_in_a_hundred_changes():
    held = np.repeat(np.array(STILL * 8), 2, axis=0)  # 32 sixteenths, 15 changes
    found = count_rules([held])
    assert found.n_changes == 15 and found.changes_a_bar == pytest.approx(7.5)
    once = np.concatenate([held, [(72, 69, 62, 50)], [(72, 69, 62, 35)]])
    found = count_rules([once])
    assert found.leaps == pytest.approx(100 / 17) and found.out_of_range == pytest.approx(100 / 17)


def test_several_chorales_count_by_their_changes():
    one, two = np.array(STILL * 10), np.array([(72, 67, 64, 48), (72, 69, 62, 50)])
    assert count_rules([one, two]).fifths == pytest.approx(100 / 20)


def test_what_never_changes_has_no_rates():
    with pytest.raises(ValueError, match="no chord changes"):
        count_rules([np.array([C] * 8)])


@pytest.mark.parametrize(
    ("chord", "is_one"),
    [
        ((72, 67, 64, 48), True),
        ((72, 67, 63, 48), True),
        ((72, 72, 64, 48), True),  # without its fifth
        ((72, 67, 67, 48), False),  # without its third
        ((72, 67, 60, 52), False),  # over its third
        ((70, 67, 64, 48), False),  # with a seventh
        ((72, 67, 0, 48), False),
    ],
)
def test_a_triad_over_its_root(chord, is_one):
    assert root_position_triad(np.array(chord)) is is_one


@pytest.mark.parametrize(
    ("chords", "is_one"),
    [
        ([(71, 67, 62, 55), (72, 67, 64, 48)], True),
        ([(71, 67, 62, 55), (71, 65, 62, 55), (72, 67, 64, 48)], True),  # a seventh between them
        ([(72, 69, 65, 53), (72, 67, 64, 48)], False),  # plagal
        ([(71, 67, 62, 55), (72, 67, 64, 52)], False),  # not over its root
        ([(71, 67, 62, 55), *[(72 - k, 67, 64, 48) for k in (0, 1, 2, 3, 0)]], False),  # long ago
        ([(72, 67, 64, 48)], False),
    ],
)
def test_an_authentic_cadence(chords, is_one):
    chorale = np.repeat(np.array(chords), 4, axis=0)  # however long the chords last
    assert authentic_cadence(chorale) is is_one


def test_a_line_of_the_table_stands_under_its_heading():
    line = str(count_rules([np.array(STILL * 4)]))
    assert len(line) == len(rules.HEADING)
