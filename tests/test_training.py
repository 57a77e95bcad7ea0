import json
import os
import shutil

import numpy as np
import pytest

from musiclab import parsing, training
from musiclab.errors import BundleError, MusiclabError, OutputError, ParameterError
from musiclab.models import choose_noise
from musiclab.training import BUNDLE, CHECKPOINT, History, load_bundle, save_bundle, train


def assert_same_weights(one, other):
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="session")
def trained_once(make_bundle, tmp_path_factory):
    bundle, windows = make_bundle()
    folder = tmp_path_factory.mktemp("trained")
    train(bundle, windows, windows, epochs=2, batch_size=8, folder=folder)
    return bundle, windows, folder


@pytest.fixture
def trained(trained_once, tmp_path):
    """A bundle after two epochs, and a folder of its files that a test may damage."""
    *rest, folder = trained_once
    return *rest, shutil.copytree(folder, tmp_path / "run")


# Training


TRANSFORMER = {"cell": "transformer", "units": (4, 4), "n_heads": 2, "max_distance": 3}
FAMILIES = {
    "recurrent": {},
    "transformer": {**TRANSFORMER, "every_step": True},
    "plain noise": {"noise": "plain", "bidirectional": True},
    "vae": {"noise": "vae", "every_step": True},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_two_and_two_epochs_are_four(make_bundle, tmp_path, family):
    config = {"dropout": 0.5, **FAMILIES[family]}
    straight, windows = make_bundle(**config)
    whole = train(straight, windows, windows, epochs=4)
    for epochs in (2, 4, 3):  # and what is finished is trained no more
        again, _ = make_bundle(**config)
        resumed = {"folder": tmp_path, "load_previous": True}
        parts = train(again, windows, windows, epochs=epochs, **resumed)
        assert parts.n_epochs == max(epochs, 4 if epochs == 3 else 0)
    assert parts == whole
    assert_same_weights(again, straight)
    assert_same_weights(load_bundle(tmp_path / BUNDLE), straight)


def generator_states(model):
    """Return the state of each source of random numbers in a model, by its path."""
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    return {state.path: tuple(state.numpy().tolist()) for state in states}


@pytest.mark.parametrize("family", ["recurrent", "transformer", "vae"])
def test_epochs_differ_in_order_and_in_all_that_is_random(make_bundle, monkeypatch, family):
    bundle, (x, y) = make_bundle(dropout=0.5, **FAMILIES[family])
    orders, states, fit = [], [], bundle.model.fit

    def spy(x, y, **options):
        orders.append(x.tolist())
        states.extend(generator_states(bundle.model).values())
        return fit(x, y, **options)

    monkeypatch.setattr(bundle.model, "fit", spy)
    train(bundle, (x, y), (x, y), epochs=2)
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == sorted(x.tolist())
    assert len(states) == len(set(states)) >= 4


def test_masks_of_an_epoch_are_those_of_stored_outputs(make_bundle):
    """Notebooks and checkpoints rest on them: (seed, epoch, place of the layer)."""
    model = make_bundle(dropout=0.5)[0].model
    training._seed_layers(model, seed=3, epoch=2)
    drops = {k: layer for k, layer in enumerate(model.layers) if layer.name.startswith("dropout")}
    assert list(drops) == [3, 5]
    for k, layer in drops.items():
        expected = np.random.SeedSequence([3, 2, k]).generate_state(2)
        np.testing.assert_array_equal(layer.seed_generator.state, expected)


def test_fresh_processes_train_the_same_weights(in_fresh_process, tmp_path):
    source = """
from hashlib import sha256
import numpy as np
from musiclab.encoding import Vocabulary, make_windows
from musiclab.models import compile_model
from musiclab.training import new_bundle, save_bundle, train
windows = make_windows([np.arange(40) % 5], 6)
vocabulary = Vocabulary(("<unk>", "C4", "D4", "E4", "F4"))
bundle = new_bundle(vocabulary, "tutorial", 6, windows, 3, units=(8,), inputs="one_hot")
compile_model(bundle.model)
print(train(bundle, windows, windows, epochs=2))
print(sha256(save_bundle(FILE, bundle).read_bytes()).hexdigest())"""
    source = source.replace("FILE", repr(str(tmp_path / "model.npz")))
    runs = [in_fresh_process(source, PYTHONHASHSEED=seed) for seed in "12"]
    results = [finish()[0] for finish in runs]
    assert results[0] == results[1] and "val_loss" in results[0]


def test_weights_of_the_best_epoch_are_kept(make_bundle, tmp_path):
    bundle, windows = make_bundle()
    bundle.model.optimizer.learning_rate = 3.0  # so large that the loss goes up again
    history = train(bundle, windows, windows, epochs=9, patience=2, folder=tmp_path)
    assert history.n_epochs == history.best_epoch + 2 < 9
    loss = bundle.model.evaluate(*windows, verbose=0)[0]
    assert loss == pytest.approx(min(history.val_loss), abs=1e-5)
    assert_same_weights(load_bundle(tmp_path / BUNDLE), bundle)


def test_best_epoch():
    assert History().best_epoch == 0
    assert History([1.0] * 3, [2.0, 1.5, 1.5]).best_epoch == 2


def test_a_loss_that_is_no_number_is_not_the_best():
    assert History([1.0] * 3, [2.0, 1.5, float("nan")]).best_epoch == 2


def test_impossible_training_is_refused(trained):
    bundle, windows, _ = trained
    for wrong in ({"epochs": 0}, {"epochs": 1, "batch_size": 0}):
        with pytest.raises(ParameterError, match="al menos 1"):
            train(bundle, windows, windows, **wrong)


def test_folder_that_cannot_be_written_is_one_sentence(make_bundle, tmp_path):
    (tmp_path / "file").touch()
    bundle, windows = make_bundle()
    with pytest.raises(MusiclabError):
        train(bundle, windows, windows, epochs=1, folder=tmp_path / "file")


# Resuming


def test_without_load_previous_training_starts_anew(make_bundle, trained):
    (fresh, windows), folder = make_bundle(), trained[2]
    assert train(fresh, windows, windows, epochs=1, folder=folder).n_epochs == 1


OTHER = [np.arange(20, dtype=np.int32) % 5]


@pytest.mark.parametrize(
    "name, changed",
    [
        ("vocabulary", {"tokens": "D4 C4 E4 G4"}),
        ("seed", {"seed": 2}),
        ("window_length", {"length": 3}),
        ("data_hash", {"data": OTHER}),
        ("encoding", {"encoding": "pitches"}),
        ("config", {"cell": "lstm"}),
    ],
)
def test_checkpoint_of_another_run_is_refused(make_bundle, trained, name, changed):
    other, windows = make_bundle(**changed)
    before = (trained[2] / CHECKPOINT).read_bytes()
    resumed = {"epochs": 3, "folder": trained[2], "load_previous": True}
    with pytest.raises(BundleError, match=rf"difiere en [^)]*{name}.*LOAD_PREVIOUS = False"):
        train(other, windows, windows, **resumed)
    assert (trained[2] / CHECKPOINT).read_bytes() == before
    if name == "vocabulary":
        with pytest.raises(BundleError, match="otro vocabulario"):
            load_bundle(trained[2] / BUNDLE, other.vocabulary)


def test_checkpoint_of_another_batch_size_is_refused(make_bundle, trained):
    (bundle, windows), folder = make_bundle(), trained[2]
    with pytest.raises(BundleError):
        train(bundle, windows, windows, epochs=3, batch_size=2, folder=folder, load_previous=True)


def test_damaged_checkpoint_is_one_sentence(make_bundle, trained):
    (bundle, windows), folder = make_bundle(), trained[2]
    data = (folder / CHECKPOINT).read_bytes()
    for damaged in (data[:-100], b"", (folder / BUNDLE).read_bytes()):
        (folder / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(BundleError, match="está dañado"):
            train(bundle, windows, windows, epochs=3, folder=folder, load_previous=True)


# The bundle


def test_bundle_survives_its_file(trained):
    bundle, windows, folder = trained
    loaded = load_bundle(folder / BUNDLE, bundle.vocabulary)
    assert_same_weights(loaded, bundle)
    np.testing.assert_array_equal(loaded.model(windows[0]), bundle.model(windows[0]))
    for name in ("vocabulary", "encoding", "window_length", "data_hash", "seed", "versions"):
        assert getattr(loaded, name) == getattr(bundle, name) != "", name
    assert json.loads(json.dumps(bundle.config)) == loaded.config


@pytest.mark.parametrize("family", FAMILIES)
def test_bundle_of_each_family_survives_its_file(make_bundle, tmp_path, family):
    bundle, (x, _) = make_bundle(**FAMILIES[family])
    if "noise" in bundle.config:
        choose_noise(bundle.model, np.arange(8))
    loaded = load_bundle(save_bundle(tmp_path / BUNDLE, bundle))
    assert loaded.config == json.loads(json.dumps(bundle.config))
    np.testing.assert_array_equal(loaded.model(x), bundle.model(x))


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trap",)


def test_pickle_in_a_bundle_is_not_run(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = dict(np.load(trained[2] / BUNDLE))
    for name in ("meta", "array_000"):
        np.savez(trained[2] / BUNDLE, **arrays | {name: np.array([Trap()], dtype=object)})
        with pytest.raises(BundleError, match="está dañado"):
            load_bundle(trained[2] / BUNDLE)
    assert not (tmp_path / "trap").exists()


def test_bundle_of_other_contents_is_refused(trained):
    path = trained[2] / BUNDLE
    arrays = dict(np.load(path))
    meta = json.loads(arrays["meta"].tobytes())
    transformer = {"cell": "transformer", "units": [4, 4]}
    configs = [{"cell": "rnn"}, {"units": [4]}, {"trap": 1}, {"noise": "plain", "noise_dim": "8"}]
    configs += [{"noise": ["vae"]}, transformer | {"n_heads": 1.5}, transformer | {"n_heads": None}]
    configs += [transformer | {"max_distance": 2.5}, transformer]
    wrong = [{"format": "musiclab-bundle-0"}, {"vocabulary": ["C4"]}]
    for new in ({}, *(meta | w for w in wrong), *(meta | {"config": c} for c in configs)):
        np.savez(path, **arrays | {"meta": np.frombuffer(json.dumps(new).encode(), np.uint8)})
        with pytest.raises(BundleError, match="está dañado"):
            load_bundle(path)


def test_file_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no existe"):
        load_bundle(tmp_path / "model.npz")
    for data in (b"", b"no archive", b"PK\x05\x06" + bytes(18)):
        (tmp_path / "model.npz").write_bytes(data)
        with pytest.raises(BundleError, match=r"model.npz».*entrena de nuevo"):
            load_bundle(tmp_path / "model.npz")


@pytest.fixture
def load_damaged(trained, monkeypatch):
    """Return (bytes of a bundle, load): load(bytes) fails unless they give the same bundle."""
    bundle, _, folder = trained
    spare = load_bundle(folder / BUNDLE).model  # building one takes longer than all else
    monkeypatch.setattr(training, "build_model", lambda *args, **config: spare)

    def load(data):
        (folder / BUNDLE).write_bytes(data)
        assert_same_weights(load_bundle(folder / BUNDLE, bundle.vocabulary), bundle)

    return (folder / BUNDLE).read_bytes(), load


def test_cut_bundle_is_refused(load_damaged):
    data, load = load_damaged
    for length in range(0, len(data), 7):
        with pytest.raises(BundleError):
            load(data[:length])


def flip_and_load(data, load, places):
    """A flipped bit is found, or does no harm."""
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        try:
            load(flipped)
        except BundleError:
            continue


def test_flipped_bit_is_found(load_damaged):
    data, load = load_damaged
    flip_and_load(data, load, range(0, data.index(b"PK\x01\x02"), 3))


def test_flipped_bit_in_the_directory_is_found(load_damaged):
    data, load = load_damaged
    flip_and_load(data, load, range(data.index(b"PK\x01\x02"), len(data)))


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_failed_save_leaves_the_old_bundle(trained, monkeypatch, failing):
    def fail(*_):
        raise OSError(28, "no space left")

    folder = trained[2]
    before, bundle = (folder / BUNDLE).read_bytes(), load_bundle(folder / BUNDLE)
    bundle.model.set_weights([w + 1 for w in bundle.model.get_weights()])
    monkeypatch.setattr(parsing.os, failing, fail)
    with pytest.raises(OutputError, match="no space"):
        save_bundle(folder / BUNDLE, bundle)
    assert (folder / BUNDLE).read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {BUNDLE, CHECKPOINT}
