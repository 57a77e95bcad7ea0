"""What a song is, for every other module.

Conventions: times in quarter lengths (`_ql`, 1.0 is a crotchet), pitches
are MIDI numbers 0-127 (60 is C4), velocities 1-127, programs are General
MIDI numbers 0-127.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class NoteEvent:
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


@dataclass(frozen=True, slots=True)
class Song:
    """Note events in the order in which they sound, and how to play them.

    source: where it comes from, a path relative to its folder or a title
    program: General MIDI number of the instrument
    tempo_bpm: quarter notes a minute
    programs: those of parts 0, 1, ..., where more than one plays; else all play `program`
    bars: (onset_ql, numerator, denominator) where the time signature changes;
        4/4 until the first
    """

    events: tuple[NoteEvent, ...]
    source: str = ""
    program: int = 0
    tempo_bpm: float = 120.0
    programs: tuple[int, ...] = ()
    bars: tuple[tuple[float, int, int], ...] = ()

    def __len__(self):
        return len(self.events)

    def _repr_pretty_(self, printer, cycle):
        """Say in one line what IPython would print in a thousand."""
        name = f" «{self.source}»" if self.source else ""
        printer.text(f"<Song{name}: {len(self)} events, {self.duration_ql:g} quarter lengths>")

    @property
    def duration_ql(self):
        return max((event.end_ql for event in self.events), default=0.0)

    @property
    def duration_s(self):
        return self.duration_ql * 60 / self.tempo_bpm

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
        return replace(
            self,
            events=tuple(
                replace(event, duration_ql=min(event.duration_ql, end_ql - event.onset_ql))
                for event in self.events
                if event.onset_ql < end_ql
            ),
        )

    def runs(self, length):
        """Return the runs of so many events, in a form that knows no key, octave or rhythm.

        A set of tuples, one pitch-class set for each event, counted from the
        run's first bass note. A shorter song is one run. Two songs that share
        a long run are versions of one tune: they belong on one side of a split.
        """
        events = self.events
        return {
            tuple(
                tuple(sorted({(pitch - events[k].pitches[0]) % 12 for pitch in event.pitches}))
                for event in events[k : k + length]
            )
            for k in range(max(len(events) - length + 1, min(len(events), 1)))
        }

    def transposed(self, semitones):
        """Return the song so many semitones higher.

        Raises ValueError when a pitch would leave 0-127.
        """
        return replace(
            self,
            events=tuple(
                replace(event, pitches=tuple(pitch + semitones for pitch in event.pitches))
                for event in self.events
            ),
        )
