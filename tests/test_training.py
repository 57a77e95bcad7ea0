import errno
import importlib.util
import inspect
import json
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from musiclab import files
from musiclab.backend import keras
from musiclab.errors import BundleError, MusiclabError, OutputError, ParameterError
from musiclab.files import LOCK
from musiclab.models import choose_noise
from musiclab.training import (
    BUNDLE,
    CHECKPOINT,
    FORMAT,
    History,
    fitting,
    is_bundle,
    load_bundle,
    save_bundle,
    train,
)
from musiclab.training import bundle as bundle_file
from musiclab.training.archive import read_archive, write_archive


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

    def spy(batches, **options):
        orders.append(np.concatenate([x for x, _ in batches.as_numpy_iterator()]).tolist())
        states.extend(generator_states(bundle.model).values())
        return fit(batches, **options)

    monkeypatch.setattr(bundle.model, "fit", spy)
    train(bundle, (x, y), (x, y), epochs=2)
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == sorted(
        x[:].tolist()
    )
    assert len(states) == len(set(states)) >= 4


def test_masks_of_an_epoch_are_those_of_stored_outputs(make_bundle):
    """Notebooks and checkpoints rest on them: (seed, epoch, place of the layer)."""
    model = make_bundle(dropout=0.5)[0].model
    fitting._seed_layers(model, seed=3, epoch=2)
    drops = {k: layer for k, layer in enumerate(model.layers) if layer.name.startswith("dropout")}
    assert list(drops) == [3, 5]
    for k, layer in drops.items():
        expected = np.random.SeedSequence([3, 2, k]).generate_state(2)
        np.testing.assert_array_equal(layer.seed_generator.state, expected)


def train_some(path):
    import numpy as np

    from musiclab.encoding import Vocabulary, make_windows
    from musiclab.models import compile_model
    from musiclab.training import new_bundle, save_bundle, train

    windows = make_windows([np.arange(40) % 5], 6)
    vocabulary = Vocabulary(("<unk>", "C4", "D4", "E4", "F4"))
    bundle = new_bundle(vocabulary, "tutorial", 6, windows, 3, units=(8,), inputs="one_hot")
    compile_model(bundle.model)
    history = train(bundle, windows, windows, epochs=2)
    save_bundle(path, bundle)
    return history


def test_a_fresh_process_trains_the_same_weights(in_fresh_process, tmp_path):
    there, here = tmp_path / "there.safetensors", tmp_path / "here.safetensors"
    source = f"{inspect.getsource(train_some)}\nprint(train_some({str(there)!r}))"
    finish = in_fresh_process(source)
    history = train_some(here)
    assert finish()[0] == f"{history}\n" and "val_loss" in f"{history}"
    assert there.read_bytes() == here.read_bytes()


def test_weights_of_the_best_epoch_are_kept(make_bundle, tmp_path):
    bundle, windows = make_bundle()
    bundle.model.optimizer.learning_rate = 3.0  # so large that the loss goes up again
    history = train(bundle, windows, windows, epochs=9, patience=2, folder=tmp_path)
    assert history.n_epochs == history.best_epoch + 2 < 9
    loss = bundle.model.evaluate(*windows, verbose=0)[0]
    assert loss == pytest.approx(min(history.val_loss), abs=1e-5)
    assert_same_weights(load_bundle(tmp_path / BUNDLE), bundle)


def test_weights_of_the_last_epoch_stay_where_the_best_are_not_asked_for(make_bundle):
    bundle, windows = make_bundle()
    bundle.model.optimizer.learning_rate = 3.0  # so large that the loss goes up again
    history = train(bundle, windows, windows, epochs=9, patience=2, restore_best=False)
    assert history.n_epochs == history.best_epoch + 2 < 9
    loss = bundle.model.evaluate(*windows, verbose=0)[0]
    assert loss == pytest.approx(history.val_loss[-1], abs=1e-5)


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


def test_a_bundle_older_than_its_checkpoint_is_put_right(make_bundle, tmp_path):
    """As a kill between the two writings leaves them; the same where it was lost or damaged."""
    (bundle, windows), resumed = make_bundle(), {"folder": tmp_path, "load_previous": True}
    train(bundle, windows, windows, epochs=1, folder=tmp_path)
    older = (tmp_path / BUNDLE).read_bytes()
    history = train(make_bundle()[0], windows, windows, epochs=2, **resumed)
    best = (tmp_path / BUNDLE).read_bytes()
    assert history.best_epoch == 2 and best != older
    for left in (older, b"damaged", None):
        (tmp_path / BUNDLE).unlink() if left is None else (tmp_path / BUNDLE).write_bytes(left)
        again, _ = make_bundle()
        train(again, windows, windows, epochs=2, **resumed)
        assert (tmp_path / BUNDLE).read_bytes() == best
        assert_same_weights(again, load_bundle(tmp_path / BUNDLE))


