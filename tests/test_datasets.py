import csv
import re
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab import datasets
from musiclab.datasets import build_dataset, in_all_keys, load_dataset, read_manifest, split_by_song
from musiclab.errors import DatasetError, MusiclabError, ParameterError
from musiclab.notes import NoteEvent, Song
from musiclab.parsing import song_to_midi, write_bytes

TINY = {row["file"]: row["sha256"] for row in read_manifest() if row["dataset"] == "tiny"}


def digests(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the built set, which a test may damage."""
    for path in tiny.iterdir():
        write_bytes(tmp_path / "tiny" / path.name, path.read_bytes())
    return tmp_path / "tiny"


# Building


def test_manifest_is_sound():
    rows = read_manifest()
    assert Counter(row["dataset"] for row in rows) == {
        "bach": 364, "folk": 1927, "classical": 27, "tiny": 6,
    }  # fmt: skip
    for key in ("file", "sha256"):
        assert len({(row["dataset"], row[key]) for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[a-z0-9._]+\.mid", row["file"]) for row in rows)
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) for row in rows)


def test_tiny_is_built_as_the_manifest_says(tiny, cache):
    assert digests(tiny) == TINY
    songs, report = load_dataset("tiny", tiny.parent)
    assert len(songs) == 6 and not report.dropped and not report.remarks
    assert sum(map(len, songs)) > 600
    chorale = next(song for song in songs if "bwv269" in song.source)
    assert sum(len(event.pitches) > 1 for event in chorale.events) > 20


def test_second_build_converts_nothing(copy, monkeypatch):
    monkeypatch.setattr(datasets, "_convert_chosen", None)
    assert build_dataset("tiny", copy.parent) == copy


def test_only_what_is_damaged_or_missing_is_rebuilt(copy, monkeypatch):
    damaged, missing, *_ = sorted(path for path in copy.iterdir() if "bwv" in path.name)
    damaged.write_bytes(b"damaged")
    missing.unlink()
    asked, real = [], datasets._convert_chosen
    monkeypatch.setattr(
        datasets, "_convert_chosen", lambda *job: asked.extend(job[3]) or real(*job)
    )
    build_dataset("tiny", copy.parent)
    assert digests(copy) == TINY
    assert asked == [damaged.name, missing.name]


def test_other_bytes_than_the_manifests_are_refused(copy, tmp_path, monkeypatch):
    rows = read_manifest()
    row = next(row for row in rows if row["dataset"] == "tiny")
    row["sha256"] = "0" * 64
    with open(tmp_path / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, datasets.FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(datasets, "MANIFEST", tmp_path / "manifest.csv")
    with pytest.raises(DatasetError, match=rf"«{row['file']}».*requirements.lock"):
        build_dataset("tiny", copy.parent)
    assert digests(copy) == TINY


@pytest.mark.xfail(strict=True, raises=OSError, reason="the OSError escapes as a traceback")
def test_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "tiny").write_text("a file where the folder should be")
    with pytest.raises(MusiclabError):
        build_dataset("tiny", tmp_path)


# Folders of one's own


def test_own_folder_is_a_set_by_its_name(tmp_path, song, cache):
    for name in ("a.mid", "sub/b.MIDI"):
        write_bytes(tmp_path / "mi música" / name, song_to_midi(song))
    songs, report = load_dataset("mi música", tmp_path)
    assert report.kept == ("a.mid", "sub/b.MIDI") and songs[0].events == song.events


@pytest.mark.parametrize("name", ["nada", ""])
def test_missing_set_is_answered_with_those_that_exist(tmp_path, name):
    (tmp_path / "mía").mkdir()
    with pytest.raises(DatasetError, match=r"bach, classical, folk, mía, tiny; copia") as error:
        load_dataset(name, tmp_path)
    assert f"«{name}»" in str(error.value) and str(tmp_path) in str(error.value)


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / "vacía").mkdir()
    with pytest.raises(DatasetError, match=r"vacía.*no tiene ningún fichero"):
        load_dataset("vacía", tmp_path)


# Splitting

tunes_strategy = st.lists(
    st.lists(st.integers(50, 60), min_size=3, max_size=4).map(tuple), min_size=1, max_size=15
)


def tune(pitches, source="", transposed=0):
    events = [NoteEvent(k, 1, (p + transposed,)) for k, p in enumerate(pitches)]
    return Song(tuple(events), source=source)


@given(tunes_strategy, st.integers(0, 9), st.sampled_from([0.1, 0.3, 0.9]))
def test_a_tune_and_its_transposition_stay_together(tunes, seed, fraction):
    songs = [tune(t, str(k)) for k, t in enumerate(tunes)]
    songs += [tune(t, f"{k} higher", 5) for k, t in enumerate(tunes) if k % 2]
    songs += songs[:1]  # the very same object twice
    if len({song.shape() for song in songs}) < 2:
        with pytest.raises(DatasetError, match="hay 1 canción distinta"):
            split_by_song(songs, seed, fraction)
        return
    split = split_by_song(songs, seed, fraction)
    train, held_out = ({song.shape() for song in side} for side in (split.train, split.held_out))
    assert train and held_out and not train & held_out
    assert Counter(split.train + split.held_out) == Counter(songs)
    assert split == split_by_song(songs, seed, fraction)


def test_split_hangs_on_the_seed_and_the_fraction():
    songs = [tune((60, 60 + k, 61), str(k)) for k in range(20)]
    assert len({split_by_song(songs, seed).held_out for seed in range(5)}) > 1
    assert [len(split_by_song(songs, 1, f).held_out) for f in (0.01, 0.1, 0.5)] == [1, 2, 10]
    assert split_by_song(songs, 1).train == tuple(
        song for song in songs if song not in split_by_song(songs, 1).held_out
    )


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_fraction_out_of_range_is_refused(song, fraction):
    with pytest.raises(ParameterError, match=f"es {fraction}"):
        split_by_song([song, replace(song, events=())], 1, fraction)


def test_all_keys_leave_out_what_leaves_midi(song):
    high = tune((120, 126), "high")
    found = in_all_keys([song, high], 2)
    assert found == (*(song.transposed(k) for k in range(-2, 3)),
                     *(high.transposed(k) for k in (-2, -1, 0, 1)))  # fmt: skip
    assert in_all_keys([song], 0) == (song,)
    with pytest.raises(ParameterError, match="TRANSPOSE es -1"):
        in_all_keys([song], -1)


# The writer


def test_tied_notes_are_joined_and_repeated_ones_are_not():
    from music21 import converter

    part = converter.parse("tinyNotation: 4/4 c1~ c2 c4 d4~ d4 e2.")
    assert [(e.onset_ql, e.duration_ql, e.pitches) for e in datasets._part_events(part)] == [
        (0, 6, (60,)), (6, 1, (60,)), (7, 2, (62,)), (9, 3, (64,)),
    ]  # fmt: skip
    assert datasets._bars(part) == [(0, 4, 4)]


def test_grace_notes_are_dropped_and_a_pickup_is_a_short_bar():
    from music21 import meter, note, stream

    pickup, first, second = (stream.Measure(number=k) for k in range(3))
    pickup.append([meter.TimeSignature("3/4"), note.Note("C4")])
    first.append([note.Note("D4").getGrace(), note.Note("E4", quarterLength=3)])
    second.append(note.Note("F4", quarterLength=3))
    part = stream.Part([pickup, first, second])
    assert [e.pitches for e in datasets._part_events(part)] == [(60,), (64,), (65,)]
    assert datasets._bars(part) == [(0, 1, 4), (1, 3, 4)]
