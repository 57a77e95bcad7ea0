import numpy as np
import pytest

from musiclab.backend import keras
from musiclab.errors import ParameterError
from musiclab.models import (
    TUTORIAL_UNITS,
    NetworkConfig,
    attention_weights,
    build_model,
    choose_noise,
    compile_model,
    latent_of,
    noise_effect,
    predictions_under,
)
from musiclab.models.inputs import INPUTS
from musiclab.models.recurrent import CELLS

IDS = np.array([[1, 2, 3, 4, 0], [4, 3, 2, 1, 1]], dtype=np.int32)
SMALL = {"units": (3, 2), "embedding_dim": 2}
TRANSFORMER = {"cell": "transformer", "units": (4, 4), "n_heads": 2, "max_distance": 3}
NOISES = ("plain", "vae")
EVERY_STEP = {
    **{cell: {"cell": cell} for cell in CELLS},
    "transformer": TRANSFORMER,
    **{noise: {"noise": noise} for noise in NOISES},
    "transformer with noise": TRANSFORMER | {"noise": "vae"},
}


def small_model(**settings):
    """A network of a few weights whose outputs are far apart."""
    model = build_model(7, **SMALL | {"inputs": "embedding", "every_step": True} | settings)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


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


@pytest.mark.parametrize("family", EVERY_STEP)
def test_every_step_sees_only_the_past(family):
    model = small_model(**EVERY_STEP[family])
    before, after = model(IDS).numpy(), model(np.c_[IDS[:, :3], [[6, 6], [6, 6]]]).numpy()
    np.testing.assert_allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert (np.abs(before[:, 3:] - after[:, 3:]).max(axis=-1) > 1e-3).all()


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


# Bidirectional


@pytest.mark.parametrize("cell", CELLS)
def test_bidirectional_reads_the_window_backwards_too(cell):
    model = small_model(cell=cell, bidirectional=True, every_step=False)
    assert model(IDS).shape == (2, 7)
    assert model.get_layer(f"{cell}_1").output.shape == (None, None, 2 * SMALL["units"][0])
    assert isinstance(model.get_layer(f"{cell}_2"), keras.layers.Bidirectional)


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"bidirectional": True, "every_step": True}, "vería.*el símbolo que debe predecir"),
        ({"bidirectional": True, **TRANSFORMER}, "bidirectional=False"),
        ({"noise": "vae", "every_step": False}, "every_step=True"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, reason):
    with pytest.raises(ParameterError, match=reason):
        build_model(7, **SMALL | settings)


# The transformer


@pytest.mark.parametrize("inputs", INPUTS)
def test_transformer_of_one_target_is_the_last_step_of_every_step(inputs):
    settings = TRANSFORMER | {"inputs": inputs}
    every, last = (small_model(**settings, every_step=e) for e in (True, False))
    np.testing.assert_allclose(every(IDS)[:, -1], last(IDS), atol=1e-6)


def test_attention_weights_look_back_only():
    model, ids = small_model(**TRANSFORMER), np.arange(12, dtype=np.int32) % 7
    weights = attention_weights(model, ids)
    assert weights.shape == (2, 2, 12, 12)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert not weights[..., *np.triu_indices(12, k=1)].any()
    assert (weights[..., *np.tril_indices(12)] > 0).all()


def test_attention_knows_distances_but_not_positions():
    model = small_model(**TRANSFORMER | {"units": (4,)})
    same = attention_weights(model, np.ones(6, dtype=np.int32))[0, 0]
    # One symbol all along: what is left is distance, of which it tells 0, 1 and «2 or more».
    ratios = same[5] / same[5, 0]
    np.testing.assert_allclose(ratios[:4], 1, atol=1e-5)
    assert len(set(ratios[3:].round(3))) == 3
    np.testing.assert_allclose(same[4, 2:5] / same[4, 0], ratios[3:], rtol=1e-4)


def test_attention_is_what_the_paper_says():
    """Shaw et al. (2018), equations 2 to 4 with the same r for all heads, one step at a time."""
    model = small_model(**TRANSFORMER | {"units": (4,)})
    layer, ids = model.get_layer("attention_1"), IDS[:1]
    x = np.asarray(keras.Model(model.input, layer.input)(ids))[0]
    expected = np.zeros((5, 4))
    qkv, r, (out,) = x @ layer.qkv.get_weights()[0], np.asarray(layer.r), layer.out.get_weights()
    for h in range(2):
        q, k, v = (part[:, 2 * h : 2 * h + 2] for part in np.split(qkv, 3, axis=1))
        for t in range(5):
            scores = [q[t] @ (k[s] + r[min(t - s, 2)]) / np.sqrt(2) for s in range(t + 1)]
            weights = np.exp(scores) / np.exp(scores).sum()
            expected[t, 2 * h : 2 * h + 2] = weights @ v[: t + 1]
    found = np.asarray(keras.Model(model.input, layer.output[0])(ids))[0]
    np.testing.assert_allclose(found, expected @ out, rtol=1e-4, atol=1e-5)


