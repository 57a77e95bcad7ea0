import os
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

from musiclab import engraving, training
from musiclab.backend import keras
from musiclab.course import playground
from musiclab.course.playground import Panel, find_bundles, small_bundle, write_song
from musiclab.encoding import END, START
from musiclab.errors import ParameterError, VocabularyError
from musiclab.training.archive import write_archive

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
        yield small_bundle("folk", FEW, TINY)


@pytest.fixture
def panel(built, monkeypatch, tmp_path):
    monkeypatch.setattr(playground, "small_bundle", lambda: built)
    card = lambda song, note, prompt_ql: f"card of {song.source}: {note}"
    monkeypatch.setattr(playground, "show", card)
    return Panel(tmp_path / "canciones", bundles={}, motif="", n_notes=20)


def test_small_bundle_is_trained_once_and_kept(built, monkeypatch):
    monkeypatch.setattr(playground, "_train_small", None)
    again = small_bundle("folk", FEW, TINY)
    assert again.vocabulary == built.vocabulary and again.encoding == "events"
    with pytest.raises(TypeError):
        small_bundle("folk", FEW, TINY | {"seed": 1})


def test_only_the_files_of_its_sources_are_built(built):
    from musiclab import datasets

    folder = datasets.build_dataset("folk", sources=FEW)
    assert len(list(folder.glob("*.mid"))) == 19


def test_song_begins_with_the_motif_and_repeats_with_its_seed(built):
    token = next(t for t in built.vocabulary.tokens if t.endswith(":1/2:1/2"))
    motif = token.rsplit(":", 1)[0]
    song, prompt_ql, _ = write_song(built, motif, n_notes=30, seed=3, instrument="gaita")
    assert prompt_ql == 0.5 and song.program == 109 and song.events[0].duration_ql == 0.5
    assert song.source == "Melodía de la semilla 3"
    assert write_song(built, motif, n_notes=30, seed=3, instrument="gaita").song == song
    assert write_song(built, motif, n_notes=30, seed=4, instrument="gaita").song != song


def test_empty_motif_lets_the_network_begin(built):
    written = write_song(built, " ", n_notes=20)
    assert written.prompt_ql == 0 and len(written.song) > 0
    assert playground.prompt_tokens(built, "") == playground.prompt_tokens(built) == [START]


def test_numbers_may_be_texts_with_a_comma(built):
    typed = {"temperature": "1,6", "top_p": "0,9", "n_notes": "20", "tempo_bpm": "92,5"}
    numbers = {"temperature": 1.6, "top_p": 0.9, "n_notes": 20, "tempo_bpm": 92.5}
    assert write_song(built, **typed) == write_song(built, **numbers)
    assert write_song(built, **typed).song.tempo_bpm == 92.5
    with pytest.raises(ParameterError, match="TEMPERATURE es «mucha» y debe ser un número"):
        write_song(built, temperature="mucha")


def favour(bundle, token):
    """Return a bundle whose network expects a symbol everywhere, above all others."""
    copy = replace(bundle, model=keras.models.clone_model(bundle.model))
    *weights, bias = bundle.model.get_weights()
    bias = np.where(np.array(bundle.vocabulary.tokens) == token, 1e3, bias)
    copy.model.set_weights([*weights, bias])
    return copy


def test_song_tells_how_it_came_to_its_end(built, make_bundle):
    note = next(token for token in built.vocabulary.tokens if token.endswith(":1/2:1/2"))
    cut, ended = (write_song(favour(built, token), n_notes=9) for token in (note, END))
    assert not cut.ended and len(cut.song.events) == 9
    assert playground.ending(cut, 9) == "cortada a los 9 símbolos nuevos: la red no había terminado"
    assert ended.ended and len(ended.song.events) == 0
    assert playground.ending(ended, 9) == "la red la ha terminado"
    endless = write_song(make_bundle(every_step=True)[0], "C4 D4", n_notes=9)
    assert endless.ended is None and endless.prompt_ql == 1
    assert (
        playground.ending(endless, 9)
        == "cortada a los 9 símbolos nuevos: esta red no sabe terminar"
    )


