import pytest

from musiclab.diagrams import markov_chain, ngram_context

TUNE = ["C4", "C4", "G4", "C4", "E4"]


def test_a_chain_says_what_follows_each_state():
    alt = markov_chain(TUNE).alt
    assert "a C4 sigue C4 con probabilidad 0,33, G4 con probabilidad 0,33" in alt
    assert "a G4 sigue C4 con probabilidad 1" in alt
    assert "a E4" not in alt  # nothing follows it


def test_a_context_says_how_far_each_ngram_looks():
    alt = ngram_context([*TUNE, "F4"], order=4).alt
    assert "el 4-grama mira los 3 símbolos anteriores, G4 … E4" in alt


@pytest.mark.parametrize("draw", [markov_chain, ngram_context])
def test_the_same_diagram_has_the_same_bytes(draw):
    assert draw(TUNE).svg == draw(TUNE).svg


def test_a_tune_of_one_state_can_be_drawn():
    assert markov_chain(["C4", "C4"]).svg.startswith("<?xml")
    assert "el 2-grama mira el símbolo anterior, C4." in ngram_context(["C4", "D4"], order=2).alt
