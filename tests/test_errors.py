"""Errors are one sentence for people, and data for programs."""

import copy
import pickle

import pytest

from musiclab import errors
from musiclab.errors import BundleError, MusiclabError, ParameterError

SENTENCE = "EPOCHS es 0 y debe ser al menos 1"
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_carries_its_data_beside_its_sentence(kind):
    error = kind(SENTENCE, name="EPOCHS", value=0)
    assert isinstance(error, MusiclabError)
    assert str(error) == SENTENCE and error.args == (SENTENCE,)
    assert error.data == {"name": "EPOCHS", "value": 0}


def test_an_error_without_data_has_none():
    assert ParameterError(SENTENCE).data == {}
    assert str(MusiclabError()) == ""


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_data_survives_the_way_to_another_process(again):
    error = again(BundleError(SENTENCE, path="a ñ.safetensors", differs=["seed"]))
    assert type(error) is BundleError and str(error) == SENTENCE
    assert error.data == {"path": "a ñ.safetensors", "differs": ["seed"]}


def test_a_notebook_shows_the_sentence_alone():
    error = ParameterError(SENTENCE, name="EPOCHS")
    assert error._render_traceback_() == [f"ParameterError: {SENTENCE}"]
