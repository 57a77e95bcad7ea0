"""Notes as a table of integers, between NoteEvents and the bytes of a file.

Conventions: a table is int64 (5, n_notes), its rows are ON, OFF, PITCH,
VELOCITY and PART; ON and OFF count ticks, or steps of a grid. A key is one
pitch of one part, as on a keyboard: it cannot sound twice at once.
"""

from itertools import pairwise

import numpy as np

from musiclab.music.song import make_events

ON, OFF, PITCH, VELOCITY, PART = range(5)
ALONE = [(pitch,) for pitch in range(128)]  # hundreds of thousands of single notes share them


def keys_of(table):
    """Return a number that stands for part and pitch, int64 (n_notes,)."""
    return 128 * table[PART] + table[PITCH]


def let_go(table):
    """Return a table in which each note lasts until its key is let go first.

    A file says only which key an off lets go. It ends the note that sounds;
    an off at the tick of an on is for the note before that.
    """
    on, off, keys = table[ON], table[OFF], keys_of(table)
    # All offs on one line of time, on which the keys lie one after the other.
    span = off.max(initial=0) + 1
    line = np.sort(keys * span + off)
    following = np.searchsorted(line, keys * span + on, side="right")
    first_off = line.take(following, mode="clip") - keys * span
    table = table.copy()
    table[OFF] = np.where(off > on, first_off, off)
    return table


def settled(table):
    """Return a table in the order of keys and times, and how many notes fell on another.

    Of notes that begin together on one key one is left, as long as the longest
    and as loud as the loudest. A note ends where its key is struck again, and
    lasts a tick at least.
    """
    order = np.lexsort((table[ON], keys_of(table)))
    table = table.take(order, axis=1)
    table[OFF] = np.maximum(table[OFF], table[ON] + 1)
    same_key = _stays(keys_of(table))
    doubled = same_key & _stays(table[ON])
    n_doubled = int(np.count_nonzero(doubled))
    if n_doubled:
        table = _merged(table, doubled)
        same_key = _stays(keys_of(table))
    off, next_on = table[OFF, :-1], table[ON, 1:]
    np.minimum(off, next_on, out=off, where=same_key)
    return table, n_doubled


def _stays(row):
    """Return for each value but the first whether it is the same as the one before it."""
    return row[1:] == row[:-1]


def _merged(table, joined):
    """Return a table with one note of those that are joined, as long and as loud as any of them.

    joined: for each note but the first whether it is one with the note before it
    """
    first = np.flatnonzero(np.append(True, ~joined))
    merged = table[:, first]
    for row in (OFF, VELOCITY):
        merged[row] = np.maximum.reduceat(table[row], first)
    return merged


def table_of(events, per_quarter):
    """Return the table of NoteEvents, in so many ticks a quarter."""
    rows = [
        (round(e.onset_ql * per_quarter), round(e.end_ql * per_quarter), pitch, e.velocity, e.part)
        for e in events
        for pitch in e.pitches
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 5).T


def events_of(table, per_quarter):
    """Return the NoteEvents of a settled table: notes of a part with the same times are one.

    In the order of onset, then of part, end and pitch.
    """
    n_parts = table[PART].max(initial=0) + 1
    # The pitches of a part are in order already.
    order = np.lexsort((table[OFF], table[ON] * n_parts + table[PART]))
    table = table.take(order, axis=1)
    chords = [ALONE[pitch] for pitch in table[PITCH].tolist()]
    joined = _stays(table[ON]) & _stays(table[OFF]) & _stays(table[PART])
    if joined.any():
        first = np.flatnonzero(np.append(True, ~joined)).tolist()
        bounds = pairwise([*first, len(chords)])
        chords = [sum(chords[start:stop], ()) for start, stop in bounds]
        table = _merged(table, joined)
    on, off, _, velocity, part = table
    onsets_ql, durations_ql = on / per_quarter, (off - on) / per_quarter
    columns = (column.tolist() for column in (onsets_ql, durations_ql, velocity, part))
    return make_events(chords, *columns)
