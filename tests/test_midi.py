"""MIDI as it is written: what is read note by note, what is mended, refused, counted and written."""

import io
import os
import time
from dataclasses import replace

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_strategies import about, file_of, musical_files, mutated, raw_files, track_of
from music21_reference import differences

from musiclab.errors import DatasetError, MidiError, ParameterError
from musiclab.files import write_bytes
from musiclab.midi import load_folder, load_midi, read_midi, reading, save_midi, song_to_midi
from musiclab.music import NoteEvent, Song


def on(pitch, velocity=64, channel=0):
    return bytes((0x90 | channel, pitch, velocity))


def off(pitch, channel=0):
    return bytes((0x80 | channel, pitch, 0))


def end(tick):
    return tick, about(0x2F, b"")


def tempo(bpm):
    return about(0x51, round(60_000_000 / bpm).to_bytes(3, "big"))


def metre(numerator, denominator):
    return about(0x58, bytes((numerator, denominator.bit_length() - 1, 24, 8)))


def key(sharps, minor=0):
    return about(0x59, bytes((sharps % 256, minor)))


def notes(*pitches, start=0, length=480, channel=0):
    """Return the events of notes one after the other."""
    events = []
    for k, pitch in enumerate(pitches):
        events += [(start + k * length, on(pitch, channel=channel))]
        events += [(start + (k + 1) * length, off(pitch, channel))]
    return events


def in_time(*groups):
    """Return the events of groups in time; at one tick those of the first group come first."""
    return sorted((event for group in groups for event in group), key=lambda event: event[0])


def file_with(*tracks, **more):
    return file_of(480, [track_of(track) for track in tracks], **more)


def times(data, **more):
    """Return (onset, duration, pitches) of each event in 1/24 of a quarter."""
    song, _ = read_midi(data, **more)
    return [(round(e.onset_ql * 24), round(e.duration_ql * 24), e.pitches) for e in song.events]


def refusal(data):
    with pytest.raises(MidiError) as caught:
        read_midi(data)
    return str(caught.value)


# Parts


def test_type_0_is_taken_apart_by_channels_and_its_drums_stand_apart():
    flute, bass = notes(*[72] * 8), notes(*[40] * 8, channel=1)
    drums = notes(*[36] * 8, channel=9)
    song, read = read_midi(file_with(in_time(flute, bass, drums), kind=0))
    by_part = [[e.pitches for e in song.events if e.part == part] for part in range(song.n_parts)]
    assert by_part == [[(72,)] * 8, [(40,)] * 8]
    assert [e.onset_ql for e in song.drums] == list(range(8))
    assert read.remarks() == ("percusión omitida de los símbolos: 8 golpes",) and read.n_notes == 16


def test_a_drum_struck_by_two_tracks_at_once_is_one_stroke():
    data = file_with(notes(60), notes(36, 38, channel=9), notes(36, 42, channel=9))
    song, read = read_midi(data)
    assert [e.pitches for e in song.drums] == [(36,), (38, 42)] and read.n_strokes == 4
    assert read_midi(song_to_midi(song))[0] == song


def test_bass_in_a_track_with_drums_stays():
    track = in_time(notes(40, 43), notes(36, 38, channel=9))
    song, _ = read_midi(file_with([(0, tempo(100))], track))
    assert [e.pitches for e in song.events] == [(40,), (43,)] and len(song.drums) == 2


def test_each_program_of_a_channel_is_a_part():
    track = [(0, b"\xc0\x28"), *notes(60), (480, b"\xc0\x05"), *notes(62, start=480)]
    song, _ = read_midi(file_with(track))
    assert {song.program_of(e.part): e.pitches for e in song.events} == {40: (60,), 5: (62,)}


def test_tracks_of_one_channel_are_parts_of_their_own():
    song, _ = read_midi(file_with(notes(60, 62), notes(48, 50)))
    assert [(e.part, e.pitches) for e in song.events] == [
        (0, (60,)),
        (1, (48,)),
        (0, (62,)),
        (1, (50,)),
    ]


# Times


@pytest.mark.parametrize(
    ("pitches", "length", "duration"),
    [
        ((60, 62, 64, 65), 60, 3),  # thirty-seconds, one after the other
        ((60,) * 8, 60, 3),
        ((60, 62) * 6, 60, 3),  # a trill
        ((60, 62, 64), 160, 8),  # triplets
        ((60, 62, 64, 65, 67, 69), 80, 4),  # sextuplets
    ],
)
def test_short_notes_stay_notes(pitches, length, duration):
    expected = [(k * duration, duration, (pitch,)) for k, pitch in enumerate(pitches)]
    assert times(file_with(notes(*pitches, length=length))) == expected


