import csv
import re
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiclab import datasets
from musiclab.datasets import (
    build_dataset,
    corpus,
    in_all_keys,
    load_dataset,
    pitch_limits,
    split_by_song,
)
from musiclab.datasets.corpus import read_manifest
from musiclab.errors import DatasetError, MusiclabError, ParameterError
from musiclab.files import write_bytes
from musiclab.midi import read_midi, song_to_midi
from musiclab.music import NoteEvent, Song

TINY = {row["file"]: row["sha256"] for row in read_manifest() if row["dataset"] == "tiny"}


def digests(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the built set, which a test may damage."""
    return shutil.copytree(tiny, tmp_path / "tiny")


# Building


def test_manifest_is_sound():
    rows = read_manifest()
    sizes = {"bach": 364, "folk": 1923, "classical": 27, "free": 11, "tiny": 6}
    assert Counter(row["dataset"] for row in rows) == sizes
    for key, pattern in [("file", r"[a-z0-9._]+\.mid"), ("sha256", "[0-9a-f]{64}")]:
        assert len({(row["dataset"], row[key]) for row in rows}) == len(rows)
        assert all(re.fullmatch(pattern, row[key]) for row in rows)


def test_free_is_free(tmp_path):
    """Each score says in itself that its encoding may be passed on, and comes out as it should."""
    folder = build_dataset("free", tmp_path)
    rows = corpus.dataset_rows("free")
    assert digests(folder) == {row["file"]: row["sha256"] for row in rows}
    for row in rows:
        path = corpus._corpus_root() / row["source"]
        text = path.read_bytes()
        if path.suffix == ".mxl":
            with zipfile.ZipFile(path) as archive:
                text = b"".join(map(archive.read, archive.namelist()))
        assert re.search(rb"CC0|CC[- ]BY(-SA)?|CC-SA-BY", text), row["source"]


HEADING, ROW = b"dataset,file,source,index,sha256\n", b"bach,a.mid,bach/a.mxl,0," + b"0" * 64


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"\0",
            b"\xff\xfe",
            b"a,b\n",
            ROW,
            HEADING[:-2],
            HEADING + ROW[:-1],
            HEADING + ROW * 2,
        ),
        *(
            HEADING + b"bach,a.mid\n",
            HEADING + ROW + b",x\n",
            HEADING + b'"' + ROW,
            HEADING + b",,,,",
        ),
        HEADING + ROW.replace(b"a.mid", b"../a.mid"),
        HEADING + ROW.replace(b"a.mid", b"/a.mid"),
        HEADING + ROW.replace(b"bach/a.mxl", b"../../a.mxl"),
        HEADING + ROW.replace(b",0,", b",-1,"),
        HEADING + ROW.replace(b",", b";"),
        HEADING + b"x" * 200_000,
    ],
    ids=range(18),
)
def test_manifest_of_any_bytes_is_one_sentence(tmp_path, monkeypatch, data):
    monkeypatch.setattr(corpus, "MANIFEST", tmp_path / "manifest.csv")
    if data:
        corpus.MANIFEST.write_bytes(data)
    with pytest.raises(DatasetError, match="git checkout"):
        read_manifest()
    corpus.MANIFEST.write_bytes(b"\xef\xbb\xbf" + (HEADING + ROW).replace(b"\n", b"\r\n"))
    assert read_manifest()[0]["file"] == "a.mid"


def test_tiny_is_built_as_the_manifest_says(tiny, monkeypatch):
    assert digests(tiny) == TINY
    monkeypatch.setattr(corpus, "_convert_chosen", None)  # nothing is left to convert
    songs, report = load_dataset("tiny", tiny.parent)
    assert len(songs) == 6 and not report.dropped and not report.remarks
    chorale = next(song for song in songs if "bwv269" in song.source)
    assert sum(len(event.pitches) > 1 for event in chorale.chords()) > 20
    assert chorale.keys and chorale.bars[:1] == ((0, 1, 4),)


def test_four_voices_are_four_parts(tiny):
    songs, _ = load_dataset("tiny", tiny.parent)
    assert sorted(song.n_parts for song in songs) == [1, 1, 4, 4, 4, 4]
    for song in songs:
        if "bwv" in song.source:
            lines = [[e for e in song.events if e.part == part] for part in range(4)]
            assert all(len(line) > 20 for line in lines)
            assert all(len(e.pitches) == 1 for line in lines for e in line)
            soprano, *_, bass = (np.mean([e.pitches[0] for e in line]) for line in lines)
            assert soprano > bass + 12


def test_score_of_four_parts_is_written_with_all_of_them():
    from music21 import converter, stream

    tunes = ("c'2 d'2", "e2 f2", "c2 c2", "CC2 FF2")
    score = stream.Score([converter.parse(f"tinyNotation: 4/4 {tune}") for tune in tunes])
    song, _ = read_midi(corpus._score_to_midi(score, datasets.SETS["bach"]))
    found = [[e.pitches[0] for e in song.events if e.part == part] for part in range(4)]
    assert found == [[72, 74], [64, 65], [60, 60], [36, 41]]


def test_only_what_is_damaged_or_missing_is_rebuilt(copy, monkeypatch):
    damaged, missing, *_ = sorted(path for path in copy.iterdir() if "bwv" in path.name)
    damaged.write_bytes(b"damaged")
    missing.unlink()
    asked, real = [], corpus._convert_chosen
    spy = lambda *job: asked.extend(job[3]) or real(*job)
    monkeypatch.setattr(corpus, "_convert_chosen", spy)
    assert build_dataset("tiny", copy.parent) == copy
    assert digests(copy) == TINY and asked == [damaged.name, missing.name]


def test_other_bytes_than_the_manifests_are_refused(copy, tmp_path, monkeypatch):
    row = next(row for row in read_manifest() if row["dataset"] == "tiny")
    with open(tmp_path / "manifest.csv", "w", newline="") as file:
        csv.writer(file).writerows([row.keys(), (row | {"sha256": "0" * 64}).values()])
    monkeypatch.setattr(corpus, "MANIFEST", tmp_path / "manifest.csv")
    with pytest.raises(DatasetError, match=rf"«{row['file']}».*requirements.lock"):
        build_dataset("tiny", copy.parent)
    assert digests(copy) == TINY


def test_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "tiny").touch()
    with pytest.raises(MusiclabError):
        build_dataset("tiny", tmp_path)


def test_ties_are_joined_graces_dropped_and_a_pickup_is_a_short_bar():
    from music21 import converter, harmony, note

    part = converter.parse("tinyNotation: 4/4 r2. c4~ c1~ c2 c4 d4~ d4 e2.")
    part.measure(2).insert(0, note.Note("G4").getGrace())
    part.measure(2).insert(0, harmony.ChordSymbol("F"))
    found = [(e.onset_ql, e.duration_ql, e.pitches) for e in corpus._part_events(part)]
    assert found == [(3, 7, (60,)), (10, 1, (60,)), (11, 2, (62,)), (13, 3, (64,))]
    assert corpus._bars(part) == ((0, 4, 4),)
    part.measure(1).remove(part.measure(1).notesAndRests[0], shiftOffsets=True)
    assert corpus._bars(part)[0] == (0, 1, 4)


def test_keys_are_read_with_their_mode_and_the_last_at_a_place_holds():
    from music21 import key, note, stream

    part = stream.Part()
    for onset_ql, said in [(0, key.KeySignature(1)), (4, key.Key("c")), (8, key.Key("F"))]:
        part.insert(onset_ql, said)
    part.insert(0, note.Note("C4", quarterLength=12))
    assert corpus._keys(part) == ((0, 1, "major"), (4, -3, "minor"), (8, -1, "major"))
    part.insert(8, key.KeySignature(-5))
    assert corpus._keys(part)[-1] == (8, -5, "major")
    assert corpus._keys(stream.Part()) == ()


# Folders of one's own


def test_own_folder_is_a_set_by_its_name(tmp_path, song):
    for name in ("a.mid", "sub/b.MIDI"):
        write_bytes(tmp_path / "mi música" / name, song_to_midi(song))
    songs, report = load_dataset("mi música", tmp_path)
    assert report.kept == ("a.mid", "sub/b.MIDI") and songs[0].events == song.events
    for name in ("nada", ""):
        with pytest.raises(
            DatasetError, match=r"bach, classical, folk, free, mi música, tiny;"
        ) as error:
            load_dataset(name, tmp_path)
        assert f"«{name}»" in str(error.value) and str(tmp_path) in str(error.value)
    (tmp_path / "vacía").mkdir()
    with pytest.raises(DatasetError, match=r"vacía.*no tiene ningún fichero"):
        load_dataset("vacía", tmp_path)


# Splitting


def tune(pitches, source=""):
    return Song(tuple(NoteEvent(k, 1, (p,)) for k, p in enumerate(pitches)), source=source)


def test_an_ostinato_makes_no_two_songs_versions_of_one_tune():
    for pattern in ([60], [60, 64, 67, 64]):
        ostinato = pattern * (20 // len(pattern))
        songs = [tune([*rng_tune, *ostinato]) for rng_tune in ([60, 62, 65, 61], [70, 63, 69, 64])]
        split = split_by_song(songs, seed=0)
        assert len(split.train) == len(split.held_out) == 1
        # Nothing but an ostinato, twice: the same song.
        with pytest.raises(DatasetError, match="hay 1 canción distinta"):
            split_by_song([tune(ostinato), tune(ostinato)], seed=0)


@given(
    st.lists(st.lists(st.integers(50, 60), min_size=3, max_size=4), min_size=1, max_size=15),
    st.integers(0, 9),
    st.sampled_from([0.1, 0.3, 0.9]),
)
def test_a_tune_and_its_transposition_stay_together(tunes, seed, fraction):
    songs = [tune(pitches, str(k)) for k, pitches in enumerate(tunes)]
    songs += [song.transposed(5) for song in songs[::2]] + songs[:1]
    if len({frozenset(song.pitch_ngrams(16)) for song in songs}) < 2:
        with pytest.raises(DatasetError, match="hay 1 canción distinta"):
            split_by_song(songs, seed, fraction)
        return
    split = split_by_song(songs, seed, fraction)
    train, held_out = (
        {frozenset(song.pitch_ngrams(16)) for song in side}
        for side in (split.train, split.held_out)
    )
    assert train and held_out and not train & held_out
    assert Counter(split.train + split.held_out) == Counter(songs)
    assert split == split_by_song(songs, seed, fraction)


@pytest.mark.parametrize("seed", range(6))
def test_a_long_run_in_another_key_and_octave_keeps_songs_together(seed):
    rng = np.random.default_rng(seed)
    songs = [tune(rng.integers(40, 80, 30).tolist(), str(k)) for k in range(8)]
    planted = [pitch + 7 + 12 * (pitch < 60) for pitch in (e.pitches[0] for e in songs[0].events)]
    version = tune(rng.integers(40, 80, 9).tolist() + planted[5:21], "version")
    split = split_by_song([*songs, version], seed, 0.4)
    assert (songs[0] in split.train) == (version in split.train)


def test_planted_versions_never_lie_on_both_sides():
    rng = np.random.default_rng(0)
    songs = [chorale(rng, 24, str(k)) for k in range(10)]
    versions = {
        songs[0]: replace(songs[0].transposed(-5), source="transposed"),
        songs[1]: replace(songs[1].transposed(7 + 12), source="transposed, an octave higher"),
        songs[2]: replace(songs[2].transposed(-12), source="an octave lower"),
    }
    sides = set()
    for seed in range(60):
        split = split_by_song([*songs, *versions.values()], seed, 0.3)
        for song, version in versions.items():
            assert (song in split.train) == (version in split.train)
            assert (song in split.held_out) == (version in split.held_out)
            sides.add((song.source, song in split.train))
    assert len(sides) == 6  # each pair was seen on either side


def chorale(rng, n_events, source):
    """Return chords and single notes drawn at random."""
    chords = [
        sorted(set(rng.integers(48, 80, rng.integers(1, 5)).tolist())) for _ in range(n_events)
    ]
    return Song(tuple(NoteEvent(k, 1, tuple(c)) for k, c in enumerate(chords)), source=source)


@pytest.mark.parametrize("seed", range(6))
def test_a_tune_of_many_versions_does_not_empty_the_training_side(seed):
    songs = [tune(range(50, 70)).transposed(k) for k in range(-8, 9)]
    songs += [tune((60, 60 + k, 61)) for k in range(3)]
    assert len(split_by_song(songs, seed).held_out) == 2


def test_split_hangs_on_the_seed_and_the_fraction(song):
    songs = [tune((60, 60 + k, 61), str(k)) for k in range(20)]
    assert len({split_by_song(songs, seed).held_out for seed in range(5)}) > 1
    assert [len(split_by_song(songs, 1, f).held_out) for f in (0.01, 0.1, 0.5)] == [1, 2, 10]
    for fraction in (0, 1, -0.1, float("nan")):
        with pytest.raises(ParameterError, match=f"es {fraction}"):
            split_by_song(songs, 1, fraction)


def test_all_keys_leave_out_what_leaves_midi(song):
    high = tune((120, 126))
    keys = [
        *(song.transposed(k) for k in range(-2, 3)),
        *(high.transposed(k) for k in range(-2, 2)),
    ]
    assert in_all_keys([song, high], 2) == tuple(keys)
    assert in_all_keys([song], 0) == (song,)
    with pytest.raises(ParameterError, match="TRANSPOSE es -1"):
        in_all_keys([song], -1)


def test_all_keys_stay_within_a_range_that_is_given():
    low, high = tune((60, 64)), tune((65, 70))
    assert pitch_limits([low, high]) == (60, 70) and pitch_limits([]) == (0, 127)
    keys = in_all_keys([low, high], 3, *pitch_limits([low, high]))
    assert keys == (
        *(low.transposed(k) for k in range(4)),
        *(high.transposed(-k) for k in (3, 2, 1, 0)),
    )
    assert pitch_limits(keys) == (60, 70)
    assert in_all_keys([low], 3, 61, 62) == (low,)  # in range in no key: it stays as it is
    for ends in ((70, 60), (-1, 60), (60, 128)):
        with pytest.raises(ParameterError, match=f"va de {ends[0]} a {ends[1]} .*entre 0 y 127"):
            in_all_keys([low], 3, *ends)