def test_killed_training_ends_as_one_left_alone(tmp_path, monkeypatch):
    path = Path(__file__).parents[1] / "benchmarks" / "kill_and_resume.py"
    spec = importlib.util.spec_from_file_location("kill_and_resume", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    bench.train(tmp_path / "straight")
    folder = tmp_path / "con espacios, ñ, {llaves} y 🎵"
    for event in (29, 17):  # within a writing, then within an epoch
        assert bench.live(folder, event)
    assert [path for path in folder.iterdir() if ".tmp-" in path.name or path.name == LOCK]
    bench.train(folder)
    assert bench.differences(folder, tmp_path / "straight") == []
    (folder / "extra").touch()
    (folder / BUNDLE).write_bytes((folder / CHECKPOINT).read_bytes())
    assert len(bench.differences(folder, tmp_path / "straight")) == 2  # it can fail


def test_second_training_in_a_folder_is_refused(make_bundle, tmp_path):
    bundle, windows = make_bundle()

    class Second(keras.callbacks.Callback):
        def on_epoch_end(self, *_):
            with pytest.raises(OutputError, match="otro entrenamiento está escribiendo"):
                train(make_bundle()[0], windows, windows, epochs=1, folder=tmp_path)

    train(bundle, windows, windows, epochs=1, folder=tmp_path, callbacks=[Second()])
    assert {path.name for path in tmp_path.iterdir()} == {BUNDLE, CHECKPOINT}
    train(bundle, windows, windows, epochs=1, folder=tmp_path)


def test_full_disk_leaves_the_last_good_checkpoint(make_bundle, tmp_path, monkeypatch):
    (bundle, windows), resumed = make_bundle(), {"folder": tmp_path, "load_previous": True}
    whole = train(make_bundle()[0], windows, windows, epochs=3)
    train(bundle, windows, windows, epochs=1, folder=tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="espacio en disco"):
        patch.setattr(os, "fsync", full)
        train(make_bundle()[0], windows, windows, epochs=3, **resumed)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {BUNDLE, CHECKPOINT}
    assert train(make_bundle()[0], windows, windows, epochs=3, **resumed) == whole


# The bundle


def test_bundle_survives_its_file(trained):
    bundle, windows, folder = trained
    loaded = load_bundle(folder / BUNDLE)
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
    traps = {name: np.array([Trap()], dtype=object) for name in ("meta", "array_000")}
    np.savez(tmp_path / "trap.npz", **traps)
    for data in ((tmp_path / "trap.npz").read_bytes(), pickle.dumps(Trap())):
        (trained[2] / BUNDLE).write_bytes(data)
        with pytest.raises(BundleError, match="entrena de nuevo"):
            load_bundle(trained[2] / BUNDLE)
    assert not (tmp_path / "trap").exists()


def test_a_bundle_of_the_old_form_is_refused_with_what_to_do(tmp_path):
    np.savez(tmp_path / "model.npz", meta=np.zeros(3, np.uint8))
    for name in ("model.npz", BUNDLE):
        with pytest.raises(BundleError, match=r"model\.npz» es de una versión anterior.*de nuevo"):
            load_bundle(tmp_path / name)
        assert not is_bundle(tmp_path / name)


def test_a_checkpoint_of_the_old_form_is_refused_with_what_to_do(make_bundle, tmp_path):
    (bundle, windows), old = make_bundle(), tmp_path / "checkpoint.npz"
    np.savez(old, meta=np.zeros(3, np.uint8))
    with pytest.raises(BundleError, match=r"checkpoint\.npz».*LOAD_PREVIOUS = False"):
        train(bundle, windows, windows, epochs=1, folder=tmp_path, load_previous=True)
    assert [path.name for path in tmp_path.iterdir()] == [old.name]
    for load_previous in (False, True):  # begun anew, nobody asks for the old one any more
        history = train(
            bundle, windows, windows, epochs=1, folder=tmp_path, load_previous=load_previous
        )
        assert history.n_epochs == 1


def test_bundle_of_other_contents_is_refused(trained):
    path = trained[2] / BUNDLE
    meta, arrays = read_archive(path, FORMAT)
    transformer = {"cell": "transformer", "units": [4, 4]}
    configs = [{"cell": "rnn"}, {"units": [4]}, {"trap": 1}, {"noise": "plain", "noise_dim": "8"}]
    configs += [{"noise": ["vae"]}, transformer | {"n_heads": 1.5}, transformer | {"n_heads": None}]
    configs += [transformer | {"max_distance": 2.5}, transformer]
    wrong = [{"format": "musiclab-bundle-1"}, {"vocabulary": ["C4"]}]
    for new in ({}, *(meta | w for w in wrong), *(meta | {"config": c} for c in configs)):
        write_archive(path, FORMAT, new, arrays)
        with pytest.raises(BundleError, match="está dañado"):
            load_bundle(path)


HUGE = 10**9


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": {"units": [HUGE, HUGE]}},
        {"config": {"units": [10**400]}},
        {"config": {"units": [1] * 500}},
        {"config": {"inputs": "embedding", "embedding_dim": HUGE}},
        {"config": {"noise": "plain", "noise_dim": HUGE}},
        {"config": {"cell": "transformer", "units": [2, 2], "n_heads": 1, "max_distance": HUGE}},
        {"config": {"units": True}},
        {"config": {"units": [3.0, 2]}},
        {"config": {"dropout": "0.2"}},
        {"config": []},
        {"vocabulary": ["<unk>", "C4", "D4", "E4"]},
        {"vocabulary": ["<unk>", "C4", "D4", "E4", "H9"]},
        {"vocabulary": ["<unk>", "C4", "D4", "E4", "0.²"]},
        {"vocabulary": ["<unk>", "C4", "D4", "E4", "0.11.10.9.8.7.6.5"]},
        {"vocabulary": ["<unk>", "C4", "D4", "E4", ""]},
        {"vocabulary": ["<unk>", "C4", "D4", "E4", 4]},
        {"vocabulary": ["<unk>", *(f"C4:{k}:1" for k in range(100_000))], "encoding": "events"},
        {"vocabulary": None},
        {"encoding": "nada"},
        {"encoding": []},
        {"window_length": 0},
        {"window_length": "4"},
        {"seed": -1},
        {"seed": True},
        {"versions": None},
    ],
    ids=lambda wrong: f"{wrong}"[:60],
)
def test_bundle_that_claims_what_it_has_not_is_refused_at_once(trained, wrong):
    path = trained[2] / BUNDLE
    meta, arrays = read_archive(path, FORMAT)
    if wrong.get("config"):
        wrong = {"config": meta["config"] | wrong["config"]}
    write_archive(path, FORMAT, meta | wrong, arrays)
    start = time.process_time()
    with pytest.raises(BundleError, match="está dañado"):
        load_bundle(path)
    assert time.process_time() - start < 3


