"""A panel in the notebook with which a trained network is played like an instrument.

Its networks are the bundles that the lessons leave in runs/, and a small one
for melodies that is trained once, in about a minute, and kept in the
user's cache.
"""

import html
import json
import os
import re
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import platformdirs

from musiclab import datasets, encoding, models, playback, plotting, training
from musiclab.card import show
from musiclab.course.parameters import PROJECT, merge_parameters, read_number
from musiclab.datasets import corpus
from musiclab.encoding import motifs
from musiclab.engraving import save_pdf
from musiclab.errors import BundleError, MusiclabError, OutputError, ParameterError
from musiclab.files import write_bytes
from musiclab.generation import generate
from musiclab.midi import load_folder
from musiclab.music import Song
from musiclab.music.instruments import COMMON, NAMES
from musiclab.plotting import comma

MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip
SMALL = "pequeña: melodías irlandesas"
REELS = tuple(f"oneills1850/{part}.abc" for part in ("1176-1275", "1276-1375", "1376-1475"))
N_SMALL = 300  # songs, about as many as there are reels
SETTINGS = {
    "seed": 0,
    "transpose": 3,  # so that motifs in most keys are known
    "window_length": 64,
    "epochs": 4,
    "batch_size": 24,
    "learning_rate": 5e-3,
    "config": {
        "cell": "gru", "units": [192], "inputs": "embedding", "embedding_dim": 64,
        "dropout": 0.1, "every_step": True,
    },
}  # fmt: skip


# The networks


def small_bundle(dataset="folk", sources=REELS, settings=SETTINGS):
    """Return a bundle that writes like `small_songs`, as `events`, trained when there is none yet."""
    if dataset == "folk":
        contents = [row["sha256"] for row in corpus.dataset_rows(dataset, sources)]
    else:
        contents = [*map(_encode, small_songs(dataset))]
    recipe = json.dumps([training.FORMAT, contents, settings])
    folder = Path(os.environ.get("MUSICLAB_CACHE") or platformdirs.user_cache_dir("musiclab"))
    path = folder / "models" / f"{sha256(recipe.encode()).hexdigest()[:16]}.safetensors"
    try:
        return training.load_bundle(path)
    except BundleError:  # not there yet, or damaged
        bundle = _train_small(small_songs(dataset, sources), **settings)
        with suppress(OutputError):  # then it is trained again next time
            training.save_bundle(path, bundle)
        return bundle


def small_songs(dataset="folk", sources=REELS):
    """Return the songs that the small bundle has learned from, and those it was judged by.

    Of `folk` the sources, reels if not said otherwise; of another set N_SMALL songs at most.
    """
    if dataset != "folk":
        return datasets.load_dataset(dataset)[0][:N_SMALL]
    folder = datasets.build_dataset("folk", sources=sources)
    files = [row["file"] for row in corpus.dataset_rows("folk", sources)]
    return load_folder(folder, names=files)[0]


def _encode(song):
    return encoding.get_encoding("events").encode(song)


def _train_small(songs, seed, transpose, window_length, epochs, batch_size, learning_rate, config):
    split = datasets.split_by_song(songs, seed)
    train = [_encode(song) for song in datasets.in_all_keys(split.train, transpose)]
    vocabulary = encoding.Vocabulary.fit(train)
    windows, held_out = (
        encoding.make_windows([vocabulary.to_ids(tokens) for tokens in part], window_length, True)
        for part in (train, [_encode(song) for song in split.held_out])
    )
    bundle = training.new_bundle(vocabulary, "events", window_length, windows, seed, **config)
    models.compile_model(bundle.model, learning_rate)
    training.train(bundle, windows, held_out, epochs=epochs, batch_size=batch_size)
    return bundle


def find_bundles(root=PROJECT / "runs"):
    """Return {name: path} of the bundles below a folder, the newest first.

    Names are what a person calls their folders, each another one; of equal
    ones, the oldest keeps its name when there are more.
    """
    root = Path(root)
    found = filter(training.is_bundle, root.rglob(training.BUNDLE))  # a chorale's model is none
    bundles = {}
    for path in sorted(found, key=lambda p: (p.stat().st_mtime, str(p))):
        name = _distinct(_bundle_name(path.parent.relative_to(root)), bundles)
        bundles[name] = path
    return dict(reversed(bundles.items()))


def _bundle_name(folder):
    """Return «lección 1, 23 de noviembre a las 12:00» for 01_tocando_.../2026-11-23_120000."""
    spoken = [_spoken(part) for part in folder.parts]
    return ", ".join(spoken) if spoken != list(folder.parts) else folder.as_posix()


def _spoken(part):
    """Return what a person calls a folder that musiclab made, and other names as they are."""
    if lesson := re.fullmatch(r"([0-9]{2})_\w+", part):
        return f"lección {int(lesson[1])}"
    if stamp := re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{6})(_[0-9]+)?", part):
        with suppress(ValueError):
            time = datetime.strptime(stamp[1], "%Y-%m-%d_%H%M%S")
            return f"{time.day} de {MONTHS[time.month - 1]} a las {time:%H:%M}"
    return {"jupyterlab": "la de JupyterLab", "simbolos": "símbolos"}.get(part, part)


