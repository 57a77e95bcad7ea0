"""Where the bars of a song lie, and which of them are parts of a bar.

Conventions: times are whole ticks, TICKS in a quarter; a metre is
(numerator, denominator). What no score shows, such as the metre 3/64, is
read as the nearest thing that one does.

A file says a part of a bar, such as a pick-up, as a short metre of its own:
1/4 before 4/4, or 3/4 and 1/4 where a repeat sign divides a bar of 4/4. A
musician writes no signature there. `bars_of` says by which rule these are
told from bars whose metre does change.
"""

from math import ceil, floor
from typing import NamedTuple

TICKS = 24
WHOLE = 4 * TICKS
SHORTEST = 3  # a thirty-second
NEARLY = 1e-6  # what float arithmetic may lose
UNITS = (1, 2, 4, 8, 16, 32)  # the denominators that have a note value


class Bar(NamedTuple):
    """A bar, or a part of one: a pick-up, or what a repeat sign divides.

    start, stop: ticks from the start of the song
    phase: ticks of the whole bar before its first
    metre: (numerator, denominator) of the whole bar
    """

    start: int
    stop: int
    phase: int
    metre: tuple[int, int]

    @property
    def origin(self):
        """The tick at which the whole bar would begin."""
        return self.start - self.phase

    @property
    def whole(self):
        """Whether it is no part of a bar."""
        return self.stop - self.start == bar_length(self.metre)


class Section(NamedTuple):
    """Bars that one time signature rules.

    starts: range of the ticks at which they begin; its stop is where the section ends
    metre: (numerator, denominator)
    """

    starts: range
    metre: tuple[int, int]

    @property
    def length(self):
        """Ticks from its first bar to its end."""
        return self.starts.stop - self.starts.start

    @property
    def lasts(self):
        """Whether it has more than one bar."""
        return len(self.starts) > 1

    def may_divide(self, metre):
        """Return whether it is one bar that may be a part of a bar of a metre."""
        # Beats of three parts are no part of a bar whose beats have two.
        same_beats = is_compound(metre) or not is_compound(self.metre)
        return not self.lasts and self.length < bar_length(metre) and same_beats

    def is_no_metre(self):
        """Return whether nobody would write its metre: of one beat, or longer than it lasts."""
        return self.metre[0] == 1 or self.length < bar_length(self.metre)


def bar_length(metre):
    """Return the ticks of a whole bar."""
    numerator, denominator = metre
    return numerator * WHOLE // denominator


def is_compound(metre):
    """Return whether the beats of a metre have three parts, as those of 6/8 do."""
    numerator, _ = metre
    return numerator % 3 == 0 and numerator > 3


def sections_of(song):
    """Return the Sections of a song, one for each time signature that differs from the last."""
    end = _end(song)
    metres = {0: (4, 4)}
    for onset_ql, *metre in song.bars:
        start = SHORTEST * round(onset_ql * TICKS / SHORTEST)
        metres[max(start, 0)] = _readable(tuple(metre))
    starts = [start for start in _changes(metres) if start < end]
    sections = []
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        length = bar_length(metres[start])
        if stop == end:  # the last bar is a whole one
            n_bars = ceil((end - start) / length)
            stop = start + n_bars * length
        sections.append(Section(range(start, stop, length), metres[start]))
    return sections


def _end(song):
    """Return the tick up to which a song has something to show."""
    last_ql = max((event.onset_ql for event in song.events), default=0.0)
    last, end = floor(last_ql * TICKS + NEARLY), floor(song.duration_ql * TICKS)
    # A bar that a rounded end alone would reach has nothing to show, an onset has.
    return max(last + 2, end - SHORTEST + 1)


def _readable(metre):
    usable = metre[1] in UNITS and 0 < bar_length(metre) <= 4 * WHOLE
    return metre if usable else (4, 4)


def _changes(metres):
    """Return the ticks at which a metre begins that is not the last one, counted on."""
    found = []
    for start in sorted(metres):
        repeated = found and metres[found[-1]] == metres[start]
        if not repeated or (start - found[-1]) % bar_length(metres[start]):
            found.append(start)
    return found


def bars_of(sections):
    """Yield the Bars of `sections_of` a song, without writing more signatures than musicians do.

    A signature that holds for one bar, shorter than those before it, is a
    real one, unless

    - it opens the song, and the metre of the bars after it is longer: a pick-up;
    - it and its neighbour, as short as it, fill a bar: a divided one. So do
      two bars of one signature, after which the metre before them comes back;
    - it and an earlier pick-up, or second part of a divided bar, fill a bar: the
      end of a strain;
    - it has one beat, or breaks off before its own end: a pick-up too.

    A bar of three-part beats, such as 6/8, is never a part of one of two-part beats.
    """
    for section, part in zip(sections, _parts_of_bars(sections), strict=True):
        metre, phase = part or (section.metre, None)
        starts = section.starts
        for start in starts:
            passed = 0 if phase is None else phase + start - starts.start
            yield Bar(start, min(start + starts.step, starts.stop), passed, metre)


def numbered(bars):
    """Yield (number, Bar) as musicians count: neither a pick-up, nor the rest of a divided bar."""
    number = 0
    for bar in bars:
        number += not bar.phase
        yield number, bar


def bar_numbers(song):
    """Return {onset_ql: number} of the bars of a song that count; see `numbered`."""
    counted = numbered(bars_of(sections_of(song)))
    return {bar.start / TICKS: number for number, bar in counted if not bar.phase}


def _parts_of_bars(sections):
    """Return for each Section the (metre, phase) of the bar that it is a part of, or None."""
    parts, pick_ups = [None] * len(sections), set()
    metre = _opening_metre(sections)
    if sections[0].may_divide(metre):
        parts[0] = metre, bar_length(metre) - sections[0].length
        pick_ups.add((metre, sections[0].length))
    for k in range(1, len(sections)):
        if parts[k]:
            continue
        section = sections[k]
        following = sections[k + 1] if k + 1 < len(sections) else None
        missing = bar_length(metre) - section.length
        if _halves(section, following, metre):
            parts[k] = metre, 0
        elif not section.may_divide(metre):
            metre = section.metre
        elif _fills(following, missing, metre):
            parts[k], parts[k + 1] = (metre, 0), (metre, section.length)
            pick_ups.add((metre, missing))
        elif (metre, missing) in pick_ups:
            parts[k] = metre, 0
        elif section.is_no_metre():
            parts[k] = metre, missing
            pick_ups.add((metre, section.length))
        else:
            metre = section.metre
    return parts


def _opening_metre(sections):
    """Return the metre in which a song begins, whose bar its first Section may end."""
    first, *after = sections
    if not after:
        return first.metre
    second = after[0]
    third = after[1] if len(after) > 1 else None
    metre = next((section.metre for section in after if section.lasts), second.metre)
    # What follows is in that metre at once, or divides a bar of it.
    missing = bar_length(metre) - second.length
    settled = second.metre == metre or _fills(third, missing, metre)
    leads = first.may_divide(metre) and (settled or first.is_no_metre())
    return metre if leads else first.metre


def _fills(following, missing, metre):
    """Return whether the next Section, if there is one, is the missing part of a bar."""
    return bool(following) and following.may_divide(metre) and following.length == missing


def _halves(section, following, metre):
    """Return whether two bars of a Section are a bar of the metre, which comes back after it."""
    halves = len(section.starts) == 2 and section.length == bar_length(metre)
    return halves and bool(following) and following.metre == metre
