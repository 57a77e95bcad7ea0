"""Names of pitches, and the most compact order of pitch classes.

Conventions: pitches are MIDI numbers 0-127, 60 is middle C; names are
music21's (C4 is middle C, E- is E flat), flats but for C#, F# and G#.
"""

from musiclab.errors import VocabularyError

LOWEST_PITCH = 12  # below it music21's names clash: E-1 is both 27 and 4
PITCH_NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")


def pitch_name(pitch):
    """Return the name of a MIDI number, such as C4 for 60.

    The lowest octave is written as the one above it (see LOWEST_PITCH).
    """
    pitch = max(pitch, LOWEST_PITCH + pitch % 12)
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def pitch_number(name):
    """Return the MIDI number of a name that `pitch_name` gives.

    Raises VocabularyError for any other string.
    """
    if name not in _NUMBERS:
        raise VocabularyError(f"«{name}» no es el nombre de una altura: se escriben como C4 o B-3")
    return _NUMBERS[name]


_NUMBERS = {pitch_name(pitch): pitch for pitch in range(LOWEST_PITCH, 128)}


def normal_order(pitch_classes):
    """Return pitch classes (0-11) in their most compact order, as a list.

    Among the rotations the one with the smallest span, then with the
    smallest intervals from its start, then the lowest start: Forte's rule,
    which music21's `Chord.normalOrder` follows.
    """
    classes = sorted(set(pitch_classes))
    # Each class in turn begins; those below it follow an octave higher.
    rotations = [classes[k:] + classes[:k] for k in range(len(classes))]

    def compactness(rotation):
        intervals = [(pitch_class - rotation[0]) % 12 for pitch_class in rotation]
        return intervals[-1], intervals, rotation[0]

    return min(rotations, key=compactness)
