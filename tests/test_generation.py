import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab.backend import keras
from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.evaluation import log_probabilities
from musiclab.generation import generate, generate_songs, read_states, sample_id, writing
from musiclab.models import choose_noise
from musiclab.models.inputs import INPUTS
from musiclab.models.noise import NOISES
from musiclab.models.recurrent import CELLS
from musiclab.models.transformer import TRANSFORMER

PROMPT = np.array([1, 2, 3, 4], dtype=np.int32)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def logits_after(model, ids):
    """What follows ids, by Keras."""
    logits = model(np.array([ids])).numpy()[0].astype(float)
    return logits[-1] if logits.ndim == 2 else logits


def slow_loop(model, prompt, n_notes, window_length, temperature, rng):
    """What generation means, one obvious step at a time."""
    ids = prompt.tolist()
    for _ in range(n_notes):
        seen = ids if window_length is None else ids[-window_length:]
        logits = logits_after(model, seen)[1:]
        if temperature:
            ids.append(1 + rng.choice(len(logits), p=softmax(logits / temperature)))
        else:
            ids.append(1 + logits.argmax())
    return ids[len(prompt) :]


def decided(bundle, seed=0):
    """Return a bundle's model with weights that make up their mind, and some noise if it takes any."""
    model, rng = bundle.model, np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) * 1.5 for w in model.get_weights()])
    if bundle.config.get("noise", "none") != "none":
        choose_noise(model, rng.standard_normal(8))
    return model


# A Latin square: each two of cell, inputs and noise meet once.
ONE_WAY = [
    {"cell": cell, "inputs": inputs, "noise": [*NOISES][(i + k) % 3], "every_step": True}
    for i, cell in enumerate(CELLS)
    for k, inputs in enumerate(INPUTS)
]
NETWORKS = [
    *((config, None) for config in ONE_WAY),
    *((config, 3) for config in ONE_WAY[::4]),
    *(({"cell": cell}, 3) for cell in (*CELLS, TRANSFORMER)),
    *(({"cell": cell, "bidirectional": True, "noise": "plain"}, 3) for cell in CELLS),
    ({"cell": TRANSFORMER, "every_step": True}, 3),
    ({"cell": TRANSFORMER, "every_step": True}, None),
    ({"units": (4,), "every_step": True}, None),
]


@pytest.mark.parametrize("config, window_length", NETWORKS, ids=str)
def test_generation_is_the_slow_loop_and_mutates_nothing(make_bundle, config, window_length):
    if config.get("cell") == TRANSFORMER:
        config = config | {"units": (4, 4), "n_heads": 2, "max_distance": 3}
    model = decided(make_bundle(**config)[0])
    weights = model.get_weights()
    for temperature in (0, 1.2):
        args, prompt = (5, window_length, temperature), PROMPT.copy()
        slow = slow_loop(model, PROMPT, *args, np.random.default_rng(3))
        ids = generate(model, prompt, *args, np.random.default_rng(3))
        assert ids.tolist() == slow and ids.dtype == np.int32
        np.testing.assert_array_equal(prompt, PROMPT)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("cell", CELLS)
def test_a_carried_state_gives_the_logits_of_the_whole_song(make_bundle, cell, monkeypatch):
    model = decided(make_bundle(cell=cell, every_step=True)[0])
    seen = []
    monkeypatch.setattr(writing, "sample_id", lambda logits, *_, **__: seen.append(logits) or 3)
    generate(model, PROMPT, 60)
    for n in (0, 1, 59):
        expected = logits_after(model, [*PROMPT, *[3] * n])
        np.testing.assert_allclose(seen[n], expected, atol=1e-4)


