"""The fast reader of MIDI, held against music21 and against hostile bytes."""

import os
import time
import traceback
from bisect import bisect_right
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from midi_strategies import about, file_of, musical_files, mutated, raw_files, track_of

from musiclab import midifile, parsing
from musiclab.errors import MidiError
from musiclab.midifile import read_song
from musiclab.notes import NoteEvent
from musiclab.parsing import song_to_midi

# The same examples in every run: on some damaged files music21 makes bars for hours.
QUICK = settings(max_examples=60, phases=[Phase.explicit, Phase.generate], derandomize=True)
NOTATION = {"makeMeasures", "makeVoices", "makeTies", "makeRests"}


def outcome(read, *arguments):
    """Return what a reader returns, or the MidiError that it raises."""
    try:
        return read(*arguments)
    except MidiError as error:
        return error


def n_quarters(midi):
    ticks = [tick for track in midi.tracks for tick in track.marks + track.instruments]
    ticks += [tick or 0 for track in midi.tracks for note in track.notes for tick in note[:2]]
    return max(ticks, default=0) / midi.ticks_per_quarter


def assert_as_music21(data):
    """Assert that both readers give the same song, or both refuse.

    Allowed differences, all on damaged files: what music21 reads but cannot
    write as bars, voices and ties is a song here; denominators beyond 128 and
    time in frames are refused here, where music21 takes some of them.
    """
    fast = outcome(read_song, data)
    midi = outcome(midifile.read_midi, data)
    if not isinstance(midi, MidiError) and n_quarters(midi) > 200:
        return  # music21 would make a bar for each
    if any(why in str(fast) for why in ("compás de", "fotogramas", "dura más")):
        return
    slow = outcome(parsing._parse_music21, data)
    if isinstance(slow, MidiError) and not isinstance(fast, MidiError):
        frames = traceback.extract_tb(slow.__cause__.__traceback__)
        assert NOTATION & {frame.name for frame in frames}, slow
    elif isinstance(fast, MidiError):
        assert isinstance(slow, MidiError), (fast, slow)
        assert slow.__cause__ or str(slow) == str(fast)
    else:
        assert fast == slow


# As music21


def test_real_files_are_as_music21_reads_them(tiny):
    for path in sorted(tiny.glob("*.mid")):
        assert_as_music21(path.read_bytes())
        assert parsing.parse_midi(path) == parsing.parse_midi_music21(path)


@given(musical_files())
@settings(QUICK, max_examples=200)
def test_odd_music_is_as_music21_reads_it(data):
    assert_as_music21(data)


@given(raw_files())
@QUICK
def test_odd_events_are_as_music21_reads_them(data):
    assert_as_music21(data)


@given(mutated(musical_files() | raw_files()))
@settings(QUICK, max_examples=200)
def test_damaged_files_are_as_music21_reads_them(data):
    assert_as_music21(data)


@given(st.data())
@QUICK
def test_damaged_real_files_are_as_music21_reads_them(tiny, data):
    files = [path.read_bytes() for path in sorted(tiny.glob("*reel*.mid"))]
    assert_as_music21(data.draw(mutated(st.sampled_from(files))))


