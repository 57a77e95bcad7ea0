"""What a score says, read by another way than it was written, and songs to be written."""

import xml.etree.ElementTree as ET
from collections import Counter
from fractions import Fraction

import verovio
from hypothesis import strategies as st

from musiclab.engraving.mei import score_mei
from musiclab.music import NoteEvent, Song
from musiclab.music.bars import TICKS, bars_of, sections_of

MEI = "{http://www.music-encoding.org/ns/mei}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
LETTERS = dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))
ALTERATIONS = {"ff": -2, "f": -1, "n": 0, "s": 1, "x": 2, "ss": 2}


def melody(*notes, **fields):
    """A song of (onset, duration, pitch or pitches)."""
    chord = lambda p: (p,) if isinstance(p, int) else p
    return Song(tuple(NoteEvent(o, d, chord(p)) for o, d, p in notes), **fields)


def voices(*lines, **fields):
    """A song of one line of (onset, duration, pitch) a part."""
    events = [NoteEvent(o, d, (p,), part=k) for k, line in enumerate(lines) for o, d, p in line]
    fields.setdefault("programs", (52,) * len(lines))
    return Song(tuple(sorted(events, key=lambda event: event.onset_ql)), **fields)


def scale(*pitches, length=0.5, **fields):
    return melody(*((k * length, length, p) for k, p in enumerate(pitches)), **fields)


C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
G_MAJOR = (67, 69, 71, 72, 74, 76, 78, 79)


def pitch_of(note):
    drawn = ALTERATIONS[note.get("accid") or note.get("accid.ges") or "n"]
    return 12 * (int(note.get("oct")) + 1) + LETTERS[note.get("pname")] + drawn


def length_of(element):
    """The quarters of a written value, as an exact fraction."""
    value = element.get("dur")
    length = Fraction(8) if value == "breve" else Fraction(4, int(value))
    return length * Fraction(3, 2) if element.get("dots") else length


def read(song, **options):
    """Return what the MEI of a song says, read by another way than it was written.

    notes: Counter of (onset, duration, pitch) in quarters, tied values summed
    graces: Counter of (onset, pitch)

    Asserts that every layer fills its bar.
    """
    root = ET.fromstring(score_mei(song, **options)[0])
    ends = {tie.get("startid")[1:]: tie.get("endid")[1:] for tie in root.iter(f"{MEI}tie")}
    found, graces = {}, Counter()

    def walk(parent, time, ratio=Fraction(1)):
        for element in parent:
            kind = element.tag.removeprefix(MEI)
            if kind in ("beam", "tuplet"):
                time = walk(element, time, ratio * (Fraction(2, 3) if kind == "tuplet" else 1))
                continue
            notes = {"note": [element], "chord": list(element)}.get(kind, [])
            if element.get("grace"):
                graces.update((time, pitch_of(note)) for note in notes)
                continue
            for note in notes:
                assert note.get(XML_ID) not in found
                found[note.get(XML_ID)] = (time, length_of(element) * ratio, pitch_of(note))
            time += length_of(element) * ratio
        return time

    measures = list(root.iter(f"{MEI}measure"))
    for measure, bar in zip(measures, bars_of(sections_of(song)), strict=False):
        for layer in measure.iter(f"{MEI}layer"):
            if layer[0].tag != f"{MEI}mRest":
                assert walk(layer, Fraction(bar.start, TICKS)) == Fraction(bar.stop, TICKS)
    notes = Counter()
    for name in found.keys() - set(ends.values()):
        onset, length, pitch = found[name]
        while name in ends:
            name = ends[name]
            assert found[name][0] == onset + length and found[name][2] == pitch
            length += found[name][1]
        notes[onset, length, pitch] += 1
    return notes, graces


def notes_in(song):
    return Counter(
        (
            Fraction(e.onset_ql).limit_denominator(48),
            Fraction(e.duration_ql).limit_denominator(48),
            p,
        )
        for e in song.events
        for p in e.pitches
    )


def sounding(song):
    """(onset, pitch) of what verovio itself would play of the score, in quarters."""
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.loadData(score_mei(song)[0])
    return {
        (entry["qstamp"], toolkit.getMIDIValuesForElement(note)["pitch"])
        for entry in toolkit.renderToTimemap({"includeRests": False})
        for note in entry.get("on", [])
    }


def accidentals(song):
    """The accidentals that are drawn, in the order of the text."""
    notes = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}note")
    return [note.get("accid", "") for note in notes]


def clefs(song):
    definitions = ET.fromstring(score_mei(song)[0]).iter(f"{MEI}staffDef")
    return ["".join(d.get(f"clef.{k}", "") for k in ("shape", "line", "dis")) for d in definitions]


def layers(song):
    """A list of staves of a list of bars of a list of layers, as texts such as "c5 r4 s4"."""

    def text(element):
        kind = element.tag.removeprefix(MEI)
        name = {"rest": "r", "space": "s", "mRest": "R"}.get(kind) or element.get("pname", "?")
        return f"{name}{element.get('oct', '') or element.get('dur', '')}"

    kinds = {f"{MEI}{kind}" for kind in ("note", "rest", "space", "mRest")}
    inside = lambda layer: " ".join(text(e) for e in layer.iter() if e.tag in kinds)
    found = {}
    for staff in ET.fromstring(score_mei(song)[0]).iter(f"{MEI}staff"):
        found.setdefault(staff.get("n"), []).append([inside(layer) for layer in staff])
    return list(found.values())


@st.composite
def melodies(draw):
    """One line, whose beats are of sixteenths, triplets, sextuplets or thirty-seconds."""
    events, now = [], Fraction(0)
    for _ in range(draw(st.integers(1, 12))):
        steps = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
        for k in range(steps):
            events.append(NoteEvent(float(now + Fraction(k, steps)), 1 / steps, (60 + k,)))
        now += 1
        if draw(st.booleans()):
            rest, held = draw(st.integers(0, 3)), draw(st.integers(1, 9))
            events.append(NoteEvent(float(now + rest), held, (72,)))
            now += rest + held
    bars = st.sampled_from([(), ((0.0, 3, 4),), ((0.0, 2, 2),), ((0.0, 1, 4), (1.0, 5, 4))])
    return Song(tuple(events), bars=draw(bars))


KEYS = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 4.0, 7.1]), st.integers(-7, 7)), max_size=4)


METRES = [(4, 4), (3, 4), (2, 4), (1, 4), (6, 8), (3, 8), (5, 8), (2, 2)]


@st.composite
def scores(draw):
    """Two to five lines of sixteenths, in parts of their own, with changing metres and keys."""
    lines = []
    for _ in range(draw(st.integers(2, 5))):
        now, line = draw(st.integers(0, 12)) / 4, []
        for duration, rest in draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)))):
            line.append((now, duration / 4, draw(st.integers(53, 64))))
            now += (duration + rest) / 4
        lines.append(line)
    keys = tuple((onset, sharps, "major") for onset, sharps in sorted(draw(KEYS)))
    bars = draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(METRES)), max_size=5))
    bars = tuple((float(onset), *metre) for onset, metre in sorted(dict(bars).items()))
    programs = draw(st.sampled_from([0, 40, 52]))
    return voices(*lines, bars=bars, keys=keys, programs=(programs,) * 5)
