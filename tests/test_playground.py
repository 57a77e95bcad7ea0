import pytest

from musiclab import playground, training
from musiclab.errors import ParameterError, VocabularyError
from musiclab.playground import Panel, find_bundles, small_bundle, write_song

FEW = ("oneills1850/0721-0730.abc", "oneills1850/0732-0758_mh.abc")
TINY = playground.SETTINGS | {
    "transpose": 0, "window_length": 8, "epochs": 1,
    "config": playground.SETTINGS["config"] | {"units": [4], "embedding_dim": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build what is needed in a folder of the tests, and train the smallest network once."""
    from musiclab import datasets

    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("Datasets")
        build = lambda name, sources: datasets_build(name, root, sources)
        datasets_build = datasets.build_dataset
        patch.setattr(datasets, "build_dataset", build)
        patch.setenv("MUSICLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield small_bundle(FEW, TINY)


@pytest.fixture
def panel(built, monkeypatch, tmp_path):
    monkeypatch.setattr(playground, "small_bundle", lambda: built)
    monkeypatch.setattr(playground, "show", lambda song, **options: f"card of {song.source}")
    return Panel(tmp_path / "canciones", bundles={}, motif="", n_notes=20)


def test_small_bundle_is_trained_once_and_kept(built, monkeypatch):
    monkeypatch.setattr(playground, "_train_small", None)
    again = small_bundle(FEW, TINY)
    assert again.vocabulary == built.vocabulary and again.encoding == "events"
    with pytest.raises(TypeError):
        small_bundle(FEW, TINY | {"seed": 1})


def test_only_the_files_of_its_sources_are_built(built):
    from musiclab import datasets

    folder = datasets.build_dataset("folk", sources=FEW)
    assert len(list(folder.glob("*.mid"))) == 19


def test_song_begins_with_the_motif_and_repeats_with_its_seed(built):
    token = next(t for t in built.vocabulary.tokens if t.endswith(":1/2:1/2"))
    motif = token.rsplit(":", 1)[0]
    song, prompt_ql = write_song(built, motif, n_notes=30, seed=3, instrument="gaita")
    assert prompt_ql == 0.5 and song.program == 109 and song.events[0].duration_ql == 0.5
    assert write_song(built, motif, n_notes=30, seed=3, instrument="gaita")[0] == song
    assert write_song(built, motif, n_notes=30, seed=4, instrument="gaita")[0] != song


def test_empty_motif_lets_the_network_begin(built):
    song, prompt_ql = write_song(built, " ", n_notes=20)
    assert prompt_ql == 0 and len(song) > 0


def test_what_cannot_be_written_is_one_sentence(built, make_bundle):
    with pytest.raises(VocabularyError, match="prueba con"):
        write_song(built, "Do0:64")
    with pytest.raises(ParameterError, match="TEMPERATURE"):
        write_song(built, temperature=-1)
    with pytest.raises(ParameterError, match="escribe un motivo"):
        write_song(make_bundle(every_step=True)[0])


def test_bundles_of_runs_are_found_newest_first(make_bundle, tmp_path):
    import os

    bundle, _ = make_bundle()
    for k, name in enumerate(("b", "a/c")):
        path = training.save_bundle(tmp_path / name / "model.npz", bundle)
        os.utime(path, (k, k))
    assert list(find_bundles(tmp_path)) == ["a/c", "b"] and find_bundles(tmp_path / "no") == {}


# The panel


def press(panel, button):
    panel.buttons[button].click()
    return panel.message.value


def test_buttons_write_and_save(panel, tmp_path):
    assert "todavía no hay canción" in press(panel, "Guardar")
    assert "segundos" in press(panel, "Escribir")
    first = panel.song
    assert panel.card.outputs[0]["data"]["text/plain"] == "'card of canción 0'"
    press(panel, "Otra")
    assert panel.song.source == "canción 1" and panel.song.events != first.events
    for _ in range(2):
        assert "Guardada en" in press(panel, "Guardar")
    saved = sorted(path.name for path in (tmp_path / "canciones").iterdir())
    suffixes = ("mid", "mp3", "pdf", "png")
    assert saved == sorted(f"canción_1_{k}.{suffix}" for k in (1, 2) for suffix in suffixes)


def test_mistake_is_told_and_the_buttons_work_again(panel):
    panel.controls["instrument"].value = "kazoo"
    assert "no hay instrumento «kazoo»" in press(panel, "Escribir")
    assert not any(button.disabled for button in panel.buttons.values())
    panel.controls["instrument"].value = "gaita"
    assert "segundos" in press(panel, "Escribir")


def test_unforeseen_error_frees_the_buttons_too(panel, monkeypatch):
    monkeypatch.setattr(playground, "write_song", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel._do(panel.write)
    assert not any(button.disabled for button in panel.buttons.values())


def test_panel_says_what_to_do_where_there_is_no_kernel(panel):
    data = panel._repr_mimebundle_()
    assert "Run All Cells" in data["text/html"] and "widget-view" in str(sorted(data))


def test_damaged_bundle_is_told(panel, tmp_path):
    (tmp_path / "model.npz").write_bytes(b"no")
    panel.bundles["rota"] = tmp_path / "model.npz"
    panel.controls["bundle"].options = [*panel.controls["bundle"].options, "rota"]
    panel.controls["bundle"].value = "rota"
    assert "model.npz" in press(panel, "Escribir")
