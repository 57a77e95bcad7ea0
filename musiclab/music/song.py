"""What a song is, for every other module.

Conventions: times in quarter lengths (`_ql`, 1.0 is a crotchet), pitches
are MIDI numbers 0-127 (60 is C4), velocities 1-127, programs are General
MIDI numbers 0-127.
"""

from dataclasses import dataclass, replace
from math import ceil


class _Fields:
    """The fields of a NoteEvent, which can still be set."""

    __slots__ = ("duration_ql", "onset_ql", "part", "pitches", "velocity")


@dataclass(frozen=True, slots=True)
class NoteEvent(_Fields):
    """One note, or a chord whose notes begin and end together.

    onset_ql: quarter lengths from the start of the song
    duration_ql: quarter lengths; 0 is a grace note
    pitches: ascending MIDI numbers without repetition, one or more
    part: which of the song's instruments plays it, from 0
    """

    onset_ql: float
    duration_ql: float
    pitches: tuple[int, ...]
    velocity: int = 80
    part: int = 0

    def __post_init__(self):
        pitches = self.pitches
        # Most events are one note, and hundreds of thousands of them are read at once.
        if not pitches or (len(pitches) > 1 and list(pitches) != sorted(set(pitches))):
            raise ValueError(f"pitches must be ascending and distinct: {pitches}")
        if not 0 <= pitches[0] <= pitches[-1] <= 127:
            raise ValueError(f"pitches must lie in 0-127: {pitches}")
        if self.onset_ql < 0 or self.duration_ql < 0:
            raise ValueError(f"negative time: {self.onset_ql}, {self.duration_ql}")
        if not 1 <= self.velocity <= 127:
            raise ValueError(f"velocity must lie in 1-127: {self.velocity}")

    @property
    def end_ql(self):
        return self.onset_ql + self.duration_ql


def make_events(pitches, onsets_ql, durations_ql, velocities, parts):
    """Return NoteEvents of equally long lists of their fields, as a tuple.

    It takes a third of the time of the constructor and checks nothing: for
    readers that have checked all values at once.
    """
    events = []
    columns = zip(pitches, onsets_ql, durations_ql, velocities, parts, strict=True)
    for chord, onset_ql, duration_ql, velocity, part in columns:
        event = _Fields()
        event.pitches = chord
        event.onset_ql = onset_ql
        event.duration_ql = duration_ql
        event.velocity = velocity
        event.part = part
        event.__class__ = NoteEvent  # from here on it is frozen
        events.append(event)
    return tuple(events)


