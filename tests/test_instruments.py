import pretty_midi
import pytest

from musiclab.errors import ParameterError
from musiclab.instruments import NAMES, instrument_name, instrument_program


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


@pytest.mark.parametrize("name, hint", [("vilin", "violín"), ("kazoo", "koto"), ("", "piano")])
def test_unknown_name_gets_those_that_come_close(name, hint):
    with pytest.raises(ParameterError, match=f"«{name}».*{hint}"):
        instrument_program(name)


@pytest.mark.parametrize("number", [-1, 128, 3.5, None])
def test_number_out_of_range_is_refused(number):
    with pytest.raises(ParameterError):
        instrument_program(number)
