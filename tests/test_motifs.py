import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.encoding import (
    ENCODINGS,
    END,
    REST,
    START,
    UNKNOWN,
    Vocabulary,
    decode_song,
    motif_tokens,
)
from musiclab.encoding.motifs import known_tokens, note_text, parse_motif
from musiclab.encoding.tokens import HOLD
from musiclab.errors import ParameterError, VocabularyError
from musiclab.music import NoteEvent, pitch_name

SPANISH = ("Do", "Do#", "Re", "Mib", "Mi", "Fa", "Fa#", "Sol", "Sol#", "La", "Sib", "Si")


def notes(text):
    return [(e.onset_ql, e.duration_ql, e.pitches) for e in parse_motif(text).events]


@pytest.mark.parametrize(
    "text, pitches",
    [
        ("C4 E4 G4", [60, 64, 67]),
        ("Do4, Mi4,Sol4", [60, 64, 67]),
        ("do re mi fa sol la si", [60, 62, 64, 65, 67, 69, 71]),
        ("c d e f g a b", [60, 62, 64, 65, 67, 69, 71]),
        ("Do sostenido  do# C#4 c♯ DO♯4", [61] * 5),
        ("Sib3 si bemol 3 B-3 Bb3 bb3 B♭3 SI BEMOL 3", [58] * 7),
        ("E-4 Eb4 Mib mi bemol", [63] * 4),
        ("Re bemol, Reb r Fa", [61, 61, 65]),
        ("La bemol Si 5 Sí becuadro", [68, 83, 71]),
        ("C-1 C## Ebb dobb", [23, 62, 62, 58]),
        ("b b4 do b", [71, 71, 60, 71]),
        ("C0\nG9\u00a0A4", [12, 127, 69]),
    ],
)
def test_names_of_notes(text, pitches):
    assert [event.pitches for event in parse_motif(text).events] == [(p,) for p in pitches]


def test_durations_rests_and_chords():
    motif = "C4:1/2 r:1.5 Sol4 + Mi4+C4:2, silencio rest Do:0.25 r"
    assert notes(motif) == [(0, 0.5, (60,)), (2, 2, (60, 64, 67)), (6, 0.25, (60,))]


@pytest.mark.parametrize(
    "text, durations",
    [
        ("C4:1,5", [1.5]),
        ("C4:1,5 D4", [1.5, 1]),
        ("C4:1,5,D4:0,25", [1.5, 0.25]),
        ("C4:1,5, D4:2", [1.5, 2]),
        ("C4 : 1,5 D4", [1.5, 1]),
        ("r:0,5 Sol4+Mi4:1,75", [1.75]),
        ("C4:1,5,", [1.5]),
        # Without a digit on each side, a comma stands between two notes.
        ("C4:1,D4:2", [1, 2]),
        ("C4:1, D4:2", [1, 2]),
        ("C4:1 ,D4:2", [1, 2]),
        ("C4:1/2,D4:1.5,E4", [0.5, 1.5, 1]),
        ("C4:1,r,D4:2", [1, 2]),
        ("C4,D4", [1, 1]),
    ],
)
def test_comma_between_digits_is_a_decimal_one(text, durations):
    assert [duration for _, duration, _ in notes(text)] == durations


@pytest.mark.parametrize(
    "text, what",
    [
        ("C4:1, 5", "«5»"),
        ("C4:1 ,5", "«5»"),
        ("C4:1,5,5", "«5»"),
        ("C4:1/2,5", "«5»"),
        ("C4:1.5,5", "«5»"),
        ("C4,5", "«5»"),
        ("C4:,5", "«C4:»"),
        ("C4:1,55555", "«55555»"),
        ("C4:1,5.5", "«5.5»"),
        ("C4:1,5/2", "«5/2»"),
    ],
)
def test_other_commas_before_digits_are_refused(text, what):
    with pytest.raises(ParameterError, match=f"{what} no se entiende como nota"):
        parse_motif(text)


@given(st.lists(st.integers(12, 127), min_size=1))
def test_names_that_the_course_prints_can_be_typed(pitches):
    for name in (pitch_name, lambda pitch: f"{SPANISH[pitch % 12]}{pitch // 12 - 1}"):
        events = parse_motif(" ".join(map(name, pitches))).events
        assert [event.pitches[0] for event in events] == pitches


@given(
    st.sets(st.integers(12, 127), min_size=1, max_size=4),
    st.integers(1, 64 * 24),
    st.booleans(),
)
def test_note_that_is_written_can_be_read(pitches, ticks, spanish):
    event = NoteEvent(0, ticks / 24, tuple(sorted(pitches)))
    assert parse_motif(note_text(event, spanish)).events == (event,)


def test_note_is_written_as_a_person_would():
    events = parse_motif("re5:0,5 C4+Bb3 Fa#4:1,5").events
    assert [note_text(event) for event in events] == ["Re5:1/2", "Sib3+Do4", "Fa#4:3/2"]
    assert [note_text(event, spanish=False) for event in events] == ["D5:1/2", "B-3+C4", "F#4:3/2"]