def test_what_is_learned_or_chosen_later_counts(make_bundle):
    bundle, songs = make_bundle(every_step=True, noise="plain")[0], []
    for change in (
        lambda: decided(bundle),
        lambda: choose_noise(bundle.model, np.full(8, -2.0)),
        lambda: decided(bundle, seed=1),
    ):
        change()
        args = 8, None, 1.0
        songs.append(generate(bundle.model, PROMPT, *args, np.random.default_rng(3)).tolist())
        assert songs[-1] == slow_loop(bundle.model, PROMPT, *args, np.random.default_rng(3))
    assert songs[0] != songs[1] != songs[2]


@pytest.mark.parametrize("weight", [np.nan, np.inf])
@pytest.mark.parametrize("window_length", [None, 3])
def test_a_network_that_diverged_says_so(make_bundle, weight, window_length):
    model = make_bundle(every_step=True, cell="lstm")[0].model
    model.set_weights([np.full_like(w, weight) for w in model.get_weights()])
    with pytest.raises(ParameterError, match="donde debe dar un número"):
        generate(model, PROMPT, 2, window_length, 0)


def test_generation_draws_from_its_own_rng_alone(make_bundle):
    model = make_bundle(every_step=True)[0].model
    before = random.getstate(), str(np.random.get_state())
    generate(model, PROMPT, 5, rng=np.random.default_rng(0))
    assert before == (random.getstate(), str(np.random.get_state()))


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize(
    "front, recurrent, head",
    [
        ([], {"activation": "relu"}, {}),
        ([], {"use_bias": False}, {}),
        ([], {"reset_after": False}, {}),
        ([], {}, {"activation": "softmax"}),
        ([Doubled()], {}, {}),
        ([keras.layers.Conv1D(4, 3, padding="causal")], {}, {}),
    ],
)
def test_networks_of_other_kinds_write_too(front, recurrent, head):
    layers = [keras.layers.Embedding(5, 4), *front]
    layers += [
        keras.layers.GRU(4, return_sequences=True, **recurrent),
        keras.layers.Dense(5, **head),
    ]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    args = 5, None, 0.7
    ids = generate(model, PROMPT, *args, np.random.default_rng(3))
    assert ids.tolist() == slow_loop(model, PROMPT, *args, np.random.default_rng(3))


class Table:
    """A model that knows only what follows what, with a target for each window or step."""

    def __init__(self, logits=None, every_step=False):
        self.logits = 3 * np.random.default_rng(1).normal(size=(5, 5)) if logits is None else logits
        self.every_step = every_step
        self.layers = ()
        self.output_shape = (None,) * (1 + every_step) + (len(self.logits),)

    def predict_on_batch(self, ids):
        return self.logits[ids if self.every_step else ids[:, -1]]


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


some_logits = st.lists(st.floats(-20, 20), min_size=3, max_size=9)


@given(some_logits, st.floats(0.1, 9), st.integers(0, 99))
def test_a_draw_is_that_of_numpy_when_no_option_is_used(logits, temperature, seed):
    p = softmax(np.array(logits[1:]) / temperature)
    expected = 1 + np.random.default_rng(seed).choice(len(p), p=p)
    drawn = sample_id(logits, temperature, np.random.default_rng(seed))
    everything = {"top_k": len(logits), "top_p": 1.0}
    assert (
        drawn
        == expected
        == sample_id(logits, temperature, np.random.default_rng(seed), **everything)
    )


