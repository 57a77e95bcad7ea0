"""Songs as MEI, the encoding of the Music Encoding Initiative, which verovio engraves.

`bars` says where the bars lie, `rhythm` when notes begin and end, `keys` how
they are named and `staves` where they stand; here that becomes text. The
lowest octave is written as the one above it, as names elsewhere are.
"""

import html
from bisect import bisect_right
from collections import Counter, defaultdict
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np

from musiclab.engraving.keys import named, signatures_of
from musiclab.engraving.rhythm import VALUES, Chord, beams, notes_and_graces, written
from musiclab.engraving.staves import (
    KEYBOARDS,
    Staff,
    clef_of,
    closed_score,
    is_choir,
    layers_in,
    staves_of,
)
from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.music import instrument_name
from musiclab.music.bars import SHORTEST, TICKS, WHOLE, bars_of, is_compound, numbered, sections_of

MAX_BARS = 64  # unless more are asked for
MAX_NOTES = 5_000  # engraved in two seconds
MAX_STAVES = 16
LONG_NAME = 12  # letters
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
UNWRITTEN = ACCIDENTALS | {2: "ss"}  # MEI has another word for what is meant and not drawn
MEI = """<?xml version="1.0" encoding="UTF-8"?>
<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><music><body><mdiv><score>
{definition}<section>
{measures}</section></score></mdiv></body></music></mei>
"""


class Group(NamedTuple):
    """The staves that one player or one choir reads.

    parts: the numbers of the song's parts on them
    label: the name before them; none where it is clear who reads them
    """

    parts: tuple[int, ...]
    staves: list[Staff]
    program: int
    label: str = ""


def score_mei(song, max_bars=MAX_BARS):
    """Return a song as MEI, and a Spanish sentence on what was left out, or an empty text.

    max_bars: how many bars; fewer where they hold more than MAX_NOTES

    Raises ShortSequenceError for a song without notes, ParameterError for
    max_bars below 1.
    """
    if not song.events:
        raise ShortSequenceError(
            "la canción no tiene ninguna nota que escribir: elige otra, o genera una más larga"
        )
    if max_bars < 1:
        raise ParameterError(f"max_bars es {max_bars} y hace falta 1 o más: pide algún compás")
    # As many bars as are asked for, and as can be read.
    sections = sections_of(song)
    wanted = list(islice(bars_of(sections), max_bars))
    events, bars = _fitting(song.events, wanted)
    # Who plays, in which keys, and how fast.
    groups = _labelled(_groups(song, events[:MAX_NOTES], bars))
    keys = signatures_of(song, bars)
    tempos = _tempo_marks(song, bars)
    mei = MEI.format(
        definition=_definition(groups, keys[0], bars[0].metre),
        measures="".join(_measures(groups, bars, keys, tempos)),
    )
    kept = [part for group in groups for part in group.parts]
    counts = {
        "los compases": (len(bars), sum(len(section.starts) for section in sections)),
        "las partes": (len(kept), len({event.part for event in song.events})),
        "las notas": (min(len(events), MAX_NOTES), len(events)),
    }
    left_out = [f"{what} 1 a {kept} de {n}" for what, (kept, n) in counts.items() if kept < n]
    return mei, f"Se muestran solo {' y '.join(left_out)}." if left_out else ""


def _fitting(events, bars):
    """Return the events of the bars, and the bars, so few that MAX_NOTES hold them.

    One bar stays, however many notes it has.
    """
    onsets = []
    for event in events:
        onsets += len(event.pitches) * [event.onset_ql * TICKS]
    # How many notes begin before the end of each bar.
    ends = [bar.stop - 1 for bar in bars]
    counts = np.searchsorted(np.sort(onsets), ends)
    n_bars = max(1, bisect_right(counts.tolist(), MAX_NOTES))
    end = ends[n_bars - 1]
    return [event for event in events if event.onset_ql * TICKS < end], bars[:n_bars]


# Parts and their names


def _groups(song, events, bars):
    """Return the Groups of a song, as many as MAX_STAVES hold."""
    own = defaultdict(list)
    for event in events:
        own[event.part].append(event)
    numbers = sorted({event.part for event in song.events})
    if is_choir(song):
        lines = [notes_and_graces(own[part], bars) for part in numbers]
        return [Group(tuple(numbers), closed_score(lines), song.program_of(0))]
    groups, n_staves = [], 0
    for part in numbers[:MAX_STAVES]:
        notes, graces = notes_and_graces(own[part], bars)
        program = song.program_of(part)
        staves = staves_of(notes, graces, program, alone=len(numbers) == 1)
        n_staves += len(staves)
        if n_staves <= MAX_STAVES:
            groups.append(Group((part,), staves, program))
    return groups


def _labelled(groups):
    """Return the Groups with the names of their instruments; those of equal parts are counted.

    What one player or one choir reads needs none.
    """
    if len(groups) == 1 or _two_hands(groups):
        return groups
    names = [instrument_name(group.program) for group in groups]
    labelled, counts = [], Counter()
    for group, name in zip(groups, names, strict=True):
        counts[name] += 1
        label = f"{name} {counts[name]}" if names.count(name) > 1 else name
        labelled.append(group._replace(label=label))
    return labelled


