"""On which staff, and in which of its two layers, the notes of a part stand.

- A part takes one staff, or two where its notes lie far apart: a choir's four
  voices two on each, other music parted at middle C.
- The four parts of a choir share two staves, a layer each: a closed score.
- Where a third layer would sound, a held note ends early, and of two that
  begin together the longer is cut: no onset is lost.

Conventions: notes are `rhythm`'s Notes, in ticks.
"""

from bisect import bisect_right
from collections import defaultdict
from itertools import groupby
from typing import NamedTuple

import numpy as np

from musiclab.engraving.keys import height
from musiclab.engraving.rhythm import Chord, Note
from musiclab.music import NoteEvent, Song
from musiclab.music.voices import N_VOICES, SIXTEENTHS, has_four_voices, song_to_voices

MIDDLE_C = 60
HAND = 12  # semitones that a hand always reaches
KEYBOARDS = {*range(8), *range(16, 24), 46}  # General MIDI programs; and the harp
GUITARS = range(24, 40)  # on one staff always
WIDE = 16  # from here on a chord asks for two staves
CHOIRS = {*range(52, 55), 91}


# The lowest and the highest pitch of soprano, alto, tenor and bass.
COMPASSES = ((55, 84), (52, 77), (45, 72), (36, 66))


# Attributes in MEI; the height of the lowest line, in letters above C0; how many ledger lines
# a note the clef must save, as readers know it less.
TREBLE, BASS = 'clef.shape="G" clef.line="2"', 'clef.shape="F" clef.line="4"'
ALTO = 'clef.shape="C" clef.line="3"'
TREBLE_BELOW = f'{TREBLE} clef.dis="8" clef.dis.place="below"'
CLEFS = {
    TREBLE: (30, 0),
    BASS: (18, 0),
    ALTO: (24, 2),
    TREBLE_BELOW: (23, 2),
    f'{TREBLE} clef.dis="8" clef.dis.place="above"': (37, 2),
    f'{TREBLE} clef.dis="15" clef.dis.place="above"': (44, 3),
    f'{BASS} clef.dis="8" clef.dis.place="below"': (11, 2),
}
VIOLA = 41
USUAL_CLEFS = {VIOLA: ALTO, **dict.fromkeys(range(24, 32), TREBLE_BELOW)}  # the guitars'


class Staff(NamedTuple):
    """A staff of two layers, each a list of Chords without overlaps.

    voices: what the layers are: "hands", which may share a chord; "choir",
        guessed voices, of which one alone has a unison; "parts" of the song
    clef: its attributes in MEI, where they do not depend on the notes
    """

    layers: tuple[list[Chord], list[Chord]]
    voices: str = "hands"
    clef: str = ""


# A choir of four parts


def is_choir(song):
    """Return whether the parts of a song are soprano, alto, tenor and bass, in this order.

    They are when it `has_four_voices` that keep within their COMPASSES, and
    one instrument plays all, or choirs, organs and keyboards do.
    """
    if not has_four_voices(song):
        return False
    for event in song.events:
        lowest, highest = COMPASSES[event.part]
        if not lowest <= event.pitches[0] <= highest:
            return False
    programs = {song.program_of(part) for part in range(N_VOICES)}
    return len(programs) == 1 or programs <= KEYBOARDS | CHOIRS


def closed_score(lines):
    """Return the two staves of a choir.

    lines: (notes, graces) of soprano, alto, tenor and bass, as `notes_and_graces` gives them
    """
    layers = []
    for notes, graces in lines:
        layer = _line(notes)
        _adorn([Staff((layer, []))], graces)
        layers.append(layer)
    upper, lower = tuple(layers[:2]), tuple(layers[2:])
    return [Staff(upper, "parts", TREBLE), Staff(lower, "parts", BASS)]


def _line(notes):
    """Return notes as the Chords of one layer: each ends where the next begins."""
    found = []
    for chord in _chords(notes):
        if found and found[-1].start == chord.start:
            chord = _together(chord, found.pop())
        elif found and found[-1].stop > chord.start:
            found[-1] = found[-1]._replace(stop=chord.start)
        found.append(chord)
    return found


# The staves of one part