NOTE = "00 90 3c 40 60 80 3c 40"
ODD_EVENTS = {
    "running status at the start": "00 3c 40 60 3c 00",
    "unknown status, whose rest is time": f"{NOTE} 00 f8 10 90 40 40 60 80 40 40",
    "program beyond 127, whose rest is time": f"{NOTE} 00 c0 81 10 90 40 40 60 80 40 40",
    "running status of a system event": f"00 f0 01 f7 00 01 f7 {NOTE}",
    "running status across an event about the file": "00 90 3c 40 60 ff 01 00 00 3c 00",
    "running status across one that was passed over": "00 90 3c 40 00 c0 81 10 3c 00",
    "number too long inside an event": f"{NOTE} 00 ff 01 {'80 ' * 999} 01 {NOTE}",
    "number too long between events": f"{NOTE} {'80 ' * 999} 01 {NOTE}",
    "number of 998 bytes": f"{NOTE} {'80 ' * 997} 01 {NOTE}",
    "number cut": f"{NOTE} 80",
    "lone byte at the end": f"{NOTE} 00 90",
    "off cut in the middle": "00 90 3c 40 60 80 3c",
    "on cut in the middle": f"{NOTE} 00 90 3c",
    "mode cut in the middle": f"{NOTE} 00 b0 7e",
    "controller cut in the middle": f"{NOTE} 00 b0 07",
    "events after the end of the track": f"{NOTE} 00 ff 2f 00 {NOTE}",
    "pitches and velocities beyond 127": "00 90 8c ff 00 90 c8 80 60 80 8c 00 00 80 c8 00",
    "grace note and note of one pitch": "00 91 3c 40 00 81 3c 00 00 90 3c 20 60 80 3c 00",
    "unisons of two lengths": "00 91 3c 40 00 90 3c 20 60 80 3c 00 60 81 3c 00",
    "short data": f"{NOTE} 00 ff 59 01 00",
    "time signature of two bytes": f"00 ff 58 02 03 02 {NOTE}",
    "name that is no text": f"00 ff 03 02 ff fe {NOTE}",
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD_EVENTS)
def test_odd_event_is_as_music21_reads_it(kind):
    assert_as_music21(file_of(96, [bytes.fromhex(ODD_EVENTS[kind])]))


def test_instruments_have_music21s_names():
    from music21.instrument import instrumentFromMidiProgram

    names = [midifile.NAMES[bisect_right(midifile.FIRST, n) - 1] for n in range(128)]
    assert names == [instrumentFromMidiProgram(n).instrumentName for n in range(128)]


@pytest.mark.parametrize("between", ["c0 30", "c0 31", "c0 05", "c9 30", "ff 51 03 08 00 00"])
def test_mark_between_notes_closes_gaps_as_in_music21(between):
    """A note of a sixth before a mark at a third: music21 drops repeated instruments."""
    events = f"00 c0 30 03 90 3c 40 04 80 3c 40 02 {between} 0f 90 3c 40 18 80 3c 40"
    assert_as_music21(file_of(24, [bytes.fromhex(events)]))


# The rules, one by one


def one_track(*events, division=480, **more):
    """Return a file of one track of (tick, event) pairs."""
    return file_of(division, [track_of(events, **more)])


def on(pitch, velocity=64, channel=0):
    return bytes((0x90 | channel, pitch, velocity))


def off(pitch, channel=0):
    return bytes((0x80 | channel, pitch, 0))


def times(data):
    """Return (onset, duration, pitches) of each event, times in twelfths of a quarter."""
    song = read_song(data)[0]
    return [(round(e.onset_ql * 12), round(e.duration_ql * 12), e.pitches) for e in song.events]


def test_first_off_ends_every_note_of_its_pitch_and_channel():
    notes = [(0, on(60)), (480, on(60)), (960, off(60, 1)), (1440, off(60)), (1920, off(60))]
    assert times(one_track(*notes)) == [(0, 36, (60,)), (12, 24, (60,))]


def test_off_at_velocity_0_in_running_status():
    notes = [(0, on(60)), (480, on(60, 0)), (480, on(62)), (960, on(62, 0))]
    assert times(one_track(*notes, running=True)) == [(0, 12, (60,)), (12, 12, (62,))]


def test_chord_is_what_starts_and_ends_within_a_sixteenth():
    notes = [(0, on(64)), (119, on(60)), (480, off(64)), (600, off(60))]
    assert times(one_track(*notes)) == [(0, 12, (60, 64))]
    for late, end in [(120, 600), (119, 601)]:
        notes = [(0, on(64)), (late, on(60)), (480, off(64)), (end, off(60))]
        assert len(times(one_track(*notes))) == 2


def test_note_may_belong_to_two_chords():
    notes = [(0, on(60)), (1, on(62)), (2, on(64)), (480, off(60)), (580, off(64)), (680, off(62))]
    assert [pitches for *_, pitches in times(one_track(*notes))] == [(60, 64), (62, 64)]


@pytest.mark.parametrize("division", [480, 96, 24])
def test_times_snap_to_quarters_and_thirds_of_a_quarter(division):
    points = [0, 0, 3, 3, 4, 6, 6, 6, 8, 9, 9, 12]
    for twelfth, point in enumerate(points):
        start = division + twelfth * division // 12
        data = one_track((start, on(60)), (3 * division, off(60)), division=division)
        assert times(data)[0][0] == 12 + point