def _two_hands(groups):
    """Return whether two parts are those of one player."""
    return len(groups) == 2 and KEYBOARDS.issuperset(group.program for group in groups)


def _label(name):
    """Return a name in MEI, a long one in two lines: what a browser draws wider is not cut off."""
    first, _, rest = html.escape(name).partition(" ")
    if rest and len(name) > LONG_NAME:
        return f"<label>{first}<lb/>{rest}</label>"
    return f"<label>{html.escape(name)}</label>"


# The score


def _definition(groups, sharps, metre):
    """Return MEI's scoreDef: clefs, key and time signatures, braces and names."""
    text, n = "", 0
    for group in groups:
        label = _label(group.label) if group.label else ""
        alone = len(group.staves) == 1
        inside = ""
        for staff in group.staves:
            n += 1
            clef = clef_of(staff, sharps, group.program)
            inside += f'<staffDef n="{n}" lines="5" {clef}>{label if alone else ""}</staffDef>'
        if not alone:
            symbol = "brace" if len(group.parts) == 1 else "bracket"
            inside = f'<staffGrp symbol="{symbol}" bar.thru="true">{label}{inside}</staffGrp>'
        text += inside
    symbol = "brace" if _two_hands(groups) else "bracket"
    symbol = f'symbol="{symbol}"' if len(groups) > 1 else ""
    return (
        f"<scoreDef {_key(sharps)} {_metre(metre)}>"
        f'<staffGrp {symbol} bar.thru="true">{text}</staffGrp></scoreDef>'
    )


def _key(sharps):
    sign = "s" if sharps > 0 else "f" if sharps < 0 else ""
    return f'keysig="{abs(sharps)}{sign}"'


def _metre(metre):
    return f'meter.count="{metre[0]}" meter.unit="{metre[1]}"'


def _measures(groups, bars, keys, tempos):
    """Yield the bars of the score in MEI, and the changes of signature between them.

    keys: sharps of each bar
    tempos: (tick, quarter notes a minute) of each metronome mark
    """
    staves = [staff for group in groups for staff in group.staves]
    lines = [bar.start for bar in bars]
    key_at = lambda tick: keys[bisect_right(lines, tick) - 1]
    for k, (number, bar) in enumerate(numbered(bars)):
        changes = _changes(bars, keys, k) if k else ""
        if changes:
            yield f"<scoreDef {changes}/>\n"
        partial = "" if bar.whole else ' metcon="false"'
        yield f'<measure n="{number}"{partial}{_bar_line(bars, k)}>'
        beyond = ""  # what stands behind the staves
        for n, staff in enumerate(staves, start=1):
            layers, ties = _staff(staff, n, bar, key_at)
            yield f'<staff n="{n}">{layers}</staff>'
            beyond += ties
        for tick, tempo_bpm in tempos:
            if bar.start <= tick < bar.stop:
                beyond += _tempo(tick, tempo_bpm, bar)
        yield f"{beyond}</measure>\n"


def _changes(bars, keys, k):
    """Return the attributes of the key and the metre that begin with a bar."""
    changes = []
    if keys[k] != keys[k - 1]:
        changes.append(_key(keys[k]))
    if bars[k].metre != bars[k - 1].metre:
        changes.append(_metre(bars[k].metre))
    return " ".join(changes)


def _bar_line(bars, k):
    """Return the attribute of a double bar line: the last one, and that between two strains."""
    if k == len(bars) - 1:
        return ' right="end"'
    ends = not bars[k].whole and bars[k].phase == 0
    return ' right="dbl"' if ends or bars[k + 1].phase else ""


# Tempo


def _tempo_marks(song, bars):
    """Return the (tick, quarter notes a minute) of the metronome marks that a reader can use.

    A tempo within 1 of the mark before it has none, nor one that holds for
    less than a quarter. Where there are more changes than bars, as in what a
    player played, the first tempo stands alone.
    """
    # The tempo of the start, and the changes after it.
    first_bpm, changes = song.tempo_bpm, []
    for onset_ql, tempo_bpm in song.tempos:
        tick = round(onset_ql * TICKS)
        if tick < SHORTEST:
            first_bpm = tempo_bpm
        elif tick < bars[-1].stop:
            changes.append((tick, tempo_bpm))
    marks = [(0, first_bpm)]
    if len(_differing(marks + changes)) > len(bars) + 1:
        return marks
    # Those that hold for a quarter at least; the last one does.
    for k, (tick, tempo_bpm) in enumerate(changes):
        is_last = k == len(changes) - 1
        if is_last or changes[k + 1][0] - tick >= TICKS:
            marks.append((tick, tempo_bpm))
    return _differing(marks)


def _differing(tempos):
    """Return the (tick, tempo) that differ by more than 1 from the one kept before them."""
    kept = tempos[:1]
    for tick, tempo_bpm in tempos[1:]:
        _, last_bpm = kept[-1]
        if abs(round(tempo_bpm) - round(last_bpm)) > 1:
            kept.append((tick, tempo_bpm))
    return kept