def test_what_an_error_offers_is_accepted_as_it_stands(built):
    with pytest.raises(VocabularyError, match="prueba con") as error:
        write_song(built, "Re5:1/2 Do0:64")
    said, _, remedy = str(error.value).partition("prueba con")
    offered = re.findall("«(.*?)»", remedy)
    assert "«Do0:64»" in said and len(offered) == 3
    for motif in (*offered, " ".join(offered)):
        assert write_song(built, motif, n_notes=5).prompt_ql > 0


def test_what_cannot_be_written_is_one_sentence(built, make_bundle):
    with pytest.raises(VocabularyError, match="prueba con"):
        write_song(built, "Do0:64")
    with pytest.raises(ParameterError, match="TEMPERATURE"):
        write_song(built, temperature=-1)
    with pytest.raises(ParameterError, match="escribe un motivo"):
        write_song(make_bundle(every_step=True)[0])


def test_bundles_of_runs_are_found_newest_first(make_bundle, tmp_path):
    bundle, _ = make_bundle()
    for k, name in enumerate(("b", "a/c")):
        path = training.save_bundle(tmp_path / name / "model.safetensors", bundle)
        os.utime(path, (k, k))
    # What `musiclab bench jsb` saves has the same name and is another kind of network.
    write_archive(tmp_path / "jsb/model.safetensors", "another", {}, [])
    assert list(find_bundles(tmp_path)) == ["a/c", "b"] and find_bundles(tmp_path / "no") == {}


def test_bundles_are_called_as_a_person_would(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "is_bundle", lambda path: True)
    lesson = "01_tocando_un_poco_de_musica"
    folders = {
        f"{lesson}/2026-11-23_120000": "lección 1, 23 de noviembre a las 12:00",
        f"{lesson}/2026-11-23_120001": "lección 1, 23 de noviembre a las 12:00 (2)",
        f"{lesson}/2026-11-23_120000_2": "lección 1, 23 de noviembre a las 12:00 (3)",
        f"{lesson}/2026-01-02_090500/simbolos": "lección 1, 2 de enero a las 09:05, símbolos",
        f"{lesson}/2026-99-99_999999": "lección 1, 2026-99-99_999999",
        "12_otra": "lección 12",
        "jupyterlab": "la de JupyterLab",
        "mis redes/la buena": "mis redes/la buena",
    }
    paths = [tmp_path / folder / training.BUNDLE for folder in folders]
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (k, k))
    expected = list(zip(folders.values(), paths, strict=True))[::-1]
    assert list(find_bundles(tmp_path).items()) == expected
    for path in paths:
        os.utime(path, (0, 0))
    assert list(find_bundles(tmp_path).items()) == list(find_bundles(tmp_path).items())


# The panel


def press(panel, button):
    panel.buttons[button].click()
    return panel.message.value


def test_buttons_write_and_save(panel, tmp_path):
    assert "todavía no hay canción" in press(panel, "Guardar")
    assert "segundos" in press(panel, "Escribir")
    first = panel.song
    card = panel.card.outputs[0]["data"]["text/plain"]
    assert card.startswith("'card of Melodía de la semilla 0: ")
    assert "cortada a los 20 símbolos" in card or "terminado" in card
    press(panel, "Otra")
    assert panel.song.source == "Melodía de la semilla 1" and panel.song.events != first.events
    for _ in range(2):
        assert "Guardada en" in press(panel, "Guardar")
    saved = sorted(path.name for path in (tmp_path / "canciones").iterdir())
    suffixes = ("mid", "mp3", "pdf", "png")
    name = "Melodía_de_la_semilla_1"
    assert saved == sorted(f"{name}{k}.{suffix}" for k in ("", "_2") for suffix in suffixes)


def test_mistake_is_told_and_the_buttons_work_again(panel):
    panel.controls["instrument"].value = "kazoo"
    assert "no hay instrumento «kazoo»" in press(panel, "Escribir")
    assert not any(button.disabled for button in panel.buttons.values())
    panel.controls["instrument"].value = "gaita"
    assert "segundos" in press(panel, "Escribir")


