"""Songs to sound, without network or system libraries.

The synthesiser is `midirenderer` with the General MIDI SoundFont that the
`pretty_midi` package carries, or the one that MUSICLAB_SOUNDFONT names;
where it has no wheel, `pretty_midi` plays sine waves. Sound is an array
(n_samples,), float32 in [-1, 1], mono. Of a long song the first LONGEST_S
seconds sound. What sounds is made from a Song, with its drums and changes of
tempo, never from a file's bytes.
"""

import html
import importlib.util
import io
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from IPython.display import HTML

from musiclab.errors import ParameterError
from musiclab.files import data_url, write_bytes
from musiclab.midi import song_to_midi
from musiclab.midi.writing import FASTEST_BPM, N_CHANNELS, SLOWEST_BPM
from musiclab.music import instrument_program

SAMPLE_RATE = 48_000
PEAK = 0.9
TAIL_QL = 3.0  # how long the last note may ring
LONGEST_S = 600
SOUNDFONT = "MUSICLAB_SOUNDFONT"
# midirenderer lets notes begin at the next multiple of 64 samples, so late by
# 32 on average: without the first 32, no note is off by more than 0.67 ms.
LATE_SAMPLES = 32


def with_sound(song, instrument=None, tempo_bpm=None):
    """Return the song for another instrument, or at another tempo.

    instrument: a name or number that `instrument_program` takes, or a list
        of them, one for each part
    Raises ParameterError for an unknown name, or a tempo that MIDI cannot hold.
    """
    if instrument is not None:
        names = instrument if isinstance(instrument, (list, tuple)) else [instrument]
        programs = tuple(instrument_program(name) for name in names)
        song = replace(song, program=programs[-1], programs=programs[:-1])
    if tempo_bpm is None:
        return song
    if not SLOWEST_BPM <= tempo_bpm <= FASTEST_BPM:
        raise ParameterError(
            f"el tempo es {tempo_bpm} y debe ser de {SLOWEST_BPM} a {FASTEST_BPM} negras por minuto"
        )
    return replace(song, tempo_bpm=float(tempo_bpm), tempos=())


def left_out(song):
    """Return a Spanish sentence on how much of the song does not sound, or an empty text."""
    if song.duration_s <= LONGEST_S:
        return ""
    return f"suenan los primeros {LONGEST_S // 60} minutos de {length_of(song)}"


def length_of(song):
    """Return how long a song sounds, such as "3 min 20 s"."""
    minutes, seconds = divmod(round(song.duration_s), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def render(song):
    """Return the sound of a song at SAMPLE_RATE, its drums and tempos too, its peak at PEAK.

    The same song gives the same samples each time. Raises ParameterError
    when the SoundFont is missing or broken.
    """
    song = song.until(song.moment_at(LONGEST_S))
    try:
        return _mixed([_synthesise(song_to_midi(part, TAIL_QL)) for part in _playable(song)])
    except (RuntimeError, ValueError) as error:
        raise ParameterError(
            f"el banco de sonidos «{_soundfont_path()}» no se puede usar ({error}): pon en "
            f"{SOUNDFONT} la ruta de un fichero .sf2 en buen estado, o quítala"
        ) from error


def _playable(song):
    """Return the song as songs of no more parts than MIDI has channels, to be mixed."""
    groups = []
    for first in range(0, song.n_parts, N_CHANNELS):
        group = range(first, first + N_CHANNELS)
        own = [event for event in song.events if event.part in group]
        events = tuple(replace(event, part=event.part - first) for event in own)
        programs = tuple(song.program_of(part) for part in group)
        drums = () if first else song.drums
        groups.append(replace(song, events=events, programs=programs, drums=drums))
    return groups


def _mixed(sounds):
    """Return sounds of different lengths as one, its loudest sample at PEAK."""
    samples = np.zeros(max(map(len, sounds)), dtype=np.float32)
    for sound in sounds:
        samples[: len(sound)] += sound
    loudest = np.abs(samples).max(initial=0.0)
    return samples * np.float32(PEAK / loudest if loudest else 0.0)


def _synthesise(midi):
    if importlib.util.find_spec("midirenderer"):
        return _play_soundfont(midi)
    import pretty_midi

    return pretty_midi.PrettyMIDI(io.BytesIO(midi)).synthesize(fs=SAMPLE_RATE)


def _play_soundfont(midi):
    import midirenderer

    wave = midirenderer.render_wave_from(_read_soundfont(_soundfont_path()), midi)
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    assert rate == SAMPLE_RATE
    return samples[LATE_SAMPLES:].mean(axis=1)


def _soundfont_path():
    if os.environ.get(SOUNDFONT):
        return Path(os.environ[SOUNDFONT])
    return Path(importlib.util.find_spec("pretty_midi").origin).with_name("TimGM6mb.sf2")


@lru_cache(maxsize=1)
def _read_soundfont(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParameterError(
            f"no se puede leer el banco de sonidos «{path}» ({error.strerror}): pon en {SOUNDFONT} "
            "la ruta de un fichero .sf2, o quítala y prepara de nuevo el entorno (make env)"
        ) from error


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
    caption = ", ".join(filter(None, [title, left_out(song)]))
    return HTML(player_html(mp3_bytes(render(song)), caption))


def player_html(mp3, caption=""):
    """Return the HTML of a player of an MP3 file (bytes)."""
    caption = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure style="margin:0.5em 0">{caption}'
        f'<audio controls src="{data_url(mp3, "audio/mpeg")}"></audio></figure>'
    )
