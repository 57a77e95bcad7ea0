"""What each encoding costs, and what of a set of songs comes back from its tokens.

Everything is measured on `decode(encode(song))`. The tokens of an encoding
without times stand for what begins and ends together, one by one, and are
compared so; those of the others, with the notes of their time, at most half a
sixteenth away. Durations and onsets of the former are those with which the
course plays them, one event every half quarter: what agrees agrees by luck.
"""

from collections import defaultdict
from dataclasses import astuple, dataclass
from typing import NamedTuple

from musiclab.encoding.tokens import ENCODINGS, decode_song
from musiclab.encoding.vocabulary import Vocabulary
from musiclab.errors import ParameterError
from musiclab.music import Song
from musiclab.music.voices import DEFAULT_VELOCITY

NEAR = 1 / 8 + 1e-6  # of a quarter: how far rounding to sixteenths moves an onset
EXACT = 1e-6  # of a quarter: float arithmetic, and no more
ALIKE = 8  # how far rounding to eight dynamics moves a velocity


@dataclass(frozen=True)
class Fidelity:
    """What one encoding keeps of a set of songs; shares from 0 to 1.

    vocab_size, tokens_per_note: what it costs
    pitches, pitch_classes, durations, onsets: shares of the songs' notes
    rests: share of the stretches in which nothing sounds
    velocities, tempos: shares of the notes and songs whose velocity and
        tempo are not those of NoteEvent and Song, which tokens that say
        nothing get back anyway; None where all are
    changed: share of the notes that come back with another pitch, onset or
        duration, or not at all

    A share is None where there is nothing to keep.
    """

    encoding: str
    vocab_size: int
    tokens_per_note: float
    pitches: float
    pitch_classes: float
    durations: float
    onsets: float
    rests: float | None
    velocities: float | None
    tempos: float | None
    changed: float


HEADS = (
    "codificación",
    "símbolos distintos",
    "símbolos por nota",
    "alturas",
    "clases de altura",
    "duraciones",
)
HEADS += ("inicios", "silencios", "intensidad", "tempo", "notas cambiadas")
NOTHING = "–"
NOTHING_TO_KEEP = (
    f"{NOTHING}: nada que conservar (no hay silencios, o la intensidad o el tempo son los\n"
    "   que se ponen cuando no se saben)"
)


def fidelities(songs):
    """Return a Fidelity for each of ENCODINGS, measured on these songs.

    Raises ParameterError when they have no note.
    """
    songs = tuple(songs)
    if not any(song.events for song in songs):
        raise ParameterError("no hay ninguna nota que medir: pasa al menos una canción con notas")
    return [_fidelity(encoding, songs) for encoding in ENCODINGS.values()]


def fidelity_table(songs):
    """Return the fidelities as an aligned text table, a column for each encoding."""
    columns = [HEADS, *(_cells(one) for one in fidelities(songs))]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for head, *cells in zip(*columns, strict=True):
        # Names to the left, figures to the right.
        aligned = [head.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]
        lines.append("   ".join(aligned))
    if any(NOTHING in column for column in columns):
        lines.append(NOTHING_TO_KEEP)
    return "\n".join(lines)


def _cells(fidelity):
    name, vocab_size, per_note, *shares = astuple(fidelity)
    figures = [f"{per_note:.2f}"]
    for share in shares:
        figures.append(NOTHING if share is None else f"{100 * share:.1f} %")
    spanish = [figure.replace(".", ",") for figure in figures]
    return name, str(vocab_size), *spanish


