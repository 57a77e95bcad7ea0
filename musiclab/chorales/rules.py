"""How often chorales break the rules of the style, counted in the same way for Bach and for a network.

Conventions: a chorale is an int array (n_sixteenths, 4) of MIDI numbers, soprano, alto, tenor and
bass, 0 for silence. Its chords are what sounds, each counted once however long it lasts; a *change*
is the step from one chord to the next. Rates are events in 100 changes.

The rules are those of any harmony book. Fang, Liu, Seetharaman and Pardo (2020), "Bach or Mock? A
Grading Function for Chorales in the Style of J.S. Bach", judge networks by some of them.
"""

from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np

from musiclab.chorales.files import BAR, N_VOICES

PAIRS = tuple(combinations(range(N_VOICES), 2))  # (higher, lower) voice
RANGES = np.array([(60, 81), (53, 74), (48, 69), (36, 64)])  # lowest and highest note of each voice
OCTAVE, FIFTH = 0, 7  # semitones, modulo 12
SHARP = (1, 11)  # semitones, modulo 12: the dissonances that a singer prepares
WIDEST_LEAP = 12  # semitones
CADENCE = 4  # chords before the last one
STEP = 2  # semitones: a wider motion is a leap


@dataclass(frozen=True)
class Rules:
    """What breaks a rule, in 100 chord changes; then what is no fault but a habit.

    fifths, octaves: two voices that move in one direction from a fifth (octave) to a fifth (octave)
    hidden: the outer voices move in one direction to a fifth or an octave from another interval,
        the soprano by a leap
    crossings: chords in which a lower voice lies above a higher one
    out_of_range: voices that a chord leads out of their RANGES
    leaps: voices that move by more than an octave
    doubled_leading: dominant chords (major triad or seventh) that double their third
        and go to the chord a fourth higher
    dissonances: voices that leap to a semitone or a major seventh from another voice
    changes_a_bar: in sixteen sixteenths
    n_changes: how many there are
    """

    fifths: float
    octaves: float
    hidden: float
    crossings: float
    out_of_range: float
    leaps: float
    doubled_leading: float
    dissonances: float
    changes_a_bar: float
    n_changes: int

    def __str__(self):
        *rates, n_changes = astuple(self)
        cells = [f"{rate:9.2f}" for rate in rates]
        return " ".join([*cells, f"{n_changes:9d}"])


HEADING = (
    f"{'quintas':>9} {'octavas':>9} {'ocultas':>9} {'cruces':>9} {'ámbito':>9} {'saltos':>9} "
    f"{'sensible':>9} {'disonan.':>9} {'cambios':>9} {'de':>9}"
)


def count_rules(chorales):
    """Return the Rules of some chorales, all their changes taken together.

    Raises ValueError when nothing changes in any of them.
    """
    names = [field.name for field in fields(Rules)][:-2]
    # How often each rule is broken, in all chorales together.
    totals = dict.fromkeys(names, 0)
    n_changes = n_sixteenths = 0
    for chorale in chorales:
        chords = chords_of(chorale)
        n_changes += len(chords) - 1
        n_sixteenths += len(chorale)
        for name in names:
            totals[name] += int(COUNTERS[name](chords).sum())
    if n_changes == 0:
        raise ValueError("no chord changes")
    # Long chorales have more chances to err: so many in 100 changes.
    rates = {name: 100 * total / n_changes for name, total in totals.items()}
    return Rules(**rates, changes_a_bar=BAR * n_changes / n_sixteenths, n_changes=n_changes)


def chords_of(chorale):
    """Return (n_chords, 4): what sounds, a chord that lasts counted once."""
    chorale = np.asarray(chorale)
    # A chord is new where one voice at least has another note than before.
    changes = (np.diff(chorale, axis=0) != 0).any(axis=1)
    is_new = np.concatenate([[True], changes])
    return chorale[is_new]


def parallels(chords, interval):
    """Return bool (n_chords - 1, n_pairs): which pairs go in parallel at an interval modulo 12."""
    found = []
    for higher, lower in PAIRS:
        # The chords in which the two stand at the interval.
        above, below = chords[:, higher], chords[:, lower]
        both_sound = (above > 0) & (below > 0)
        at_interval = ((above - below) % 12 == interval) & both_sound
        # From one such chord to the next, both up or both down.
        same_way = _direction(chords, higher) * _direction(chords, lower) > 0
        found.append(at_interval[:-1] & at_interval[1:] & same_way)
    return np.stack(found, axis=1)


