import pretty_midi
import pytest

from musiclab.errors import ParameterError
from musiclab.music import instrument_name, instrument_program, instruments
from musiclab.music.instruments import NAMES


def test_every_program_has_one_name_in_each_language():
    assert len(NAMES) == 128 and {len(pair) for pair in NAMES} == {2}
    for program, pair in enumerate(NAMES):
        assert [instrument_program(name) for name in pair] == [program, program]
        assert instrument_name(program) == pair[0]


def test_english_names_are_those_of_general_midi():
    def letters(name):
        return "".join(c for c in name.lower() if c.isalnum())

    # General MIDI 1 says Synth Voice.
    theirs = [pretty_midi.program_to_instrument_name(k) for k in range(128)]
    differ = [k for k in range(128) if letters(NAMES[k][1]) != letters(theirs[k])]
    assert differ == [54]


@pytest.mark.parametrize(
    "name, program",
    [("VIOLÍN", 40), ("violin", 40), (" Órgano ", 19), ("organo", 19), ("piano", 0), (12, 12),
     ("12", 12), ("Honky-Tonk Piano", 3), ("saxofón alto", 65)],
)  # fmt: skip
def test_names_are_found_whatever_their_case_and_accents(name, program):
    assert instrument_program(name) == program


@pytest.mark.parametrize(
    "names, program",
    [
        ("piano", 0), ("piano eléctrico, teclado", 4), ("clave, clavecín, clavicémbalo", 6),
        ("marimba", 12), ("órgano", 19), ("acordeón", 21), ("bandoneón", 23),
        ("guitarra, guitarra clásica, ukelele, charango, laúd", 24), ("bandurria, mandolina", 25),
        ("guitarra eléctrica, Guitarra Electrica, electric guitar", 27), ("bajo", 32),
        ("bajo eléctrico", 33), ("violonchelo, violoncelo, violoncello, chelo, cello", 42),
        ("contrabajo", 43), ("arpa", 46), ("cuerdas", 48), ("coro", 52), ("voz", 53),
        ("trompeta", 56), ("trompa, corno, corno francés", 60), ("metales", 61),
        ("saxo, sax, saxofón, saxo alto", 65), ("saxo tenor", 66), ("corno inglés", 69),
        ("clarinete", 71), ("flauta travesera", 73), ("flauta de pico", 74),
        ("zampoña, flauta de pan, siku", 75), ("quena", 77), ("sintetizador", 81), ("gaita", 109),
    ],
)  # fmt: skip
def test_people_find_what_they_call_an_instrument(names, program):
    assert {name: instrument_program(name) for name in names.split(", ")} == dict.fromkeys(
        names.split(", "), program
    )


def test_no_name_means_two_things():
    keys = [instruments._plain(name) for pair in NAMES for name in dict.fromkeys(pair)]
    names = [name for text in instruments.OTHER_NAMES.values() for name in text.split(",")]
    keys += [instruments._plain(name) for name in (*names, *instruments.PERCUSSION)]
    twice = {key for key in keys if keys.count(key) > 1}
    assert twice <= {instruments._plain(english) for _, english in NAMES}  # such as piccolo


@pytest.mark.parametrize("name", ["batería", "Bateria", "cajón", "maracas", "claves", "drums"])
def test_percussion_is_refused_with_what_has_pitches(name):
    with pytest.raises(ParameterError, match=f"«{name}» es percusión.*marimba"):
        instrument_program(name)
    for hint in ("marimba", "xilófono", "timbales"):
        instrument_program(hint)


def test_all_that_come_close_are_listed():
    for name, hints in [
        ("fondo", "fondo new age, fondo cálido, fondo polifónico, fondo de coro, fondo de arco"),
        ("slap", "bajo slap 1, bajo slap 2"),
        ("clarinette", "clarinete"),
    ]:
        with pytest.raises(ParameterError, match=f"prueba con {hints}"):
            instrument_program(name)
    with pytest.raises(ParameterError) as error:
        instrument_program("x" * 5000)
    assert len(str(error.value)) < 250


def test_names_that_are_offered_exist_and_none_is_clave():
    for name in instruments.COMMON:
        instrument_program(name)
    assert len(set(map(instrument_program, instruments.COMMON))) > 40
    with pytest.raises(ParameterError, match="clavecín") as error:
        instrument_program("")
    assert "clave," not in str(error.value)


@pytest.mark.parametrize("name, hint", [("vilin", "violín"), ("kazoo", "koto"), ("", "piano")])
def test_unknown_name_gets_those_that_come_close(name, hint):
    with pytest.raises(ParameterError, match=f"«{name}».*{hint}"):
        instrument_program(name)


@pytest.mark.parametrize("number", [-1, 128, 3.5, None])
def test_number_out_of_range_is_refused(number):
    with pytest.raises(ParameterError):
        instrument_program(number)