def test_drums_are_counted_by_stroke_and_left_out():
    notes = [(0, on(36, channel=9)), (0, on(60)), (0, on(42, channel=9))]
    ends = [(480, off(36, 9)), (1920, off(60)), (1920, off(42, 9))]
    strikes_only = one_track(*notes[:1], *ends[:1])
    assert "solo tiene percusión" in str(outcome(read_song, strikes_only))
    more = [(2400, on(60)), (2880, off(60))]
    song, remarks = read_song(one_track(*notes, *ends, *more))
    assert [e.onset_ql for e in song.events] == [5] and remarks == ("percusión omitida: 1 golpes",)


def test_program_is_what_the_track_says_first_and_not_its_name():
    events = [
        (0, about(3, b"Oboe")),
        (0, b"\xc9\x05"),
        (0, b"\xc0\x28"),
        (0, on(60)),
        (9, b"\xc0\x07"),
    ]
    song = read_song(one_track(*events, (480, off(60))))[0]
    assert (song.program, song.programs) == (40, ())


def test_tempo_of_a_track_without_notes_holds_for_the_tracks_after_it():
    tempo = track_of([(0, about(0x51, (500_000).to_bytes(3, "big")))])
    other = track_of([(0, about(0x51, (1_000_000).to_bytes(3, "big")))])
    notes = track_of([(0, on(60)), (480, off(60))])
    tempos = [
        read_song(file_of(480, tracks))[0].tempo_bpm
        for tracks in ([notes], [other, tempo, notes], [notes, other])
    ]
    assert tempos == [120, 60, 120]


def test_time_signatures_of_all_tracks_count():
    bars = [about(0x58, bytes(content)) for content in ((4, 2), (3, 2), (3, 2), (6, 3))]
    tracks = [
        [(0, bars[0]), (960, bars[1])],
        [(0, on(60)), (480, off(60))],
        [(1920, bars[2]), (2400, bars[3])],
    ]
    song = read_song(file_of(480, [track_of(track) for track in tracks]))[0]
    assert song.bars == ((2, 3, 4), (5, 6, 8))


def test_cut_and_trailing_bytes():
    good = one_track((0, on(60)), (480, off(60)), (960, on(62)), (1440, off(62)))
    song, remarks = read_song(good[:-1])
    assert len(song) == 2 and remarks == ("fichero cortado: faltan 1 bytes",)
    assert read_song(good + b"garbage \xff\xff\xff") == read_song(good)


# Hostile files


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda track: file_of(96, [track])))
@settings(max_examples=300)
def test_any_bytes_are_a_song_or_a_midi_error(data):
    result = outcome(read_song, data)
    if isinstance(result, MidiError):
        assert "; " in str(result)
    else:
        again = midifile.from_record(midifile.to_record(*result))
        assert again == result


GOOD = ((0, on(60)), (480, off(60)))
HOSTILE = {
    "está vacío": b"",
    "no empieza por «MThd»": b"RIFF" + file_of(480, [b""])[4:],
    "su cabecera está dañada": file_of(480, [b""])[:13],
    "es de tipo 2": file_of(480, [track_of(GOOD)], kind=2),
    "fotogramas": file_of(0xE728, [track_of(GOOD)]),
    "0 tics por negra": file_of(0, [track_of(GOOD)]),
    "0 pistas": file_of(480, []),
    "anuncia 65535 pistas y falta la 2": one_track(*GOOD).replace(b"\x00\x01\x01\xe0", b"\xff\xff\x01\xe0"),
    "la pista 1 se corta": file_of(480, [b"\x00\xff\x01\xff\xff"]),
    "dura más de 100000 negras": one_track((0, on(60)), (48_000_001, off(60))),
    "dura más de 100000 negras;": file_of(480, [b"\xff" * 900 + b"\x00" + b"\xc0\x05" + track_of(GOOD)]),
    "un tempo está dañado": one_track(*GOOD, (480, about(0x51, b"\x00\x00\x00"))),
    "una indicación de compás": one_track(*GOOD, (480, about(0x58, b"\x04"))),
    "un compás de 0/2^2": one_track(*GOOD, (480, about(0x58, b"\x00\x02"))),
    "un compás de 4/2^200": one_track(*GOOD, (480, about(0x58, b"\x04\xc8"))),
    "no tiene ninguna nota": one_track(*[(k, on(60 + k % 9)) for k in range(999)]),
    "más de 200000 notas": file_of(480, [b"\x00\x90\x3c\x40" * 100_001] * 2),
    "más de 200000 notas y": file_of(480, [b"\x01\xc0\x05" * 200_001]),
    "pasa de 20 MB": bytes(midifile.MAX_BYTES + 1),
}  # fmt: skip


