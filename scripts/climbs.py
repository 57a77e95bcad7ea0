"""Print a song's way through its card, and how often it climbs back to a higher room.

    .venv/bin/python scripts/climbs.py [file.mid]

The way is that of somebody who reads each function where it is called for the
first time. It climbs where the next such function lies in a higher room than
the last one; two rooms count once. Coming back to the card, which only puts
its parts together, is no climb.
"""

import sys
from itertools import pairwise
from pathlib import Path

import house

from musiclab import datasets
from musiclab.card import show
from musiclab.midi import load_midi

SONG = datasets.ROOT / "tiny" / "bach_bwv253.mid"


def functions_called(work):
    """Return the code of the functions of musiclab that work() calls, in the order of first calls."""
    called = {}

    def note(frame, event, argument):
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(house.PACKAGE):
            called.setdefault(frame.f_code)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return list(called)


def way_of(song):
    """Return the rooms through which a song goes to its card, each as often as it is entered."""
    show(song)  # what is imported or read for the first time is no part of the way
    way, takes = [], house.arrows()
    for code in functions_called(lambda: show(song)):
        module = Path(code.co_filename).relative_to(house.PACKAGE).with_suffix("")
        room = house.room_of(module.parts[0], takes)
        if way[-1:] != [room]:
            way.append(room)
    return way


def climbs(way):
    """Return the (lower room, higher room) pairs of a way, in its order."""
    takes = house.arrows()
    up = [(a, b) for a, b in pairwise(way) if a in house.far(takes, b) and b != "card"]
    return list(dict.fromkeys(up))


if __name__ == "__main__":
    way = way_of(load_midi(sys.argv[1] if len(sys.argv) > 1 else SONG))
    print(" → ".join(way))
    found = climbs(way)
    print(f"{len(found)} climbs: " + ", ".join(f"{low} → {high}" for low, high in found))
