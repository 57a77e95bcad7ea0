"""Motifs that a student types as note names, to songs and tokens.

Conventions: octave 4 begins at middle C (C4, Do4 is 60) and is meant where
no octave stands; durations in quarter lengths, 1 where none stands. A minus
is a flat, as in music21: B-3 is B flat 3, never octave -3. A comma right
between two digits of a duration is a decimal one, as Spanish is written:
C4:1,5 lasts 1.5. Any other separates notes, so C4:1,D4:2 are two and
«C4:1, 5» is none.
"""

import math
import re
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from string import ascii_lowercase, ascii_uppercase

from musiclab.encoding.tokens import END, REST, get_encoding
from musiclab.errors import ParameterError, VocabularyError
from musiclab.music import NoteEvent, Song, pitch_name
from musiclab.music.pitch import LOWEST_PITCH

CLASSES = {"do": 0, "re": 2, "mi": 4, "fa": 5, "sol": 7, "la": 9, "si": 11}
CLASSES |= dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))
ALTERATIONS = {"#": 1, "♯": 1, "sostenido": 1, "-": -1, "b": -1, "♭": -1, "bemol": -1}
LONGEST_QL = 64
MOST_OFFERED = 3
SPANISH = ("Do", "Do#", "Re", "Mib", "Mi", "Fa", "Fa#", "Sol", "Sol#", "La", "Sib", "Si")
_PITCH = (
    f"({'|'.join(CLASSES)})"
    r"(?:(#+|♯+|b+|♭+|-+)|\s*(sostenido|bemol|becuadro))?"
    r"(?:\s*([0-9]{1,2}))?"
)
_UNNAMED = re.sub(r"\((?!\?)", "(?:", _PITCH)
_ITEM = re.compile(
    rf"(?:silencio|rest|r|({_UNNAMED}(?:\s*\+\s*{_UNNAMED})*))"
    r"(?:\s*:\s*([0-9]{1,4}(?:[.,][0-9]{1,4}|/[1-9][0-9]?)?))?"
    r"(?:[\s,]+|$)"
)
_PLAIN = str.maketrans(ascii_uppercase + "íÍ", ascii_lowercase + "ii")  # one letter for one


def motif_tokens(text, encoding):
    """Return the tokens of a motif that a network is to continue.

    encoding: its name. Where songs begin with START so does the motif, and
        it has no END. See `parse_motif` for the text and the errors.
    """
    return opening_tokens(parse_motif(text), encoding)


def opening_tokens(song, encoding):
    """Return the tokens of a song that is to be continued: those of the whole song but END."""
    tokens = get_encoding(encoding).encode(song)
    if tokens[-1:] == [END]:
        tokens.pop()
    return tokens


# What a network knows


def known_tokens(text, encoding, vocabulary):
    """Return the tokens of a motif, all of them in a vocabulary: see `motif_tokens`.

    Raises VocabularyError for the first note or silence that the vocabulary
    lacks, with others in its place that can be typed as they stand.
    """
    tokens = motif_tokens(text, encoding)
    known = set(vocabulary.tokens)
    if known.issuperset(tokens):
        return tokens
    # The first note or chord that the network has never seen, as the student writes notes.
    for event in parse_motif(text).events:
        if not known.issuperset(_alone(event, encoding)):
            spanish = _is_spanish(text)
            likest = _known_near(event, encoding, vocabulary)
            near = [note_text(note, spanish) for note in likest]
            raise _never_seen(note_text(event, spanish), near, "elige otra red")
    # All notes are known, so it is a silence: offer those of nearly the same length.
    unseen = next(token for token in tokens if token not in known)
    _, _, length = unseen.partition(":")
    rests = [token.partition(":")[2] for token in known if token.startswith(f"{REST}:")]
    rests.sort(key=lambda rest: (abs(Fraction(rest) - Fraction(length)), rest))
    near = [f"r:{rest}" for rest in rests[:MOST_OFFERED]]
    what = f"r:{length}" if length else "r"
    raise _never_seen(what, near, "quita el silencio")


def _never_seen(what, near, otherwise):
    offered = " o ".join(f"«{text}»" for text in near)
    remedy = f"prueba con {offered}" if near else otherwise
    return VocabularyError(f"la red no ha visto nunca «{what}» y no sabe seguirlo: {remedy}")


def _alone(event, encoding):
    """Return the tokens of a motif of one note or chord."""
    return opening_tokens(Song((replace(event, onset_ql=0.0),)), encoding)


def _known_near(event, encoding, vocabulary):
    """Return the notes and chords, at most MOST_OFFERED, that a network knows and are most alike."""
    decode = get_encoding(encoding).decode
    known = set(vocabulary.tokens)
    # What each token plays, as loud as the event, where that can be typed.
    notes = set()
    for token in vocabulary.tokens[1:]:
        for note in decode([token], 1.0)[:1]:
            if 0 < note.duration_ql <= LONGEST_QL:
                notes.add(replace(note, velocity=event.velocity))
    # The likest first; of equals the lower, then the shorter.
    likest = sorted(notes, key=lambda n: (_distance(n, event), n.pitches, n.duration_ql))
    playable = (note for note in likest if known.issuperset(_alone(note, encoding)))
    return list(islice(playable, MOST_OFFERED))