def _distinct(name, taken):
    """Return a name that is not among those taken: itself, or with a number."""
    names = chain([name], (f"{name} ({k})" for k in count(2)))
    return next(name for name in names if name not in taken)


# Songs


class Written(NamedTuple):
    """What a network wrote.

    song: the motif and what follows it
    prompt_ql: the onset of the first symbol that the network wrote
    ended: whether the network ended it itself; None where it cannot
    """

    song: Song
    prompt_ql: float
    ended: bool | None


def write_song(
    bundle, motif="", *, n_notes=120, temperature=0.9, top_p=0.95, seed=0, instrument="piano",
    tempo_bpm=100.0,
):  # fmt: skip
    """Return what the bundle's network writes after a motif, as `Written`.

    motif: see `prompt_tokens`

    The other arguments are those of `generation.generate` and
    `playback.with_sound`; numbers may be texts, with a point or a comma.
    Raises MusiclabError when a value is out of range, or the network has
    never seen a note of the motif.
    """
    chosen = merge_parameters(
        {"N_NOTES": 120, "TEMPERATURE": 0.9, "TOP_P": 0.95, "SEED": 0, "TEMPO_BPM": 100.0},
        {"N_NOTES": n_notes, "TEMPERATURE": temperature, "TOP_P": top_p, "SEED": seed,
         "TEMPO_BPM": tempo_bpm},
    )  # fmt: skip
    n_notes, temperature, top_p, seed, tempo_bpm = chosen.values()
    prompt = prompt_tokens(bundle, motif)
    new = _continue(bundle, prompt, n_notes, temperature, top_p, seed)
    song = encoding.decode_song(
        [*prompt, *new], bundle.encoding, source=f"Melodía de la semilla {seed}"
    )
    song = playback.with_sound(song, instrument, tempo_bpm)
    ended = len(new) < n_notes if encoding.get_encoding(bundle.encoding).timed else None
    return Written(song, encoding.prompt_end_ql(prompt, bundle.encoding), ended)


def _continue(bundle, prompt, n_notes, temperature, top_p, seed):
    """Return the tokens that the bundle's network writes after those of a prompt."""
    vocabulary, ends = bundle.vocabulary, {}
    if encoding.get_encoding(bundle.encoding).timed:
        start, end = vocabulary.to_ids([encoding.START, encoding.END])
        ends = {"banned_ids": [start], "end_id": end}
    # A network with an answer at each step hears all that it has written.
    window_length = None if bundle.config.get("every_step") else bundle.window_length
    ids = generate(
        bundle.model, vocabulary.to_ids(prompt), n_notes, window_length, temperature,
        np.random.default_rng(seed), top_p=top_p, **ends,
    )  # fmt: skip
    return vocabulary.to_tokens(ids)


def ending(written, n_notes):
    """Return the sentence about how a song of at most n_notes symbols came to its end."""
    if written.ended:
        return "la red la ha terminado"
    reason = "esta red no sabe terminar" if written.ended is None else "la red no había terminado"
    return f"cortada a los {n_notes} símbolos nuevos: {reason}"


def prompt_tokens(bundle, motif=""):
    """Return the tokens of a motif for a bundle's network.

    motif: note names as `motifs.parse_motif` reads them; with an empty one
        the network begins by itself, where its encoding has START

    Raises ParameterError when the motif cannot be read, or is empty and the
    network cannot begin, and VocabularyError with motifs to try when the
    network has never seen a note of it.
    """
    if motif.strip():
        return motifs.known_tokens(motif, bundle.encoding, bundle.vocabulary)
    if encoding.get_encoding(bundle.encoding).timed:
        return [encoding.START]
    raise ParameterError("esta red no sabe empezar sola: escribe un motivo, como «Re4 La4»")


# The panel