@pytest.mark.parametrize("why", HOSTILE)
def test_hostile_file_is_refused_with_its_reason(why):
    with pytest.raises(MidiError) as caught:
        read_song(HOSTILE[why])
    assert why in str(caught.value) and "; " in str(caught.value)


def test_lengths_that_lie_are_no_reason_to_wait():
    lies = b"\x00\xf0\x8f\xff\xff\xff\x7f", b"\x00\xff\x01\xff\xff\xff\xff\x7f"
    for lie in lies:
        song = read_song(file_of(480, [track_of(GOOD) + lie]))[0]
        assert len(song) == 1


N_MANY = 50_000
WORST = {
    "all at once on one pitch": [(0, k) for k in range(N_MANY)],
    "all at once, each longer than the last": [(0, 200 * k + 200) for k in range(N_MANY)],
    "each within a sixteenth of the last": [(k, 2 * N_MANY - k) for k in range(N_MANY)],
    "one after the other, all to the end": [(200 * k, 200 * N_MANY) for k in range(N_MANY)],
}


@pytest.mark.parametrize("kind", WORST)
def test_time_grows_with_the_number_of_notes(kind):
    """Twice the steps for each pair of notes would take minutes."""
    events = []
    for k, (start, end) in enumerate(WORST[kind]):
        pitch, channel = (60, 0) if "one pitch" in kind else (k % 128, k // 128 % 9)
        events += [(start, 1, on(pitch, channel=channel)), (end, 0, off(pitch, channel))]
    events.sort(key=lambda event: event[:2])
    data = one_track(*[(tick, event) for tick, _, event in events])
    start = time.process_time()
    read_song(data)
    assert time.process_time() - start < 8


def test_one_off_for_many_notes_and_many_skipped_events():
    many = track_of([(0, on(60))] * N_MANY + [(480, off(60))])
    skipped = (b"\x00\xff\x01" + b"\x80" * 30) * 5_000
    for track in (many, skipped + b"\x00", b"\x00\xf8" * 100_000, b"\x00\xf0\x00" * 100_000):
        start = time.process_time()
        outcome(read_song, file_of(480, [track]))
        assert time.process_time() - start < 5


# Files


def test_only_regular_files_are_opened(tmp_path, song):
    (tmp_path / "good.mid").write_bytes(song_to_midi(song))
    (tmp_path / "link.mid").symlink_to("good.mid")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "loop.mid").symlink_to("loop.mid")
    (tmp_path / "endless.mid").symlink_to("/dev/zero")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mid")
    for name in ("good.mid", "link.mid"):
        assert midifile.read_bytes(tmp_path / name) == song_to_midi(song)
    for name in ("folder.mid", "loop.mid", "endless.mid", "pipe.mid", "absent.mid", "\0.mid"):
        with pytest.raises(MidiError, match="no se puede abrir"):
            midifile.read_bytes(tmp_path / name)
        assert midifile.digest(tmp_path / name) == (None, 0)


def test_record_keeps_all_and_names_the_source(song):
    whole = replace(song, programs=(40, 3), bars=((0.0, 3, 4), (1 / 3, 4, 4)))
    grace = NoteEvent(7 / 3, 0.0, (1, 2), 1, part=1)
    whole = replace(whole, events=(*whole.events, grace))
    record = midifile.to_record(whole, ("nota",))
    assert midifile.from_record(record, "x.mid") == (replace(whole, source="x.mid"), ("nota",))


def test_reader_starts_at_once(in_fresh_process):
    source = """
import sys
import musiclab.midifile
print({"music21", "mido", "numpy", "joblib", "tqdm"} & set(sys.modules))"""
    assert in_fresh_process(source)()[0] == "set()\n"