@dataclass(frozen=True, slots=True)
class Song:
    """Note events in the order in which they sound, and how to play them.

    source: where it comes from, a path relative to its folder or a title
    program: General MIDI number of the instrument
    tempo_bpm: quarter notes a minute, at the start
    programs: those of parts 0, 1, ..., where more than one plays; else all play `program`
    bars: (onset_ql, numerator, denominator) where the time signature changes;
        4/4 until the first
    tempos: (onset_ql, quarter notes a minute) where the tempo changes after the start
    keys: (onset_ql, sharps or -flats, "major" or "minor") where a key signature stands;
        none where the file says none
    drums: strokes as NoteEvents, whose pitches are General MIDI's percussion keys;
        they sound, and no part, score or encoding has them
    """

    events: tuple[NoteEvent, ...]
    source: str = ""
    program: int = 0
    tempo_bpm: float = 120.0
    programs: tuple[int, ...] = ()
    bars: tuple[tuple[float, int, int], ...] = ()
    tempos: tuple[tuple[float, float], ...] = ()
    keys: tuple[tuple[float, int, str], ...] = ()
    drums: tuple[NoteEvent, ...] = ()

    def __len__(self):
        return len(self.events)

    def _repr_pretty_(self, printer, cycle):
        """Say in one line what IPython would print in a thousand."""
        name = f" «{self.source}»" if self.source else ""
        printer.text(f"<Song{name}: {len(self)} events, {self.duration_ql:g} quarter lengths>")

    @property
    def duration_ql(self):
        """Where the last note ends, in quarter lengths."""
        return max((event.end_ql for event in self.events), default=0.0)

    @property
    def duration_s(self):
        """When the last note or stroke ends, in seconds by the song's tempos."""
        last_stroke_ql = max((stroke.end_ql for stroke in self.drums), default=0.0)
        return self.seconds_at(max(self.duration_ql, last_stroke_ql))

    def seconds_at(self, moment_ql):
        """Return the seconds from the start of the song to a moment in quarter lengths."""
        seconds = 0.0
        for start_ql, stop_ql, tempo_bpm in self._stretches():
            seconds += (min(stop_ql, moment_ql) - start_ql) * 60 / tempo_bpm
            if moment_ql <= stop_ql:
                break
        return seconds

    def moment_at(self, seconds):
        """Return the moment in quarter lengths that comes so many seconds after the start."""
        for start_ql, stop_ql, tempo_bpm in self._stretches():
            moment_ql = start_ql + seconds * tempo_bpm / 60
            if moment_ql <= stop_ql:
                break
            seconds -= (stop_ql - start_ql) * 60 / tempo_bpm
        return moment_ql

    def _stretches(self):
        """Yield (start_ql, stop_ql, tempo_bpm) of each stretch of one tempo; the last is endless."""
        tempos = [(0.0, self.tempo_bpm), *self.tempos]
        stops = [onset_ql for onset_ql, _ in self.tempos] + [float("inf")]
        for (start_ql, tempo_bpm), stop_ql in zip(tempos, stops, strict=True):
            yield start_ql, stop_ql, tempo_bpm

    @property
    def n_parts(self):
        return max((event.part for event in self.events), default=0) + 1

    def program_of(self, part):
        """Return the General MIDI number of the instrument that plays a part."""
        return self.programs[part] if part < len(self.programs) else self.program

    def bar_lines_ql(self):
        """Return where bars begin, quarter lengths from 0 to the end of the song, as a list."""
        signatures = [(0.0, 4, 4), *self.bars]
        starts = [onset_ql for onset_ql, _, _ in signatures[1:]] + [max(self.duration_ql, 1e-6)]
        lines = []
        for (onset_ql, numerator, denominator), end_ql in zip(signatures, starts, strict=True):
            length_ql, n = 4 * numerator / denominator, 0
            while onset_ql + n * length_ql < min(end_ql, starts[-1]) - 1e-6:
                lines.append(onset_ql + n * length_ql)
                n += 1
        return lines

    def until(self, end_ql):
        """Return the song up to a moment: what sounds there ends there."""
        cut = lambda events: tuple(
            replace(event, duration_ql=min(event.duration_ql, end_ql - event.onset_ql))
            for event in events
            if event.onset_ql < end_ql
        )
        before = lambda marks: tuple(mark for mark in marks if mark[0] < end_ql)
        return replace(
            self,
            events=cut(self.events),
            drums=cut(self.drums),
            tempos=before(self.tempos),
            bars=before(self.bars),
            keys=before(self.keys),
        )

    def chords(self):
        """Return the NoteEvents of all parts as one player's: what begins and ends together is one.

        A tuple in the order of onset, grace notes first, then of the lowest pitch and the
        end; a pitch that several parts play at once stands once, as loud as the loudest.
        """
        found = {}
        for event in self.events:
            found.setdefault((event.onset_ql, event.duration_ql), []).append(event)
        chords = []
        for (onset_ql, duration_ql), together in found.items():
            pitches = tuple(sorted({pitch for event in together for pitch in event.pitches}))
            velocity = max(event.velocity for event in together)
            chords.append(NoteEvent(onset_ql, duration_ql, pitches, velocity))
        order = lambda e: (e.onset_ql, e.duration_ql > 0, e.pitches[0], e.duration_ql)
        return tuple(sorted(chords, key=order))

    def pitch_ngrams(self, length):
        """Return the runs of so many events, in a form that knows no key, octave or rhythm.

        A set of tuples, one pitch-class set for each event, counted from the
        run's first bass note. A shorter song is one run. Two songs that share
        a long run are versions of one tune: they belong on one side of a split.
        """
        events = self.chords()
        return {
            tuple(
                tuple(sorted({(pitch - events[k].pitches[0]) % 12 for pitch in event.pitches}))
                for event in events[k : k + length]
            )
            for k in range(max(len(events) - length + 1, min(len(events), 1)))
        }

    def transposed(self, semitones):
        """Return the song so many semitones higher, its keys too; of two names the simpler one.

        Raises ValueError when a pitch would leave 0-127.
        """
        return replace(
            self,
            events=tuple(
                replace(event, pitches=tuple(pitch + semitones for pitch in event.pitches))
                for event in self.events
            ),
            keys=tuple(
                (onset_ql, _key_higher(sharps, semitones), mode)
                for onset_ql, sharps, mode in self.keys
            ),
        )


def joined(songs):
    """Return (song, starts): songs one after another as one, and where each begins.

    Each begins at the quarter at which the one before it has ended. All sound
    as the first does: its instruments, its tempo, and no change of bars or keys.
    starts: a list of quarter lengths
    """
    events, starts, end_ql = [], [], 0
    for song in songs:
        starts.append(end_ql)
        events += [replace(event, onset_ql=event.onset_ql + end_ql) for event in song.events]
        end_ql += ceil(song.duration_ql)
    return replace(songs[0], events=tuple(events), bars=(), tempos=(), keys=(), drums=()), starts


def _key_higher(sharps, semitones):
    """Return the sharps of a key so many semitones higher, from five flats to six sharps."""
    if semitones % 12 == 0:
        return sharps
    return (sharps + 7 * semitones + 5) % 12 - 5