def _fidelity(encoding, songs):
    sequences, pairs, loud, timed, rests = [], [], [], [], []
    for song in songs:
        # There and back again.
        tokens = encoding.encode(song)
        copy = decode_song(tokens, encoding.name)
        sequences.append(tokens)
        # Each note beside what came back of it.
        both = _pairs(_notes(song, encoding.timed), _notes(copy, encoding.timed))
        pairs += both
        # Only what is not the usual value can be lost.
        loud += [pair for pair in both if pair[0].velocity != DEFAULT_VELOCITY]
        if song.tempo_bpm != Song(()).tempo_bpm:
            timed.append((song, copy))
        rests_kept = _rests(copy)
        rests += [(rest, rests_kept) for rest in _rests(song)]
    return Fidelity(
        encoding.name,
        vocab_size=len(Vocabulary.fit(sequences)),
        tokens_per_note=sum(map(len, sequences)) / len(pairs),
        pitches=_share(pairs, _same_pitch),
        pitch_classes=_share(pairs, lambda note, copy: True),
        durations=_share(pairs, _same_duration),
        onsets=_share(pairs, _same_onset),
        rests=_share(rests, lambda rest, copies: rest in copies),
        velocities=_share(loud, lambda note, copy: abs(note.velocity - copy.velocity) <= ALIKE),
        tempos=_share(timed, lambda song, copy: song.tempo_bpm == copy.tempo_bpm),
        changed=1 - _share(pairs, _same),
    )


def _share(pairs, same):
    """Return the share of (what was, what came back or None) pairs, None of no pairs."""
    kept = [copy is not None and same(one, copy) for one, copy in pairs]
    if not kept:
        return None
    return sum(kept) / len(kept)


def _same_pitch(note, copy):
    return note.pitch == copy.pitch


def _same_onset(note, copy):
    return abs(note.onset_ql - copy.onset_ql) < EXACT


def _same_duration(note, copy):
    return abs(note.duration_ql - copy.duration_ql) < EXACT


def _same(note, copy):
    return all(same(note, copy) for same in (_same_pitch, _same_onset, _same_duration))


class _Note(NamedTuple):
    time: float  # by which a note finds the one that came back: its onset, or its event's rank
    duration_ql: float
    onset_ql: float
    pitch: int
    velocity: int


def _notes(song, timed):
    notes = []
    for rank, event in enumerate(song.chords()):
        time = event.onset_ql if timed else rank
        for pitch in event.pitches:
            notes.append(_Note(time, event.duration_ql, event.onset_ql, pitch, event.velocity))
    return notes


def _pairs(notes, copies):
    """Return (note, its copy or None) pairs: first by pitch, what is left by pitch class."""
    same_pitch, notes, copies = _pairs_modulo(128, notes, copies)
    same_class, lost, _ = _pairs_modulo(12, notes, copies)
    return same_pitch + same_class + [(note, None) for note in lost]


def _pairs_modulo(modulus, notes, copies):
    """Pair notes whose pitches are equal modulo so many semitones and whose times are near.

    Returns (pairs, notes without copy, copies without note).
    """
    # Of each pitch two stacks, whose earliest notes lie on top.
    ours, theirs = defaultdict(list), defaultdict(list)
    for note in sorted(notes, reverse=True):
        ours[note.pitch % modulus].append(note)
    for copy in sorted(copies, reverse=True):
        theirs[copy.pitch % modulus].append(copy)
    pairs, lost, new = [], [], []
    for pitch in [*ours, *(pitch for pitch in theirs if pitch not in ours)]:
        left, right = ours[pitch], theirs[pitch]
        # The earliest of both are one note, or the earlier of them has no partner.
        while left and right:
            apart = left[-1].time - right[-1].time
            if abs(apart) <= NEAR:
                pairs.append((left.pop(), right.pop()))
            elif apart < 0:  # nothing can come any more that is as early
                lost.append(left.pop())
            else:
                new.append(right.pop())
        lost += left
        new += right
    return pairs, lost, new


def _rests(song):
    """Return the set of (onset_ql, duration_ql) of the stretches in which nothing sounds."""
    rests, end_ql = set(), 0.0
    for event in sorted(song.events, key=lambda event: event.onset_ql):
        silence_ql = event.onset_ql - end_ql
        if event.onset_ql > end_ql + EXACT:
            rests.add((round(end_ql, 4), round(silence_ql, 4)))
        end_ql = max(end_ql, event.end_ql)
    return rests
