"""One song, heard and seen at once: player, sheet music and piano roll.

A card is one piece of HTML with all that it shows inside: it works offline,
in a notebook that is not trusted, and in the notebook's HTML page. A `Song`
that is the last line of a cell shows itself so (see `musiclab.__init__`).
"""

import html

from IPython.display import HTML

from musiclab.engraving import sheet
from musiclab.errors import MusiclabError
from musiclab.files import data_url
from musiclab.midi import song_to_midi
from musiclab.music import instrument_name
from musiclab.playback import left_out, length_of, mp3_bytes, player_html, render, with_sound
from musiclab.plotting import roll_png


def show(
    song, title="", *, note="", instrument=None, tempo_bpm=None, score=True, roll=True,
    **roll_options,
):  # fmt: skip
    """Return the card of a song, to be the last line of a cell.

    title: its source if there is none
    note: a sentence beside the title, such as that the song was cut
    instrument, tempo_bpm: others than the song's; see `playback.with_sound`
    score, roll: whether to show them
    roll_options: what `plotting.piano_roll` takes, such as prompt_ql

    A part that cannot be shown says why in its place.
    """
    song = with_sound(song, instrument, tempo_bpm)
    title = title or song.source or "Canción"
    head = f"<b>{html.escape(title)}</b>" + (f" ({html.escape(note)})" if note else "")
    if not song.events:
        return HTML(f"<p>{head}: la canción no tiene ninguna nota.</p>")
    parts = [f"<p style='margin:0'>{head}<br>{html.escape(_about(song))}</p>"]
    parts.append(_attempt(_sound, song, title))
    if score:
        parts.append(_attempt(_details, "Partitura", lambda: sheet(song).data))
    if roll:
        roll_options.setdefault("colour", _colour(song, **roll_options))
        picture = lambda: _image(roll_png(song, **roll_options), f"Rollo de pianola de {title}")
        parts.append(_attempt(_details, "Rollo de pianola", picture))
    return HTML("\n".join(parts))


def _colour(song, prompt_ql=0.0, **_):
    """Return what the colours of a roll tell best: who wrote a note, or which voice has it."""
    if prompt_ql:
        return "prompt"
    has_chords = any(len(event.pitches) > 1 for event in song.events)
    return "voice" if has_chords or song.n_parts > 1 else "prompt"


def _attempt(make, *arguments):
    """Return the HTML that a function makes, or the sentence of its error."""
    try:
        return make(*arguments)
    except MusiclabError as error:
        return f"<p>{html.escape(str(error))}</p>"


def _about(song):
    """Return instruments, tempo and length in one line."""
    programs = dict.fromkeys(song.program_of(part) for part in range(song.n_parts))
    names = [instrument_name(program) for program in programs]
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} instrumentos más"]
    about = [", ".join(names), f"♩ = {song.tempo_bpm:.0f}", length_of(song), left_out(song)]
    return " · ".join(filter(None, about))


def _sound(song, title):
    mp3 = mp3_bytes(render(song))
    player = player_html(mp3)
    # No letter of the title that a file system might refuse.
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in title)
    links = []
    for label, suffix, kind, data in (
        ("MIDI", "mid", "audio/midi", song_to_midi(song)),
        ("MP3", "mp3", "audio/mpeg", mp3),
    ):
        url = data_url(data, kind)
        links.append(f'<a download="{name}.{suffix}" href="{url}">{label}</a>')
    return f"{player}\n<p style='margin:0'>Descargar: {' · '.join(links)}</p>"


def _details(summary, make):
    return f"<details open><summary>{summary}</summary>\n{make()}\n</details>"


def _image(png, alt):
    style = "background:white;max-width:100%"
    return f'<img alt="{html.escape(alt)}" style="{style}" src="{data_url(png, "image/png")}">'