def test_a_layer_needs_its_own_arrays(trained):
    """However many numbers there are: a thousand layers of one unit take minutes to build."""
    path = trained[2] / BUNDLE
    meta, _ = read_archive(path, FORMAT)
    meta["config"] |= {"units": [1] * 1000}
    write_archive(path, FORMAT, meta, [np.zeros(10**5, np.float32)])
    start = time.process_time()
    with pytest.raises(BundleError, match="está dañado"):
        load_bundle(path)
    assert time.process_time() - start < 3


def test_bundle_without_a_field_is_refused(trained):
    path = trained[2] / BUNDLE
    meta, arrays = read_archive(path, FORMAT)
    for key in meta:
        less = {k: v for k, v in meta.items() if k not in (key, "format")}
        form = "other" if key == "format" else FORMAT
        write_archive(path, form, less, arrays)
        with pytest.raises(BundleError, match="está dañado"):
            load_bundle(path)


def test_weights_of_other_shapes_and_types_are_refused(trained):
    path = trained[2] / BUNDLE
    meta, (first, *rest) = read_archive(path, FORMAT)
    others = [[first.T, *rest], [first.astype(float), *rest], rest, [first, *rest, first], []]
    for arrays in others:
        write_archive(path, FORMAT, meta, arrays)
        with pytest.raises(BundleError, match="está dañado"):
            load_bundle(path)
    write_archive(path, FORMAT, meta, [first * np.nan, *rest])
    with pytest.raises(BundleError, match="no son números"):
        load_bundle(path)