@given(some_logits, st.floats(0.1, 1e6), st.sampled_from([{"top_k": 1}, {"top_p": 1e-9}]))
def test_the_shortest_list_holds_the_likeliest(logits, temperature, shortest):
    drawn = sample_id(logits, temperature, np.random.default_rng(0), **shortest)
    assert drawn == sample_id(logits, 0, None) == 1 + np.argmax(logits[1:])


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"top_k": 2}, [0, 0, 5 / 8, 3 / 8]),
        ({"top_p": 0.5}, [0, 0, 1, 0]),
        ({"top_p": 0.51}, [0, 0, 5 / 8, 3 / 8]),
        ({"top_p": 0.81}, [0, 0.2, 0.5, 0.3]),
        ({"top_k": 2, "top_p": 0.6}, [0, 0, 1, 0]),  # after the cut 5/8 are enough
        ({"top_k": 2, "banned_ids": [2]}, [0, 0.4, 0, 0.6]),
        ({"top_k": 4, "banned_ids": [2, 3]}, [0, 1, 0, 0]),
    ],
)
def test_what_is_left_shares_the_probability(options, expected):
    logits, rng = np.log([0.9, 0.2, 0.5, 0.3]), np.random.default_rng(0)
    drawn = [sample_id(logits, 1.0, rng, **options) for _ in range(4000)]
    share = np.bincount(drawn, minlength=4) / 4000
    np.testing.assert_allclose(share, expected, atol=0.03)
    assert ((share > 0) == (np.array(expected) > 0)).all()


def test_temperature_comes_before_the_nucleus():
    draws = {sample_id([0, 2, 1], 9.0, np.random.default_rng(k), top_p=0.7) for k in range(50)}
    assert draws == {1, 2}  # at temperature 1 the first alone has 0.73


