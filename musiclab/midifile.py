"""The bytes of a MIDI file, read fast into the songs that music21 would give.

music21 spends most of its time on bars, voices, ties and rests, which a
`Song` does not hold. Here only the steps remain that decide its notes:
which off ends which on, which notes are one chord, and how times snap to
a quarter or a third of a quarter length. They follow music21 10.5
(`midi/base.py`, `midi/translate.py`, `Stream.quantize`) down to its
oddities; `parsing.parse_midi_music21` is the reference, and tests compare.

Every function takes time and memory in proportion to its input: a file
from anywhere becomes a song or a MidiError, and nothing else.

Conventions: ticks are those of the file; `k` counts twelfths of a quarter
length, the coarsest grid that holds both quarters and thirds.
"""

import json
import os
import stat
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from math import floor
from pathlib import Path

from musiclab.errors import MidiError
from musiclab.notes import NoteEvent, Song

MAX_BYTES = 20_000_000
MAX_MARKS = 200_000  # notes, and marks such as programs and time signatures, of all tracks
MAX_QUARTERS = 100_000  # 14 hours at 120 beats a minute
LONGEST_NUMBER = 999  # bytes of a variable-length number before music21 gives up
DRUMS = 9
UNITS = 1 / 4, 1 / 3
# music21's names of the General MIDI programs, each after the first program that has it.
INSTRUMENTS = """
0 Piano, 2 Electric Piano, 3 Piano, 4 Electric Piano, 6 Harpsichord, 7 Clavichord, 8 Celesta,
9 Glockenspiel, 11 Vibraphone, 12 Marimba, 13 Xylophone, 14 Tubular Bells, 15 Dulcimer,
16 Electric Organ, 19 Pipe Organ, 20 Reed Organ, 21 Accordion, 22 Harmonica, 23 Accordion,
24 Acoustic Guitar, 26 Electric Guitar, 32 Acoustic Bass, 33 Electric Bass, 35 Fretless Bass,
36 Electric Bass, 40 Violin, 41 Viola, 42 Violoncello, 43 Contrabass, 44 StringInstrument,
46 Harp, 47 Timpani, 48 StringInstrument, 52 Choir, 53 Voice, 55 Sampler, 56 Trumpet,
57 Trombone, 58 Tuba, 59 Trumpet, 60 Horn, 61 Brass, 64 Soprano Saxophone, 65 Alto Saxophone,
66 Tenor Saxophone, 67 Baritone Saxophone, 68 Oboe, 69 English Horn, 70 Bassoon, 71 Clarinet,
72 Piccolo, 73 Flute, 74 Recorder, 75 Pan Flute, 77 Shakuhachi, 78 Whistle, 79 Ocarina,
80 Sampler, 104 Sitar, 105 Banjo, 106 Shamisen, 107 Koto, 108 Kalimba, 109 Bagpipes,
110 Violin, 111 Shehnai, 112 Glockenspiel, 113 Agogo, 114 Steel Drum, 115 Woodblock,
116 Taiko, 117 Tom-Tom, 118 Sampler"""
FIRST, NAMES = zip(
    *((int(first), name) for first, name in (row.split(None, 1) for row in INSTRUMENTS.split(","))),
    strict=True,
)
# Changes with this file, so that no cache outlives the rules that filled it.
VERSION = sha256(Path(__file__).read_bytes()).hexdigest()[:16]


@dataclass
class Track:
    """What a track says about notes, in the order of the file; ticks from its start.

    notes: [on tick, off tick or None, pitch 0-255, velocity 1-255, channel] lists
    marks: ticks of tempos and signatures, which stand between the notes of a score
    instruments: ticks of programs and names
    names: what music21 calls those instruments
    signatures: (numerator, denominator) by tick
    tempo: (tick, quarters a minute) of the first one, or None
    program: the first one that is not for drums, or None
    """

    notes: list = field(default_factory=list)
    marks: list = field(default_factory=list)
    instruments: list = field(default_factory=list)
    names: set = field(default_factory=set)
    signatures: dict = field(default_factory=dict)
    tempo: tuple | None = None
    program: int | None = None

    def __len__(self):
        """Return how much is kept of the track."""
        return len(self.notes) + len(self.marks) + len(self.instruments)

    def times(self):
        """Return the ticks that stand between the notes of music21's score, as a list.

        Where all the instruments of a track are one, music21 keeps the first.
        """
        return self.marks + self.instruments[: 1 if len(self.names) == 1 else None]


@dataclass
class MidiFile:
    """The tracks of a file, and by how many bytes it is shorter than it says."""

    ticks_per_quarter: int
    tracks: list
    n_missing: int


