import io
import os
import shutil
import sqlite3
from dataclasses import replace

import joblib
import mido
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from musiclab import midifile, parsing
from musiclab.errors import DatasetError, MidiError
from musiclab.notes import NoteEvent, Song
from musiclab.parsing import midi_bytes, parse_folder, parse_midi, song_to_midi, write_bytes


def read(data, folder):
    return parse_midi(write_bytes(folder / "song.mid", data))


def messages(data, kind):
    """Return (tick, message) of each message of a kind, track by track."""
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type.startswith(kind):
                yield tick, message


def events_strategy(per_quarter, max_length):
    def event(onset, length, pitches, velocity):
        times = onset / per_quarter, length / per_quarter
        return NoteEvent(*times, tuple(sorted(pitches)), velocity)

    pitches = st.sets(st.integers(0, 127) | st.integers(58, 65), min_size=1, max_size=4)
    lengths, velocities = st.integers(1, max_length), st.integers(1, 127)
    one = st.builds(event, st.integers(0, 60), lengths, pitches, velocities)
    return st.lists(one, min_size=1, max_size=12)


def without_overlap(events):
    """Drop events that MIDI or music21 cannot tell from earlier ones.

    music21 joins notes that begin together and end up to a sixteenth apart.
    """
    kept = []
    for new in events:
        overlap = [e for e in kept if new.onset_ql < e.end_ql and e.onset_ql < new.end_ql]
        alike = [
            e for e in kept if e.onset_ql == new.onset_ql and abs(e.end_ql - new.end_ql) <= 0.25
        ]
        if not alike and not set(new.pitches) & {p for e in overlap for p in e.pitches}:
            kept.append(new)
    return tuple(sorted(kept, key=lambda event: (event.onset_ql, event.pitches)))


# There and back


@given(events_strategy(4, 24), st.integers(0, 127), st.sampled_from([60.0, 90.0, 120.0]))
@settings(max_examples=60)
def test_song_survives_midi_on_the_grid_of_sixteenths(tmp_path_factory, events, program, tempo):
    song = Song(without_overlap(events), program=program, tempo_bpm=tempo)
    assert read(song_to_midi(song), tmp_path_factory.getbasetemp()) == song


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 7)), min_size=1, max_size=12))
@settings(max_examples=40, phases=[Phase.generate])
def test_song_survives_midi_on_the_grid_of_triplets(tmp_path_factory, notes):
    thirds, events = 0, []
    for k, (gap, length) in enumerate(notes):
        events.append(NoteEvent((thirds + gap) / 3, length / 3, (60 + k,)))
        thirds += gap + length
    song = Song(tuple(events))
    assert read(song_to_midi(song), tmp_path_factory.getbasetemp()) == song


def test_note_across_bar_lines_is_one_note(tmp_path):
    events = (NoteEvent(3, 7, (60, 64)), NoteEvent(10, 1, (62,)))
    data = midi_bytes([(0, events)], bars=[(0, 3, 4), (6, 5, 8)])
    assert read(data, tmp_path).events == events


def test_tracks_come_in_time_then_in_the_order_of_the_file(tmp_path):
    upper = NoteEvent(0, 2, (72,)), NoteEvent(2, 1, (74,))
    lower = NoteEvent(0, 1, (48,), part=1), NoteEvent(1, 2, (50,), part=1)
    song = read(midi_bytes([(6, upper), (40, lower)]), tmp_path)
    assert (song.events, song.program) == ((upper[0], *lower, upper[1]), 6)
    assert song.programs == (6, 40)


# Writing