def test_impossible_wishes_are_refused():
    rng = np.random.default_rng(0)
    for temperature in (-0.1, float("nan")):
        with pytest.raises(ParameterError, match="TEMPERATURE es"):
            generate(Table(), PROMPT, 1, 4, temperature, rng)
    for options, sentence in (
        ({"top_k": 6}, "TOP_K es 6 y el vocabulario tiene 5 símbolos"),
        ({"top_k": 0}, "TOP_K es 0"),
        ({"top_p": 0}, "TOP_P es 0"),
        ({"top_p": 1.1}, "TOP_P es 1.1"),
        ({"top_p": float("nan")}, "TOP_P es nan"),
        ({"no_repeat_ngram_size": 0}, "NO_REPEAT_NGRAM_SIZE es 0"),
        ({"banned_ids": [1, 2, 3, 4]}, "no queda ningún símbolo"),
        ({"rng": None}, "hace falta rng"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            generate(Table(), PROMPT, 1, 4, **{"rng": rng} | options)
    with pytest.raises(ParameterError, match="da nan donde debe dar un número"):
        sample_id([0.0, np.nan, 1.0], 0, None)
    with pytest.raises(ParameterError, match="N_NOTES es 0"):
        generate(Table(), PROMPT, 0, 4, 0)
    with pytest.raises(ParameterError, match="window_length es 0"):
        generate(Table(), PROMPT, 1, 0, 0)
    with pytest.raises(ParameterError, match="window_length=SEQUENCE_LEN"):
        generate(Table(), PROMPT, 1, temperature=0)
    for prompt, ids in (([1, 5], "de 1 a 5"), ([-1, 2], "de -1 a 2")):
        with pytest.raises(ParameterError, match=f"tiene ids {ids} y la red conoce 5 símbolos"):
            generate(Table(), prompt, 1, 2, temperature=0)
    with pytest.raises(ShortSequenceError, match="tiene 4 símbolos y hacen falta 5"):
        generate(Table(), PROMPT, 1, 5, 0)
    with pytest.raises(ShortSequenceError, match="tiene 0 símbolos y hacen falta 1"):
        generate_songs(Table(every_step=True), [[1], []], 1, 5, 0)


# Whole songs


@pytest.mark.parametrize("cell", [*CELLS, TRANSFORMER])
@pytest.mark.parametrize("window_length", [None, 5])
def test_a_song_in_a_batch_is_the_song_alone(make_bundle, cell, window_length):
    config = {"units": (4, 4), "n_heads": 2} if cell == TRANSFORMER else {}
    model = decided(make_bundle(every_step=True, cell=cell, **config)[0])
    prompts = [np.array(ids, dtype=np.int32) for ids in ([3], [1, 2, 3, 4, 1, 2], [2, 4], [3])]
    task = {"n_notes": 40, "window_length": window_length, "end_id": 1}
    task |= {"temperature": 6.0, "top_p": 0.99}
    together = generate_songs(model, prompts, rng=np.random.default_rng(8), **task)
    rngs = np.random.default_rng(8).spawn(4)
    alone = [generate(model, p, rng=r, **task) for p, r in zip(prompts, rngs, strict=True)]
    assert [ids.tolist() for ids in together] == [ids.tolist() for ids in alone]
    assert together[0].tolist() != together[3].tolist()
    assert len({len(ids) for ids in together}) > 1 and together[0].dtype == np.int32
    assert generate_songs(model, [], **task) == []


def test_one_id_is_enough_for_a_model_with_a_target_at_every_step(make_bundle):
    model = make_bundle(every_step=True)[0].model
    ids = [2]
    for _ in range(7):
        ids.append(1 + int(model(np.array([ids[-4:]])).numpy()[0, -1, 1:].argmax()))
    assert generate(model, [2], 7, 4, temperature=0).tolist() == ids[1:]


def test_a_song_stops_at_its_end_and_comes_without_it():
    follows = np.eye(5)[[0, 2, 3, 4, 1]]  # 1, 2, 3, 4 and again
    songs = generate_songs(Table(follows), [[1], [2], [3]], 9, 1, temperature=0, end_id=4)
    assert [ids.tolist() for ids in songs] == [[2, 3], [3], []]
    banned = generate(Table(follows), [1], 9, 1, temperature=0, banned_ids=[4])
    assert banned.tolist() == [2, 3, *[1, 2, 3] * 2, 1] and not set(banned) & {0, 4}


@given(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=9), st.integers(0, 9))
def test_no_run_of_the_size_comes_twice(size, prompt, seed):
    model, rng = Table(np.zeros((12, 12))), np.random.default_rng(seed)
    ids = generate(model, prompt, 7, 1, rng=rng, no_repeat_ngram_size=size)
    song = [*prompt, *ids.tolist()]
    runs = [tuple(song[k : k + size]) for k in range(len(song) - size + 1)]
    given = max(0, len(prompt) - size + 1)
    assert all(run not in runs[:k] for k, run in enumerate(runs) if k >= given)


def test_a_loop_is_left_and_all_else_stays():
    stays = 5 * np.eye(5) + np.eye(5)[[0, 2, 3, 4, 1]]
    songs = [
        generate(Table(stays), [1], 8, 1, temperature=0, no_repeat_ngram_size=size).tolist()
        for size in (None, 3, 9)
    ]
    assert songs == [[1] * 8, [1, 1, 2, 2, 2, 3, 3, 3], [1] * 8]


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


class Causal:
    """A model of every step that says how many ids it saw, and takes so many at most."""

    output_shape = (None, None, 30)

    def __init__(self, most):
        self.most = most

    def predict_on_batch(self, ids):
        assert ids.shape[1] <= self.most
        return 1000 * np.eye(30)[np.arange(1, ids.shape[1] + 1)][None].repeat(len(ids), axis=0)


@given(st.integers(1, 9), st.integers(2, 25))
def test_a_song_longer_than_the_model_is_read_in_overlapping_pieces(most, n_ids):
    rows = log_probabilities(Causal(most), most)(np.ones(n_ids, dtype=np.int32))
    seen = rows[1:].argmax(axis=1)
    assert seen.tolist()[:most] == list(range(1, n_ids))[:most]
    assert (seen[most:] >= max(1, most // 2)).all()


def test_states_are_what_the_recurrent_layer_of_keras_gives(make_bundle):
    bundle, _ = make_bundle(units=(3,), every_step=True)
    model, ids = bundle.model, np.array([1, 2, 3, 2])
    embedding, recurrent = model.get_layer("embedding"), model.get_layer("gru_1")
    expected = recurrent(embedding(ids[np.newaxis]))[0]
    assert np.allclose(read_states(model, ids), expected, atol=1e-5)
