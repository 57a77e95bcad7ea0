"""Songs to sound, without network or system libraries.

The synthesiser is `midirenderer` with the General MIDI SoundFont that the
`pretty_midi` package carries; where it has no wheel, `pretty_midi` plays
sine waves. Sound is an array (n_samples,), float32 in [-1, 1], mono.
"""

import base64
import html
import importlib.util
import io
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from IPython.display import HTML

from musiclab.errors import MusiclabError
from musiclab.parsing import song_to_midi, write_bytes

SAMPLE_RATE = 48_000
PEAK = 0.9
TAIL_QL = 3.0  # how long the last note may ring

INSTRUMENTS = {
    "piano": 0,
    "clave": 6,
    "órgano": 19,
    "guitarra": 24,
    "violín": 40,
    "violonchelo": 42,
    "arpa": 46,
    "cuerdas": 48,
    "coro": 52,
    "trompeta": 56,
    "clarinete": 71,
    "flauta": 73,
}


def instrument_program(name):
    """Return the General MIDI program (0-127) of an instrument's Spanish name.

    Raises MusiclabError with the names that exist.
    """
    if name not in INSTRUMENTS:
        raise MusiclabError(f"no hay instrumento «{name}»: elige {', '.join(INSTRUMENTS)}")
    return INSTRUMENTS[name]


def render(song):
    """Return the sound of a song at SAMPLE_RATE, its loudest sample at PEAK.

    The same song gives the same samples each time.
    """
    midi = song_to_midi(song, tail_ql=TAIL_QL)
    if importlib.util.find_spec("midirenderer"):
        samples = _render_soundfont(midi)
    else:
        samples = _render_sines(midi)
    loudest = np.abs(samples).max(initial=0.0)
    return (samples * (PEAK / loudest if loudest else 0.0)).astype(np.float32)


def _render_soundfont(midi):
    import midirenderer

    wave = midirenderer.render_wave_from(_soundfont(), midi)
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    assert rate == SAMPLE_RATE
    return samples.mean(axis=1)


def _render_sines(midi):
    import pretty_midi

    return pretty_midi.PrettyMIDI(io.BytesIO(midi)).synthesize(fs=SAMPLE_RATE)


@cache
def _soundfont():
    package = Path(importlib.util.find_spec("pretty_midi").origin).parent
    return (package / "TimGM6mb.sf2").read_bytes()


def mp3_bytes(samples):
    """Return samples (n_samples,) at SAMPLE_RATE as the bytes of an MP3 file."""
    file = io.BytesIO()
    soundfile.write(
        file, samples, SAMPLE_RATE, format="MP3", compression_level=0.7, bitrate_mode="VARIABLE"
    )
    return file.getvalue()


def save_song(song, folder, name="song"):
    """Write name.mid and name.mp3 into a folder, and return both paths."""
    folder = Path(folder)
    midi = write_bytes(folder / f"{name}.mid", song_to_midi(song))
    return midi, write_bytes(folder / f"{name}.mp3", mp3_bytes(render(song)))


def player(song, title=""):
    """Return a player for the notebook, with the sound inside.

    It plays offline, in a notebook that is not trusted, and in its HTML page.
    """
    data = base64.b64encode(mp3_bytes(render(song))).decode()
    caption = f"<figcaption>{html.escape(title)}</figcaption>" if title else ""
    return HTML(
        f'<figure style="margin:0.5em 0">{caption}'
        f'<audio controls src="data:audio/mpeg;base64,{data}"></audio></figure>'
    )