def _distance(note, other):
    """Return how unlike two notes or chords are: a doubled duration is worse than a semitone."""
    # From the lowest note up, as far as both have notes.
    semitones = 0
    for pitch, other_pitch in zip(note.pitches, other.pitches, strict=False):
        semitones += abs(pitch - other_pitch)
    doublings = abs(math.log2(note.duration_ql / other.duration_ql))
    # A note too many or too few is as bad as an octave.
    n_more = abs(len(note.pitches) - len(other.pitches))
    return semitones + 1.5 * doublings + 12 * n_more


# Texts


def _is_spanish(text):
    """Whether a motif has notes by their Spanish names."""
    # Words that are no notes, and have the letters of some.
    notes_only = re.sub("silencio|rest|sostenido", "", text.casefold())
    return bool(re.search("do|re|mi|fa|sol|la|si", notes_only))


def parse_motif(text):
    """Return the Song of note names, such as «Do4 Mi4 Sol4:2» or «C4+E4+G4, r, B-3:1/2».

    Names are Spanish or English, in any case, with # ♯ sostenido, b ♭ -
    bemol or becuadro, and an octave; + joins the notes of a chord, a colon
    stands before a duration; r, rest or silencio is a rest (one at the end
    is lost, as a song ends with its last note). Spaces or commas separate.
    A duration is 2, 1/2, 1.5 or 1,5.

    Raises ParameterError when something cannot be read or there is no note.
    """
    text = str(text).strip(" ,\n\t")
    plain = text.translate(_PLAIN)
    # Fractions: three thirds of a quarter make one.
    events, onset_ql, position = [], Fraction(0), 0
    while position < len(text):
        match = _ITEM.match(plain, position)
        if not match:
            raise _unreadable(text[position:])
        notes, duration = match.groups()
        duration_ql = _duration(duration or "1")
        # A rest plays nothing, and takes its time.
        if notes:
            pitches = sorted({_pitch(name) for name in notes.split("+")})
            events.append(NoteEvent(float(onset_ql), float(duration_ql), tuple(pitches)))
        onset_ql += duration_ql
        position = match.end()
    if not events:
        raise ParameterError(
            f"el motivo «{text}» no tiene ninguna nota: escribe al menos una, como en «C4 E4 G4»"
        )
    return Song(tuple(events), source="motivo")


def note_text(event, spanish=True):
    """Return a NoteEvent as `parse_motif` reads it, such as «Sib3+Do4:1/2».

    spanish: whether to write Sib3, or B-3. The duration is rounded to 1/96.
    """
    name_of = _spanish_name if spanish else pitch_name
    chord = "+".join(name_of(pitch) for pitch in event.pitches)
    duration_ql = Fraction(event.duration_ql).limit_denominator(96) or Fraction(1, 96)
    # A quarter is what is meant where no duration stands.
    if duration_ql == 1:
        return chord
    return f"{chord}:{duration_ql}"


def _spanish_name(pitch):
    octave = pitch // 12 - 1
    return f"{SPANISH[pitch % 12]}{octave}"


def _unreadable(rest):
    what = re.split(r"[\s,]", rest)[0][:30]
    return ParameterError(
        f"«{what}» no se entiende como nota: escribe el motivo como «C4 E4 G4», «Do4 Mi4 Sol4», "
        "«Fa sostenido», «Sib3:1/2» (si bemol, media negra), «C4+E4» (acorde) o «r» (silencio)"
    )


def _duration(text):
    duration_ql = Fraction(text.replace(",", "."))
    if not 0 < duration_ql <= LONGEST_QL:
        raise ParameterError(
            f"la duración «{text}» debe ser mayor que 0 y no pasar de {LONGEST_QL} negras: "
            "1 es una negra, 1/2 una corchea"
        )
    return duration_ql


def _pitch(name):
    """Return the MIDI number of a name that `_PITCH` matches."""
    letter, signs, word, octave = re.fullmatch(_PITCH, name.strip()).groups()
    # Signs add up: two flats are two semitones down.
    signs = signs or [word]
    alteration = sum(ALTERATIONS.get(sign, 0) for sign in signs)
    # Octave -1 begins at 0, and so octave 4 at 60.
    lowest = 12 * (int(octave or 4) + 1)
    pitch = lowest + CLASSES[letter] + alteration
    if not LOWEST_PITCH <= pitch <= 127:
        raise ParameterError(
            f"«{name.strip()}» queda fuera de las alturas de MIDI: elige entre C0 (Do0) y G9 (Sol9)"
        )
    return pitch