def test_checkpoint_of_other_contents_is_refused_and_the_model_left_alone(make_bundle, trained):
    (bundle, windows), folder = make_bundle(), trained[2]
    resumed = {"folder": folder, "load_previous": True}
    meta, arrays = read_archive(folder / CHECKPOINT, fitting.CHECKPOINT_FORMAT)
    losses, before = meta.pop("history"), bundle.model.get_weights()
    short = losses | {"loss": losses["loss"][:1]}
    empty = {name: [] for name in losses}
    wrong = [None, [], {}, empty, short, losses | {"more": [1.0]}, losses | {"loss": "ab"},
             losses | {"loss": [1.0, "2"]}, losses | {"loss": [1.0, True]}]  # fmt: skip
    files = [({**meta, "history": history}, arrays) for history in wrong]
    files += [(meta, arrays), ({**meta, "history": losses}, arrays[:-1])]
    files += [({**meta, "history": losses}, [*arrays[:-1], arrays[-1][..., None]])]
    for content in files:
        write_archive(folder / CHECKPOINT, fitting.CHECKPOINT_FORMAT, *content)
        with pytest.raises(BundleError, match="está dañado"):
            train(bundle, windows, windows, epochs=3, batch_size=8, **resumed)
    for a, b in zip(before, bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_file_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no existe"):
        load_bundle(tmp_path / "model.safetensors")
    for data in (b"", b"no archive", bytes(22)):
        (tmp_path / "model.safetensors").write_bytes(data)
        with pytest.raises(BundleError, match=r"model\.safetensors».*entrena de nuevo"):
            load_bundle(tmp_path / "model.safetensors")


@pytest.fixture
def load_damaged(trained, monkeypatch):
    """Return (bytes of a bundle, load): load(bytes) fails unless they give the same bundle."""
    bundle, _, folder = trained
    spare = load_bundle(folder / BUNDLE).model  # building one takes longer than all else
    monkeypatch.setattr(bundle_file, "build_network", lambda config: spare)

    def load(data):
        (folder / BUNDLE).write_bytes(data)
        assert_same_weights(load_bundle(folder / BUNDLE), bundle)

    return (folder / BUNDLE).read_bytes(), load


def test_damaged_bundle_is_refused(load_damaged):
    """At some places only: the archive's own tests try them all."""
    data, load = load_damaged
    load(data)
    for place in range(0, len(data), 41):
        flipped = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        for damaged in (flipped, data[:place]):
            with pytest.raises(BundleError, match="está dañado"):
                load(damaged)


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_failed_save_leaves_the_old_bundle(trained, monkeypatch, failing):
    def fail(*_):
        raise OSError(28, "no space left")

    folder = trained[2]
    before, bundle = (folder / BUNDLE).read_bytes(), load_bundle(folder / BUNDLE)
    bundle.model.set_weights([w + 1 for w in bundle.model.get_weights()])
    monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OutputError, match="el disco está lleno"):
        save_bundle(folder / BUNDLE, bundle)
    assert (folder / BUNDLE).read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {BUNDLE, CHECKPOINT}


def test_two_devices_learn_as_one(in_fresh_process, tmp_path):
    source = """
from contextlib import nullcontext
import numpy as np
from musiclab.backend import tf
from musiclab.encoding import Vocabulary, make_windows
from musiclab.models import compile_model
from musiclab.training import new_bundle, train
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
windows = make_windows([np.arange(90) % 5], 6, every_step=True)
vocabulary = Vocabulary(("<unk>", "C4", "D4", "E4", "F4"))
for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    for epochs in (1, 2):
        with strategy.scope() if strategy else nullcontext():
            bundle = new_bundle(vocabulary, "tutorial", 6, windows, 3, units=(8,), dropout=0.0,
                                inputs="one_hot", every_step=True)
            compile_model(bundle.model)
        folder = FOLDER + str(strategy is None)
        history = train(bundle, windows, windows, epochs=epochs, batch_size=8, folder=folder,
                        load_previous=True)
    print(bundle.model.distribute_strategy.num_replicas_in_sync, *history.val_loss)"""
    out, _ = in_fresh_process(source.replace("FOLDER", repr(str(tmp_path / "run"))))()
    (n_one, *one), (n_two, *two) = (map(float, line.split()) for line in out.splitlines())
    assert (n_one, n_two) == (1, 2) and len(one) == 2
    assert one == pytest.approx(two, abs=1e-4)


def test_halved_precision_learns_the_same_and_is_not_mixed_up(make_bundle, tmp_path):
    bundle, windows = make_bundle(dropout=0.0)
    resumed = {"folder": tmp_path, "load_previous": True}
    exact = train(bundle, windows, windows, epochs=2)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        for epochs in (1, 2):
            halved, _ = make_bundle(dropout=0.0)
            history = train(halved, windows, windows, epochs=epochs, **resumed)
    finally:
        keras.config.set_dtype_policy("float32")
    assert history.val_loss != exact.val_loss
    assert history.val_loss == pytest.approx(exact.val_loss, abs=1e-2)
    assert {w.dtype.name for w in load_bundle(tmp_path / BUNDLE).model.get_weights()} == {"float32"}
    with pytest.raises(BundleError, match="difiere en precision"):
        train(make_bundle(dropout=0.0)[0], windows, windows, epochs=2, **resumed)
