"""When notes begin and end, as a score writes it: beats, note values and tuplets.

Conventions: times are whole ticks, TICKS in a quarter; bars are those of
`bars`. The position in a bar counts from where the whole bar would begin.
"""

from bisect import bisect_right
from collections import defaultdict
from functools import cache
from itertools import pairwise
from math import floor
from typing import NamedTuple

from musiclab.music.bars import NEARLY, SHORTEST, TICKS, WHOLE, bar_length, is_compound
from musiclab.music.pitch import LOWEST_PITCH

SIXTEENTH, EIGHTH = TICKS // 4, TICKS // 2
TRIPLET_SIXTEENTH = TICKS // 6
LOOSE = 0.5  # ticks by which an end lies on no grid


# Steps in ticks, and how much better one must fit to be taken: sixteenths, triplets of
# eighths, of sixteenths, thirty-seconds. No note is moved where all lie on one of them,
# unless a single one asks for the third.
STEPS = {6: 0.0, 8: 1.0, 4: 2.5, 3: 1.5}
STEPS_IN_PART, STEPS_IN_EIGHTH, STEPS_IN_QUARTER = (6, 3), (6, 3, 4), (6, 3, 4, 8)
END_WEIGHT = 0.5  # players are careless about where notes end


# Ticks of a written value: its name in MEI, its dots.
VALUES = {WHOLE // n: (str(n), 0) for n in (1, 2, 4, 8, 16, 32)} | {2 * WHOLE: ("breve", 0)}
VALUES |= {3 * ticks // 2: (name, 1) for ticks, (name, _) in VALUES.items() if ticks > SHORTEST}


class Note(NamedTuple):
    """One note of a part, on its grid."""

    start: int
    stop: int
    pitch: int


class Chord(NamedTuple):
    """What one layer of a staff plays, or a silence; a hidden one is not drawn."""

    start: int
    stop: int
    pitches: tuple[int, ...] = ()
    graces: tuple[int, ...] = ()
    hidden: bool = False


class Piece(NamedTuple):
    """The part of a chord that one note value shows.

    written: ticks of that value; in a tuplet 3/2 of what sounds
    """

    start: int
    stop: int
    written: int
    chord: Chord

    @property
    def flagged(self):
        """Whether it is a note shorter than a quarter."""
        return bool(self.chord.pitches) and self.written < TICKS


# Notes on a grid


def notes_and_graces(events, bars):
    """Return the Notes of one part, and its grace notes as (start, pitch), two sets.

    Each beat takes the grid that moves its notes least. Gaps and overlaps
    shorter than a sixteenth are closed, and before a note whose end lay on no
    grid, as players' ends do, shorter than an eighth; a note ends where its
    pitch begins again. A note without length is a grace note (start, pitch)
    where another begins with it, else it lasts one step.
    """
    cells = _Cells(events, bars)
    notes, graces, loose = {}, set(), set()
    for event in events:
        start = min(cells.nearest(event.onset_ql * TICKS), bars[-1].stop - SHORTEST)
        end = cells.nearest(event.end_ql * TICKS)
        for pitch in {max(pitch, LOWEST_PITCH + pitch % 12) for pitch in event.pitches}:
            note = start, pitch
            if event.duration_ql == 0:
                graces.add(note)
                continue
            # A step at least; of two that begin together, the longer.
            notes[note] = max(end, cells.after(start), notes.get(note, 0))
            if abs(end - event.end_ql * TICKS) > LOOSE:
                loose.add(note)
    # A grace note with nothing to adorn is a note.
    adorned = {start for start, _ in notes}
    alone = {(start, pitch) for start, pitch in graces if start not in adorned}
    for start, pitch in alone:
        notes[start, pitch] = cells.after(start)
    return _legato(notes, loose), graces - alone


class _Cells:
    """The beats of a part, each with its grid.

    A cell is what a triplet divides: a quarter, or an eighth in 6/8 and the like.
    """

    def __init__(self, events, bars):
        self.bars, self.starts = bars, [bar.start for bar in bars]
        marks = defaultdict(set)
        for event in events:
            for ql, weight in ((event.onset_ql, 1.0), (event.end_ql, END_WEIGHT)):
                tick = ql * TICKS
                cell = self.cell(tick)
                start, _, _ = cell
                marks[cell].add((tick - start, weight))
        self.steps = {cell: _best_step(cell[2], marks[cell]) for cell in marks}

    def cell(self, tick):
        """Return the bounds of the cell of a tick, and the steps that it may take."""
        tick = min(tick + NEARLY, self.bars[-1].stop - 1)
        bar = self.bars[bisect_right(self.starts, tick) - 1]
        length = cell_length(bar.metre)
        n_before = floor((tick - bar.origin) / length)
        start = bar.origin + n_before * length
        start, stop = max(start, bar.start), min(start + length, bar.stop)
        if stop - start == TICKS:
            steps = STEPS_IN_QUARTER
        elif stop - start == EIGHTH and (start - bar.origin) % EIGHTH == 0:
            steps = STEPS_IN_EIGHTH  # a whole cell, or half of one, as a pick-up may be
        else:
            steps = STEPS_IN_PART
        return start, stop, steps

    def nearest(self, tick):
        """Return the step that is nearest to a tick, halves upwards, at most the cell's end."""
        cell = self.cell(tick)
        start, stop, _ = cell
        step = self.steps[cell]
        n_steps = floor((tick - start) / step + 0.5 + NEARLY)
        return min(start + n_steps * step, stop)

    def after(self, tick):
        """Return the end of a note of one step."""
        cell = self.cell(tick)
        _, stop, _ = cell
        return min(tick + self.steps.get(cell, SIXTEENTH), stop)


def cell_length(metre):
    """Return the ticks in which notes share a grid."""
    return TICKS if metre[1] <= 4 else EIGHTH


def _best_step(steps, marks):
    def cost(step):
        moved = 0
        for tick, weight in marks:
            nearest = round(tick / step) * step
            moved += abs(tick - nearest) * weight
        return round(moved + STEPS[step], 6)

    return min(steps, key=cost)


def _legato(notes, loose):
    """Return a dict from (start, pitch) to stop as a set of Notes, without slivers.

    loose: the keys of those that may grow by almost an eighth, to twice their length at most
    """
    onsets = sorted({start for start, _ in notes})
    strokes = defaultdict(list)  # the starts of each pitch
    for start, pitch in sorted(notes):
        strokes[pitch].append(start)
    found = set()
    for (start, pitch), stop in notes.items():
        reach = min(EIGHTH, stop - start + 1) if (start, pitch) in loose else SIXTEENTH
        k = bisect_right(onsets, stop)
        before = onsets[k - 1]
        after = onsets[k] if k < len(onsets) else stop
        if before != stop and after - stop < reach:
            stop = after
        elif before > start and stop - before < SIXTEENTH:
            stop = before
        # It ends where its pitch begins again.
        again = bisect_right(strokes[pitch], start)
        if again < len(strokes[pitch]):
            stop = min(stop, strokes[pitch][again])
        found.add(Note(start, stop, pitch))
    return found


# Written values


@cache
def _levels(metre):
    """Return (unit, need) pairs, the strongest beats first.

    A value that crosses a multiple of `unit` begins and ends on multiples of
    `need`: so the eye finds the beat, as E. Gould, Behind Bars (2011), asks.
    """
    numerator, denominator = metre
    unit, levels = WHOLE // denominator, []
    is_power_of_two = numerator & (numerator - 1) == 0
    if is_compound(metre):
        levels.append((3 * unit, 3 * unit))
    elif is_power_of_two:
        unit = unit * numerator // 2
    while unit >= SIXTEENTH:
        levels.append((unit, unit // 2))
        unit //= 2
    return levels


def split(start, stop, metre, rest=False):
    """Return the values, tied, of a note between two positions of a bar, as (start, stop) pairs."""
    known = stop - start in VALUES
    for unit, need in _levels(metre):
        # The beats that it crosses, from the first to the last.
        first = (start // unit + 1) * unit
        last = (stop - 1) // unit * unit
        if first >= stop:
            continue
        if rest:
            need = unit
        shows_beat = start % need == stop % need == 0
        from_or_to_beat = start % unit == 0 or stop % unit == 0
        if known and shows_beat and (first == last or from_or_to_beat):
            break
        cut = last if start % unit == 0 else first
        return split(start, cut, metre, rest) + split(cut, stop, metre, rest)
    if known:
        return [(start, stop)]
    longest = max(ticks for ticks in VALUES if ticks < stop - start)
    cut = start + longest
    return [(start, cut), *split(cut, stop, metre, rest)]


def written(chords, bar):
    """Return the Pieces of a layer that fills a bar; those of a tuplet in a list of their own.

    chords: a list of Chords, silences too, without gap or overlap
    """
    # From here on positions in the bar.
    spans = []
    for chord in chords:
        start, stop = max(chord.start, bar.start), min(chord.stop, bar.stop)
        spans.append((start - bar.origin, stop - bar.origin, chord))
    # Tuplets, and where they cut what sounds across their ends.
    edges = {edge for start, stop, _ in spans for edge in (start, stop)}
    tuplets = _tuplets(edges, cell_length(bar.metre))
    ends = {start + length for start, length in tuplets.items()}
    bounds = sorted(ends.union(tuplets))
    found, inside = [], {}
    for start, stop, chord in spans:
        cuts = [start, *(bound for bound in bounds if start < bound < stop), stop]
        for begin, end in pairwise(cuts):
            home = next((k for k, length in tuplets.items() if k <= begin < k + length), None)
            if home is None:
                values = split(begin, end, bar.metre, rest=not chord.pitches)
                found += _pieces(values, chord, bar)
                continue
            if home not in inside:
                inside[home] = []
                found.append(inside[home])
            whole = (end - begin) * 3 // 2 in VALUES
            cut = end - TRIPLET_SIXTEENTH
            values = [(begin, end)] if whole else [(begin, cut), (cut, end)]
            inside[home] += _pieces(values, chord, bar, in_tuplet=True)
    return found


def _pieces(values, chord, bar, in_tuplet=False):
    """Return the Pieces of a chord, one for each (start, stop) of positions in a bar."""
    pieces = []
    for start, stop in values:
        ticks = (stop - start) * 3 // 2 if in_tuplet else stop - start
        pieces.append(Piece(bar.origin + start, bar.origin + stop, ticks, chord))
    return pieces


def _tuplets(edges, cell):
    """Return a dict from the start of each tuplet to its length: half a cell where that is enough.

    edges: the positions in a bar at which notes begin and end
    """
    found = {}
    for start in {edge // cell * cell for edge in edges if edge % SHORTEST}:
        middle = start + EIGHTH
        if cell != TICKS or middle not in edges:
            found[start] = cell
            continue
        for half in (start, middle):
            if any(edge % SHORTEST for edge in edges if half < edge < half + EIGHTH):
                found[half] = EIGHTH
    return found


def beams(layer, bar):
    """Return a function that gives each unit of a layer its beam; None without one.

    A unit is a Piece or the list of a tuplet. The beam is the beat, or half a
    bar, in 3/4 the bar, where that has eighths alone.
    """
    numerator, denominator = bar.metre
    length = bar_length(bar.metre)
    # A bar of 3/8 is one beat of three parts.
    compound = is_compound(bar.metre) or (numerator == 3 and denominator >= 8)
    beat = 3 * WHOLE // denominator if compound else TICKS
    wide = length if bar.metre == (3, 4) else 2 * TICKS
    eighths = defaultdict(int)
    for unit in layer:
        if isinstance(unit, Piece) and unit.flagged and unit.written == EIGHTH:
            eighths[(unit.start - bar.origin) // wide] += EIGHTH

    def beam(unit):
        if isinstance(unit, list) or not unit.flagged:
            return None
        position = unit.start - bar.origin
        if not compound and length % wide == 0 and eighths[position // wide] == wide:
            return "wide", position // wide
        return "beat", min(position // beat, max(length // beat - 1, 0))

    return beam