def test_quintuplets_stay_five_notes_within_half_a_step():
    found = times(file_with(notes(60, 62, 64, 65, 67, length=96)))
    assert [pitches for *_, pitches in found] == [(p,) for p in (60, 62, 64, 65, 67)]
    assert all(abs(onset - 4.8 * k) <= 0.5 for k, (onset, *_) in enumerate(found))


def test_chord_is_what_begins_and_ends_together():
    together = in_time(notes(60), notes(64), notes(67))
    assert times(file_with(together)) == [(0, 24, (60, 64, 67))]
    apart = in_time(notes(60), notes(64, length=440), notes(67, start=20))
    assert times(file_with(apart)) == [(0, 22, (64,)), (0, 24, (60,)), (1, 24, (67,))]
    song, _ = read_midi(file_with(notes(60), notes(64)))
    assert len(song) == 2 and [e.pitches for e in song.chords()] == [(60, 64)]


def test_on_before_the_last_off_of_its_key_is_a_note_of_its_own():
    repeated = [(0, on(60)), (480, on(60)), (480, off(60)), (960, on(60)), (960, off(60))]
    repeated += [(1440, on(60)), (1440, off(60)), (1920, off(60))]
    assert times(file_with(repeated)) == [(24 * k, 24, (60,)) for k in range(4)]


def test_off_ends_what_sounds_and_a_key_struck_again_begins_anew():
    nested = [(0, on(60)), (480, on(60)), (960, off(60)), (1920, off(60))]
    assert times(file_with(nested)) == [(0, 24, (60,)), (24, 24, (60,))]


def test_notes_of_no_length_last_a_step_and_stay():
    assert times(file_with([(0, on(60)), (0, off(60)), *notes(60, start=480)])) == [
        (0, 1, (60,)),
        (24, 24, (60,)),
    ]


def test_note_without_off_sounds_to_the_end_of_its_track_and_is_remarked():
    track = [(0, on(60)), *notes(62, start=480), end(1920)]
    assert times(file_with(track, notes(40))) == [(0, 96, (60,)), (0, 24, (40,)), (24, 24, (62,))]
    _, read = read_midi(file_with(track))
    assert read.n_unended == 1 and "sin final" in read.remarks()[0]


def test_keys_struck_again_and_never_let_go_all_sound():
    strikes = [(480 * k, on(60)) for k in range(4)]
    assert times(file_with([*strikes, end(1920)])) == [(24 * k, 24, (60,)) for k in range(4)]
    once = [*strikes[:3], (1440, off(60)), end(1920)]
    assert times(file_with(once)) == [(24 * k, 24, (60,)) for k in range(3)]
    drums = [(240 * k, on(38, channel=9)) for k in range(100)]
    song, read = read_midi(file_with([*drums, end(24000)], notes(60)))
    assert len(song.drums) == 100 and read.n_strokes == 100


@pytest.mark.parametrize("junk", [bytes(3), b"whatever", b"\xf4\x10\xff"])
def test_what_follows_the_end_of_a_track_takes_no_note_with_it(junk):
    track = track_of([(0, on(60)), (480, off(60)), (480, on(62)), end(960)])
    assert times(file_of(480, [track + junk])) == [(0, 24, (60,)), (24, 24, (62,))]


@pytest.mark.parametrize("length", [0, 2, 5, 2**32 - 1])
def test_wrong_length_of_the_last_track_is_mended(length):
    for data in (file_with(GOOD), file_with(notes(48, 50, 52), GOOD)):
        place = data.rindex(b"MTrk") + 4
        wrong = data[:place] + length.to_bytes(4, "big") + data[place + 4 :]
        assert times(wrong) == times(data)


def test_a_length_beyond_the_file_is_wrong_and_no_cut_where_the_track_has_its_end():
    data = file_with([*notes(48, 50, 52), end(1440)])
    place = data.rindex(b"MTrk") + 4
    wrong = data[:place] + b"\xff" * 4 + data[place + 4 :]
    for whole in (wrong, wrong + b"\x01\x02"):
        song, read = read_midi(whole)
        assert song == read_midi(data)[0] and read.remarks() == ()
    assert read_midi(wrong[:-4])[1].n_missing > 0


