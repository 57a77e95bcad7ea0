import base64
import re

import climbs
import pytest

from musiclab import card, playback
from musiclab.card import show
from musiclab.errors import ParameterError
from musiclab.music import NoteEvent, Song


def sources(page, kind):
    """Return the bytes of the files of a kind that a page holds."""
    found = re.findall(rf'(?:src|href)="data:{kind};base64,([^"]+)"', page)
    return [base64.b64decode(data) for data in found]


def test_card_holds_sound_score_roll_and_files(song):
    page = show(song, "Dos compases").data
    (png,) = sources(page, "image/png")
    assert png.startswith(b"\x89PNG") and sources(page, r"image/svg\+xml")[0].startswith(b"<")
    assert len(sources(page, "audio/mpeg")) == 2, "the player's and the link's"
    assert sources(page, "audio/midi")[0].startswith(b"MThd")
    assert 'download="Dos_compases.mid"' in page and 'download="Dos_compases.mp3"' in page
    assert "violín · ♩ = 90 · 4 s" in page


def test_card_needs_nothing_else_and_escapes_its_title(song):
    page = show(song, "<b>Bach & 'Söhne'</b>").data
    assert "&lt;b&gt;Bach &amp; " in page and "<b>Bach" not in page
    assert not re.search(r"https?:|<script|<style|<svg|<iframe", page)
    assert "<b>Bach" not in re.sub('base64,[^"]*', "", page)


def test_same_song_same_card(song):
    assert show(song).data == show(song).data


def test_parts_are_left_out_when_not_wanted(song):
    page = show(song, score=False, roll=False).data
    assert "<audio" in page and "<img" not in page


def test_colour_of_the_roll_fits_the_song(song, monkeypatch):
    colours = []
    monkeypatch.setattr(card, "roll_png", lambda song, **options: colours.append(options) or b"")
    melody = Song(song.events[:3])
    for options in ({"prompt_ql": 1}, {}, {"colour": "velocity"}):
        show(song, score=False, **options)
    show(melody, score=False)
    assert [o["colour"] for o in colours] == ["prompt", "voice", "velocity", "prompt"]


def test_instrument_and_tempo_are_the_students_choice(song):
    page = show(song, instrument="french horn", tempo_bpm=180).data
    assert "trompa · ♩ = 180 · 2 s" in page
    with pytest.raises(ParameterError, match="kazoo"):
        show(song, instrument="kazoo")


def test_many_instruments_are_counted():
    events = tuple(NoteEvent(k, 1, (60,), part=k) for k in range(6))
    page = show(Song(events, programs=(0, 40, 42, 56, 73, 71)), score=False, roll=False).data
    assert "piano de cola, violín, violonchelo, 3 instrumentos más" in page


def test_note_stands_beside_the_title(song):
    page = show(song, "Una", note="cortada <aquí>", score=False, roll=False).data
    assert "<b>Una</b> (cortada &lt;aquí&gt;)<br>violín" in page
    assert "(" not in show(song, "Una", score=False, roll=False).data.split("<br>")[0]
    page = show(Song((), source="vacía"), note="la red la terminó").data
    assert "<b>vacía</b> (la red la terminó): la canción no tiene ninguna nota" in page


def test_song_without_notes_says_so():
    page = show(Song((), source="vacía")).data
    assert "vacía" in page and "no tiene ninguna nota" in page and "<audio" not in page


def test_part_that_fails_leaves_the_others(song, monkeypatch):
    monkeypatch.setenv(playback.SOUNDFONT, "no-existe.sf2")
    page = show(song).data
    assert "no-existe.sf2" in page and "<audio" not in page and page.count("<img") >= 2


def test_long_song_says_what_is_left_out(monkeypatch):
    monkeypatch.setattr(playback, "LONGEST_S", 60)
    long = Song(tuple(NoteEvent(k, 1, (60 + k % 12,)) for k in range(4000)))
    page = show(long, score=False).data
    assert "suenan los primeros 1 minutos de 33 min" in page and len(page) < 3_000_000


def test_song_shows_itself_as_the_last_line_of_a_cell(song, in_fresh_process):
    source = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from musiclab.music import NoteEvent, Song
data, _ = shell.display_formatter.format(Song((NoteEvent(0, 1, (60,)),), source="una"))
print(sorted(data), data["text/plain"], data["text/html"].count("<audio"))
"""
    out, _ = in_fresh_process(source)()
    expected = "['text/html', 'text/plain'] <Song «una»: 1 events, 1 quarter lengths> 1\n"
    assert out == expected


def test_a_song_climbs_at_most_four_times_on_its_way_to_the_card(song):
    """When the package was one folder of 31 modules it did so eight times."""
    assert climbs.climbs(["card", "music", "plotting", "card"]) == [("music", "plotting")]
    way = climbs.way_of(song)
    assert {"playback", "midi", "engraving", "plotting"} <= set(way)
    assert len(climbs.climbs(way)) <= 4
