"""Songs on a grid of equal time steps, and as four voices on the grid of sixteenths.

Conventions: on a grid times are whole numbers of steps. Onsets and ends
are rounded to the nearest step, halves upwards, so that notes that touch
still touch; a note that sounds lasts a step at least, a grace note none.
The lowest octave is written as the one above it (see LOWEST_PITCH).
Voices are columns: soprano, alto, tenor, bass; silence is pitch 0.

Source of the grid of voices: Hadjeres, Pachet and Nielsen (2017), DeepBach.
"""

from collections import defaultdict
from itertools import combinations, groupby, pairwise
from math import floor
from typing import NamedTuple

import numpy as np

from musiclab.errors import ParameterError
from musiclab.music.pitch import LOWEST_PITCH
from musiclab.music.song import NoteEvent, Song

SIXTEENTHS = 4  # in a quarter
N_VOICES = 4
DEFAULT_VELOCITY = 80  # NoteEvent's
LEGATO_QL = 0.25
FIRST_LEAP = 12  # semitones that a voice which has not sung yet counts, so that a melody keeps one


class GridNote(NamedTuple):
    """One note, its times in steps; start equals stop for a grace note."""

    start: int
    stop: int
    pitch: int
    velocity: int = DEFAULT_VELOCITY


def notes_on_grid(song, per_quarter, velocity_of=None):
    """Return a song's notes as a sorted list of GridNotes; a doubled note stands once.

    per_quarter: steps in a quarter length
    velocity_of: function from a velocity to the one that is kept; without
        it all are DEFAULT_VELOCITY
    """
    notes = set()
    for event in song.events:
        start = _nearest(event.onset_ql * per_quarter)
        stop = _nearest(event.end_ql * per_quarter)
        if event.duration_ql > 0:
            stop = max(stop, start + 1)
        velocity = velocity_of(event.velocity) if velocity_of else DEFAULT_VELOCITY
        for pitch in event.pitches:
            written = max(pitch, LOWEST_PITCH + pitch % 12)
            notes.add(GridNote(start, stop, written, velocity))
    return sorted(notes)


def _nearest(x):
    return floor(x + 0.5 + 1e-6)  # what float arithmetic leaves just below a half is one


def events_of_notes(notes, per_quarter):
    """Return GridNotes as NoteEvents, those of equal times and velocity joined to chords.

    By onset, then the shortest first: grace notes stand before what they adorn.
    """
    chords = defaultdict(set)
    for start, stop, pitch, velocity in notes:
        chords[start, stop, velocity].add(pitch)
    events = []
    for (start, stop, velocity), chord in sorted(chords.items()):
        onset_ql, duration_ql = start / per_quarter, (stop - start) / per_quarter
        events.append(NoteEvent(onset_ql, duration_ql, tuple(sorted(chord)), velocity))
    return tuple(events)


# Four voices


def song_to_voices(song):
    """Return (grid, begins) of a song: pitches, and where a note begins.

    grid: int array (n_sixteenths, 4), 0 for silence: the public CSV form of
        Bach's chorales, in which a held and a repeated note look alike
    begins: bool array of the same shape, True where a note begins

    The voices of a song that `has_four_voices` are its parts. In any other, a
    note keeps its voice while it sounds. Those that begin together take
    free voices in the order of their pitches, the highest the uppermost:
    the ones that cross fewest sounding notes, then those that leap least
    from the last note of their voice, then the upper ones. A voice that has
    not sung yet counts as a leap of an octave. The order of the events plays
    no part.

    Of more than four notes that would sound at once the two highest and the
    two lowest sound: one between them that sounds already ends there, one
    that would begin is left out. Grace notes are left out.
    """
    if has_four_voices(song):
        return _parts_on_grid(song)
    notes = [note for note in notes_on_grid(song, SIXTEENTHS) if note.stop > note.start]
    shape = max((note.stop for note in notes), default=0), N_VOICES
    grid, begins = np.zeros(shape, dtype=int), np.zeros(shape, dtype=bool)
    sounding, last = {}, [None] * N_VOICES
    for start, beginning in groupby(notes, key=lambda note: note.start):
        sounding = {voice: note for voice, note in sounding.items() if note.stop > start}
        kept = _outer([*sounding.values(), *beginning])
        # What sounds between the outer notes ends here.
        for voice, note in list(sounding.items()):
            if note not in kept:
                grid[start : note.stop, voice] = 0
                del sounding[voice]
        # What begins takes the voices that are free.
        new = [note for note in kept if note.start == start]
        for voice, note in zip(_voices_for(new, sounding, last), new, strict=True):
            sounding[voice], last[voice] = note, note.pitch
            grid[start : note.stop, voice] = note.pitch
            begins[start, voice] = True
    return grid, begins


