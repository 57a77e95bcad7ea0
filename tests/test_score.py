"""Sheet music as pictures and files, wherever it is drawn, and its limits."""

import base64
import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from scores import (
    scale,
)
from strategies import odd_songs

from musiclab.engraving import save_pdf, score, score_svgs, sheet
from musiclab.engraving.mei import score_mei
from musiclab.errors import MusiclabError, OutputError, ParameterError, ShortSequenceError
from musiclab.music import NoteEvent, Song

# Files and pictures


def images(html):
    data = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    return [base64.b64decode(picture).decode() for picture in data]


def test_a_sheet_is_safe_and_has_a_size(song):
    html = sheet(song).data
    assert not re.search("<script|<svg|http:", re.sub('base64,[^"]*', "", html))
    assert html.count("<img alt=") == html.count("background:white") == len(images(html)) == 1
    assert 'alt="Partitura, sistema 1 de 1"' in html
    for svg in images(html):
        width, height = re.match(r'<svg width="(\d+)px" height="(\d+)px"', svg).groups()
        assert int(width) > 300 and int(height) > 50
        assert "♩ = 90" in svg and "@font-face" not in svg


def test_the_same_song_gives_the_same_bytes(song, tmp_path, in_fresh_process):
    source = f"""
import hashlib
from musiclab.engraving import save_pdf, sheet
from musiclab.music import NoteEvent, Song
song = {song!r}
pdf = save_pdf(song, {str(tmp_path / "otro.pdf")!r}, "Título").read_bytes()
print(hashlib.sha256(sheet(song).data.encode() + pdf).hexdigest())"""
    finish = in_fresh_process(source, PYTHONHASHSEED="7")
    pdf = save_pdf(song, tmp_path / "canción.pdf", "Título").read_bytes()
    assert pdf.startswith(b"%PDF")
    mine = hashlib.sha256(sheet(song).data.encode() + pdf).hexdigest()
    assert finish() == (f"{mine}\n", "")


def test_a_thread_engraves_what_the_main_thread_does(song, in_fresh_process):
    source = f"""
import hashlib, threading
from musiclab.engraving import score_svgs
from musiclab.music import NoteEvent, Song
song, found = {song!r}, []
thread = threading.Thread(target=lambda: found.append(score_svgs(song)))
thread.start()
thread.join()
found.append(score_svgs(song))
print(len(found[0]), found[0] == found[1])
print(hashlib.sha256("".join(found[0]).encode()).hexdigest())"""
    mine = hashlib.sha256("".join(score_svgs(song)).encode()).hexdigest()
    assert in_fresh_process(source)() == (f"1 True\n{mine}\n", "")


def test_a_score_without_a_page_is_an_error(monkeypatch):
    monkeypatch.setattr(score, "score_mei", lambda *_: ("<mei", ""))
    for draw in (sheet, score_svgs):
        with pytest.raises(MusiclabError, match="ninguna página"):
            draw(scale(60))


def test_the_title_of_a_pdf_is_text(song, tmp_path):
    assert save_pdf(song, tmp_path / "a.pdf", '#panic("x") $ \\ "').stat().st_size > 5000


def test_a_folder_that_cannot_be_written(song, tmp_path):
    (tmp_path / "fichero").write_text("")
    with pytest.raises(OutputError):
        save_pdf(song, tmp_path / "fichero" / "a.pdf")


# Limits


@given(odd_songs())
@settings(max_examples=20)
def test_verovio_takes_any_song(song):
    if song.events:
        assert all(svg.startswith("<svg") for svg in score_svgs(song))


def test_what_has_no_score():
    with pytest.raises(ShortSequenceError, match="ninguna nota"):
        sheet(Song(()))
    with pytest.raises(ParameterError, match="max_bars es 0"):
        score_svgs(scale(60), max_bars=0)


def test_long_songs_are_cut_and_say_so(tmp_path):
    song = scale(*[60, 64, 67, 72] * 210, length=1.0)
    assert "los compases 1 a 64 de 210." in sheet(song).data
    assert "Se muestran" not in sheet(song, max_bars=210).data
    assert len(images(sheet(song).data)) > 5
    far = Song((*song.events, NoteEvent(1e9, 1e9, (60,))))
    assert len(score_svgs(far, max_bars=2)) == 1


def test_dense_songs_and_many_parts_are_cut_and_say_so():
    rng = np.random.default_rng(0)
    notes = [
        NoteEvent(*rng.uniform(0, 4, 2), (int(rng.integers(60, 72)),), part=int(rng.integers(60)))
        for _ in range(40_000)
    ]
    mei, left_out = score_mei(Song(tuple(notes), programs=(40,) * 60))
    assert "las partes 1 a 16 de 60 y las notas 1 a 5000 de" in left_out
    assert mei.count("<staffDef") == 16
    assert mei.count("<note") < 10_000
