import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.generation import generate, log_probabilities, sample_id

PROMPT = np.array([1, 2, 3, 4], dtype=np.int32)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def slow_loop(model, prompt, n_notes, window_length, temperature, rng):
    """What generation means, one obvious step at a time."""
    ids = prompt.tolist()
    for _ in range(n_notes):
        logits = model(np.array([ids[-window_length:]])).numpy()[0]
        logits = (logits[-1] if logits.ndim == 2 else logits)[1:].astype(float)
        if temperature:
            ids.append(1 + rng.choice(len(logits), p=softmax(logits / temperature)))
        else:
            ids.append(1 + logits.argmax())
    return ids[len(prompt) :]


@pytest.mark.parametrize("every_step", [False, True])
def test_generation_is_the_slow_loop_and_mutates_nothing(make_bundle, every_step):
    model = make_bundle(every_step=every_step)[0].model
    weights = [5 * w for w in model.get_weights()]
    model.set_weights(weights)
    for temperature in (0, 0.7, 1.5):
        args, prompt = (12, 3, temperature), PROMPT.copy()
        slow = slow_loop(model, PROMPT, *args, np.random.default_rng(3))
        ids = generate(model, prompt, *args, np.random.default_rng(3))
        assert ids.tolist() == slow and ids.dtype == np.int32
        np.testing.assert_array_equal(prompt, PROMPT)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


class Table:
    """A model that knows only what follows what."""

    logits = 3 * np.random.default_rng(1).normal(size=(5, 5))

    def predict_on_batch(self, ids):
        return self.logits[ids[:, -1]]


def test_seed_decides_unless_the_temperature_is_zero():
    def write(temperature, seed):
        return generate(Table(), PROMPT, 30, 4, temperature, np.random.default_rng(seed)).tolist()

    assert write(1.0, 1) == write(1.0, 1) != write(1.0, 2)
    prompt = PROMPT.tolist()
    assert write(0, 1) == write(0, 2) == generate(Table(), prompt, 30, 4, 0).tolist()
    assert prompt == PROMPT.tolist()


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6), st.sampled_from([0, 0.1, 1, 9]))
def test_unknown_symbol_is_never_drawn(logits, temperature):
    logits[0] = 1000.0
    before = list(logits)
    assert 1 <= sample_id(logits, temperature, np.random.default_rng(0)) < len(logits)
    assert logits == before


@pytest.mark.parametrize("temperature", [0.01, 0.5, 2.0])
def test_temperature_divides_the_logits(temperature):
    logits, rng = np.array([9.0, 0.0, 1.0, 2.0]), np.random.default_rng(0)
    drawn = [sample_id(logits, temperature, rng) for _ in range(5000)]
    share = np.bincount(drawn, minlength=4)[1:] / 5000
    np.testing.assert_allclose(share, softmax(logits[1:] / temperature), atol=0.025)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")
def test_tiniest_temperature_is_nearly_zero():
    assert sample_id([9.0, 1.0, 3.0, 2.0], 1e-308, np.random.default_rng(0)) == 2


def test_impossible_wishes_are_refused():
    for temperature in (-0.1, float("nan")):
        with pytest.raises(ParameterError, match="TEMPERATURE es"):
            generate(Table(), PROMPT, 1, 4, temperature, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="N_NOTES es 0"):
        generate(Table(), PROMPT, 0, 4, 0)
    with pytest.raises(ShortSequenceError, match="tiene 4 símbolos y hacen falta 5"):
        generate(Table(), PROMPT, 1, 5, 0)


# Models as predictors


@pytest.mark.parametrize("every_step", [False, True])
def test_predictor_gives_each_id_what_the_model_says_of_its_past(make_bundle, every_step):
    model = make_bundle(every_step=every_step)[0].model
    ids, first = np.array([1, 4, 2, 3, 3, 1, 2]), 1 if every_step else 4
    rows = np.exp(log_probabilities(model, None if every_step else 4)(ids))
    expected = [np.full(5, 1 / 5)] * first
    for t in range(first, 7):
        logits = model(ids[None, (0 if every_step else t - 4) : t]).numpy()[0]
        expected.append(softmax(logits[-1] if every_step else logits))
    np.testing.assert_allclose(rows, expected, rtol=1e-4)


@pytest.mark.parametrize("window_length, n_ids", [(None, 1), (4, 4), (4, 2)])
def test_predictor_of_a_short_song_is_uniform(make_bundle, window_length, n_ids):
    model = make_bundle(every_step=window_length is None)[0].model
    rows = log_probabilities(model, window_length)(np.ones(n_ids, dtype=np.int32))
    np.testing.assert_allclose(rows, np.full((n_ids, 5), -np.log(5)))
