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

from musiclab.engraving.bars import NEARLY, SHORTEST, TICKS, WHOLE, bar_length, is_compound
from musiclab.music.pitch import LOWEST_PITCH

SIXTEENTH, EIGHTH = TICKS // 4, TICKS // 2
LOOSE = 0.5  # ticks by which an end lies on no grid


# Steps in ticks, and how much better one must fit to be taken: sixteenths, triplets of
# eighths, of sixteenths, thirty-seconds. No note is moved where all lie on one of them,
# unless a single one asks for the third.
STEPS = {6: 0.0, 8: 1.0, 4: 2.5, 3: 1.5}
END_WEIGHT = 0.5  # players are careless about where notes end


# Ticks of a written value: its name in MEI, its dots.
VALUES = {WHOLE // n: (str(n), 0) for n in (1, 2, 4, 8, 16, 32)} | {2 * WHOLE: ("breve", 0)}
VALUES |= {3 * ticks // 2: (name, 1) for ticks, (name, _) in VALUES.items() if ticks > SHORTEST}


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
        return bool(self.chord.pitches) and self.written < TICKS


# Notes on a grid


def notes_and_graces(events, bars):
    """Return the notes of one part as a set of (start, stop, pitch), and grace notes as pairs.

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
            if event.duration_ql == 0:
                graces.add((start, pitch))
                continue
            notes[start, pitch] = max(end, cells.after(start), notes.get((start, pitch), 0))
            if abs(end - event.end_ql * TICKS) > LOOSE:
                loose.add((start, pitch))
    adorned = {start for start, _ in notes}
    notes |= {grace: cells.after(grace[0]) for grace in graces if grace[0] not in adorned}
    return _legato(notes, loose), {grace for grace in graces if grace[0] in adorned}


class _Cells:
    """The beats of a part, each with its grid.

    A cell is what a triplet divides: a quarter, or an eighth in 6/8 and the like.
    """

    def __init__(self, events, bars):
        self.bars, self.starts = bars, [bar.start for bar in bars]
        marks = defaultdict(set)
        for event in events:
            for ql, weight in ((event.onset_ql, 1.0), (event.end_ql, END_WEIGHT)):
                start, stop, steps = self.cell(ql * TICKS)
                marks[start, stop, steps].add((ql * TICKS - start, weight))
        self.steps = {cell: _best_step(cell[2], marks[cell]) for cell in marks}

    def cell(self, tick):
        """Return the bounds of the cell of a tick, and the steps that it may take."""
        tick = min(tick + NEARLY, self.bars[-1].stop - 1)
        bar = self.bars[bisect_right(self.starts, tick) - 1]
        length = cell_length(bar.metre)
        start = bar.origin + floor((tick - bar.origin) / length) * length
        start, stop = max(start, bar.start), min(start + length, bar.stop)
        steps = (6, 3)
        if stop - start == length:
            steps += (4, 8)[: length // EIGHTH]
        elif stop - start == EIGHTH:  # half a beat, as a pick-up may be
            steps += (4,) if (start - bar.origin) % EIGHTH == 0 else ()
        return start, stop, steps

    def nearest(self, tick):
        cell = self.cell(tick)
        step = self.steps[cell]
        return min(cell[0] + floor((tick - cell[0]) / step + 0.5 + NEARLY) * step, cell[1])

    def after(self, tick):
        cell = self.cell(tick)
        return min(tick + self.steps.get(cell, SIXTEENTH), cell[1])


def cell_length(metre):
    """Return the ticks in which notes share a grid."""
    return TICKS if metre[1] <= 4 else EIGHTH


def _best_step(steps, marks):
    def cost(step):
        moved = sum(abs(tick - round(tick / step) * step) * weight for tick, weight in marks)
        return round(moved + STEPS[step], 6)

    return min(steps, key=cost)


def _legato(notes, loose):
    """Return a dict from (start, pitch) to stop as a set of (start, stop, pitch), without slivers.

    loose: the keys of those that may grow by almost an eighth, to twice their length at most
    """
    onsets, again = sorted({start for start, _ in notes}), defaultdict(list)
    for start, pitch in sorted(notes):
        again[pitch].append(start)
    found = set()
    for (start, pitch), stop in notes.items():
        reach = min(EIGHTH, stop - start + 1) if (start, pitch) in loose else SIXTEENTH
        k = bisect_right(onsets, stop)
        before, after = onsets[k - 1], (onsets[k] if k < len(onsets) else stop)
        if before != stop and after - stop < reach:
            stop = after
        elif before > start and stop - before < SIXTEENTH:
            stop = before
        repeats = again[pitch][bisect_right(again[pitch], start) :]
        found.add((start, min([stop, *repeats[:1]]), pitch))
    return found


# Written values


@cache
def _levels(metre):
    """Return (unit, need) pairs, the strongest beats first.

    A value that crosses a multiple of `unit` begins and ends on multiples of
    `need`: so the eye finds the beat, as E. Gould, Behind Bars (2011), asks.
    """
    unit, levels = WHOLE // metre[1], []
    if is_compound(metre):
        levels.append((3 * unit, 3 * unit))
    elif metre[0] & (metre[0] - 1) == 0:
        unit = unit * metre[0] // 2
    while unit >= SIXTEENTH:
        levels.append((unit, unit // 2))
        unit //= 2
    return levels


def split(start, stop, metre, rest=False):
    """Return the values, tied, of a note between two positions of a bar, as (start, stop) pairs."""
    known = stop - start in VALUES
    for unit, need in _levels(metre):
        first, last = (start // unit + 1) * unit, (stop - 1) // unit * unit
        if first < stop:
            need = unit if rest else need
            seen = start % need == stop % need == 0
            if known and seen and (first == last or not (start % unit and stop % unit)):
                break
            cut = first if start % unit else last
            return split(start, cut, metre, rest) + split(cut, stop, metre, rest)
    if known:
        return [(start, stop)]
    cut = start + max(ticks for ticks in VALUES if ticks < stop - start)
    return [(start, cut), *split(cut, stop, metre, rest)]


def written(chords, bar):
    """Return the Pieces of a layer that fills a bar; those of a tuplet in a list of their own.

    chords: a list of Chords, silences too, without gap or overlap
    """
    cell = cell_length(bar.metre)
    spans = [
        (max(chord.start, bar.start) - bar.origin, min(chord.stop, bar.stop) - bar.origin, chord)
        for chord in chords
    ]
    tuplets = _tuplets({edge for span in spans for edge in span[:2]}, cell)
    cuts = sorted({*tuplets, *(start + length for start, length in tuplets.items())})
    found, inside = [], {}
    for start, stop, chord in spans:
        for a, b in pairwise([start, *(cut for cut in cuts if start < cut < stop), stop]):
            home = next((t for t, length in tuplets.items() if t <= a < t + length), None)
            if home is None:
                values = [(c, d, d - c) for c, d in split(a, b, bar.metre, not chord.pitches)]
            else:
                whole = (b - a) * 3 // 2 in VALUES
                values = [(a, b)] if whole else [(a, b - 4), (b - 4, b)]
                values = [(c, d, (d - c) * 3 // 2) for c, d in values]
            pieces = [Piece(bar.origin + c, bar.origin + d, w, chord) for c, d, w in values]
            if home is None:
                found += pieces
            elif home in inside:
                inside[home] += pieces
            else:
                found.append(inside.setdefault(home, pieces))
    return found


def _tuplets(edges, cell):
    """Return a dict from the start of each tuplet to its length: half a cell where that is enough.

    edges: the positions in a bar at which notes begin and end
    """
    found = {}
    for start in {edge // cell * cell for edge in edges if edge % SHORTEST}:
        halves = (start, start + EIGHTH) if cell == TICKS and start + EIGHTH in edges else ()
        if not halves:
            found[start] = cell
        for half in halves:
            if any(edge % SHORTEST for edge in edges if half < edge < half + EIGHTH):
                found[half] = EIGHTH
    return found


def beams(layer, bar):
    """Return a function that gives each unit of a layer its beam; None without one.

    A unit is a Piece or the list of a tuplet. The beam is the beat, or half a
    bar, in 3/4 the bar, where that has eighths alone.
    """
    length, compound = bar_length(bar.metre), is_compound(bar.metre)
    compound |= bar.metre[0] == 3 and bar.metre[1] >= 8
    beat = 3 * WHOLE // bar.metre[1] if compound else TICKS
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