def test_tempos_count_while_only_drums_sound():
    intro = in_time(notes(36, channel=9), [(960, tempo(60))], notes(60, start=960))
    song, _ = read_midi(file_with(intro))
    assert (song.tempo_bpm, song.tempos) == (120, ((2.0, 60.0),))
    after = in_time(notes(60), notes(36, 36, 36, start=480, channel=9), [(960, tempo(60))])
    song, _ = read_midi(file_with(after))
    assert song.tempos == ((2.0, 60.0),) and song.duration_s == 3


def test_marks_after_the_last_note_make_no_file_longer():
    marks = {"tempos": ((20.0, 60.0),), "bars": ((30.0, 3, 4),), "keys": ((40.0, 1, "major"),)}
    song = Song((NoteEvent(0, 1, (60,)),))
    assert song_to_midi(replace(song, **marks)) == song_to_midi(song)
    assert replace(song, **marks).until(0.5) == song.until(0.5)


def test_end_of_track_in_the_far_future_makes_no_song_longer():
    for late in (48 * 60 * 81 * 20, 0x0FFFFFFF):
        song, read = read_midi(file_with([(0, tempo(120)), *notes(60, length=3840), end(late)]))
        assert song.duration_s == 4 and read.remarks() == ()
        lost, _ = read_midi(file_with([(0, on(50)), *notes(60, length=3840), end(late)]))
        assert lost.duration_ql <= 8 + reading.LONGEST_RELEASE


def test_coarse_grid_tidies_and_says_what_it_moved_and_merged():
    played = in_time(notes(60, start=7, length=470), notes(62, start=530, length=430))
    played = in_time(played, notes(62, start=500, length=20))
    fine, coarse = (read_midi(file_with(played), steps_per_quarter=k) for k in (24, 4))
    assert (fine[1].n_moved, fine[1].n_merged) == (0, 0)
    assert [(e.onset_ql, e.duration_ql) for e in coarse[0].events] == [(0, 1), (1, 1)]
    assert (coarse[1].n_moved, coarse[1].n_merged) == (1, 1)
    assert len(coarse[1].remarks()) == 2
    with pytest.raises(ParameterError, match="0 pasos"):
        read_midi(file_with(played), steps_per_quarter=0)


def test_doublings_on_one_tick_are_one_note_and_counted():
    song, read = read_midi(file_with([(0, on(60, 40)), (0, on(60, 90)), *[(480, off(60))] * 2]))
    assert song.events == (NoteEvent(0, 1, (60,), 90),) and read.n_merged == 1


# Tempos, metres, keys


def test_last_tempo_at_a_tick_holds():
    song, _ = read_midi(file_with([(0, tempo(120)), (0, tempo(60)), *notes(60)]))
    assert (song.tempo_bpm, song.tempos, song.duration_s) == (60, (), 1)


def test_seconds_follow_the_map_of_tempos():
    track = in_time([(0, tempo(8)), (960, tempo(120))], notes(60, length=480 * 100))
    song, _ = read_midi(file_with(track))
    assert song.tempos == ((2.0, 120.0),) and song.duration_s == 64
    assert song.seconds_at(1) == 7.5 and song.moment_at(15) == 2 and song.moment_at(16) == 4


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(20, 300)), min_size=30, max_size=120))
@settings(max_examples=30)
def test_last_tempo_at_a_tick_holds_among_many(steps):
    ticks = np.cumsum([480 * step for step, _ in steps]).tolist()
    marks = [(tick, bpm) for tick, (_, bpm) in zip(ticks, steps, strict=True)]
    track = in_time([(t, tempo(bpm)) for t, bpm in marks], notes(60, length=ticks[-1] + 480))
    song, _ = read_midi(file_with(track))
    said = {}
    for tick, bpm in marks:
        said[tick / 480] = bpm
    for moment_ql, bpm in said.items():
        seconds = song.seconds_at(moment_ql + 0.5) - song.seconds_at(moment_ql)
        assert seconds == pytest.approx(30 / bpm, rel=1e-3)