def read_song(data):
    """Return (song, remarks) of the bytes of a MIDI file.

    remarks: a tuple of Spanish sentences on what was left out
    Raises MidiError when they are no MIDI, go beyond MAX_BYTES, MAX_MARKS or
    MAX_QUARTERS, or hold no pitched note.
    """
    midi = read_midi(data)
    parts, drums, tempos, conductor = [], set(), [], []
    for track in midi.tracks:
        tempo = _snapped(track.tempo, midi.ticks_per_quarter)
        if not track.notes:  # its tempo holds for the tracks after it, as in music21
            conductor = sorted(conductor + tempo, key=_first)[:1]
            continue
        rank, notes = len(tempos), [note for note in track.notes if note[1] is not None]
        tempos.append(min(tempo + conductor * bool(notes), key=_first, default=None))
        rows, strokes = _part(notes, track.times(), midi.ticks_per_quarter)
        drums |= {(rank, tick) for tick in strokes}
        if rows:
            parts.append((track.program or 0, rows))
    if not parts:
        why = "solo tiene percusión" if drums else "no tiene ninguna nota"
        raise MidiError(f"{why}; quítalo de la carpeta")
    programs = tuple(program for program, _ in parts)
    song = Song(
        _events(rows for _, rows in parts),
        program=programs[0],
        tempo_bpm=min(filter(None, tempos), key=_first, default=(0, 120.0))[1],
        programs=programs if len(programs) > 1 else (),
        bars=time_signatures(midi),
    )
    return song, remarks_on(midi, len(drums))


def remarks_on(midi, n_strokes):
    """Return a tuple of sentences on what was left out of a file."""
    found = [f"percusión omitida: {n_strokes} golpes"] if n_strokes else []
    if midi.n_missing:
        found.append(f"fichero cortado: faltan {midi.n_missing} bytes")
    return tuple(found)


def time_signatures(midi):
    """Return (onset_ql, numerator, denominator) where the time signature changes, as a tuple."""
    found = {
        tick / midi.ticks_per_quarter: signature
        for track in midi.tracks
        for tick, signature in track.signatures.items()
    }
    bars = [(onset_ql, *found[onset_ql]) for onset_ql in sorted(found)]
    before = [(4, 4), *(bar[1:] for bar in bars)]
    return tuple(bar for bar, last in zip(bars, before, strict=False) if bar[1:] != last)


def programs_of(midi):
    """Return the General MIDI number of each track that starts a note, as a list."""
    return [track.program or 0 for track in midi.tracks if track.notes]


# Bytes to tracks


def read_bytes(path):
    """Return the bytes of a regular file, and never wait for a pipe or a device.

    Raises MidiError when it is none, cannot be read, or exceeds MAX_BYTES.
    """
    # Without this flag, opening a pipe waits until somebody writes to it.
    flag = getattr(os, "O_NONBLOCK", 0)
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | flag)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise MidiError("no se puede abrir (no es un fichero normal); quítalo")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MidiError(f"no se puede abrir ({error.strerror}); revisa sus permisos") from error
    except ValueError as error:  # a name that the system does not take
        raise MidiError(f"no se puede abrir ({error}); cámbiale el nombre") from error
    return data


def read_midi(data):
    """Return the MidiFile that some bytes hold, as far as music21 would read them.

    Raises MidiError when they are no MIDI, or exceed MAX_BYTES or MAX_MARKS.
    """
    if len(data) > MAX_BYTES:
        raise MidiError(
            f"pasa de {MAX_BYTES / 1e6:.0f} MB, demasiado para un MIDI; quítalo de la carpeta"
        )
    n_tracks, ticks_per_quarter = _header(data)
    start, tracks, budget = 14, [], MAX_MARKS
    for number in range(1, n_tracks + 1):
        if data[start : start + 4] != b"MTrk" or start + 8 > len(data):
            raise _unreadable(f"anuncia {n_tracks} pistas y falta la {number}")
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
        try:
            track = _Reader(data, start + 8, min(end, len(data))).read(budget)
        except IndexError as error:
            raise _unreadable(f"la pista {number} se corta a mitad de un suceso") from error
        budget -= len(track)
        _check_length(track, ticks_per_quarter)
        tracks.append(track)
        start = end
    return MidiFile(ticks_per_quarter, tracks, max(start - len(data), 0))


