"""Songs as sheet music, in the notebook and as PDF, offline.

A song becomes MEI, the encoding of the Music Encoding Initiative, and
`verovio` engraves it. `rhythm` says when notes begin and end, `staves` on
which staff they stand; here they get a key and names. The lowest octave is
written as the one above it, as names elsewhere are.
"""

import base64
import html
from bisect import bisect_right
from collections import defaultdict
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from IPython.display import HTML

from musiclab.bars import TICKS, bars_of, is_compound, sections_of
from musiclab.errors import MusiclabError, ParameterError, ShortSequenceError
from musiclab.instruments import instrument_name
from musiclab.parsing import write_bytes
from musiclab.rhythm import VALUES, Chord, beams, notes_and_graces, written
from musiclab.staves import KEYBOARDS, staves_of

MAX_BARS, MAX_BARS_PDF = 64, 500  # unless more are asked for
MAX_NOTES = 5_000  # engraved in two seconds
MAX_STAVES = 16
LONG_QL = 8.0  # what a longer note counts for the key
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
LETTERS = "FCGDAEB"  # on the line of fifths, F is at -1
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
# Attributes in MEI; the height of the lowest line, in letters above C0; how many ledger lines
# a note the clef must save, as readers know it less.
CLEFS = {
    'clef.shape="G" clef.line="2"': (30, 0),
    'clef.shape="F" clef.line="4"': (18, 0),
    'clef.shape="C" clef.line="3"': (24, 2),
    'clef.shape="G" clef.line="2" clef.dis="8" clef.dis.place="below"': (23, 2),
    'clef.shape="G" clef.line="2" clef.dis="8" clef.dis.place="above"': (37, 2),
    'clef.shape="G" clef.line="2" clef.dis="15" clef.dis.place="above"': (44, 3),
    'clef.shape="F" clef.line="4" clef.dis="8" clef.dis.place="below"': (11, 2),
}
USUAL_CLEFS = {41: 2, **dict.fromkeys(range(24, 32), 3)}  # the viola's, the guitars'
VEROVIO = {
    "adjustPageHeight": True,
    "condense": "none",
    "footer": "none",
    "header": "none",
    "pageHeight": 60_000,
    "pageWidth": 2_000,
    "scale": 45,
    "svgFormatRaw": True,
    "systemMaxPerPage": 1,
    "xmlIdSeed": 1,
}
MEI = """<?xml version="1.0" encoding="UTF-8"?>
<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><music><body><mdiv><score>
{definition}<section>
{measures}</section></score></mdiv></body></music></mei>
"""
TYPST = """
#set page(paper: "a4", margin: 15mm, numbering: "1")
#set text(font: "Libertinus Serif", lang: "es")
#set document(title: sys.inputs.title, date: none)
#align(center, text(size: 18pt, sys.inputs.title))
#let system(name) = layout(size => {
  let tall = measure(image(name, width: size.width)).height > 250mm
  if tall { image(name, height: 250mm) } else { image(name) }
})
#for k in range(int(sys.inputs.n)) { system(str(k) + ".svg") }
#sys.inputs.note
"""


# Pages


def score_svgs(song, names=None, max_bars=MAX_BARS):
    """Return the systems of a song's score, from the first to the last, as SVG texts.

    The same song gives the same texts. For names, max_bars and errors see `score_mei`.
    """
    return _engraved(score_mei(song, names, max_bars)[0])


def sheet(song, title="", names=None, max_bars=MAX_BARS):
    """Return the score of a song for the notebook, with its systems as pictures inside.

    It shows offline, in a notebook that is not trusted, and in its HTML page.
    For names, max_bars and errors see `score_mei`.
    """
    mei, left_out = score_mei(song, names, max_bars)
    svgs = _engraved(mei)
    what = html.escape(f"Partitura de «{title}»" if title else "Partitura")
    images = "".join(
        f'<img alt="{what}, sistema {k} de {len(svgs)}"'
        ' style="display:block;background:white;max-width:100%"'
        f' src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'
        for k, svg in enumerate(svgs, start=1)
    )
    caption = f"<figcaption>{html.escape(title)}</figcaption>" if title else ""
    note = f"<p>{left_out}</p>" if left_out else ""
    return HTML(f'<figure style="margin:0.5em 0">{caption}{images}{note}</figure>')


