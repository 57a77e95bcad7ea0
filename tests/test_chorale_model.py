"""The chorale model on a few small chorales: causal, repeatable, and the same after it was saved."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest
from strategies import random_chorale

from musiclab.backend import tf
from musiclab.chorales import ChoraleModel, Settings, fitting
from musiclab.chorales.corpus import MAX_SIXTEENTHS, Batches, Corpus
from musiclab.chorales.files import NOT_YET, ORDER
from musiclab.chorales.layers import LOG_SHARES, SURE
from musiclab.chorales.model import FORMAT
from musiclab.chorales.network import IDEAS
from musiclab.errors import BundleError, DatasetError, OutputError, ParameterError
from musiclab.files import sole_writer
from musiclab.training import CHECKPOINT
from musiclab.training.archive import read_archive, write_archive

SMALL = Settings(units=4, width=6, steps=4, epoch_steps=2, window=16, batch_size=3, margin=6)


@pytest.fixture
def eagerly():
    """Networks are not traced first, which is what costs time where a training has few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def chorales():
    return [random_chorale(seed, 30 + seed) for seed in range(5)]


@pytest.fixture(scope="module")
def valid():
    return [random_chorale(seed, 20) for seed in (20, 21)]


@pytest.fixture(scope="module")
def trained(chorales, valid):
    model = ChoraleModel(chorales, SMALL)
    model.history = model.train(valid)
    return model


def test_training_lowers_the_loss_of_the_chorales_that_it_reads(chorales):
    model = ChoraleModel(chorales, replace(SMALL, units=16, width=16, steps=60, epoch_steps=30))
    before = model.score(model.features(chorales))[0].nll
    history = model.train(chorales)
    assert len(history) == 2 and history[-1] < before - 0.5


def test_the_best_epoch_is_kept(trained, valid):
    assert trained.score(trained.features(valid))[0].nll == pytest.approx(min(trained.history))


def test_probabilities_do_not_look_ahead(trained, valid):
    """A logit changes with no later sixteenth, nor with a voice whose turn has not come."""
    chorale, t = valid[0], 9
    logits = trained.logits(*trained.features([chorale]))
    for turn, voice in enumerate(ORDER):
        other = chorale.copy()
        other[t, ORDER[turn:]] = 61
        other[t + 1 :] = 62
        changed = trained.logits(*trained.features([other]))
        np.testing.assert_allclose(changed[:t], logits[:t], atol=1e-5)
        np.testing.assert_allclose(changed[t, : turn + 1], logits[t, : turn + 1], atol=1e-5)
        later = changed[t, turn + 1 :] - logits[t, turn + 1 :]
        assert turn == 3 or np.abs(later).max() > 1e-4, voice


def test_the_score_is_that_of_the_logits(trained, valid):
    score, voices = trained.score(trained.features(valid))
    losses = []
    for chorale, seen in zip(valid, trained.features(valid), strict=True):
        logits = trained.logits(seen).astype(float)
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        symbols = np.where(chorale > 0, chorale - trained.corpus.lowest + 1, 0)[:, ORDER]
        losses.append(-np.log(np.take_along_axis(p, symbols[..., None], axis=-1))[..., 0])
    losses = np.concatenate(losses)
    assert score.nll == pytest.approx(losses.mean(), rel=1e-5)
    assert voices[[*ORDER]] == pytest.approx(losses.mean(axis=0), rel=1e-5)  # high to low
    assert score.n_symbols == losses.size


def test_a_saved_model_is_the_same(trained, valid, tmp_path):
    path = trained.save(tmp_path / "model.safetensors")
    loaded = ChoraleModel.load(path)
    assert loaded.settings == trained.settings
    features = trained.features(valid)
    assert loaded.score(loaded.features(valid))[0] == trained.score(features)[0]
    assert [*map(str, loaded.known_songs())] == [*map(str, trained.known_songs())]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lengths": value} for value in ([], [10**9], [-1, 200], [0] * 5, "123", None)),
        *({"settings": value} for value in ([], {}, None)),
        *({name: 10**9} for name in ("units", "layers", "width")),
        *(
            {name: value}
            for name in ("units", "dropout", "temperature", "seed")
            for value in ("4", True, -1)
        ),
        *({"margin": value} for value in (-60, 1.5)),
        *({"without": value} for value in (None, "abc", ["suerte"], [[]])),
        {"suerte": 1},
    ],
    ids=str,
)
def test_a_model_that_claims_what_it_has_not_is_refused_at_once(trained, tmp_path, wrong):
    path = trained.save(tmp_path / "model.safetensors")
    meta, arrays = read_archive(path, FORMAT)
    top = {key: wrong[key] for key in wrong if key in meta}
    meta = {**meta, **(top or {"settings": meta["settings"] | wrong})}
    write_archive(path, FORMAT, meta, arrays)
    start = time.process_time()
    with pytest.raises(BundleError, match="está dañado"):
        ChoraleModel.load(path)
    assert time.process_time() - start < 3