def test_program_tempo_and_tail_are_written(song):
    data = song_to_midi(song, tail_ql=3)
    assert [m.program for _, m in messages(data, "program_change")] == [40]
    ((_, tempo),) = messages(data, "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(90, abs=1e-3)
    assert max(tick for tick, _ in messages(data, "note_off")) == 6 * 480
    assert max(tick for tick, _ in messages(data, "end_of_track")) == 9 * 480


@given(events_strategy(12, 40))
def test_one_pitch_never_sounds_twice_at_once(events):
    sounding, started = set(), []
    for tick, message in messages(song_to_midi(Song(tuple(events))), "note_"):
        if message.type == "note_on":
            assert message.note not in sounding
            sounding.add(message.note)
            started.append((tick, message.note))
        else:
            sounding.remove(message.note)
    wanted = {(round(e.onset_ql * 480), p) for e in events for p in e.pitches}
    assert not sounding and sorted(started) == sorted(wanted)


def test_off_goes_before_on_at_equal_ticks():
    notes = Song((NoteEvent(0, 1, (60,)), NoteEvent(1, 1, (50,)), NoteEvent(1, 0, (60,))))
    found = [(tick, m.type, m.note) for tick, m in messages(song_to_midi(notes), "note_")]
    assert found[1:4] == [(480, "note_off", 60), (480, "note_on", 50), (480, "note_on", 60)]


def test_no_track_plays_on_the_channel_of_the_drums():
    data = midi_bytes([(0, [NoteEvent(0, 1, (60,))])] * 18)
    channels = [m.channel for _, m in messages(data, "note_on")]
    assert len(channels) == 18 and set(channels) == set(range(16)) - {9}


def test_same_bytes_in_every_process(in_fresh_process):
    source = """
from musiclab.parsing import NoteEvent, Song, song_to_midi
events = {NoteEvent(k % 2, 2, (p,)) for k in range(3) for p in {60, 3, 61 + k}}
print(song_to_midi(Song(tuple(events))).hex())"""
    runs = [in_fresh_process(source, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert runs[0]() == runs[1]()


# Folders of good and bad files


def drums(*more):
    """Return a file of two drum strokes, and of more notes after them."""
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(track := mido.MidiTrack())
    for channel, note in [(9, 38), (9, 40), *((0, note) for note in more)]:
        track.append(mido.Message("note_on", channel=channel, note=note))
        track.append(mido.Message("note_off", channel=channel, note=note, time=480))
    midi.save(file=(file := io.BytesIO()))
    return file.getvalue()


@pytest.fixture
def folder(tmp_path, song, cache):
    good = song_to_midi(song)
    contents = {
        "b.mid": good,
        "A.MID": good,
        "nested/deep/a.midi": song_to_midi(replace(song, tempo_bpm=60.0)),
        "nested/drums and tune.mid": drums(60),
        "note.txt": b"no MIDI",
        "bad/cut.mid": good[:37],
        "bad/drums.mid": drums(),
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
    songs, report = parse_folder(folder)
    good = ("A.MID", "b.mid", "nested/deep/a.midi", "nested/drums and tune.mid")
    assert report.kept == tuple(song.source for song in songs) == good
    assert songs[0].events == songs[1].events and songs[2].tempo_bpm == 60
    assert report.remarks == ((good[3], "percusión omitida: 2 golpes"),)
    reasons = dict(report.dropped)
    assert list(reasons) == sorted(p.relative_to(folder).as_posix() for p in folder.glob("bad/*"))
    assert all(name in str(report) for name in (*reasons, "4 canciones", "8 ficheros", good[3]))
    assert reasons.pop("bad/drums.mid").startswith("solo tiene percusión")
    assert reasons.pop("bad/no_notes.mid").startswith("no tiene ninguna nota")
    assert reasons.pop("bad/really a folder.mid").startswith("no se puede abrir")
    assert {reason[:21] for reason in reasons.values()} == {"no es un MIDI legible"}, reasons


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_pipes_and_loops_of_links_do_not_stop_a_folder(folder):
    os.mkfifo(folder / "pipe.mid")
    (folder / "loop.mid").symlink_to("loop.mid")
    (folder / "again").symlink_to(folder)
    reasons = dict(parse_folder(folder)[1].dropped)
    assert {reasons[name][:15] for name in ("pipe.mid", "loop.mid")} == {"no se puede abr"}


def test_cut_file_is_dropped_or_remarked_on(folder, song):
    write_bytes(folder / "cut later.mid", song_to_midi(song)[:80])
    report = parse_folder(folder)[1]
    assert "cut later.mid" in dict(report.dropped + report.remarks)


def test_folder_without_songs_is_refused(folder, tmp_path):
    (tmp_path / "none").mkdir()
    for path, reason in [
        ("none", "ningún fichero .mid"),
        ("absent", "no existe la carpeta"),
        ("songs/bad", r"(?s)ningún fichero.*drums.mid: solo tiene percusión"),
    ]:
        with pytest.raises(DatasetError, match=reason):
            parse_folder(tmp_path / path)


def test_unreadable_file_is_a_midi_error(tmp_path):
    with pytest.raises(MidiError):
        parse_midi(tmp_path / "absent.mid")


# The cache


@pytest.fixture
def cached(tmp_path, song, cache):
    """A folder that was read once, and what came of it."""
    for k in (1, 2):
        write_bytes(tmp_path / f"songs/{k}.mid", song_to_midi(replace(song, program=k)))
    write_bytes(tmp_path / "songs/drums.mid", drums(60))
    return tmp_path / "songs", parse_folder(tmp_path / "songs")


@pytest.fixture
def parsed(monkeypatch):
    """The names of the files that were read for their notes."""
    names, real = [], midifile.read_files
    spy = lambda paths: names.extend(path.name for path in paths) or real(paths)
    monkeypatch.setattr(midifile, "read_files", spy)
    return names


def table(cache):
    """Return the database of the cache."""
    (path,) = cache.glob("*.sqlite")
    return sqlite3.connect(path, isolation_level=None)


def test_second_reading_asks_only_the_cache(cached, parsed, song, monkeypatch):
    folder, first = cached
    assert parse_folder(folder) == first and parsed == []
    shutil.copy(folder / "1.mid", folder / "copy.mid")  # it goes by content, not by name
    write_bytes(folder / "2.mid", song_to_midi(replace(song, program=3)))
    again = {song.source: song.program for song in parse_folder(folder)[0]}
    assert again["copy.mid"] == 1 and again["2.mid"] == 3 and parsed == ["2.mid"]
    monkeypatch.setattr(parsing, "PARSER_VERSION", "another")
    parse_folder(folder)
    assert len(parsed) == 5


def test_bad_files_are_read_once_too(folder, parsed):
    first = parse_folder(folder)
    assert len(first[1].dropped) == 8 and "smpte.mid" in parsed
    parsed.clear()
    assert parse_folder(folder) == first
    assert parsed == ["really a folder.mid"]  # has no content to know it by


def test_damaged_cache_is_read_anew(cached, cache, parsed):
    (record,) = table(cache).execute("SELECT record FROM songs LIMIT 1").fetchone()
    for bad in (b"", record[:50], record.replace(b"60", b"61"), record, None, "text", 1.5):
        table(cache).execute("UPDATE songs SET record = ?", [bad])
        parsed.clear()
        assert parse_folder(cached[0]) == cached[1]
        assert len(parsed) == (2 if bad == record else 3), bad


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(4000), b""])
def test_cache_that_is_no_database_is_made_anew(cached, cache, parsed, content):
    (path,) = cache.glob("*.sqlite")
    path.write_bytes(content)
    assert parse_folder(cached[0]) == parse_folder(cached[0]) == cached[1]
    assert parse_folder(cached[0]) == cached[1] and 3 <= len(parsed) <= 6


def test_cache_that_sqlite_cannot_even_name_is_made_anew(cached, cache, parsed):
    (path,) = cache.glob("*.sqlite")
    damage = {b"tablesongs": b"tables\xff\xfegs", b"CREATE TABLE songs": b"CREATE TABLE so(gs"}
    data = path.read_bytes()
    for good, bad in damage.items():
        data = data.replace(good, bad)
    path.write_bytes(data)
    assert parse_folder(cached[0]) == parse_folder(cached[0]) == cached[1]


def test_table_of_another_form_is_made_anew(cached, cache, parsed):
    table(cache).executescript("DROP TABLE songs; CREATE TABLE songs (other)")
    assert parse_folder(cached[0]) == parse_folder(cached[0]) == cached[1] and len(parsed) >= 3
    parsed.clear()
    assert parse_folder(cached[0]) == cached[1] and parsed == []


def test_locked_cache_costs_only_time(cached, cache, parsed, monkeypatch):
    monkeypatch.setattr(parsing, "LOCK_TIMEOUT_S", 0.1)
    table(cache).execute("DELETE FROM songs")
    (other := table(cache)).execute("BEGIN EXCLUSIVE")
    assert parse_folder(cached[0]) == cached[1] and len(parsed) == 3
    other.execute("ROLLBACK")
    assert parse_folder(cached[0]) == parse_folder(cached[0]) and len(parsed) == 6


def test_killed_reading_keeps_what_it_read(cached, cache, parsed, monkeypatch):
    table(cache).execute("DELETE FROM songs")
    monkeypatch.setattr(parsing, "BATCH_BYTES", 1)
    real = midifile.read_files

    def killed(paths):
        if paths[0].name == "drums.mid":
            raise KeyboardInterrupt
        return real(paths)

    monkeypatch.setattr(midifile, "read_files", killed)
    with pytest.raises(KeyboardInterrupt):
        parse_folder(cached[0])
    monkeypatch.setattr(midifile, "read_files", real)
    assert parsed == ["1.mid", "2.mid"]
    assert parse_folder(cached[0]) == cached[1] and parsed == ["1.mid", "2.mid", "drums.mid"]


def test_two_processes_read_one_folder_at_once(cached, in_fresh_process, tmp_path):
    source = f"""
from musiclab import midifile, parsing
parsing.BATCH_BYTES = 1
for _ in range(5):
    songs, report = parsing.parse_folder({str(cached[0])!r})
    print(len(songs), report.remarks)"""
    runs = [in_fresh_process(source, MUSICLAB_CACHE=str(tmp_path / "two")) for _ in range(2)]
    assert {run() for run in runs} == {(f"3 {cached[1][1].remarks}\n" * 5, "")}


def test_other_processes_read_the_same(cached, cache, monkeypatch):
    table(cache).execute("DELETE FROM songs")
    monkeypatch.setattr(parsing, "BATCH_BYTES", 1)
    monkeypatch.setattr(parsing, "WORTH_BATCHES", 1)
    with joblib.parallel_config(backend="loky"):
        assert parse_folder(cached[0], n_jobs=2) == cached[1]


def test_unwritable_cache_costs_only_time(cached, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "file"))
    assert parse_folder(cached[0]) == cached[1]


# Parts and bars


def test_parts_keep_their_instruments_and_bars_their_places(tmp_path):
    programs = tuple(range(5, 39, 2))  # 17: more than a MIDI port has channels
    events = tuple(NoteEvent(float(k), 1.0, (40 + k,), part=k) for k in range(len(programs)))
    bars = ((0.0, 1, 4), (1.0, 3, 4), (13.0, 6, 8))
    song = Song(events, program=5, programs=programs, bars=bars)
    tracks = mido.MidiFile(file=io.BytesIO(song_to_midi(song))).tracks[1:]
    ports = [[m.port for m in track if m.type == "midi_port"] for track in tracks]
    channels = [next(m.channel for m in track if m.type == "note_on") for track in tracks]
    assert ports == [[]] * 15 + [[1]] * 2 and 9 not in channels
    assert channels[15:] == channels[:2] and len(set(channels)) == 15
    assert read(song_to_midi(song), tmp_path) == song


def test_song_knows_its_bar_lines():
    song = Song((NoteEvent(0, 9, (60,)),), bars=((0.0, 1, 4), (1.0, 3, 4), (7.0, 2, 4)))
    assert song.bar_lines_ql() == [0, 1, 4, 7]
    assert Song((NoteEvent(0, 9, (60,)),)).bar_lines_ql() == [0, 4, 8]


def test_a_thousand_files_with_one_in_twenty_broken(folder, song, monkeypatch, tmp_path):
    """As a collection from the network is: one pass, every good one read, every bad one named."""
    good = song_to_midi(song)
    kinds = {path.name: path.read_bytes() for path in folder.glob("bad/*.mid") if path.is_file()}
    rng = np.random.default_rng(0)
    kinds |= {
        "noise.mid": rng.bytes(500),
        "tail of zeros.mid": good[:14] + bytes(2000),
        "a text.mid": "../otra carpeta/canción.mid".encode(),
        "lying length.mid": good[:18] + b"\x7f\xff\xff\xff" + good[22:60],
    }
    big, bad = tmp_path / "thousand", set()
    for k in range(1000):
        name, data = f"{k:04d}.mid", good + b"XXXX" + (4).to_bytes(4, "big") + k.to_bytes(4, "big")
        if k % 20 == 7:
            kind = sorted(kinds)[k // 20 % len(kinds)]
            name, data = f"{k:04d} {kind}", kinds[kind]
            bad.add(name)
        write_bytes(big / name, data)
    with joblib.parallel_config(backend="loky"):
        songs, report = parse_folder(big)
    assert len(songs) == 950 and {s.events for s in songs} == {song.events}
    assert {path for path, _ in report.dropped} == bad and len(bad) == 50
    assert all(len(reason) > 20 for _, reason in report.dropped)
    read = []
    monkeypatch.setattr(parsing.midifile, "read_files", read.append)
    assert parse_folder(big) == (songs, report) and not read, "the second time all is known"
