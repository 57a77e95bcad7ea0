"""On which staff, and in which of its two layers, the notes of a part stand.

- A part takes one staff, or two where its notes lie far apart: a choir's four
  voices two on each, other music parted at middle C.
- The four parts of a choir share two staves, a layer each: a closed score.
- Where a third layer would sound, a held note ends early, and of two that
  begin together the longer is cut: no onset is lost.

Conventions: notes are (start, stop, pitch), in ticks; see `rhythm`.
"""

from bisect import bisect_right
from collections import defaultdict
from itertools import groupby
from typing import NamedTuple

import numpy as np

from musiclab.engraving.keys import height
from musiclab.engraving.rhythm import Chord
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
CLEFS = {
    TREBLE: (30, 0),
    BASS: (18, 0),
    'clef.shape="C" clef.line="3"': (24, 2),
    f'{TREBLE} clef.dis="8" clef.dis.place="below"': (23, 2),
    f'{TREBLE} clef.dis="8" clef.dis.place="above"': (37, 2),
    f'{TREBLE} clef.dis="15" clef.dis.place="above"': (44, 3),
    f'{BASS} clef.dis="8" clef.dis.place="below"': (11, 2),
}
USUAL_CLEFS = {41: 2, **dict.fromkeys(GUITARS[:8], 3)}  # the viola's, the guitars'


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
    in_reach = all(
        COMPASSES[event.part][0] <= event.pitches[0] <= COMPASSES[event.part][1]
        for event in song.events
    )
    programs = {song.program_of(part) for part in range(N_VOICES)}
    return in_reach and (len(programs) == 1 or programs <= KEYBOARDS | CHOIRS)


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
            both = {*found.pop().pitches, *chord.pitches}
            chord = chord._replace(pitches=tuple(sorted(both)))
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
    keyboard = alone and program in KEYBOARDS
    low, high = np.quantile([pitch for *_, pitch in notes], [0.1, 0.9]) if notes else (60, 60)
    apart = sum(chord[-1] - chord[0] >= WIDE for chord in sounding) > len(sounding) / 10
    staves = [Staff(_layers(notes))]
    if (apart and program not in GUITARS) or (keyboard and low < 55 and high > 65):
        choir = _upper_voices(notes, sounding)
        upper = _upper_hand(notes) if choir is None else choir
        voices = "hands" if choir is None else "choir"
        halves = upper, notes - upper
        staves = [Staff(_layers(half, chords=choir is None), voices) for half in halves]
    _adorn(staves, graces)
    return staves


def _sounding(notes):
    """Return the sorted pitches that sound at each onset."""
    held, found = [], []
    for start, beginning in groupby(sorted(notes), key=lambda note: note[0]):
        held = [note for note in held if note[1] > start] + list(beginning)
        found.append(sorted(pitch for *_, pitch in held))
    return found


def _upper_voices(notes, sounding):
    """Return the notes of a choir's two upper voices, or None where there is no choir.

    The voices are those of `grid.song_to_voices`, with a tick as its step.
    """
    if np.quantile([len(chord) for chord in sounding], 0.25) < N_VOICES - 1:
        return None
    step = 1 / SIXTEENTHS
    events = [NoteEvent(a * step, (b - a) * step, (pitch,)) for a, b, pitch in sorted(notes)]
    grid, _ = song_to_voices(Song(tuple(events)))
    alto, tenor = (np.median(grid[grid[:, k] > 0, k]) for k in (1, 2))
    if not tenor - 4 < MIDDLE_C < alto + 2:
        return None
    half = N_VOICES // 2
    lower = lambda start, pitch: pitch in grid[start, half:]
    high = lambda start, pitch: pitch in grid[start, :half] or pitch >= MIDDLE_C
    return {note for note in notes if high(*note[::2]) and not lower(*note[::2])}


def _chords(notes):
    """Return the notes that begin and end together as Chords, in time."""
    pitches = defaultdict(set)
    for start, stop, pitch in notes:
        pitches[start, stop].add(pitch)
    return [Chord(*span, tuple(sorted(found))) for span, found in sorted(pitches.items())]