@pytest.mark.parametrize(
    "text, what",
    [
        ("C4 H4 G4", "«H4» no se entiende"),
        ("Do4Mi4", "«Do4Mi4»"),
        ("C4 Ut", "«Ut»"),
        ("Do sostenidos", "«sostenidos»"),
        ("C4:", "«C4:»"),
        ("C4:1/0", "«C4:1/0»"),
        ("C4:-1", "«C4:-1»"),
        ("C4:2+E4", "«C4:2[+]E4»"),
        ("C4+", r"«C4\+»"),
        ("4", "«4»"),
        ("x" * 5000, "«x{30}»"),
        (None, "«None»"),
        ("C4:0", "«0» debe ser mayor que 0"),
        ("C4:65", "«65» .* no pasar de 64"),
        ("C10", "«c10» queda fuera"),
        ("A9", "«a9» queda fuera"),
        ("Dob0", "«dob0» queda fuera"),
        ("", "«» no tiene ninguna nota"),
        (" , ", "no tiene ninguna nota"),
        ("r silencio:2", "«r silencio:2» no tiene ninguna nota"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text, what):
    with pytest.raises(ParameterError, match=what) as error:
        parse_motif(text)
    assert "\n" not in str(error.value) and ": " in str(error.value)


@given(st.text() | st.text("doremifaslc4bB#-♯♭ ,:+/1.í\n"))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ParameterError):
        assert len(parse_motif(text)) > 0


def test_motif_as_tokens():
    assert motif_tokens("Do4 Re4:2", "events") == [START, "C4:1:1", "D4:2:2"]
    assert motif_tokens("C4+E4", "pitches") == ["C4.E4"]
    assert motif_tokens("C5:1/4", "grid") == [START, "C5", "rest", "rest", "rest"]
    for name in ENCODINGS:
        tokens = motif_tokens("C4:1/2 D4:1/2 E4:1/2", name)
        assert END not in tokens
        assert decode_song(tokens, name).events == parse_motif("C4:1/2 D4:1/2 E4:1/2").events
    with pytest.raises(ParameterError, match="no existe la codificación «midi»"):
        motif_tokens("C4", "midi")


# What a network knows

VOCABULARIES = {
    "events": (START, "rest:1/2", "rest:2", "C4:1:1", "C4:1/2:0", "D4:1/2:1/2", "G5:1/2:1/4"),
    "events+velocity": (START, "C4:1:1:mf", "D4:1:1:ff", "D4:2:2:mf"),
    "pitches": ("C4", "E4", "C4.E4.G4", "D4.F4"),
    "tutorial": ("C4", "D4", "0.4.7", "0"),
    "grid": (START, HOLD, REST, "C4", "D4"),
}


def offered(text, encoding, tokens=None):
    """Return the sentence about a motif that is refused, and what it says to try."""
    vocabulary = Vocabulary((UNKNOWN, *(tokens or VOCABULARIES[encoding])))
    with pytest.raises(VocabularyError, match="no ha visto nunca") as error:
        known_tokens(text, encoding, vocabulary)
    said, _, remedy = str(error.value).partition("prueba con ")
    tries = re.findall("«(.*?)»", remedy)
    for one in tries:
        # A silence stands between notes that are known.
        known_tokens(f"Do4 {one} Do4" if one[0] == "r" else one, encoding, vocabulary)
    return said, tries


@pytest.mark.parametrize(
    "text, encoding, said, tries",
    [
        ("Do4 Re4", "events", "«Re4»", ["Re4:1/2", "Do4"]),
        ("Do4 D4:3", "events", "«Re4:3»", ["Re4:1/2", "Do4"]),
        ("C4 D4:3", "events", "«D4:3»", ["D4:1/2", "C4"]),
        ("Do4 sol5:1/2", "events", "«Sol5:1/2»", ["Re4:1/2", "Do4"]),
        ("Do4+Mi4", "events", "«Do4+Mi4»", ["Do4", "Re4:1/2"]),
        ("Do4 r:3/2 Do4", "events", "«r:3/2»", ["r:2", "r:1/2"]),
        ("Re4", "events+velocity", "«Re4»", ["Re4:2", "Do4"]),
        ("C4 D4", "pitches", "«D4»", ["C4", "E4", "D4+F4"]),
        ("Do Fa+La", "tutorial", "«Fa4+La4»", ["Do4+Do5", "Re4", "Do4"]),
        ("Do4 Sol4", "grid", "«Sol4»", ["Re4:1/4", "Do4:1/4"]),
    ],
)
def test_what_a_network_has_not_seen_is_told_with_what_it_has(text, encoding, said, tries):
    sentence, found = offered(text, encoding)
    assert said in sentence and found == tries


def test_nothing_is_offered_where_nothing_is_alike():
    assert "elige otra red" in offered("Do4", "events", (START, "rest:1"))[0]
    assert "quita el silencio" in offered("Do4 r Do4", "events", (START, "C4:1:1"))[0]
    assert "elige otra red" in offered("Do4", "grid", (START, "C4"))[0]
    chord = (START, HOLD, "C4", "E4", "G4", "C5")
    assert "quita el silencio" in offered("C4+E4+G4+C5 r C4+E4+G4+C5", "grid", chord)[0]


@pytest.mark.parametrize("encoding", VOCABULARIES)
@given(st.lists(st.sampled_from(("Do4", "Re4", "Sol5:2", "r", "r:1/2", "Do4+Mi4", "La3:0,25"))))
def test_any_motif_is_known_or_what_is_offered_is(encoding, items):
    if set(items) - {"r", "r:1/2"}:
        with contextlib.suppress(pytest.fail.Exception):  # it is known
            offered(" ".join(items), encoding)