def test_arrays_that_are_no_model_are_refused(trained, tmp_path):
    path = trained.save(tmp_path / "model.safetensors")
    meta, (known, first, *rest) = read_archive(path, FORMAT)
    others = [[known + 128, first, *rest], [known.astype(int), first, *rest], [known, *rest]]
    others += [[known[:-1], first, *rest], [known, first * np.nan, *rest], [known], []]
    for arrays in (*others, [known[:, :3], first, *rest], [known, first.astype(float), *rest]):
        write_archive(path, FORMAT, meta, arrays)
        with pytest.raises(BundleError, match="está dañado"):
            ChoraleModel.load(path)


def test_more_chorales_than_a_memory_holds_are_refused():
    with pytest.raises(DatasetError, match="quita alguno"):
        Corpus([np.full((MAX_SIXTEENTHS + 1, 4), 60)], SMALL)


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_damaged_model_is_refused(trained, tmp_path, keep):
    path = trained.save(tmp_path / "model.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        ChoraleModel.load(path)


def test_a_model_of_a_lesson_is_no_chorale_model(make_bundle, tmp_path):
    from musiclab.training import save_bundle

    path = save_bundle(tmp_path / "model.safetensors", make_bundle()[0])
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        ChoraleModel.load(path)


@pytest.mark.usefixtures("eagerly")
def test_short_and_silent_chorales_are_taken(valid):
    short, silent = random_chorale(1, 5), random_chorale(2, 40)
    silent[:, 2] = 0
    model = ChoraleModel([short, silent], SMALL)
    assert np.isfinite(model.train(valid)).all()
    alone = np.zeros((8, 4), dtype=int)
    assert np.isfinite(model.score(model.features([alone, short[:1]]))[0].nll)
    with pytest.raises(DatasetError, match="silencio"):
        ChoraleModel([alone], SMALL)


@pytest.mark.usefixtures("eagerly")
def test_a_training_that_diverges_is_told(chorales, valid):
    model = ChoraleModel(chorales, replace(SMALL, learning_rate=float("nan")))
    with pytest.raises(ParameterError, match="paso 2"):
        model.train(valid)


def test_two_trainings_with_one_seed_are_one(chorales, valid, trained):
    again = ChoraleModel(chorales, SMALL)
    assert again.train(valid) == trained.history
    other = ChoraleModel(chorales, replace(SMALL, seed=1))
    assert other.train(valid) != trained.history


class KillError(Exception):
    """Stands for the end of the process."""


@pytest.mark.usefixtures("eagerly")
def test_a_training_that_was_killed_ends_as_one_left_alone(chorales, valid, tmp_path, monkeypatch):
    """Five steps in epochs of two: killed before there is a checkpoint, then after one."""
    settings = replace(SMALL, steps=5)
    straight = ChoraleModel(chorales, settings)
    history = straight.train(valid)
    for n_steps in (1, 3):
        model = ChoraleModel(chorales, settings)
        steps, train_on_batch = iter(range(n_steps)), model.model.train_on_batch

        def step(*batch, steps=steps, train_on_batch=train_on_batch):
            if next(steps, None) is None:
                raise KillError
            return train_on_batch(*batch)

        monkeypatch.setattr(model.model, "train_on_batch", step)
        with pytest.raises(KillError):
            model.train(valid, tmp_path, load_previous=True)
    again = ChoraleModel(chorales, settings)
    for _ in range(2):  # and what is finished is trained no more
        assert again.train(valid, tmp_path, load_previous=True) == history
        for a, b in zip(again.model.get_weights(), straight.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.usefixtures("eagerly")
def test_a_checkpoint_of_other_chorales_or_settings_is_refused(chorales, valid, tmp_path):
    settings = replace(SMALL, steps=2)
    model = ChoraleModel(chorales, settings)
    model.train(valid, tmp_path)
    others = {
        "known": (ChoraleModel(chorales[1:], settings), valid),
        "valid": (model, valid[1:]),
        "settings": (ChoraleModel(chorales, replace(settings, steps=3)), valid),
    }
    for name, (other, judged_by) in others.items():
        with pytest.raises(BundleError, match=f"difiere en [^)]*{name}") as caught:
            other.train(judged_by, tmp_path, load_previous=True)
        assert name in caught.value.data["differs"]
    with sole_writer(tmp_path, []), pytest.raises(OutputError, match="otro entrenamiento"):
        model.train(valid, tmp_path)


@pytest.mark.usefixtures("eagerly")
def test_a_checkpoint_of_other_contents_is_refused_and_the_model_left_alone(
    chorales, valid, tmp_path
):
    settings = replace(SMALL, steps=2)
    ChoraleModel(chorales, settings).train(valid, tmp_path)
    meta, arrays = read_archive(tmp_path / CHECKPOINT, fitting.FORMAT)
    wrong = [{"n_steps": value} for value in (0, 1, 3, True, "2", None)]
    wrong += [{"history": value} for value in ([], [1.0] * 2, ["1"], [float("nan")], None)]
    files = [({**meta, **change}, arrays) for change in wrong]
    files += [(meta, arrays[:-1]), (meta, []), (meta, [*arrays[:-1], arrays[-1][None]])]
    model = ChoraleModel(chorales, settings)
    before = model.model.get_weights()
    for content in files:
        write_archive(tmp_path / CHECKPOINT, fitting.FORMAT, *content)
        with pytest.raises(BundleError, match="está dañado"):
            model.train(valid, tmp_path, load_previous=True)
    for a, b in zip(before, model.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_windows_cover_all_chorales_before_any_comes_again(chorales):
    windows = Batches(Corpus(chorales, SMALL))
    turns = [n for step in range(5) for n in windows._turns(step)]
    assert sorted(turns[:5]) == sorted(turns[5:10]) == [0, 1, 2, 3, 4]
    inputs, symbols = windows(0)
    assert symbols.shape == (3, 16, 4) and symbols.max() <= windows.corpus.n_symbols
    assert (inputs["previous"][:, 1:] == symbols[:, :-1])[symbols[:, :-1] != NOT_YET].all()


def test_a_chorale_is_not_in_the_memories_that_read_it():
    """Of two equal chorales each remembers the other; a lone one remembers nobody."""
    lone = Corpus([random_chorale(1), random_chorale(2)], SMALL).own_features()
    twins = Corpus([random_chorale(1), random_chorale(1)], SMALL).own_features()
    assert twins[0].trust[:, 2:].max() > 9 > lone[0].trust[:, 2:].max()


def test_transpositions_stay_among_the_symbols(chorales):
    corpus = Corpus(chorales, SMALL)
    for chorale in corpus.chorales:
        for shift in corpus.keys(chorale):
            symbols = np.where(chorale > 0, chorale + corpus.shift(shift), 0)
            assert symbols.min() >= 0 and symbols.max() < corpus.n_symbols
    assert any(len(corpus.keys(chorale)) > 3 for chorale in corpus.chorales)


def test_no_transposition_leads_to_what_a_voice_seldom_sings():
    """One chorale of many goes down to 43: others do not follow, and it goes no further itself."""
    usual = np.tile([72, 60, 55, 48], (1000, 1)) + np.arange(1000)[:, None] % 4
    odd = np.concatenate([usual[:100], [[72, 60, 55, 43]]])
    corpus = Corpus([usual, usual, odd], replace(SMALL, margin=0))
    assert list(corpus.keys(usual[:, ORDER])) == [0]
    assert list(corpus.keys(np.tile(usual[1, ORDER], (9, 1)))) == [-1, 0, 1, 2]
    assert list(corpus.keys(odd[:, ORDER])) == [0]


@pytest.mark.usefixtures("eagerly")
def test_every_idea_can_be_left_out(chorales, valid):
    def loss(*ideas):
        model = ChoraleModel(chorales[:2], replace(SMALL, steps=2, without=ideas))
        return model.train(valid[:1])[0]

    assert len({loss(), *(loss(idea) for idea in IDEAS)}) == 1 + len(IDEAS)


def test_what_never_happens_is_not_forgotten_by_decay(chorales):
    """A table decayed to nearly nothing let a soprano sing what she had never sung."""
    model = ChoraleModel(chorales[:2], SMALL)
    fitting._compile(model.model, model.settings)
    model.model.optimizer.build(model.model.trainable_variables)
    spared = [
        weights.path
        for weights in model.model.trainable_variables
        if not model.model.optimizer._use_weight_decay(weights)
    ]
    assert {re.sub(r"_\d*/.*|/.*", "", path) for path in spared} == {"range_scores", "end_scores"}


def test_a_new_model_knows_what_each_voice_sings():
    """A soprano on 60 and 72 that may go up by 3: what she never sings has next to no share."""
    chorale = np.array([[72, 55, 50, 40], [60, 55, 50, 40]] * 4)
    other = np.array([[75, 58, 53, 43]] * 8)
    model = ChoraleModel([chorale, other], replace(SMALL, margin=0))
    shares = np.exp(model.corpus.log_shares())
    sung = np.flatnonzero(shares[0] > 1e-3) - model.corpus.shift(0)
    assert sung.tolist() == [60, 61, 62, 63, 72, 73, 74, 75]
    assert shares.sum(axis=1) == pytest.approx(1) and shares.min() > 0
    [table] = [weights for weights in model.model.weights if weights.name == LOG_SHARES]
    np.testing.assert_allclose(SURE * table.numpy(), model.corpus.log_shares(), rtol=1e-5)


def test_an_unknown_idea_is_refused():
    with pytest.raises(ParameterError, match="«suerte»"):
        Settings(without=("suerte",))


def test_a_pitch_that_the_model_lacks_is_refused(trained, valid):
    with pytest.raises(ParameterError, match="127"):
        trained.features([np.full_like(valid[0], 127)])