def staves_of(notes, graces, program, alone):
    """Return the Staffs of a part.

    alone: whether no other part plays: it may hold what a pianist's two hands do
    """
    sounding = _sounding(notes)
    n_wide = sum(chord[-1] - chord[0] >= WIDE for chord in sounding)
    parted = n_wide > len(sounding) / 10 and program not in GUITARS
    if alone and program in KEYBOARDS and notes:
        pitches = [note.pitch for note in notes]
        low, high = np.quantile(pitches, [0.1, 0.9])
        parted |= low < 55 and high > 65
    if not parted:
        staves = [Staff(_layers(_chords(notes)))]
    else:
        upper, voices = _upper_voices(notes, sounding), "choir"
        if upper is None:
            upper, voices = _upper_hand(notes), "hands"
        # Guessed voices have a unison each, two hands share a chord.
        chords_of = _chords if voices == "hands" else _single
        staves = [Staff(_layers(chords_of(half)), voices) for half in (upper, notes - upper)]
    _adorn(staves, graces)
    return staves


def _sounding(notes):
    """Return the sorted pitches that sound at each onset."""
    held, found = [], []
    for start, beginning in groupby(sorted(notes), key=lambda note: note.start):
        held = [note for note in held if note.stop > start]
        held += beginning
        found.append(sorted(note.pitch for note in held))
    return found


def _upper_voices(notes, sounding):
    """Return the notes of a choir's two upper voices, or None where there is no choir.

    The voices are those of `song_to_voices`, with a tick as its step.
    """
    if np.quantile([len(chord) for chord in sounding], 0.25) < N_VOICES - 1:
        return None
    step_ql = 1 / SIXTEENTHS
    events = []
    for start, stop, pitch in sorted(notes):
        events.append(NoteEvent(start * step_ql, (stop - start) * step_ql, (pitch,)))
    grid, _ = song_to_voices(Song(tuple(events)))
    # Middle C must lie between the two inner voices, or a little beyond one of them.
    alto, tenor = (np.median(line[line > 0]) for line in grid.T[1:3])
    if not tenor - 4 < MIDDLE_C < alto + 2:
        return None
    found, half = set(), N_VOICES // 2
    for note in notes:
        sounding = grid[note.start]
        upper, lower = sounding[:half], sounding[half:]
        high = note.pitch in upper or note.pitch >= MIDDLE_C
        if high and note.pitch not in lower:
            found.add(note)
    return found


def _chords(notes):
    """Return the notes that begin and end together as Chords, in time."""
    pitches = defaultdict(set)
    for note in notes:
        pitches[note.start, note.stop].add(note.pitch)
    return [Chord(*times, tuple(sorted(found))) for times, found in sorted(pitches.items())]


def _single(notes):
    """Return notes as Chords of one pitch each, in time."""
    return [Chord(note.start, note.stop, (note.pitch,)) for note in sorted(notes)]


def _upper_hand(notes):
    """Return the notes of the right hand; what a hand can reach at once is not parted."""
    upper = set()
    for chord in _chords(notes):
        lowest, highest = chord.pitches[0], chord.pitches[-1]
        mean = _mean(chord)
        for pitch in chord.pitches:
            place = mean if highest - lowest <= HAND else pitch
            if place >= MIDDLE_C:
                upper.add(Note(chord.start, chord.stop, pitch))
    return upper


def _layers(chords):
    """Return two lists of Chords, the upper and the lower, with every onset of some in time."""
    layers = [], []
    for k, chord in enumerate(chords):
        free = [n for n in (0, 1) if not layers[n] or layers[n][-1].stop <= chord.start]
        if free:
            wanted = _wanted_layer(chords, k)
            layers[wanted if wanted in free else free[0]].append(chord)
            continue
        # Both layers sound: the nearer one gives way.
        distances = [abs(layer[-1].pitches[-1] - chord.pitches[-1]) for layer in layers]
        layer = layers[0] if distances[0] <= distances[1] else layers[1]
        held = layer.pop()
        if held.start < chord.start:
            layer.append(held._replace(stop=chord.start))
        else:  # the shorter one came first
            chord = _together(held, chord)
        layer.append(chord)
    return layers


def _together(chord, other):
    """Return a Chord with the pitches of another, too."""
    return chord._replace(pitches=tuple(sorted({*chord.pitches, *other.pitches})))