def _header(data):
    """Return (number of tracks, ticks per quarter)."""
    if not data:
        raise _unreadable("está vacío")
    if data[:4] != b"MThd":
        raise _unreadable("no empieza por «MThd»")
    if len(data) < 14 or int.from_bytes(data[4:8], "big") != 6:
        raise _unreadable("su cabecera está dañada")
    kind, n_tracks, division = (int.from_bytes(data[k : k + 2], "big") for k in (8, 10, 12))
    if kind > 1:
        raise _unreadable(f"es de tipo {kind} y solo se leen los tipos 0 y 1")
    if division & 0x8000:
        raise _unreadable("cuenta el tiempo en fotogramas, no en negras")
    if not division or not n_tracks:
        what = "pistas" if division else "tics por negra"
        raise _unreadable(f"su cabecera dice 0 {what}")
    return n_tracks, division


def _unreadable(what):
    return MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo")


def _check_length(track, ticks_per_quarter):
    """Raise MidiError when something in a track lies beyond MAX_QUARTERS."""
    ends = [note[1] or 0 for note in track.notes]
    if (
        max(ends + track.marks[-1:] + track.instruments[-1:], default=0)
        > MAX_QUARTERS * ticks_per_quarter
    ):
        raise MidiError(f"dura más de {MAX_QUARTERS} negras; acórtalo o quítalo de la carpeta")


class _SkipError(Exception):
    """An event that music21 passes over, to read on after its time."""


class _Reader:
    """Reads one track as music21 does; IndexError where its bytes end inside a number."""

    def __init__(self, data, start, end):
        self.data, self.position, self.end = data, start, end
        self.track, self.tick, self.sounding = Track(), 0, {}

    def read(self, budget):
        """Return the Track. Raises MidiError beyond so many notes and marks, IndexError."""
        data, end, track = self.data, self.end, self.track
        status = 0x90  # music21's guess where a track starts with running status
        while self.position < end:
            delta = self._number()
            start = self.position
            if end - start < 2:
                break
            explicit = data[start] >= 0x80
            code = data[start] if explicit else status
            self.tick += delta
            self.position = start + explicit
            try:
                self._event(code)
            except _SkipError:
                self.tick -= delta
                self.position = start
                continue
            if code != 0xFF:
                status = code
            if len(track) > budget:
                raise MidiError(f"tiene más de {MAX_MARKS} notas y marcas; quítalo de la carpeta")
        return track

    def _number(self):
        """Return the number of variable length at the position, and pass over it."""
        start, number = self.position, 0
        for k in range(start, start + LONGEST_NUMBER):
            if k >= self.end:
                break
            number = number << 7 | self.data[k] & 0x7F
            if self.data[k] < 0x80:
                self.position = k + 1
                return number
        raise IndexError

    def _event(self, code):
        """Read what follows a status byte. Raises _SkipError, IndexError."""
        start = self.position
        first = self.data[start]
        second = self.data[start + 1] if start + 1 < self.end else 0
        kind = code & 0xF0
        self.position = start + 2
        if kind == 0x90 and second:
            note = [self.tick, None, first, second, code & 0x0F]
            self.track.notes.append(note)
            self.sounding.setdefault((first, code & 0x0F), []).append(note)
        elif kind <= 0x90:
            for note in self.sounding.pop((first, code & 0x0F), ()):
                note[1] = self.tick
        elif kind in (0xC0, 0xD0):
            if first > 127:
                raise _SkipError
            self.position = start + 1
            if kind == 0xC0:
                self._program(first, code & 0x0F)
        elif kind == 0xB0 and first in (0x7A, 0x7E) and start + 2 > self.end:
            raise IndexError
        elif kind == 0xF0:
            self._long_event(code, start)

    def _long_event(self, code, start):
        """Read a system exclusive event, or one that is about the file."""
        if code not in (0xF0, 0xF7, 0xFF):
            raise _SkipError
        self.position = start + (code == 0xFF)
        length = self._length()
        content = self.data[self.position : min(self.position + min(length, 99), self.end)]
        self.position = min(self.position + length, self.end)
        if code == 0xFF:
            self._about(self.data[start], content)

    def _length(self):
        try:
            return self._number()
        except IndexError:
            if self.end - self.position >= LONGEST_NUMBER:
                raise _SkipError from None
            raise

    def _program(self, program, channel):
        drums = channel == DRUMS
        self._instrument("Percussion" if drums else NAMES[bisect_right(FIRST, program) - 1])
        if not drums and self.track.program is None:
            self.track.program = program

    def _instrument(self, name):
        self.track.names.add(name)
        self._mark(self.track.instruments)

    def _mark(self, ticks):
        if ticks[-1:] != [self.tick]:
            ticks.append(self.tick)

    def _about(self, kind, content):
        """Take in an event about the file; content: its first bytes."""
        if kind in (0x03, 0x04):
            self._instrument(content.decode(errors="replace").split("\0")[0].strip())
        if kind not in (0x51, 0x58, 0x59):
            return
        self._mark(self.track.marks)
        if kind == 0x51:
            microseconds = int.from_bytes(content[:3], "big")
            if len(content) < 3 or not microseconds:
                raise _unreadable("un tempo está dañado")
            if self.track.tempo is None:
                self.track.tempo = self.tick, float(round(60_000_000 / microseconds, 2))
        elif kind >= 0x58 and len(content) < 2:
            raise _unreadable("una indicación de compás o una armadura está dañada")
        elif kind == 0x58:
            numerator, denominator = content[0], 2 ** content[1]
            if not numerator or denominator > 128:
                raise _unreadable(f"tiene un compás de {numerator}/2^{content[1]}")
            self.track.signatures[self.tick] = numerator, denominator