def _direction(chords, voice):
    """Return (n_chords - 1,): 1 where a voice goes up, -1 down, 0 where it stays or is silent."""
    return np.sign(_motion(chords, voice))


def _motion(chords, voice):
    """Return (n_chords - 1,): by how many semitones a voice moves, 0 from and to silence."""
    notes = chords[:, voice]
    sounds = (notes[:-1] > 0) & (notes[1:] > 0)
    return np.where(sounds, np.diff(notes), 0)


def _hidden(chords):
    """Return which changes lead the outer voices to a perfect interval in one direction by a leap."""
    soprano, bass = 0, N_VOICES - 1
    interval = (chords[:, soprano] - chords[:, bass]) % 12
    perfect = (interval == OCTAVE) | (interval == FIFTH)
    # From the same interval it would be a parallel one.
    is_new = interval[1:] != interval[:-1]
    same_way = _direction(chords, soprano) * _direction(chords, bass) > 0
    by_leap = np.abs(_motion(chords, soprano)) > STEP
    return perfect[1:] & is_new & same_way & by_leap


def _crossings(chords):
    """Return which chords have a lower voice above a higher one."""
    crossed = np.zeros(len(chords), dtype=bool)
    for higher, lower in PAIRS:
        above, below = chords[:, higher], chords[:, lower]
        both_sound = (above > 0) & (below > 0)
        crossed |= both_sound & (below > above)
    return crossed


def _out_of_range(chords):
    """Return bool (n_chords, 4): which notes lie outside of their voice's range."""
    lowest, highest = RANGES.T
    outside = (chords < lowest) | (chords > highest)
    return outside & (chords > 0)


def _leaps(chords):
    """Return bool (n_chords - 1, 4): which voices move by more than an octave."""
    motions = [_motion(chords, voice) for voice in range(N_VOICES)]
    return np.abs(np.stack(motions, axis=1)) > WIDEST_LEAP


def _doubled_leading(chords):
    """Return which changes lead from a dominant that doubles its third to its tonic."""
    found = np.zeros(len(chords) - 1, dtype=bool)
    for k in range(len(chords) - 1):
        now, after = chords[k], chords[k + 1]
        if (now == 0).any() or (after == 0).any():
            continue
        # A major triad over its root, with a seventh or without.
        over_bass = (now - now[-1]) % 12
        is_dominant = {0, 4} <= set(over_bass) <= {0, 4, 7, 10}
        # A triad whose root lies a fourth higher.
        up_a_fourth = (after[-1] - now[-1]) % 12 == 5
        is_tonic = up_a_fourth and root_position_triad(after)
        # The third of the dominant is the leading note.
        is_doubled = np.count_nonzero(over_bass == 4) > 1
        found[k] = is_dominant and is_tonic and is_doubled
    return found


def _dissonances(chords):
    """Return bool (n_chords - 1, n_voices): which voices leap to a sharp dissonance."""
    found = []
    for voice in range(N_VOICES):
        # Where the voice has come to, beside each of the other three.
        others = np.delete(chords, voice, axis=1)[1:]
        interval = (chords[1:, [voice]] - others) % 12
        clashes = np.isin(interval, SHARP) & (others > 0)
        leapt = np.abs(_motion(chords, voice)) > STEP
        found.append(leapt & clashes.any(axis=1))
    return np.stack(found, axis=1)


def authentic_cadence(chorale):
    """Return whether a chorale ends on a triad over its root, the bass a fifth above it just before.

    Just before: in one of the last CADENCE chords but that.
    """
    chords = chords_of(chorale)
    *before, last = chords[-1 - CADENCE :]
    basses = [chord[-1] for chord in before if chord[-1]]
    from_dominant = any((bass - last[-1]) % 12 == FIFTH for bass in basses)
    return root_position_triad(last) and from_dominant


def root_position_triad(chord):
    """Return whether a chord (4,) is a major or minor triad over its root, with or without fifth."""
    if (np.asarray(chord) == 0).any():
        return False
    over_bass = {int(pitch - chord[-1]) % 12 for pitch in chord}
    is_minor = {0, 3} <= over_bass <= {0, 3, 7}
    is_major = {0, 4} <= over_bass <= {0, 4, 7}
    return is_minor or is_major


COUNTERS = {
    "fifths": lambda chords: parallels(chords, FIFTH),
    "octaves": lambda chords: parallels(chords, OCTAVE),
    "hidden": _hidden,
    "crossings": _crossings,
    "out_of_range": _out_of_range,
    "leaps": _leaps,
    "doubled_leading": _doubled_leading,
    "dissonances": _dissonances,
}