def save_pdf(song, path, title="", names=None, max_bars=MAX_BARS_PDF):
    """Write the score of a song as PDF, A4, and return its path.

    The same song gives the same bytes. For names, max_bars and errors see
    `score_mei`; raises OutputError where the file cannot be written.
    """
    import typst

    mei, left_out = score_mei(song, names, max_bars)
    systems = {f"{k}.svg": svg.encode() for k, svg in enumerate(_engraved(mei))}
    pdf = typst.compile(
        {"main.typ": TYPST.encode(), **systems},
        font_paths=typst.Fonts(include_system_fonts=False),  # the same on every machine
        sys_inputs={"title": title, "note": left_out, "n": str(len(systems))},
    )
    return write_bytes(path, pdf)


def _engraved(mei):
    """Return the pages of a MEI text as SVG texts, one system each.

    Raises MusiclabError where verovio draws none.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    # Each thread has a path of its own, and importing sets that of one thread alone.
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit = verovio.toolkit()
    toolkit.setOptions(VEROVIO)
    loaded = toolkit.loadData(mei)
    n_pages = toolkit.getPageCount() if loaded else 0
    if n_pages == 0:
        raise MusiclabError(
            f"verovio {toolkit.getVersion()} no ha dibujado ninguna página de la partitura: "
            "reinstala el entorno (make env) y, si sigue igual, avisa de qué canción es"
        )
    return [toolkit.renderToSVG(page) for page in range(1, n_pages + 1)]


# The score


def score_mei(song, names=None, max_bars=MAX_BARS):
    """Return a song as MEI, and a Spanish sentence on what was left out, or an empty text.

    names: of the parts, in their order; without one stands that of the instrument
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
    sections = sections_of(song)
    events, bars = _fitting(song.events, list(islice(bars_of(sections), max_bars)))
    parts = _parts(song, events[:MAX_NOTES], bars)
    staves = [staff for group in parts.values() for staff in group]
    sharps = _signature(song)
    mei = MEI.format(
        definition=_definition(song, parts, _labels(song, parts, names), sharps, bars[0].metre),
        measures="".join(_measures(staves, bars, sharps, song.tempo_bpm)),
    )
    counts = {
        "los compases": (len(bars), sum(len(section.starts) for section in sections)),
        "las partes": (len(parts), len({event.part for event in song.events})),
        "las notas": (min(len(events), MAX_NOTES), len(events)),
    }
    left_out = [f"{what} 1 a {kept} de {n}" for what, (kept, n) in counts.items() if kept < n]
    return mei, f"Se muestran solo {' y '.join(left_out)}." if left_out else ""


def _fitting(events, bars):
    """Return the events of the bars, and the bars, so few that MAX_NOTES hold them.

    One bar stays, however many notes it has.
    """
    onsets = np.sort([event.onset_ql * TICKS for event in events for _ in event.pitches])
    counts = np.searchsorted(onsets, [bar.stop - 1 for bar in bars])
    bars = bars[: max(1, bisect_right(counts.tolist(), MAX_NOTES))]
    return [event for event in events if event.onset_ql * TICKS < bars[-1].stop - 1], bars


def _parts(song, events, bars):
    """Return a dict from part to its staves, for as many parts as MAX_STAVES hold."""
    own = defaultdict(list)
    for event in events:
        own[event.part].append(event)
    numbers = sorted({event.part for event in song.events})
    parts, n_staves = {}, 0
    for part in numbers[:MAX_STAVES]:
        notes, graces = notes_and_graces(own[part], bars)
        staves = staves_of(notes, graces, song.program_of(part), alone=len(numbers) == 1)
        n_staves += len(staves)
        if n_staves <= MAX_STAVES:
            parts[part] = staves
    return parts


def _labels(song, parts, names):
    """Return the names of the parts; the instruments of equal parts are counted."""
    given = dict(enumerate(names or ()))
    found = [given.get(part, instrument_name(song.program_of(part))) for part in parts]
    found = ["".join(c for c in str(name) if c.isprintable()) for name in found]  # XML's rule
    count = lambda k: f"{found[k]} {found[: k + 1].count(found[k])}"
    return [name if found.count(name) == 1 else count(k) for k, name in enumerate(found)]


def _definition(song, parts, labels, sharps, metre):
    """Return MEI's scoreDef: clefs, key and time signatures, braces and names."""
    programs = [song.program_of(part) for part in parts]
    hands = len(parts) == 2 and KEYBOARDS.issuperset(programs)  # one player's
    text, n = "", 0
    for staves, label, program in zip(parts.values(), labels, programs, strict=True):
        name = f"<label>{html.escape(label)}</label>" if len(parts) > 1 and not hands else ""
        inside = ""
        for staff in staves:
            n += 1
            clef, own = _clef(staff, sharps, program), name if len(staves) == 1 else ""
            inside += f'<staffDef n="{n}" lines="5" {clef}>{own}</staffDef>'
        grand = f'<staffGrp symbol="brace" bar.thru="true">{name}{inside}</staffGrp>'
        text += inside if len(staves) == 1 else grand
    symbol = f'symbol="{"brace" if hands else "bracket"}"' if len(parts) > 1 else ""
    key = f"{abs(sharps)}{'s' if sharps > 0 else 'f'}" if sharps else "0"
    return (
        f'<scoreDef keysig="{key}" {_metre(metre)}>'
        f'<staffGrp {symbol} bar.thru="true">{text}</staffGrp></scoreDef>'
    )


