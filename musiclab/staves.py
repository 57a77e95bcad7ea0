"""On which staff, and in which of its two layers, the notes of a part stand.

- A part takes one staff, or two where its notes lie far apart: a choir's four
  voices two on each, other music parted at middle C.
- Where a third layer would sound, a held note ends early, and of two that
  begin together the longer is cut: no onset is lost.

Conventions: notes are (start, stop, pitch), in ticks; see `rhythm`.
"""

from collections import defaultdict
from itertools import groupby

import numpy as np

from musiclab.grid import N_VOICES, SIXTEENTHS, song_to_voices
from musiclab.notes import NoteEvent, Song
from musiclab.rhythm import Chord

MIDDLE_C = 60
HAND = 12  # semitones that a hand always reaches
KEYBOARDS = {*range(8), *range(16, 24), 46}  # General MIDI programs; and the harp
GUITARS = range(24, 40)  # on one staff always
WIDE = 16  # from here on a chord asks for two staves


def staves_of(notes, graces, program, alone):
    """Return the staves of a part, each two layers, each a list of Chords without overlaps.

    alone: whether no other part plays: it may hold what a pianist's two hands do
    """
    sounding = _sounding(notes)
    keyboard = alone and program in KEYBOARDS
    low, high = np.quantile([pitch for *_, pitch in notes], [0.1, 0.9]) if notes else (60, 60)
    apart = sum(chord[-1] - chord[0] >= WIDE for chord in sounding) > len(sounding) / 10
    staves = [_layers(notes)]
    if (apart and program not in GUITARS) or (keyboard and low < 55 and high > 65):
        choir = _upper_voices(notes, sounding)
        upper = _upper_hand(notes) if choir is None else choir
        staves = [_layers(half, chords=choir is None) for half in (upper, notes - upper)]
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
    for layer in (layer for staff in staves for layer in staff):
        for k, chord in enumerate(layer):
            places[chord.start].append((layer, k))
    for start, pitch in sorted(graces):
        distance = lambda place, pitch=pitch: abs(place[0][place[1]].pitches[0] - pitch)
        layer, k = min(places[start], key=distance)
        layer[k] = layer[k]._replace(graces=(*layer[k].graces, pitch))