class Panel:
    """Controls to choose a network and how it writes, and the song's card below them.

    folder: where «Guardar» leaves MIDI, MP3, PDF and PNG of the last song
    bundles: {name: path} to choose from, beside the small one
    """

    def __init__(self, folder=PROJECT / "runs" / "zona_de_juegos", bundles=None, **values):
        self.folder, self.song, self._loaded = Path(folder), None, {}
        self.bundles = find_bundles() if bundles is None else bundles
        self.controls = _controls([SMALL, *self.bundles], values)
        self.buttons = {
            text: widgets.Button(description=text, icon=icon)
            for text, icon in (("Escribir", "music"), ("Otra", "random"), ("Guardar", "save"))
        }
        for button, action in zip(
            self.buttons.values(), (self.write, self.write_another, self.save), strict=True
        ):
            button.on_click(lambda _, action=action: self._do(action))
        self.message = widgets.HTML()
        self.card = widgets.Output()
        self.view = widgets.VBox(
            [
                widgets.GridBox(
                    list(self.controls.values()),
                    layout=widgets.Layout(grid_template_columns="repeat(2, minmax(300px, 440px))"),
                ),
                widgets.HBox(list(self.buttons.values())),
                self.message,
                self.card,
            ]
        )

    def _repr_mimebundle_(self, **kwargs):
        """Show the controls, and a sentence where there is no kernel to work them."""
        said = "Ejecuta el cuaderno (Run → Run All Cells) y aquí aparecerán los mandos."
        bundle = self.view._repr_mimebundle_(**kwargs) or {}
        return {**bundle, "text/plain": said, "text/html": f"<p><i>{said}</i></p>"}

    def write(self):
        """Write a song as the controls say, and show it; where that fails, show none."""
        chosen = {name: control.value for name, control in self.controls.items()}
        try:
            written = write_song(self._bundle(chosen.pop("bundle")), **chosen)
            note = ending(written, chosen["n_notes"])
            card = show(written.song, note=note, prompt_ql=written.prompt_ql)
        except BaseException:
            self.song, self.card.outputs = None, ()
            raise
        self.song, self.card.outputs = written.song, ()
        self.card.append_display_data(card)
        return f"{len(self.song)} notas o acordes, {self.song.duration_s:.0f} segundos"

    def write_another(self):
        """Write a song from the next seed."""
        self.controls["seed"].value += 1
        return self.write()

    def save(self):
        """Leave the last song's files in the folder."""
        if self.song is None:
            raise ParameterError("todavía no hay canción: pulsa «Escribir»")
        return f"Guardada en {_keep(self.song, self.folder)}"

    def _bundle(self, name):
        if name not in self._loaded:
            path = self.bundles.get(name)
            self._loaded[name] = training.load_bundle(path) if path else small_bundle()
        return self._loaded[name]

    def _do(self, action):
        """Run what a button does; say how it ended, and let nobody press meanwhile."""
        for button in self.buttons.values():
            button.disabled = True
        self.message.value, said = "Un momento…", "Se ha interrumpido."
        try:
            said = action()
        except MusiclabError as error:
            said = str(error)
        except Exception as error:
            said = f"Algo inesperado ha fallado: {error!r}"
            raise
        finally:
            for button in self.buttons.values():
                button.disabled = False
            self.message.value = html.escape(said)


class Number(widgets.HBox):
    """A slider whose number can be typed beside it, with a point or a comma.

    What is typed holds, beyond the slider's ends too. `value` is a number, a
    whole one an int, or the text that is none.
    """

    def __init__(self, value, low, high, step, name):
        self.slider = widgets.FloatSlider(
            min=low, max=high, step=step, description=name, readout=False, **WIDE
        )
        self.slider.layout.flex = "1 1 auto"
        self.text = widgets.Text(continuous_update=False, layout=widgets.Layout(width="70px"))
        super().__init__([self.slider, self.text])
        self.value = value
        self._typed()
        self.slider.observe(self._slid, "value")
        self.text.observe(self._typed, "value")

    @property
    def value(self):
        try:
            number = read_number(self.text.value)
        except (ValueError, OverflowError):
            return self.text.value
        return int(number) if number.is_integer() else number

    @value.setter
    def value(self, value):
        self.text.value = comma(f"{value:.10g}") if isinstance(value, int | float) else str(value)

    def _slid(self, _):
        if isinstance(self.value, str) or self.slider.value != self._within():
            self.value = round(self.slider.value, 6)

    def _typed(self, _=None):
        self.slider.value = self._within()

    def _within(self):
        """Return the place of the slider for what is typed: where it is, when that is no number."""
        value, slider = self.value, self.slider
        return slider.value if isinstance(value, str) else min(max(value, slider.min), slider.max)


WIDE = {"style": {"description_width": "90px"}, "layout": {"width": "auto"}}


def _controls(names, values):
    """Return {argument of `write_song`: its widget}, the bundle's name first."""
    instruments = list(dict.fromkeys([*COMMON, *(name for name, _ in NAMES)]))
    controls = {
        "bundle": widgets.Dropdown(options=names, description="red", **WIDE),
        "motif": widgets.Text("Re5:1/2 La4:1/2 Fa#4:1/2 La4:1/2", description="motivo", **WIDE),
        "temperature": Number(0.9, 0, 2, 0.05, "temperatura"),
        "top_p": Number(0.95, 0.05, 1, 0.05, "núcleo"),
        "instrument": widgets.Combobox(
            value="flauta", options=instruments, description="instrumento", **WIDE
        ),
        "tempo_bpm": Number(120, 40, 240, 1, "tempo"),
        "n_notes": Number(120, 10, 600, 10, "longitud"),
        "seed": widgets.BoundedIntText(0, min=0, max=2**32 - 1, description="semilla", **WIDE),
    }
    for name, value in values.items():
        controls[name].value = value
    return controls


def _keep(song, folder):
    """Write a song's MIDI, MP3, PDF and PNG under a name that is free; return the MIDI's path."""
    name = song.source.replace(" ", "_")
    names = chain([name], (f"{name}_{k}" for k in count(2)))
    free = next(name for name in names if not (folder / f"{name}.mid").exists())
    midi, _ = playback.save_song(song, folder, free)
    save_pdf(song, midi.with_suffix(".pdf"), song.source)
    write_bytes(midi.with_suffix(".png"), plotting.roll_png(song, title=song.source))
    return midi