def test_metres_and_keys_are_kept_and_nonsense_is_passed_over():
    marks = [(0, metre(4, 4)), (0, key(6)), (0, key(40)), (1920, metre(6, 8)), (1920, key(-3, 1))]
    marks += [(3360, metre(2, 4)), (3360, about(0x58, b"\x00\x02")), (4320, metre(6, 8))]
    song, _ = read_midi(file_with(in_time(marks, notes(*[60] * 20))))
    assert song.bars == ((4.0, 6, 8), (7.0, 2, 4), (9.0, 6, 8))
    assert song.keys == ((0.0, 6, "major"), (4.0, -3, "minor"))


# Bytes that are mended, or refused


GOOD = [(0, tempo(90)), *notes(60, 62, 64)]
SOUND = [(0, 24, (60,)), (24, 24, (62,)), (48, 24, (64,))]


def test_what_programs_write_wrongly_is_mended():
    data = file_with(GOOD)
    whole = data[:4] + (8).to_bytes(4, "big") + data[8:14] + b"\0\0" + data[14:]
    riff = b"RIFF" + len(data).to_bytes(4, "little") + b"RMIDdata" + len(data).to_bytes(4, "little")
    two = file_with(GOOD, notes(48, 50, 52))
    place = two.index(b"MTrk") + 4
    for odd in (
        whole,
        riff + data,
        data[:18] + b"\xff\xff\xff\xff" + data[22:],
        data[:18] + (2**20).to_bytes(4, "big") + data[22:],
        data.replace(b"MTrk", b"XFIH\0\0\0\1?MTrk"),
        data + b"whatever follows",
        file_with([*GOOD, end(1440)]),
    ):
        assert times(odd) == SOUND
    wrong = two[:place] + b"\0\0\0\5" + two[place + 4 :]
    assert len(times(wrong)) == 6


def test_cut_file_keeps_its_whole_events_and_says_so():
    data = file_with(GOOD)
    song, read = read_midi(data[:-2])
    assert [e.pitches for e in song.events] == [(60,), (62,), (64,)]
    assert read.n_missing == 2 and "faltan 2 bytes" in read.remarks()[-1]


BEGIN = track_of(GOOD)
HOSTILE = {
    "está vacío": b"",
    "no empieza por «MThd»": b"version https://git-lfs.github.com/spec/v1\n",
    "no empieza por «MThd»)": b"RIFF" + file_of(480, [b""])[4:],
    "su cabecera está dañada": file_of(480, [b""])[:13],
    "es de tipo 2": file_of(480, [BEGIN], kind=2),
    "fotogramas": file_of(0xE728, [BEGIN]),
    "0 tics por negra": file_of(0, [BEGIN]),
    "0 pistas": file_of(480, []),
    "no hay ninguna": file_of(480, [BEGIN])[:14],
    "se corta a mitad": file_of(480, [b"\x00\xff\x01\xff\xff"]),
    "sucesos que no son de MIDI": file_of(480, [BEGIN + b"\x00\xf4\x10"]),
    "dura más de 100000 negras": file_with([(0, on(60)), (48_000_001, off(60))]),
    "no tiene ninguna nota": file_with([(0, tempo(60)), (10, off(60))]),
    "solo tiene percusión": file_with(notes(36, channel=9)),
    "más de 200000 notas": file_of(480, [b"\x00\x90\x3c\x40\x00\x80\x3c\x40" * 100_001] * 2),
    "más de 200000 notas y": file_of(480, [b"\x01\xff\x51\x03\x07\xa1\x20" * 200_001]),
    "pasa de 20 MB": bytes(reading.MAX_BYTES + 1),
}  # fmt: skip


@pytest.mark.parametrize("why", HOSTILE)
def test_hostile_file_is_refused_with_its_reason(why):
    said = refusal(HOSTILE[why])
    assert why in said and "; " in said


@given(st.binary(max_size=300) | mutated(musical_files() | raw_files()))
@settings(max_examples=300)
def test_any_bytes_are_a_song_or_a_midi_error(data):
    try:
        song, read = read_midi(data)
    except MidiError as error:
        assert "; " in str(error)
    else:
        assert song.events and song.duration_s > 0 and read.n_notes >= 1


N_MANY = 50_000
WORST = {
    "all at once on one key": [(0, k) for k in range(N_MANY)],
    "all at once, each longer than the last": [(0, 200 * k + 200) for k in range(N_MANY)],
    "one after the other, all to the end": [(200 * k, 200 * N_MANY) for k in range(N_MANY)],
}


