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


def settled(table):
    """Return a table in the order of keys and times, and how many notes fell on another.

    Of notes that begin together on one key one is left, as long as the longest
    and as loud as the loudest. A note ends where its key is struck again, and
    lasts a tick at least.
    """
    table = table[:, np.lexsort((table[OFF], table[ON], keys_of(table)))]
    table[OFF] = np.maximum(table[OFF], table[ON] + 1)
    doubled = (np.diff(keys_of(table)) == 0) & (np.diff(table[ON]) == 0)
    first = np.flatnonzero(np.append(True, ~doubled))[: table.shape[1]]
    loudest = np.maximum.reduceat(table[VELOCITY], first)
    table = table[:, np.append(~doubled, True)[: table.shape[1]]]  # the last of them is the longest
    table[VELOCITY] = loudest
    again = np.flatnonzero(np.diff(keys_of(table)) == 0)
    table[OFF, again] = np.minimum(table[OFF, again], table[ON, again + 1])
    return table, int(doubled.sum())


def table_of(events, per_quarter):
    """Return the table of NoteEvents, in so many ticks a quarter."""
    rows = [
        (round(e.onset_ql * per_quarter), round(e.end_ql * per_quarter), pitch, e.velocity, e.part)
        for e in events
        for pitch in e.pitches
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 5).T


def events_of(table, per_quarter):
    """Return the NoteEvents of a table: notes of a part that begin and end together are one.

    In the order of onset, then of part, end and pitch.
    """
    table = table[:, np.lexsort((table[PITCH], table[OFF], table[PART], table[ON]))]
    differ = np.diff(table[[ON, OFF, PART]], axis=1).any(axis=0)
    first = np.flatnonzero(np.append(True, differ))[: table.shape[1]]
    chords = [ALONE[pitch] for pitch in table[PITCH].tolist()]
    if len(first) < len(chords):
        bounds = pairwise([*first.tolist(), len(chords)])
        chords = [sum(chords[start:stop], ()) for start, stop in bounds]
    loudest = np.maximum.reduceat(table[VELOCITY], first)
    on, off, part = table[[ON, OFF, PART]][:, first]
    times = (on / per_quarter).tolist(), ((off - on) / per_quarter).tolist()
    return make_events(*times, chords, loudest.tolist(), part.tolist())