def _metre(metre):
    return f'meter.count="{metre[0]}" meter.unit="{metre[1]}"'


def _measures(staves, bars, sharps, tempo_bpm):
    """Yield the bars of the score in MEI, and the changes of time signature between them."""
    first = 0 if bars[0].phase else 1  # a pick-up does not count
    for k, bar in enumerate(bars):
        if k and bar.metre != bars[k - 1].metre:
            yield f"<scoreDef {_metre(bar.metre)}/>\n"
        partial = "" if bar.whole else ' metcon="false"'
        end = ' right="end"' if k == len(bars) - 1 else ""
        yield f'<measure n="{k + first}"{partial}{end}>'
        ties = ""
        for n, staff in enumerate(staves, start=1):
            layers, tied = _staff(staff, n, bar, sharps)
            yield f'<staff n="{n}">{layers}</staff>'
            ties += tied
        yield ties + ("" if k else _tempo(tempo_bpm, bar.metre)) + "</measure>\n"


def _tempo(tempo_bpm, metre):
    """Return the metronome mark, of the dotted quarter where that is the beat."""
    dotted = is_compound(metre) and metre[1] == 8
    text = f"♩. = {tempo_bpm / 1.5:.0f}" if dotted else f"♩ = {tempo_bpm:.0f}"
    # A character that fonts have: verovio's own glyph needs a font that typst cannot read.
    return f'<tempo staff="1" tstamp="1" place="above" midi.bpm="{tempo_bpm:g}">{text}</tempo>'


# One bar of one staff


def _staff(staff, n, bar, sharps):
    """Return the layers of a staff in a bar, and the ties that begin in it, in MEI."""
    sounding = {k: _within(layer, bar.start, bar.stop) for k, layer in enumerate(staff)}
    sounding = {k: chords for k, chords in sounding.items() if chords}
    if not sounding:
        return '<layer n="1"><mRest/></layer>', ""
    layers = {}
    for k, chords in sounding.items():
        others = next((sounding[other] for other in sounding if other != k), [])
        filled = _filled(chords, others, bar, shown=k == min(sounding))
        layers[f"s{n}v{k}"] = written(filled, bar)
    pieces = {layer: _flat(units) for layer, units in layers.items()}
    names = _named([piece for found in pieces.values() for piece in found], sharps)
    elements = "".join(
        f'<layer n="{k}">{_elements(units, beams(units, bar), layer, names)}</layer>'
        for k, (layer, units) in enumerate(layers.items(), start=1)
    )
    ties = "".join(
        f'<tie startid="#{layer}t{piece.start}p{pitch}" endid="#{layer}t{piece.stop}p{pitch}"/>'
        for layer, found in pieces.items()
        for piece in found
        if piece.stop < piece.chord.stop
        for pitch in piece.chord.pitches
    )
    return elements, ties


def _within(layer, start, stop):
    """Return the Chords of a layer that sound between two ticks."""
    first = bisect_right(layer, start, key=lambda chord: chord.stop)
    last = bisect_right(layer, stop - 1, key=lambda chord: chord.start)
    return layer[first:last]


def _flat(units):
    return [piece for unit in units for piece in (unit if isinstance(unit, list) else [unit])]


def _filled(chords, others, bar, shown):
    """Return a layer's Chords with the silences that fill the bar.

    others: Chords of the other layer, while which a silence is hidden
    shown: whether the other silences are drawn
    """
    filled, now = [], bar.start
    for chord in [*chords, Chord(bar.stop, bar.stop)]:
        if chord.start > now:
            filled += _silences(now, chord.start, others) if shown else [_hidden(now, chord.start)]
        filled.append(chord)
        now = chord.stop
    return filled[:-1]


def _hidden(start, stop):
    return Chord(start, stop, hidden=True)


