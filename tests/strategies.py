"""Odd songs, as hypothesis strategies, the notes of a song as a test sees them, and chorales."""

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import strategies as st

from musiclab.music import NoteEvent, Song

SIXTEENTHS = st.integers(0, 24).map(lambda n: n / 4)
TIMES = st.one_of(
    SIXTEENTHS,
    st.integers(0, 150).map(lambda n: n / 24),
    st.integers(0, 6000).map(lambda n: n / 1000),
)
# Few pitches, so that they meet, and the extremes.
PITCHES = st.one_of(st.integers(58, 64), st.integers(0, 127), st.sampled_from([0, 1, 12, 13, 127]))


def odd_songs(times=TIMES):
    """Songs with overlaps, chords, rests, unisons, grace notes and times off the grid."""
    durations = st.one_of(st.just(0.0), st.just(0.001), times)
    chords = st.sets(PITCHES, min_size=1, max_size=6).map(lambda chord: tuple(sorted(chord)))
    events = st.builds(NoteEvent, times, durations, chords, st.integers(1, 127))
    in_time = lambda events: Song(tuple(sorted(events, key=lambda event: event.onset_ql)))
    return st.lists(events, max_size=10).map(in_time)


def notes_of(song, per_quarter):
    """Return a list of (start, stop, pitch, velocity), computed with exact fractions."""
    found = []
    for event in song.events:
        onset, duration = (
            Fraction(ql).limit_denominator(1000) for ql in (event.onset_ql, event.duration_ql)
        )
        start, stop = (floor(ql * per_quarter + Fraction(1, 2)) for ql in (onset, onset + duration))
        stop = max(stop, start + (duration > 0))
        found += [(start, stop, pitch, event.velocity) for pitch in event.pitches]
    return found


def written(pitch):
    """Return the pitch that its name stands for: the lowest octave is written higher."""
    return pitch + 12 if pitch < 12 else pitch


def at_most_four(song):
    """Return the song without the notes that would be a fifth voice on the grid of sixteenths."""
    kept, sounding = [], {}
    for event in song.events:
        for pitch in event.pitches:
            one = NoteEvent(event.onset_ql, event.duration_ql, (pitch,))
            [(start, stop, *_)] = notes_of(Song((one,)), 4)
            if all(sounding.get(step, 0) < 4 for step in range(start, stop)):
                kept.append(one)
                sounding |= {step: sounding.get(step, 0) + 1 for step in range(start, stop)}
    return Song(tuple(kept))


def random_chorale(seed, length=40):
    """A chorale that often holds its notes, with some silence, as real ones do."""
    rng = np.random.default_rng(seed)
    chorale = np.array([72, 67, 60, 48]) + np.cumsum(
        rng.choice([-2, -1, 0, 0, 0, 0, 1, 2], (length, 4)), axis=0
    )
    chorale[rng.random(chorale.shape) < 0.03] = 0
    return chorale