def test_no_old_song_stays_below_an_error(panel, tmp_path):
    press(panel, "Escribir")
    panel.controls["motif"].value = "Ut"
    assert "«Ut» no se entiende" in press(panel, "Escribir")
    assert panel.card.outputs == () and panel.song is None
    assert "todavía no hay canción" in press(panel, "Guardar")
    panel.controls["motif"].value = ""
    press(panel, "Escribir")
    shown, panel.folder = panel.card.outputs, tmp_path / "fichero"
    panel.folder.touch()
    assert "no se puede escribir" in press(panel, "Guardar")
    assert panel.card.outputs == shown and panel.song is not None, "that one was not at fault"


def test_unforeseen_error_frees_the_buttons_too(panel, monkeypatch):
    press(panel, "Escribir")
    monkeypatch.setattr(playground, "write_song", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel._do(panel.write)
    assert not any(button.disabled for button in panel.buttons.values())
    assert "ZeroDivisionError" in panel.message.value and panel.card.outputs == ()


def test_numbers_are_typed_with_a_comma_or_a_point(panel):
    control = panel.controls["temperature"]
    for typed, value in [("1,6", 1.6), ("0.3", 0.3), (" 0 ", 0), ("3,5", 3.5), ("mucha", "mucha")]:
        control.text.value = typed
        assert control.value == value and control.text.value == typed
    assert control.slider.value == 2, "as far as it goes"
    assert "TEMPERATURE es «mucha» y debe ser un número" in press(panel, "Escribir")
    control.slider.value = 1.65
    assert control.value == 1.65 and control.text.value == "1,65"
    control.value = 0.9
    assert (control.text.value, control.slider.value) == ("0,9", 0.9)
    panel.controls["n_notes"].text.value = "1000"
    assert repr(panel.controls["n_notes"].value) == "1000"
    panel.controls["n_notes"].slider.value = 30.0
    assert repr(panel.controls["n_notes"].value) == "30"
    panel.controls["n_notes"].text.value = "20,5"
    assert "N_NOTES es «20.5» y debe ser un entero" in press(panel, "Escribir")


def test_panel_begins_with_the_values_of_the_notebook(tmp_path):
    values = {
        "temperature": 1.234,
        "tempo_bpm": 92.5,
        "n_notes": 5,
        "top_p": 1.0,
        "seed": 2**32 - 1,
    }
    panel = Panel(tmp_path, bundles={}, **values)
    assert {name: panel.controls[name].value for name in values} == values
    assert panel.controls["tempo_bpm"].text.value == "92,5"


def test_instruments_that_are_offered_exist(panel):
    options = panel.controls["instrument"].options
    assert len(set(options)) == len(options) > 128 and options[0] == "piano"


def test_song_of_a_thread_is_as_good_as_the_main_one(built, monkeypatch, tmp_path):
    """Widgets may call from a thread, where libraries may not find what they need."""
    monkeypatch.setattr(playground, "small_bundle", lambda: built)
    panel = Panel(tmp_path, bundles={}, motif="", n_notes=20)
    for button in ("Escribir", "Guardar"):
        thread = threading.Thread(target=press, args=(panel, button))
        thread.start()
        thread.join()
    page = panel.card.outputs[0]["data"]["text/html"]
    score = engraving.sheet(panel.song).data
    assert "image/svg+xml" in score and score in page
    (saved,) = tmp_path.glob("*.pdf")
    main = engraving.save_pdf(panel.song, tmp_path / "main.pdf", panel.song.source)
    assert len(saved.read_bytes()) == pytest.approx(len(main.read_bytes()), rel=0.01)


def test_panel_says_what_to_do_where_there_is_no_kernel(panel):
    data = panel._repr_mimebundle_()
    assert "Run All Cells" in data["text/html"] and "widget-view" in str(sorted(data))


def test_damaged_bundle_is_told(panel, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no")
    panel.bundles["rota"] = tmp_path / "model.safetensors"
    panel.controls["bundle"].options = [*panel.controls["bundle"].options, "rota"]
    panel.controls["bundle"].value = "rota"
    assert "model.safetensors" in press(panel, "Escribir")