def _silences(start, stop, others):
    found = []
    for other in _within(others, start, stop):
        if other.start > start:
            found.append(Chord(start, other.start))
        begin, start = max(other.start, start), min(other.stop, stop)
        if found and found[-1].hidden:
            begin = found.pop().start
        found.append(_hidden(begin, start))
    return found + [Chord(start, stop)] * (start < stop)


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
    chord, (value, dots) = unit.chord, VALUES[unit.written]
    value = f'dur="{value}"' + ' dots="1"' * dots
    if not chord.pitches:
        return f"<{'space' if chord.hidden else 'rest'} {value}/>"
    text = ""
    if chord.graces and unit.start == chord.start:
        notes = [names[unit.start, pitch, True] for pitch in chord.graces]
        text = _chord(notes, 'dur="8" grace="unacc"')
    notes = [
        f'xml:id="{layer}t{unit.start}p{pitch}" {names[unit.start, pitch, False]}'
        for pitch in chord.pitches
    ]
    return text + _chord(notes, value)


def _chord(notes, value):
    if len(notes) == 1:
        return f"<note {value} {notes[0]}/>"
    return f"<chord {value}>{''.join(f'<note {note}/>' for note in notes)}</chord>"


# Keys, clefs and the names of pitches


def _signature(song):
    """Return the key signature of a song: sharps, or -flats.

    The share of its time within the signature's scale, plus 0.3 of the best
    correlation with the profiles of its two keys. Together they found 134 of
    142 signatures of folk tunes, 67 of 80 of Bach's chorales and 24 of 24 of
    quartets; the profiles alone (Krumhansl 1990, Cognitive Foundations of
    Musical Pitch) 138 and 59, the scale alone 109, 69 and 23.
    """
    weights = np.zeros(12)
    for event in song.events:
        weights[[pitch % 12 for pitch in event.pitches]] += min(event.duration_ql, LONG_QL)

    def fit(sharps):
        scale = [7 * fifth % 12 for fifth in range(sharps - 1, sharps + 6)]
        inside = weights[scale].sum() / max(weights.sum(), 1e-9)
        tonics = {7 * sharps: MAJOR, 7 * sharps - 3: MINOR}
        similar = max(_correlation(weights, np.roll(key, shift)) for shift, key in tonics.items())
        return round(inside + 0.3 * similar, 6), -abs(sharps)

    return max(range(-6, 7), key=fit)


def _correlation(x, y):
    x, y = x - x.mean(), y - y.mean()
    return x @ y / max(np.sqrt(x @ x * (y @ y)), 1e-9)


def _clef(staff, sharps, program):
    """Return the clef of a staff that needs the fewest ledger lines; the instrument's own wins."""
    pitches = [pitch for layer in staff for chord in layer for pitch in chord.pitches]
    names = [_spelled(pitch, sharps) for pitch in pitches]
    heights = np.array([7 * octave + "CDEFGAB".index(letter) for letter, octave, _ in names])

    def cost(k):
        lowest, rarity = list(CLEFS.values())[k]
        above = heights - lowest
        ledger_lines = np.maximum(-above // 2, 0) + np.maximum((above - 8) // 2, 0)
        return ledger_lines.sum() + len(heights) * (-1 if k == USUAL_CLEFS.get(program) else rarity)

    return list(CLEFS)[min(range(len(CLEFS)), key=cost)]


def _spelled(pitch, sharps):
    """Return (letter, octave, alteration in semitones) of a pitch in a key signature.

    The names lie on the line of fifths from two flats below the scale's own
    to three sharps above it, in C major B-, E-, F#, C# and G#: those of 99.8 %
    of the notes of both sets.
    """
    fifth = next(f for f in range(sharps - 3, sharps + 9) if 7 * f % 12 == pitch % 12)
    alteration = (fifth + 1) // 7
    octave = (pitch - alteration) // 12 - 1
    return (LETTERS[(fifth + 1) % 7], octave, alteration) if octave >= 0 else ("C", 0, 0)  # no B#-1


def _named(pieces, sharps):
    """Return MEI's names for the notes of a staff in a bar, from (start, pitch, is grace).

    An accidental is drawn where a name differs from the key signature or
    from the last of its height in the bar, and not on a tied note.
    """
    drawn, names = {}, {}
    for piece in sorted(pieces, key=lambda piece: piece.start):
        tied = piece.start > piece.chord.start
        graces = () if tied else piece.chord.graces
        for pitch, grace in [(p, True) for p in graces] + [(p, False) for p in piece.chord.pitches]:
            letter, octave, alteration = _spelled(pitch, sharps)
            usual = drawn.get((letter, octave), (sharps + 6 - LETTERS.index(letter)) // 7)
            accidental = ""
            if alteration != usual and not tied:
                drawn[letter, octave] = alteration
                accidental = f' accid="{ACCIDENTALS[alteration]}"'
            elif alteration:
                accidental = f' accid.ges="{ACCIDENTALS[alteration]}"'
            name = f'pname="{letter.lower()}" oct="{octave}"{accidental}'
            names.setdefault((piece.start, pitch, grace), name)
    return names
