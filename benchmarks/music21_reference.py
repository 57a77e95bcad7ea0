"""What music21 reads in a MIDI file when it rounds nothing: the reference for our reader."""

import warnings
from collections import Counter
from pathlib import Path

from music21 import converter


def notes_by_music21(path):
    """Return the set of (part, pitch, onset_ql, duration_ql) of all notes; parts in their order.

    Times in 1/24 of a quarter length, as whole numbers. Percussion is left out.
    Each piece of a note, which music21 cuts at bar lines, remembers the tick at
    which its key went down: so bars that it moves play no part.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parse(
            path, format="midi", quantizePost=False, forceSource=True, storePickle=False
        )
    division = int.from_bytes(Path(path).read_bytes()[12:14], "big")
    step = lambda tick: (48 * tick + division) // (2 * division)  # halves upwards
    lengths, n_parts = Counter(), 0
    for part in score.parts:
        notes = part.flatten().notes
        pitched = [note for note in notes if "Unpitched" not in note.classes]
        for note in pitched:
            for pitch in note.pitches:
                on = note.editorial.midiTickStart
                lengths[n_parts, pitch.midi, on] += float(note.quarterLength) * division
        n_parts += bool(pitched)
    return {
        (part, pitch, step(on), step(on + round(length)) - step(on))
        for (part, pitch, on), length in lengths.items()
    }


def notes_of_song(song):
    """Return the same of a Song."""
    return {
        (event.part, pitch, round(event.onset_ql * 24), round(event.duration_ql * 24))
        for event in song.events
        for pitch in event.pitches
    }


def differences(path, song):
    """Return a Counter of the notes of a file that music21 and we read otherwise, by why.

    "corta": a note shorter than half a step, which lasts a step with us and none with music21
    "acorde": one that music21 lets begin or end with another, struck a step or two from it;
        where both are of one key, it has one note of the two
    "otra": any other, or a note that only one of both has
    """
    theirs, ours = notes_by_music21(path), notes_of_song(song)
    unmatched, why = theirs - ours, Counter()
    for note in sorted(ours - theirs):
        candidates = [*sorted(unmatched), *sorted(theirs)]
        pair = next((other for other in candidates if _is_near(note, other)), None)
        unmatched.discard(pair)
        if pair is None:
            why["otra"] += 1
        else:
            why["corta" if pair == (*note[:3], 0) and note[3] == 1 else "acorde"] += 1
    why["otra"] += len(unmatched)
    return why


def _is_near(note, other):
    same_key = note[:2] == other[:2]
    return same_key and all(abs(a - b) <= 2 for a, b in zip(note[2:], other[2:], strict=True))