def _tempo(tick, tempo_bpm, bar):
    """Return a metronome mark, of the dotted quarter where that is the beat."""
    _, denominator = bar.metre
    dotted = is_compound(bar.metre) and denominator == 8
    text = f"♩. = {tempo_bpm / 1.5:.0f}" if dotted else f"♩ = {tempo_bpm:.0f}"
    # The first one stands above the clef, where no high note meets it.
    beat = 1 + (tick - bar.start) * denominator / WHOLE if tick else 0
    # A character that fonts have: verovio's own glyph needs a font that typst cannot read.
    return (
        f'<tempo staff="1" tstamp="{beat:g}" place="above" midi.bpm="{tempo_bpm:g}">{text}</tempo>'
    )


# One bar of one staff


def _staff(staff, n, bar, key_at):
    """Return the layers of a staff in a bar, and the ties that begin in it, in MEI.

    key_at: function from a tick to the sharps in force
    """
    filled = layers_in(staff, bar) or {0: [Chord(bar.start, bar.stop)]}
    layers = {f"s{n}v{k}": written(chords, bar) for k, chords in filled.items()}
    pieces = {layer: _flat(units) for layer, units in layers.items()}
    names = named(_read(pieces, key_at), key_at(bar.start))
    elements = ""
    for k, (layer, units) in enumerate(layers.items(), start=1):
        silent = bar.whole and not any(piece.chord.pitches for piece in pieces[layer])
        inside = "<mRest/>" if silent else _elements(units, beams(units, bar), layer, names)
        elements += f'<layer n="{k}">{inside}</layer>'
    # A piece that ends before its chord does is tied to the next one.
    ties = ""
    for layer, found in pieces.items():
        for piece in found:
            if piece.stop == piece.chord.stop:
                continue
            for pitch in piece.chord.pitches:
                start = _id(layer, piece.start, pitch)
                end = _id(layer, piece.stop, pitch)
                ties += f'<tie startid="#{start}" endid="#{end}"/>'
    return elements, ties


def _id(layer, tick, pitch):
    """Return the id of a note within the score."""
    return f"{layer}t{tick}p{pitch}"


def _flat(units):
    pieces = []
    for unit in units:
        pieces += unit if isinstance(unit, list) else [unit]
    return pieces


def _read(pieces, key_at):
    """Return the notes of a staff in a bar, as `named` takes them, in the order of reading.

    pieces: a dict from the name of a layer to its Pieces

    Each is told by (layer, tick, pitch, whether it is a grace note).
    """
    found = [(piece, layer) for layer, those in pieces.items() for piece in those]
    notes = []
    for piece, layer in sorted(found, key=lambda pair: pair[0].start):
        start, chord = piece.start, piece.chord
        tied = start > chord.start
        tied_from = key_at(chord.start) if tied else None
        graces = () if tied else chord.graces
        notes += [((layer, start, pitch, True), pitch, None) for pitch in graces]
        notes += [((layer, start, pitch, False), pitch, tied_from) for pitch in chord.pitches]
    return notes


# Elements of MEI


def _elements(units, beam, layer, names):
    """Return the Pieces and tuplets of a layer in MEI, with their beams."""
    text = ""
    for key, group in groupby(units, key=beam):
        inside = [_element(unit, layer, names) for unit in group]
        joined = "".join(inside)
        text += f"<beam>{joined}</beam>" if key is not None and len(inside) > 1 else joined
    return text


def _element(unit, layer, names):
    if isinstance(unit, list):
        flagged = lambda piece: piece.flagged or None
        inside = _elements(unit, flagged, layer, names)
        return f'<tuplet num="3" numbase="2">{inside}</tuplet>'
    chord, (name, dots) = unit.chord, VALUES[unit.written]
    value = f'dur="{name}" dots="{dots}"' if dots else f'dur="{name}"'
    if not chord.pitches:
        return f"<{'space' if chord.hidden else 'rest'} {value}/>"
    graces = ""
    if chord.graces and unit.start == chord.start:
        notes = [_name(names[layer, unit.start, pitch, True]) for pitch in chord.graces]
        graces = _chord(notes, 'dur="8" grace="unacc"')
    notes = []
    for pitch in chord.pitches:
        name = _name(names[layer, unit.start, pitch, False])
        notes.append(f'xml:id="{_id(layer, unit.start, pitch)}" {name}')
    return graces + _chord(notes, value)


def _chord(notes, value):
    if len(notes) == 1:
        return f"<note {value} {notes[0]}/>"
    inside = "".join(f"<note {note}/>" for note in notes)
    return f"<chord {value}>{inside}</chord>"


def _name(name):
    """Return the attributes of a name, with an accidental that is drawn or one that is meant."""
    letter, octave, alteration, drawn = name
    text = f'pname="{letter.lower()}" oct="{octave}"'
    if drawn:
        return f'{text} accid="{ACCIDENTALS[alteration]}"'
    return f'{text} accid.ges="{UNWRITTEN[alteration]}"' if alteration else text
