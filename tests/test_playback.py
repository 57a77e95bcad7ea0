import base64
import io
import re
import sys
from dataclasses import replace

import mido
import numpy as np
import pytest
import soundfile
from midi_strategies import about, file_of, track_of

from musiclab import playback
from musiclab.errors import MusiclabError, ParameterError
from musiclab.midi import read_midi
from musiclab.music import NoteEvent, Song, instrument_program
from musiclab.playback import SAMPLE_RATE, mp3_bytes, player, render, save_song

ORGAN = instrument_program("órgano")  # sounds at once; a piano's sample takes 6 ms to begin


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


def test_onsets_are_within_a_millisecond_for_three_minutes():
    pytest.importorskip("midirenderer")
    rng, woodblock = np.random.default_rng(0), 115
    ticks = np.cumsum(rng.integers(400, 1100, 220))
    ticks = ticks[ticks < 180 * 960]  # 960 a second at 120 quarters a minute
    sound = lambda onsets: render(
        Song(tuple(NoteEvent(t / 480, 0.25, (76,)) for t in onsets), program=woodblock)
    )
    # A stroke that is due where a block begins is on time, before the shift.
    begin = 50 * SAMPLE_RATE - playback.LATE_SAMPLES
    stroke, samples, errors_ms = sound([48_000])[begin:][:1500], sound(ticks), []
    for tick in ticks:
        due = tick * SAMPLE_RATE / 960
        near = samples[round(due) - 200 : round(due) + 1700]
        found = round(due) - 200 + np.correlate(near, stroke, "valid").argmax()
        errors_ms.append((found - due) / SAMPLE_RATE * 1000)
    assert len(ticks) > 150 and np.abs(errors_ms).max() < 0.7
    assert abs(np.polyfit(ticks, errors_ms, 1)[0] * ticks[-1]) < 0.1, "drift"


# What sounds


def test_more_instruments_than_channels_do_not_share_one():
    pytest.importorskip("midirenderer")
    programs = tuple(range(0, 80, 4))
    together = Song(tuple(NoteEvent(k, 0.5, (60,), part=k) for k in range(20)), programs=programs)
    loud = render(together)
    for part in (0, 15, 19):
        alone = render(Song((together.events[part],), program=programs[part]))
        place = slice(part * SAMPLE_RATE // 2, part * SAMPLE_RATE // 2 + 6000)
        a, b = loud[place], alone[place]
        assert np.corrcoef(a, b)[0, 1] > 0.9, part


def test_student_chooses_instruments_and_tempo(song):
    quick = playback.with_sound(song, "Flute", tempo_bpm=180)
    assert (quick.program, quick.tempo_bpm, quick.events) == (73, 180, song.events)
    duet = playback.with_sound(song, ["violín", "cello"])
    assert [duet.program_of(part) for part in range(3)] == [40, 42, 42]


def test_long_song_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(playback, "LONGEST_S", 60)
    long = Song(tuple(NoteEvent(4 * k, 4, (60,)) for k in range(100)), source="larga")
    assert playback.left_out(long).startswith("suenan los primeros 1 minutos de 3 min")
    assert 60 <= len(render(long)) / SAMPLE_RATE < 63
    assert "suenan los primeros" in player(long).data and playback.left_out(Song(())) == ""


def first_sounds(samples, moments_s, gap_s=0.2):
    """Return when it begins to sound after each of the moments, at which it is silent."""
    found = []
    for moment_s in moments_s:
        start = round((moment_s - gap_s / 2) * SAMPLE_RATE)
        heard = np.abs(samples[start : start + round(gap_s * SAMPLE_RATE)]) > 1e-3
        found.append((start + np.flatnonzero(heard)[0]) / SAMPLE_RATE)
    return np.array(found)


def test_changes_of_tempo_sound_where_the_song_says(synthesiser):
    events = tuple(NoteEvent(4 * k, 1, (69,)) for k in range(8))
    song = Song(events, program=ORGAN, tempo_bpm=120.0, tempos=((16.0, 60.0),))
    due = [song.seconds_at(event.onset_ql) for event in events]
    assert due == [0, 2, 4, 6, 8, 12, 16, 20]
    late_s = first_sounds(render(song), due[1:]) - due[1:]
    assert np.abs(late_s).max() < 0.001


def test_drums_add_sound_and_are_heard_alone():
    pytest.importorskip("midirenderer")
    strokes = tuple(NoteEvent(k, 0.25, (38,)) for k in range(8))
    tune = Song((NoteEvent(0, 1, (69,)),), program=ORGAN)
    silent, loud = (render(song) for song in (tune, replace(tune, drums=strokes)))
    place = slice(3 * SAMPLE_RATE, 3 * SAMPLE_RATE + 2000)  # the stroke at 6 quarters
    assert not np.abs(silent[place]).max(initial=0) > 1e-3
    assert np.abs(loud[place]).max() > 0.05
    assert len(loud) / SAMPLE_RATE > 3.6


def test_end_of_track_an_hour_later_makes_no_sound_longer():
    late = 2 * 81 * 60 * 480  # ticks of 81 minutes at 120 quarters a minute
    track = [(0, b"\x90\x45\x40"), (960, b"\x80\x45\x00"), (late, about(0x2F, b""))]
    song, _ = read_midi(file_of(480, [track_of(track)]))
    assert song.duration_s == 1 and playback.left_out(song) == ""
    assert 1 < len(render(song)) / SAMPLE_RATE < 6


@pytest.mark.parametrize("content", [None, b"", b"RIFF" + bytes(200)])
def test_soundfont_that_is_missing_or_broken_is_one_sentence(song, content, tmp_path, monkeypatch):
    pytest.importorskip("midirenderer")
    path = tmp_path / "otro.sf2"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(playback.SOUNDFONT, str(path))
    with pytest.raises(ParameterError, match=r"otro\.sf2.*MUSICLAB_SOUNDFONT"):
        render(song)


@pytest.mark.parametrize("tempo", [0, -1, 1, float("nan"), 1e9])
def test_tempo_that_midi_cannot_hold_is_one_sentence(song, tempo):
    with pytest.raises(ParameterError, match="tempo"):
        playback.with_sound(song, tempo_bpm=tempo)
