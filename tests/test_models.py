import numpy as np
import pytest

from musiclab.backend import keras
from musiclab.errors import ParameterError
from musiclab.models import CELLS, INPUTS, TUTORIAL_UNITS, build_model, compile_model

IDS = np.array([[1, 2, 3, 4, 0], [4, 3, 2, 1, 1]], dtype=np.int32)
SMALL = {"units": (3, 2), "embedding_dim": 2}


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_shapes(cell, inputs, every_step):
    model = build_model(7, cell=cell, inputs=inputs, every_step=every_step, **SMALL)
    assert isinstance(model.get_layer(f"{cell}_2"), CELLS[cell])
    for n_steps in (5, 3):
        shape = (2, n_steps, 7) if every_step else (2, 7)
        assert model(IDS[:, :n_steps]).shape == shape


def test_one_hot_input_of_one_step():
    assert build_model(8, inputs="one_hot", **SMALL)(IDS[:, :1]).shape == (2, 8)


def test_inputs_say_what_they_promise():
    for inputs, expected in [("scalar", IDS[:, :, None] / 8), ("one_hot", np.eye(8)[IDS])]:
        model = build_model(8, inputs=inputs, **SMALL)
        first = keras.Model(model.input, model.get_layer("lstm_1").input)
        np.testing.assert_allclose(first(IDS), expected)


def test_every_step_sees_only_the_past():
    model = build_model(7, inputs="embedding", every_step=True, **SMALL)
    before, after = model(IDS).numpy(), model(np.c_[IDS[:, :3], [[6, 6], [6, 6]]]).numpy()
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert not np.allclose(before[:, 3:], after[:, 3:])


def test_defaults_are_the_tutorials_network():
    layers = build_model(52).layers
    cells = [layer for layer in layers if isinstance(layer, keras.layers.LSTM)]
    assert tuple(layer.units for layer in cells) == TUTORIAL_UNITS == (512, 256, 128, 64, 32)
    assert cells[0].input.shape == (None, None, 1)
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [0.2] * 5


@pytest.mark.parametrize("every_step", [False, True])
def test_loss_is_the_nll_in_nats(every_step):
    model = compile_model(build_model(7, every_step=every_step, **SMALL))
    targets = IDS if every_step else IDS[:, 0]
    loss, accuracy = model.evaluate(IDS, targets, verbose=0)
    logits = model(IDS).numpy().astype(float)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -np.take_along_axis(log_p, targets[..., None], -1)
    assert loss == pytest.approx(nll.mean(), abs=1e-5)
    assert accuracy == pytest.approx((logits.argmax(-1) == targets).mean())


BAD = [("cell", "rnn"), ("inputs", "midi"), ("units", ()), ("units", (3, 0)), ("dropout", 1.0)]
BAD += [("dropout", -0.1), ("dropout", float("nan")), ("vocab_size", 1)]


@pytest.mark.parametrize("name, value", BAD)
def test_impossible_network_is_refused(name, value):
    with pytest.raises(ParameterError):
        build_model(**{"vocab_size": 5} | SMALL | {name: value})


def test_impossible_embedding_is_refused():
    with pytest.raises(ParameterError):
        build_model(5, units=(3,), inputs="embedding", embedding_dim=0)