@pytest.mark.parametrize("kind", WORST)
def test_time_grows_with_the_number_of_notes(kind):
    """Twice the steps for each pair of notes would take minutes."""
    events = []
    for k, (start, stop) in enumerate(WORST[kind]):
        pitch, channel = (60, 0) if "one key" in kind else (k % 128, k // 128 % 9)
        events += [(start, 1, on(pitch, channel=channel)), (stop, 0, off(pitch, channel))]
    events.sort(key=lambda event: event[:2])
    data = file_with([(tick, event) for tick, _, event in events])
    begin = time.process_time()
    read_midi(data)
    assert time.process_time() - begin < 8


# Files


def test_only_regular_files_are_opened(tmp_path, song):
    save_midi(song, tmp_path / "good.mid")
    (tmp_path / "link.mid").symlink_to("good.mid")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "loop.mid").symlink_to("loop.mid")
    (tmp_path / "endless.mid").symlink_to("/dev/zero")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mid")
    for name in ("good.mid", "link.mid"):
        assert load_midi(tmp_path / name) == song
    for name in ("folder.mid", "loop.mid", "endless.mid", "pipe.mid", "absent.mid", "\0.mid"):
        with pytest.raises(MidiError, match="no se puede abrir"):
            load_midi(tmp_path / name)


@pytest.fixture
def folder(tmp_path, song):
    good = song_to_midi(song)
    contents = {
        "b.mid": good,
        "A.MID": good,
        "nested/deep/a.midi": song_to_midi(replace(song, tempo_bpm=60.0)),
        "nested/drums and tune.mid": file_with(in_time(notes(36, 38, channel=9), notes(60))),
        "note.txt": b"no MIDI",
        "bad/cut.mid": good[:20],
        "bad/drums.mid": file_with(notes(36, channel=9)),
        "bad/empty.mid": b"",
        "bad/no_notes.mid": song_to_midi(Song(())),
        "bad/pointer.mid": b"version https://git-lfs.github.com/spec/v1\n",
        "bad/smpte.mid": good[:12] + b"\xe7\x28" + good[14:],
        "bad/type2.mid": good[:8] + b"\x00\x02" + good[10:],
    }
    for name, data in contents.items():
        write_bytes(tmp_path / "songs" / name, data)
    (tmp_path / "songs/bad/really a folder.mid").mkdir()
    return tmp_path / "songs"


def test_bad_files_are_named_and_good_ones_kept(folder):
    songs, report = load_folder(folder)
    good = ("A.MID", "b.mid", "nested/deep/a.midi", "nested/drums and tune.mid")
    assert report.kept == tuple(song.source for song in songs) == good
    assert songs[0].events == songs[1].events and songs[2].tempo_bpm == 60
    assert report.remarks == ((good[3], "percusión omitida de los símbolos: 2 golpes"),)
    assert report.n_notes == 3 * sum(len(e.pitches) for e in songs[0].events) + 1
    reasons = dict(report.dropped)
    assert list(reasons) == sorted(p.relative_to(folder).as_posix() for p in folder.glob("bad/*"))
    assert all(name in str(report) for name in (*reasons, "4 canciones", "8 ficheros", good[3]))
    assert reasons.pop("bad/drums.mid").startswith("solo tiene percusión")
    assert reasons.pop("bad/no_notes.mid").startswith("no tiene ninguna nota")
    assert reasons.pop("bad/really a folder.mid").startswith("no se puede abrir")
    assert {reason[:21] for reason in reasons.values()} == {"no es un MIDI legible"}, reasons


def test_report_counts_what_a_coarse_grid_does(tmp_path):
    write_bytes(tmp_path / "played.mid", file_with(notes(60, 60, 62, start=35, length=20)))
    report = load_folder(tmp_path, steps_per_quarter=4)[1]
    assert (report.n_notes, report.n_moved, report.n_merged) == (3, 3, 1)
    assert "notas: 3; " in str(report) and "1 canción leída, 0 ficheros" in str(report)
    assert "movidas más de 1/24 de negra: 3; juntadas con otra igual: 1" in str(report)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_pipes_and_loops_of_links_do_not_stop_a_folder(folder):
    os.mkfifo(folder / "pipe.mid")
    (folder / "loop.mid").symlink_to("loop.mid")
    (folder / "again").symlink_to(folder)
    reasons = dict(load_folder(folder)[1].dropped)
    assert {reasons[name][:15] for name in ("pipe.mid", "loop.mid")} == {"no se puede abr"}