def test_attention_of_a_recurrent_network_is_refused():
    with pytest.raises(ParameterError, match="no tiene atención"):
        attention_weights(small_model(), IDS[0])


# Noise


@pytest.mark.parametrize("noise", NOISES)
def test_noise_is_drawn_at_training_and_chosen_afterwards(noise):
    model = small_model(noise=noise, noise_dim=3)
    choose_noise(model)
    zero = model(IDS).numpy()
    np.testing.assert_array_equal(zero, model(IDS))
    choose_noise(model, [1, -2, 0.5])
    features = keras.Model(model.input, model.get_layer("noise").output)
    np.testing.assert_array_equal(features(IDS)[:, :, 2:], np.tile([1, -2, 0.5], (2, 5, 1)))
    assert np.abs(model(IDS) - zero).max() > 1e-3
    drawn = features(np.repeat(IDS, 20, axis=0), training=True).numpy()[:, :, 2:]
    np.testing.assert_array_equal(drawn, np.repeat(drawn[:, :1], 5, axis=1))
    assert len(np.unique(drawn[:, 0], axis=0)) > 20  # one a window; of a VAE, some are zeros


def test_plain_noise_is_normal():
    model = small_model(noise="plain", noise_dim=3)
    features = keras.Model(model.input, model.get_layer("noise").output)
    drawn = features(np.repeat(IDS, 2000, axis=0), training=True).numpy()[:, 0, 2:]
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(3), atol=0.1)


def test_some_windows_of_a_vae_train_without_noise():
    model = small_model(noise="vae")
    features = keras.Model(model.input, model.get_layer("noise").output)
    drawn = features(np.repeat(IDS, 1000, axis=0), training=True).numpy()[:, 0, 2:]
    assert (drawn == 0).all(axis=1).mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("family", ["vae", "transformer with noise"])
def test_val_loss_of_a_vae_sees_nothing_of_the_encoder(family):
    model = compile_model(small_model(**EVERY_STEP[family]))
    before = model.evaluate(IDS, IDS, verbose=0)
    for weight in model.get_layer("noise").trainable_weights:
        weight.assign(weight + 1)
    assert model.evaluate(IDS, IDS, verbose=0) == before
    logits = model(IDS).numpy().astype(float)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -np.take_along_axis(log_p, IDS[..., None], -1)
    assert before[0] == pytest.approx(nll.mean(), abs=1e-5)  # and no divergence in it


@pytest.mark.parametrize("free_nats", [0, 0.5, 1])
def test_what_a_vae_tells_beyond_its_free_nats_is_paid_for(free_nats):
    model = small_model(noise="vae", noise_dim=2, free_nats=free_nats)
    layer = model.get_layer("noise")
    mean, log_var = np.array([1.0, -2.0]), np.array([0.5, 0.0])
    layer.moments.set_weights([np.zeros(layer.moments.kernel.shape), np.array([*mean, *log_var])])
    model(IDS, training=True)
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum()
    assert float(sum(model.losses)) == pytest.approx(max(kl / 5 - free_nats, 0), abs=1e-6)
    np.testing.assert_allclose(latent_of(model, IDS[0]), mean)
    model(IDS)
    assert not model.losses


def test_latent_of_a_network_without_encoder_is_refused():
    for model in (small_model(), small_model(noise="plain")):
        with pytest.raises(ParameterError, match="créala con"):
            latent_of(model, IDS[0])


@pytest.mark.parametrize("z", [[1.0], np.ones((1, 3)), [0, 0, np.nan], [0, np.inf, 0]])
def test_noise_of_another_size_is_refused(z):
    with pytest.raises(ParameterError, match="vector de 3 números finitos"):
        choose_noise(small_model(noise="plain", noise_dim=3), z)
    with pytest.raises(ParameterError, match="no tiene ruido"):
        choose_noise(small_model())


def with_logits_of_noise(scale):
    """A network whose logits are z, times the scale, whatever the ids."""
    model = small_model(noise="plain", noise_dim=7, cell="simple_rnn", units=(7,))
    *before, _, _, _, kernel, bias = model.get_weights()
    cell = [np.zeros((9, 7)), np.zeros((7, 7)), np.zeros(7)]
    cell[0][2:] = np.eye(7)
    model.set_weights([*before, *cell, scale * np.eye(7), 0 * bias])
    assert kernel.shape == (7, 7)
    return model