def _wanted_layer(chords, k, reach=8):
    """Return 0, the upper layer, unless the chord lies below those that sound across it."""
    chord = chords[k]
    first = max(0, k - reach)
    near = [*chords[first:k], *chords[k + 1 : k + 1 + reach]]
    heights = []
    for other in near:
        if other.start < chord.stop and other.stop > chord.start:
            heights.append(_mean(other))
    if not heights:
        return 0
    return 1 if _mean(chord) < sum(heights) / len(heights) else 0


def _mean(chord):
    return sum(chord.pitches) / len(chord.pitches)


def _adorn(staves, graces):
    """Put each grace note (start, pitch) before the nearest Chord of its onset."""
    places = defaultdict(list)
    for staff in staves:
        for layer in staff.layers:
            for k, chord in enumerate(layer):
                places[chord.start].append((layer, k))
    for start, pitch in sorted(graces):
        distances = [abs(layer[k].pitches[0] - pitch) for layer, k in places[start]]
        layer, k = places[start][np.argmin(distances)]
        chord = layer[k]
        layer[k] = chord._replace(graces=(*chord.graces, pitch))


# Clefs and rests


def clef_of(staff, sharps, program):
    """Return the clef of a staff that needs the fewest ledger lines; the instrument's own wins."""
    if staff.clef:
        return staff.clef
    chords = [chord for layer in staff.layers for chord in layer]
    heights = np.array([height(pitch, sharps) for chord in chords for pitch in chord.pitches])

    def cost(clef):
        lowest, rarity = CLEFS[clef]
        # A staff is eight letters high; each second letter beyond it has a line.
        above = heights - lowest
        n_ledgers = np.maximum(-above // 2, 0) + np.maximum((above - 8) // 2, 0)
        saving = -1 if clef == USUAL_CLEFS.get(program) else rarity
        return n_ledgers.sum() + len(heights) * saving

    return min(CLEFS, key=cost)


def layers_in(staff, bar):
    """Return a dict from the number of a layer to the Chords that fill a bar, silences too.

    A silent staff has none. Where both layers sound, or they are parts of the
    song, each rests where the other plays; where both rest together, one rest
    stands for both. A silence is hidden while the other layer plays for both:
    a chord of two hands, a unison of two guessed voices.
    """
    sounding = [_within(layer, bar.start, bar.stop) for layer in staff.layers]
    if not any(sounding):
        return {}
    gaps = [_gaps(chords, bar) for chords in sounding]
    if staff.voices != "parts" and not all(sounding):
        k = 0 if sounding[0] else 1
        return {k: _in_time(sounding[k], gaps[k])}
    silences = [], []
    for k, other in ((0, 1), (1, 0)):
        for gap in gaps[k]:
            if k and gap in gaps[other]:
                silences[k].append(gap._replace(hidden=True))
            else:
                silences[k].extend(_rests(gap, sounding[other], staff.voices, bar))
    return {k: _in_time(sounding[k], silences[k]) for k in (0, 1)}


def _within(layer, start, stop):
    """Return the Chords of a layer that sound between two ticks."""
    first = bisect_right(layer, start, key=lambda chord: chord.stop)
    last = bisect_right(layer, stop - 1, key=lambda chord: chord.start)
    return layer[first:last]


def _in_time(chords, silences):
    return sorted([*chords, *silences], key=lambda chord: chord.start)


def _gaps(chords, bar):
    """Return the silences of a layer in a bar, as Chords without pitches."""
    found, now = [], bar.start
    for chord in chords:
        if now < chord.start:
            found.append(Chord(now, chord.start))
        now = chord.stop
    if now < bar.stop:
        found.append(Chord(now, bar.stop))
    return found


def _rests(gap, others, voices, bar):
    """Return a silence in pieces, those hidden in which the other layer plays for both."""
    found, now = [], gap.start
    for other in _within(others, gap.start, gap.stop):
        in_bar = max(other.start, bar.start), min(other.stop, bar.stop)
        chord = voices == "hands" and len(other.pitches) > 1
        unison = voices == "choir" and in_bar == (gap.start, gap.stop)
        if chord or unison:
            start, stop = max(other.start, gap.start), min(other.stop, gap.stop)
            if now < start:
                found.append(Chord(now, start))
            found.append(Chord(start, stop, hidden=True))
            now = stop
    if now < gap.stop:
        found.append(Chord(now, gap.stop))
    return found