# Tracks to parts


def _part(notes, marks, ticks_per_quarter):
    """Return (rows, ticks of drum strokes) of a track's notes.

    rows: (k of the onset, k of the duration, pitches, velocity), in music21's order
    """
    snap = _grid(ticks_per_quarter)
    chords = list(_chords(notes, ticks_per_quarter))
    onsets = sorted({snap(tick) for tick in marks} | {snap(chord[0]) for chord in chords})
    gaps = {k: after - k for k, after in pairwise(onsets)}
    found, strokes, known = [], set(), {}
    for tick, ticks, members in chords:
        if any(note[4] == DRUMS for note in members):
            strokes.add(tick)
            continue
        k = snap(tick)
        key = ticks, gaps.get(k, 0)
        if key not in known:
            known[key] = _quantised(ticks / ticks_per_quarter, key[1] / 12)
        pitches = tuple(sorted({_pitch(note[2]) for note in members}))
        velocity = round(sum(min(note[3], 127) for note in members) / len(members))
        found.append((k, ticks != 0, tick, pitches, velocity, known[key]))
    found.sort(key=lambda chord: chord[:2])  # a grace note before what it adorns
    return _rows(found), strokes


def _rows(found):
    """Join what has one tick and the same pitches: `parsing` cannot tell those pieces apart."""
    joined = {}
    for k, _, tick, pitches, velocity, (length, error) in found:
        row = joined.setdefault((tick, pitches), [k, 0, error, pitches, velocity])
        row[1] += length
    return [
        (k, on_grid(length, error), pitches, velocity)
        for k, length, error, pitches, velocity in joined.values()
    ]


def _events(parts):
    """Return the NoteEvents of the rows of each part: in time, graces first, then by part."""
    rows = [(*row, part) for part, rows in enumerate(parts) for row in rows]
    rows.sort(key=lambda row: (row[0], row[1] > 0, row[4]))
    return tuple(NoteEvent(k / 12, length / 12, *more) for k, length, *more in rows)


