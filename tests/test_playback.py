import base64
import io
import re
import sys

import mido
import numpy as np
import pytest
import soundfile

from musiclab import playback
from musiclab.errors import MusiclabError
from musiclab.notes import NoteEvent, Song
from musiclab.playback import SAMPLE_RATE, mp3_bytes, player, render, save_song

ORGAN = playback.INSTRUMENTS["órgano"]  # sounds at once; a piano's sample takes 6 ms to begin


@pytest.fixture(params=["soundfont", "sines"])
def synthesiser(request, monkeypatch):
    """Both ways to make sound: without midirenderer, sine waves must do."""
    if request.param == "soundfont":
        pytest.importorskip("midirenderer")
    else:
        monkeypatch.setitem(sys.modules, "midirenderer", None)


def test_a4_is_in_tune(synthesiser):
    samples = render(Song((NoteEvent(0, 4, (69,)),)))[: 2 * SAMPLE_RATE]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**20))
    frequency = spectrum.argmax() * SAMPLE_RATE / 2**20
    assert abs(1200 * np.log2(frequency / 440)) < 5


def test_late_note_begins_on_time(synthesiser):
    samples = render(Song((NoteEvent(100, 4, (69,)),), program=ORGAN, tempo_bpm=120.0))
    assert abs(np.flatnonzero(np.abs(samples) > 1e-3)[0] / SAMPLE_RATE - 50) < 0.002


def test_sound_is_mono_and_as_loud_as_promised(song, synthesiser):
    samples = render(song)
    assert samples.ndim == 1 and samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(playback.PEAK)
    assert len(samples) / SAMPLE_RATE > song.duration_s - 0.01
    assert not np.abs(render(Song(()))).any()


def test_same_song_same_bytes(song):
    assert mp3_bytes(render(song)) == mp3_bytes(render(song))


def test_last_note_may_ring_and_instruments_differ(song):
    pytest.importorskip("midirenderer")
    assert len(render(song)) / SAMPLE_RATE > song.duration_s + 1
    assert not np.array_equal(render(song), render(Song(song.events, program=ORGAN)))


def test_saved_files_are_that_song(song, tmp_path):
    midi, mp3 = save_song(song, tmp_path / "new", name="canción")
    assert (midi.name, mp3.name) == ("canción.mid", "canción.mp3")
    assert mido.MidiFile(midi).length == pytest.approx(song.duration_s, abs=0.01)
    samples, rate = soundfile.read(mp3)
    assert len(samples) / rate == pytest.approx(len(render(song)) / SAMPLE_RATE, abs=0.1)
    assert np.abs(samples).max() > 0.5


def test_folder_that_cannot_be_written_is_one_sentence(song, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MusiclabError):
        save_song(song, tmp_path / "file")


def test_player_needs_no_network_and_escapes_its_title(song):
    page = player(song, title="<b>Bach & Söhne</b>").data
    assert "&lt;b&gt;Bach &amp; Söhne&lt;/b&gt;" in page and "<b>" not in page
    assert "<audio controls" in page and not re.search("https?:|<script", page)
    (sound,) = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    assert np.abs(soundfile.read(io.BytesIO(base64.b64decode(sound)))[0]).max() > 0.5


def test_instruments():
    assert playback.instrument_program("violín") == 40
    with pytest.raises(MusiclabError, match=r"«kazoo»: elige piano, .*flauta"):
        playback.instrument_program("kazoo")