def test_noise_effect_is_between_nothing_and_log_k():
    noises = 9 * np.eye(7)[:4]  # tanh(9) is 1
    assert noise_effect(with_logits_of_noise(0), IDS, noises) == pytest.approx(0, abs=1e-12)
    decided = with_logits_of_noise(100)
    choose_noise(decided, np.arange(7))
    assert noise_effect(decided, IDS, noises) == pytest.approx(np.log(4))
    np.testing.assert_array_equal(decided.get_layer("noise").z[0], np.arange(7))  # as before
    assert predictions_under(decided, IDS, noises).shape == (4, 2, 5, 7)
    undecided, even = noise_effect(with_logits_of_noise(np.log(3)), IDS, noises[:2]), 9
    p = np.array([[3, 1, *[1] * 5], [1, 3, *[1] * 5]]) / even
    middle = p.mean(axis=0)
    expected = np.mean((p * np.log(p / middle)).sum(axis=1))  # Lin's definition
    assert undecided == pytest.approx(expected, rel=1e-5)


# Bad settings


BAD = [("cell", "rnn"), ("inputs", "midi"), ("units", ()), ("units", (3, 0)), ("dropout", 1.0)]
BAD += [("dropout", -0.1), ("dropout", float("nan")), ("vocab_size", 1), ("noise", "pink")]


@pytest.mark.parametrize("name, value", BAD)
def test_impossible_network_is_refused(name, value):
    with pytest.raises(ParameterError):
        build_model(**{"vocab_size": 5} | SMALL | {name: value})


BAD_TRANSFORMERS = [("units", (4, 6)), ("units", (5, 5)), ("n_heads", 0), ("max_distance", 0)]


@pytest.mark.parametrize("name, value", BAD_TRANSFORMERS)
def test_impossible_transformer_is_refused(name, value):
    with pytest.raises(ParameterError, match=rf"{name}=\[?{str(value).strip('()')}.*misma anchura"):
        build_model(5, **TRANSFORMER | {name: value})


@pytest.mark.parametrize(
    "name, value", [("noise_dim", 0), ("free_nats", -1), ("free_nats", np.nan)]
)
def test_impossible_noise_is_refused(name, value):
    with pytest.raises(ParameterError, match=f"{name} es {value}"):
        build_model(5, **SMALL, noise="plain", **{name: value})


def test_impossible_embedding_is_refused():
    with pytest.raises(ParameterError):
        build_model(5, units=(3,), inputs="embedding", embedding_dim=0)


WRONG_TYPES = [
    *(("vocab_size", value) for value in ("5", 5.0, True, None)),
    *(("units", value) for value in (3, "34", (3, True), [3.0], {3: 3}, None)),
    *(("cell", value) for value in (["lstm"], None, 1)),
    *(("dropout", value) for value in ("0.2", True, None, [0.2])),
    *(("every_step", value) for value in (1, "False", None)),
    *(("n_heads", value) for value in (1.5, True, None)),
    *(("noise", value) for value in (["vae"], False)),
]


@pytest.mark.parametrize("name, value", WRONG_TYPES)
def test_setting_of_another_type_is_refused(name, value):
    with pytest.raises(ParameterError, match=f"{name} es .* y debe ser ") as caught:
        NetworkConfig(**{"vocab_size": 5} | {name: value})
    assert caught.value.data == {"name": name, "value": value}


@pytest.mark.parametrize("free_nats", [10**400, float("inf")])
def test_numbers_without_end_are_refused(free_nats):
    with pytest.raises(ParameterError, match="número finito"):
        NetworkConfig(5, noise="plain", free_nats=free_nats)


def test_settings_as_json_and_numpy_give_them_are_those_of_python():
    config = NetworkConfig(np.int64(5), units=[np.int32(3), 2], dropout=0, noise_dim=np.int8(2))
    assert config == NetworkConfig(5, units=(3, 2), dropout=0.0, noise_dim=2)
    assert hash(config) == hash(NetworkConfig(5, units=(3, 2), dropout=0.0, noise_dim=2))
    with pytest.raises(AttributeError):
        config.units = (4,)


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match=r"«unidades».*units, dropout") as caught:
        build_model(5, unidades=(3,))
    assert caught.value.data["name"] == "unidades"
    with pytest.raises(TypeError):  # of no file: there it says that the file is damaged
        NetworkConfig(5, unidades=(3,))