def _upper_hand(notes):
    """Return the notes of the right hand; what a hand can reach at once is not parted."""
    upper = set()
    for start, stop, pitches in (chord[:3] for chord in _chords(notes)):
        near = pitches[-1] - pitches[0] <= HAND
        mean = sum(pitches) / len(pitches)
        upper |= {(start, stop, p) for p in pitches if (mean if near else p) >= MIDDLE_C}
    return upper


def _layers(notes, chords=True):
    """Return two lists of Chords, the upper and the lower, with every onset of the notes.

    chords: whether notes of equal times share a layer
    """
    layers = [], []
    chords = _chords(notes) if chords else [Chord(a, b, (p,)) for a, b, p in sorted(notes)]
    for k, chord in enumerate(chords):
        free = [n for n in (0, 1) if not layers[n] or layers[n][-1].stop <= chord.start]
        if free:
            wanted = _wanted_layer(chords, k)
            layers[wanted if wanted in free else free[0]].append(chord)
            continue
        distances = [abs(layer[-1].pitches[-1] - chord.pitches[-1]) for layer in layers]
        layer = layers[int(distances[1] < distances[0])]
        held = layer.pop()
        if held.start < chord.start:
            layer.append(held._replace(stop=chord.start))
        else:  # the shorter one came first
            both = tuple(sorted({*held.pitches, *chord.pitches}))
            chord = held._replace(pitches=both)
        layer.append(chord)
    return layers


def _wanted_layer(chords, k, reach=8):
    """Return 0, the upper layer, unless the chord lies below those that sound across it."""
    chord = chords[k]
    near = [*chords[max(0, k - reach) : k], *chords[k + 1 : k + 1 + reach]]
    others = [c for c in near if c.start < chord.stop and c.stop > chord.start]
    means = [sum(c.pitches) / len(c.pitches) for c in (chord, *others)]
    return int(bool(others) and means[0] < sum(means[1:]) / len(others))


def _adorn(staves, graces):
    """Put each grace note (start, pitch) before the nearest Chord of its onset."""
    places = defaultdict(list)
    for layer in (layer for staff in staves for layer in staff.layers):
        for k, chord in enumerate(layer):
            places[chord.start].append((layer, k))
    for start, pitch in sorted(graces):
        distance = lambda place, pitch=pitch: abs(place[0][place[1]].pitches[0] - pitch)
        layer, k = min(places[start], key=distance)
        layer[k] = layer[k]._replace(graces=(*layer[k].graces, pitch))


# Clefs and rests


def clef_of(staff, sharps, program):
    """Return the clef of a staff that needs the fewest ledger lines; the instrument's own wins."""
    if staff.clef:
        return staff.clef
    pitches = [pitch for layer in staff.layers for chord in layer for pitch in chord.pitches]
    heights = np.array([height(pitch, sharps) for pitch in pitches])

    def cost(k):
        lowest, rarity = list(CLEFS.values())[k]
        above = heights - lowest
        ledger_lines = np.maximum(-above // 2, 0) + np.maximum((above - 8) // 2, 0)
        return ledger_lines.sum() + len(heights) * (-1 if k == USUAL_CLEFS.get(program) else rarity)

    return list(CLEFS)[min(range(len(CLEFS)), key=cost)]


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
        k = int(not sounding[0])
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
    edges = [bar.start, *(edge for chord in chords for edge in chord[:2]), bar.stop]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [Chord(start, stop) for start, stop in pairs if start < stop]


def _rests(gap, others, voices, bar):
    """Return a silence in pieces, those hidden in which the other layer plays for both."""
    found, now = [], gap.start
    for other in _within(others, gap.start, gap.stop):
        chord = voices == "hands" and len(other.pitches) > 1
        in_bar = max(other.start, bar.start), min(other.stop, bar.stop)
        unison = voices == "choir" and in_bar == gap[:2]
        if chord or unison:
            start, stop = max(other.start, gap.start), min(other.stop, gap.stop)
            found += [Chord(now, start)] * (now < start) + [Chord(start, stop, hidden=True)]
            now = stop
    return found + [Chord(now, gap.stop)] * (now < gap.stop)