def _chords(notes, ticks_per_quarter):
    """Yield (tick, length in ticks, notes) of each chord or single note, in order.

    Later notes join the first when they start less than a sixteenth after it
    and end at most a sixteenth from its end. The length is that of the last
    note, and a note may join two chords: both are music21's.
    """
    ons = [note[0] for note in notes]
    joined = [False] * len(notes)
    # Notes by end, a sixteenth a shelf, so that a thousand notes at once take no million steps.
    shelves = {}
    for k, note in enumerate(notes):
        shelves.setdefault(4 * note[1] // ticks_per_quarter, []).append(k)
    for first, (on, off, *_) in enumerate(notes):
        if joined[first]:
            continue
        end = bisect_left(ons, on + ticks_per_quarter / 4)
        members = [first]
        shelf = 4 * off // ticks_per_quarter
        for near in (shelf - 1, shelf, shelf + 1) if end > first + 1 else ():
            shelved = shelves.get(near, ())
            start = bisect_right(shelved, first)
            for k in shelved[start : bisect_left(shelved, end, start)]:
                if 4 * abs(notes[k][1] - off) <= ticks_per_quarter:
                    members.append(k)
                    joined[k] = True
        members.sort()
        last = notes[members[-1]]
        yield on, last[1] - last[0], [notes[k] for k in members]


def _pitch(number):
    """Return a damaged pitch (128 to 255) in the highest octave, where music21 puts it."""
    return number if number < 128 else 115 + (number - 7) % 12


# Time


def _first(tempo):
    return tempo[0]


def _snapped(tempo, ticks_per_quarter):
    """Return [(k, tempo)], or [] where there is none."""
    return [(_grid(ticks_per_quarter)(tempo[0]), tempo[1])] if tempo else []


def _grid(ticks_per_quarter):
    """Return a function from a tick to the nearest quarter or third of a quarter length, in k.

    In the middle between a quarter and a third the quarter wins, and else the earlier.
    """
    points = 0, 3, 4, 6, 8, 9, 12
    # The last tick that belongs to each point; a point that is a third loses the middle.
    middles = (a + b for a, b in pairwise(points))
    bounds = [
        (ticks_per_quarter * middle - (points[n] % 3 != 0)) // 24
        for n, middle in enumerate(middles)
    ]

    def snap(tick):
        quarters, rest = divmod(tick, ticks_per_quarter)
        return 12 * quarters + points[bisect_left(bounds, rest)]

    return snap


def _quantised(length_ql, gap_ql):
    """Return (k, error) of a duration: what music21's `Stream.quantize` makes of it.

    gap_ql: how far the next onset is away, on the grid; 0 where there is none.
    Whatever leaves no gap before it is preferred; then the nearest; then a
    quarter over a third. The arithmetic is music21's, rounding for rounding.
    """
    if not length_ql:
        return 0, 0.0
    best = min(_candidate(length_ql, gap_ql, unit) for unit in UNITS)
    return round(best[3] * 12), best[4]


def _candidate(length_ql, gap_ql, unit):
    """Return (gap left, absolute error, unit, multiple of the unit, error)."""
    low, high = (unit * (floor(length_ql / unit) + n) for n in (0, 1))
    match = low if low <= length_ql <= low + unit / 2 else high
    match = match or unit  # only grace notes have no length
    error = round(length_ql - match, 7)
    left = 0.0 if gap_ql % unit == 0 else max(gap_ql - match, 0.0)
    return left, abs(error), unit, match, error


def on_grid(length, error):
    """Return the k of a duration, as it was if that was on the grid.

    music21 stretches or cuts a note to close a small gap after it, which turns
    thirds into quarters, and remembers by how much.

    length: quantised, in k; error: by how many quarter lengths it was longer
    """
    exact = length / 12 + error
    near = any(abs(exact * n - round(exact * n)) < 0.01 for n in (3, 4))
    return round(exact * 12) if exact > 0.01 and near else length


# Songs as text, for caches and between processes


def digest(path):
    """Return (SHA-256, bytes) of a file's content, or (None, 0) where it cannot be read."""
    try:
        data = read_bytes(path)
    except MidiError:
        return None, 0
    return sha256(data).hexdigest(), len(data)


def read_files(paths):
    """Return [(SHA-256 or None, record)] of files: songs, or the reasons why not.

    The SHA-256 is None where a file could not be read at all.
    """
    return [_read_file(path) for path in paths]


def _read_file(path):
    content = None
    try:
        data = read_bytes(path)
        content = sha256(data).hexdigest()
        return content, to_record(*read_song(data))
    except MidiError as error:
        return content, json.dumps({"error": str(error)})


def to_record(song, remarks):
    """Return a song and its remarks as JSON; times are whole twelfths of a quarter length."""
    places = {pitches: n for n, pitches in enumerate(dict.fromkeys(e.pitches for e in song.events))}
    rows = [
        (
            round(event.onset_ql * 12),
            round(event.duration_ql * 12),
            places[event.pitches],
            event.velocity,
            event.part,
        )
        for event in song.events
    ]
    record = {
        "chords": list(places),
        "events": list(zip(*rows, strict=True)),
        "program": song.program,
        "tempo_bpm": song.tempo_bpm,
        "programs": song.programs,
        "bars": song.bars,
        "remarks": remarks,
    }
    return json.dumps(record, separators=(",", ":"))


def from_record(text, source=""):
    """Return (song, remarks), or the MidiError that a record holds."""
    record = json.loads(text)
    if "error" in record:
        return MidiError(record["error"])
    chords = [tuple(pitches) for pitches in record["chords"]]
    onsets, lengths, places, velocities, parts = record["events"]
    events = map(
        NoteEvent,
        [k / 12 for k in onsets],
        [k / 12 for k in lengths],
        [chords[n] for n in places],
        velocities,
        parts,
    )
    song = Song(
        tuple(events),
        source=source,
        program=record["program"],
        tempo_bpm=record["tempo_bpm"],
        programs=tuple(record["programs"]),
        bars=tuple(map(tuple, record["bars"])),
    )
    return song, tuple(record["remarks"])