def has_four_voices(song):
    """Return whether a song is four parts of one note at a time, the higher ones first.

    Higher is judged by the medians of the pitches: voices may cross. A note
    may last LEGATO_QL into the next one, as players' notes do.
    """
    lines = [[event for event in song.events if event.part == k] for k in range(N_VOICES)]
    if song.n_parts != N_VOICES or not all(map(_is_line, lines)):
        return False
    medians = [np.median([event.pitches[0] for event in line]) for line in lines]
    return medians == sorted(medians, reverse=True)


def _is_line(events):
    """Return whether NoteEvents are one voice's, without chords and almost without overlaps."""
    if any(len(event.pitches) > 1 for event in events):
        return False
    sounding = [event for event in events if event.duration_ql > 0]
    sounding.sort(key=lambda event: event.onset_ql)
    for event, following in pairwise(sounding):
        overlap_ql = event.end_ql - following.onset_ql
        if event.onset_ql == following.onset_ql or overlap_ql > LEGATO_QL:
            return False
    return bool(sounding)


def _parts_on_grid(song):
    """Return (grid, begins) of a song whose parts are the voices."""
    lines = []
    for voice in range(N_VOICES):
        own = tuple(event for event in song.events if event.part == voice)
        lines.append(notes_on_grid(Song(own), SIXTEENTHS))
    shape = max(note.stop for line in lines for note in line), N_VOICES
    grid, begins = np.zeros(shape, dtype=int), np.zeros(shape, dtype=bool)
    for voice, line in enumerate(lines):
        for note in line:  # of two that share a sixteenth the higher one sounds
            if note.stop > note.start:
                grid[note.start : note.stop, voice] = note.pitch
                begins[note.start, voice] = True
    return grid, begins


def _outer(notes):
    """Return the two highest and the two lowest notes, from high to low."""
    notes = sorted(notes, key=lambda note: (-note.pitch, -note.stop, note.start))
    if len(notes) <= N_VOICES:
        return notes
    half = N_VOICES // 2
    return notes[:half] + notes[-half:]


def _voices_for(notes, sounding, last):
    """Return a free voice for each note; see `song_to_voices`."""

    def cost(voices):
        n_crossed, leaps = 0, 0
        for voice, note in zip(voices, notes, strict=True):
            leaps += _leap(last[voice], note.pitch)
            for other, held in sounding.items():
                # The upper of two voices has the smaller number and should have the higher note.
                if (voice - other) * (note.pitch - held.pitch) > 0:
                    n_crossed += 1
        return n_crossed, leaps

    free = [voice for voice in range(N_VOICES) if voice not in sounding]
    return min(combinations(free, len(notes)), key=cost)


def _leap(last, pitch):
    return FIRST_LEAP if last is None else abs(pitch - last)


def grid_to_song(grid, begins=None, **sound):
    """Return the Song of a grid of voices, one sixteenth a row.

    grid: integers (n_sixteenths, 4), 0 for silence, else MIDI numbers
    begins: booleans of the same shape, where a note begins; without it
        equal neighbours in a voice are one held note
    sound: the Song's other fields, such as program and tempo_bpm

    Each voice is a part. Raises ParameterError for another shape or pitch.
    """
    grid = np.asarray(grid)
    if grid.ndim != 2 or grid.shape[1] != N_VOICES:
        raise ParameterError(
            f"la rejilla tiene la forma {grid.shape} y hace falta (semicorcheas, {N_VOICES}): "
            "una fila por semicorchea y una columna por voz"
        )
    if grid.dtype.kind not in "iu" or (grid.size and not 0 <= grid.min() <= grid.max() <= 127):
        raise ParameterError(
            "la rejilla tiene valores que no son alturas: usa enteros de 0 (silencio) a 127"
        )
    begins = np.zeros(grid.shape, dtype=bool) if begins is None else np.asarray(begins)
    events = []
    for voice in range(N_VOICES):
        for start, stop, pitch in _notes_of(grid[:, voice], begins[:, voice]):
            onset_ql, duration_ql = start / SIXTEENTHS, (stop - start) / SIXTEENTHS
            events.append(NoteEvent(onset_ql, duration_ql, (pitch,), part=voice))
    return Song(tuple(sorted(events, key=lambda event: (event.onset_ql, event.part))), **sound)


def _notes_of(column, begins):
    """Yield (start, stop, pitch) of the notes of one voice.

    column, begins: its pitches, and where a note begins, arrays (n_sixteenths,)
    """
    changes = np.diff(column.astype(int), prepend=0) != 0
    starts = np.flatnonzero(begins | changes).tolist()
    for start, stop in pairwise([*starts, len(column)]):
        if column[start]:
            yield start, stop, int(column[start])
