"""A panel in the notebook with which a trained network is played like an instrument.

Its networks are the bundles that the lessons leave in runs/, and a small one
for melodies that is trained once, in less than a minute, and kept in the
user's cache.
"""

import html
import json
import os
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import platformdirs

from musiclab import datasets, encoding, models, motifs, playback, plotting, training
from musiclab.card import show
from musiclab.errors import BundleError, MusiclabError, OutputError, ParameterError
from musiclab.files import write_bytes
from musiclab.generation import generate
from musiclab.instruments import NAMES
from musiclab.midi import load_midi
from musiclab.notation import save_pdf
from musiclab.running import PROJECT

SMALL = "pequeña: melodías irlandesas"
REELS = tuple(f"oneills1850/{part}.abc" for part in ("1176-1275", "1276-1375", "1376-1475"))
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


def small_bundle(sources=REELS, settings=SETTINGS):
    """Return a bundle that writes Irish reels as `events`, trained when there is none yet."""
    recipe = json.dumps([training.FORMAT, sources, settings])
    folder = Path(os.environ.get("MUSICLAB_CACHE") or platformdirs.user_cache_dir("musiclab"))
    path = folder / "models" / f"{sha256(recipe.encode()).hexdigest()[:16]}.npz"
    try:
        return training.load_bundle(path)
    except BundleError:  # not there yet, or damaged
        bundle = _train_small(sources, **settings)
        with suppress(OutputError):  # then it is trained again next time
            training.save_bundle(path, bundle)
        return bundle


def small_songs(sources=REELS):
    """Return the reels that the small bundle has learned from, and those it was judged by."""
    folder = datasets.build_dataset("folk", sources=sources)
    files = [row["file"] for row in datasets.dataset_rows("folk", sources)]
    return [replace(load_midi(folder / file), source=file) for file in files]


def _train_small(
    sources, seed, transpose, window_length, epochs, batch_size, learning_rate, config
):
    split = datasets.split_by_song(small_songs(sources), seed)
    encode = encoding.get_encoding("events").encode
    train = [encode(song) for song in datasets.in_all_keys(split.train, transpose)]
    vocabulary = encoding.Vocabulary.fit(train)
    windows, held_out = (
        encoding.make_windows([vocabulary.to_ids(tokens) for tokens in part], window_length, True)
        for part in (train, [encode(song) for song in split.held_out])
    )
    bundle = training.new_bundle(vocabulary, "events", window_length, windows, seed, **config)
    models.compile_model(bundle.model, learning_rate)
    training.train(bundle, windows, held_out, epochs=epochs, batch_size=batch_size)
    return bundle


def find_bundles(root=PROJECT / "runs"):
    """Return {name: path} of the bundles below a folder, the newest first; names are their folders."""
    paths = sorted(Path(root).rglob(training.BUNDLE), key=lambda p: p.stat().st_mtime, reverse=True)
    return {path.parent.relative_to(root).as_posix(): path for path in paths}


def write_song(
    bundle, motif="", *, n_notes=120, temperature=0.9, top_p=0.95, seed=0, instrument="piano",
    tempo_bpm=100.0,
):  # fmt: skip
    """Return (song, prompt_ql): what the bundle's network writes after a motif.

    motif: note names as `motifs.parse_motif` reads them; with an empty one
        the network begins by itself, where its encoding has START
    prompt_ql: where the motif ends

    The other arguments are those of `generation.generate` and
    `playback.with_sound`. Raises MusiclabError when a value is out of range,
    or the network has never seen a note of the motif.
    """
    timed, vocabulary = encoding.get_encoding(bundle.encoding).timed, bundle.vocabulary
    if not motif.strip() and not timed:
        raise ParameterError("esta red no sabe empezar sola: escribe un motivo, como «Re4 La4»")
    tokens = motifs.motif_tokens(motif, bundle.encoding) if motif.strip() else [encoding.START]
    prompt = vocabulary.to_ids(tokens, strict=True)
    ends = {}
    if timed:
        start, end = vocabulary.to_ids([encoding.START, encoding.END])
        ends = {"banned_ids": [start], "end_id": end}
    # A network with an answer at each step hears all that it has written.
    window_length = None if bundle.config.get("every_step") else bundle.window_length
    rng = np.random.default_rng(seed)
    ids = generate(
        bundle.model, prompt, n_notes, window_length, temperature, rng, top_p=top_p, **ends
    )
    tokens = [*tokens, *vocabulary.to_tokens(ids)]
    song = encoding.decode_song(tokens, bundle.encoding, source=f"canción {seed}")
    given = encoding.decode_song(vocabulary.to_tokens(prompt), bundle.encoding)
    return playback.with_sound(song, instrument, tempo_bpm), given.duration_ql


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
        """Write a song as the controls say, and show it."""
        chosen = {name: control.value for name, control in self.controls.items()}
        bundle = self._bundle(chosen.pop("bundle"))
        self.song, prompt_ql = write_song(bundle, **chosen)
        card = show(self.song, prompt_ql=prompt_ql)
        self.card.outputs = ()
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
        self.message.value = "Un momento…"
        try:
            said = action()
        except MusiclabError as error:
            said = str(error)
        finally:
            for button in self.buttons.values():
                button.disabled = False
        self.message.value = html.escape(said)


def _controls(names, values):
    """Return {argument of `write_song`: its widget}, the bundle's name first."""
    wide = {"style": {"description_width": "90px"}, "layout": widgets.Layout(width="auto")}
    controls = {
        "bundle": widgets.Dropdown(options=names, description="red", **wide),
        "motif": widgets.Text("Re5:1/2 La4:1/2 Fa#4:1/2 La4:1/2", description="motivo", **wide),
        "temperature": widgets.FloatSlider(
            0.9, min=0, max=2, step=0.05, description="temperatura", **wide
        ),
        "top_p": widgets.FloatSlider(
            0.95, min=0.05, max=1, step=0.05, description="núcleo", **wide
        ),
        "instrument": widgets.Combobox(
            value="flauta", options=[name for name, _ in NAMES], description="instrumento", **wide
        ),
        "tempo_bpm": widgets.IntSlider(120, min=40, max=240, description="tempo", **wide),
        "n_notes": widgets.IntSlider(120, min=10, max=600, step=10, description="longitud", **wide),
        "seed": widgets.BoundedIntText(0, min=0, max=2**31, description="semilla", **wide),
    }
    for name, value in values.items():
        controls[name].value = value
    return controls


def _keep(song, folder):
    """Write a song's MIDI, MP3, PDF and PNG under a name that is free; return the MIDI's path."""
    stem, k = song.source.replace(" ", "_"), 1
    while (folder / f"{stem}_{k}.mid").exists():
        k += 1
    midi, _ = playback.save_song(song, folder, f"{stem}_{k}")
    save_pdf(song, midi.with_suffix(".pdf"), song.source)
    write_bytes(midi.with_suffix(".png"), plotting.roll_png(song, title=song.source))
    return midi