@pytest.mark.skipif(os.name == "nt" or os.sys.platform == "darwin", reason="names are text there")
def test_name_that_is_no_text_is_read_and_reported(folder, song):
    with open(os.fsencode(folder) + b"/caf\xe9.mid", "wb") as file:
        file.write(song_to_midi(song))
    with open(os.fsencode(folder) + b"/roto\xe9.mid", "wb") as file:
        file.write(b"no")
    songs, report = load_folder(folder)
    str(report).encode()  # can be printed
    assert "caf\ufffd.mid" in [song.source for song in songs]
    assert "roto\ufffd.mid" in dict(report.dropped)


def test_folder_without_songs_is_refused(folder, tmp_path):
    (tmp_path / "none").mkdir()
    for path, reason in [
        ("none", "ningún fichero .mid"),
        ("absent", "no existe la carpeta"),
        ("songs/bad", r"(?s)ningún fichero.*drums.mid: solo tiene percusión"),
    ]:
        with pytest.raises(DatasetError, match=reason):
            load_folder(tmp_path / path)


def test_a_thousand_files_with_one_in_twenty_broken(folder, song, tmp_path):
    """As a collection from the network is: one pass, every good one read, every bad one named."""
    good = song_to_midi(song)
    kinds = {path.name: path.read_bytes() for path in folder.glob("bad/*.mid") if path.is_file()}
    kinds |= {
        "noise.mid": np.random.default_rng(0).bytes(500),
        "zeros.mid": good[:14] + bytes(2000),
    }
    big, bad = tmp_path / "thousand", set()
    for k in range(1000):
        name, data = f"{k:04d}.mid", good
        if k % 20 == 7:
            kind = sorted(kinds)[k // 20 % len(kinds)]
            name, data = f"{k:04d} {kind}", kinds[kind]
            bad.add(name)
        write_bytes(big / name, data)
    songs, report = load_folder(big)
    assert len(songs) == 950 and {s.events for s in songs} == {song.events}
    assert {path for path, _ in report.dropped} == bad and len(bad) == 50
    assert all(len(reason) > 20 for _, reason in report.dropped)


# As music21 reads it, where it rounds nothing


def test_built_songs_are_as_music21_reads_them(tiny):
    for path in sorted(tiny.glob("*.mid")):
        assert differences(path, load_midi(path)).total() == 0


def test_differences_from_music21_are_named(tmp_path):
    short = [(0, on(50)), (5, off(50)), (480, on(55)), (500, off(55))]
    path = write_bytes(
        tmp_path / "a.mid", file_with(in_time(short, notes(60, 62), notes(64, start=500)))
    )
    song = load_midi(path)
    assert differences(path, song) == {"corta": 1, "acorde": 1, "otra": 0}
    fewer = replace(song, events=song.events[:-1])
    assert differences(path, fewer)["otra"] == 1


# Songs to bytes, there and back


STEPS = st.integers(0, 24 * 12).map(lambda step: step / 24)
LENGTHS = st.integers(1, 60).map(lambda step: step / 24)


@st.composite
def songs(draw):
    """Songs of up to 20 parts with drums and marks, none of whose keys sounds twice at once."""
    n_parts = draw(st.sampled_from([1, 1, 2, 4, 20]))
    taken, events = {}, []
    for part in range(n_parts):
        for onset, length, pitch in draw(
            st.lists(st.tuples(STEPS, LENGTHS, st.integers(0, 127)), min_size=1, max_size=6)
        ):
            spans = taken.setdefault((part, pitch), [])
            if all(onset + length <= a or b <= onset for a, b in spans):
                spans.append((onset, onset + length))
                events.append(NoteEvent(onset, length, (pitch,), draw(st.integers(1, 127)), part))
    programs = tuple(draw(st.integers(0, 127)) for _ in range(n_parts))
    drums = draw(st.sampled_from([(), (NoteEvent(0, 0.25, (36,)), NoteEvent(1, 0.25, (38, 42)))]))
    song = Song(
        tuple(events),
        program=programs[0],
        programs=programs if n_parts > 1 else (),
        tempo_bpm=draw(st.sampled_from([60.0, 90.0, 8.0])),
        drums=drums,
    )
    marks = {
        "tempos": ((song.duration_ql / 2, 33.0),),
        "bars": ((0.0, 3, 4), (song.duration_ql / 2, 7, 8)),
        "keys": ((0.0, draw(st.integers(-7, 7)), draw(st.sampled_from(["major", "minor"]))),),
    }
    return replace(song, **marks) if draw(st.booleans()) else song


def merged(song):
    """Return the song as a reader gives it: chords joined, events in its order."""
    found = {}
    for event in song.events:
        place = event.onset_ql, event.part, event.end_ql
        found.setdefault(place, []).append(event)
    events = []
    for (onset_ql, part, _), together in found.items():
        pitches = tuple(sorted(p for e in together for p in e.pitches))
        loudest = max(e.velocity for e in together)
        events.append(NoteEvent(onset_ql, together[0].duration_ql, pitches, loudest, part))
    events.sort(key=lambda e: (e.onset_ql, e.part, e.end_ql, e.pitches[0]))
    return replace(song, events=tuple(events))


def close(events):
    return [
        (round(24 * e.onset_ql), round(24 * e.duration_ql), *e.pitches, e.velocity, e.part)
        for e in events
    ]


@given(songs())
@settings(max_examples=80)
def test_song_survives_midi(song):
    back, read = read_midi(song_to_midi(song))
    assert close(back.events) == close(merged(song).events) and read.n_moved == read.n_merged == 0
    assert back.drums == song.drums
    assert [back.program_of(k) for k in range(back.n_parts)] == [
        song.program_of(k) for k in range(song.n_parts)
    ]
    assert back.keys == song.keys and back.tempo_bpm == song.tempo_bpm
    near = lambda marks: [(round(96 * onset_ql), *said) for onset_ql, *said in marks]
    assert near(back.tempos) == near(song.tempos) and near(back.bars) == near(song.bars)


def messages(data, kind):
    """Return (tick, message) of each message of a kind, track by track."""
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type.startswith(kind):
                yield tick, message


def test_program_tempo_and_tail_are_written(song):
    data = song_to_midi(song, tail_ql=3)
    assert [m.program for _, m in messages(data, "program_change")] == [40]
    ((_, said),) = messages(data, "set_tempo")
    assert mido.tempo2bpm(said.tempo) == pytest.approx(90, abs=1e-3)
    assert max(tick for tick, _ in messages(data, "note_off")) == 6 * 480
    assert 0 <= max(tick for tick, _ in messages(data, "end_of_track")) - 9 * 480 <= 1


def test_a_key_is_let_go_before_it_is_struck_again():
    song = Song((NoteEvent(0, 2, (60,)), NoteEvent(1, 1, (50,)), NoteEvent(1, 0, (60,))))
    found = [(tick, m.type, m.note) for tick, m in messages(song_to_midi(song), "note_")]
    assert found.index((480, "note_off", 60)) < found.index((480, "note_on", 60))
    sounding = set()
    for _, kind, pitch in found:
        assert (kind == "note_on") == (pitch not in sounding)
        sounding ^= {pitch}
    assert not sounding


def test_more_parts_than_channels_have_ports_and_none_the_channel_of_the_drums():
    song = Song(
        tuple(NoteEvent(k, 1, (40 + k,), part=k) for k in range(32)), programs=tuple(range(32))
    )
    data = song_to_midi(song)
    tracks = mido.MidiFile(file=io.BytesIO(data)).tracks
    ports = [[m.port for m in track if m.type == "midi_port"] for track in tracks]
    channels = [next(m.channel for m in track if m.type == "note_on") for track in tracks]
    assert ports == [[]] * 15 + [[1]] * 15 + [[2]] * 2 and 9 not in channels
    assert len(set(channels[:15])) == 15 and channels[15:30] == channels[:15]
    assert read_midi(data)[0] == replace(song, program=0)


def test_same_bytes_in_every_process(in_fresh_process):
    source = """
from musiclab.midi import song_to_midi
from musiclab.music import NoteEvent, Song
events = {NoteEvent(k % 2, 2, (p,)) for k in range(3) for p in {60, 3, 61 + k}}
print(song_to_midi(Song(tuple(events))).hex())"""
    runs = [in_fresh_process(source, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert runs[0]() == runs[1]()


def test_song_knows_its_bar_lines():
    song = Song((NoteEvent(0, 9, (60,)),), bars=((0.0, 1, 4), (1.0, 3, 4), (7.0, 2, 4)))
    assert song.bar_lines_ql() == [0, 1, 4, 7]
    assert Song((NoteEvent(0, 9, (60,)),)).bar_lines_ql() == [0, 4, 8]
