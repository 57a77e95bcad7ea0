"""Piano rolls: one song, or several below each other."""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Patch
from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

from musiclab.encoding.tokens import DYNAMICS, nearest_dynamic
from musiclab.engraving.staves import is_choir
from musiclab.errors import ParameterError
from musiclab.evaluation import copied_run
from musiclab.music import Song, instrument_name, pitch_name
from musiclab.music.bars import bar_numbers
from musiclab.music.pitch import LOWEST_PITCH
from musiclab.music.voices import N_VOICES, SIXTEENTHS, notes_on_grid, song_to_voices
from musiclab.plotting.style import (
    BLACK,
    BLUE,
    DIM,
    GREY,
    LOUDNESS,
    MAX_BARS,
    ORANGE,
    PALE,
    PARTS,
    SLATE,
    STYLE,
    VOICES,
    colour_bar,
    comma,
    in_points,
    label_at,
)

KEYS_PT = 20  # how wide the keyboard is, in points
BLACK_KEYS = (1, 3, 6, 8, 10)


def piano_roll(song, ax, prompt_ql=0.0, title="", colour="prompt"):
    """Draw a song: time to the right, pitch upwards, one bar a note, a keyboard at the side.

    prompt_ql: quarter lengths at the start that were given, not generated
    colour: what the colour of a note says. "prompt": whether it was given;
        "voice": whose it is, its part's where several play, else one of the
        four voices that `song_to_voices` supposes; "velocity": how loud it is

    Bars are numbered as in a score: a pick-up does not count. Of a song with
    more than MAX_BARS come the first ones, and the title says so. Raises
    ParameterError for another colour.
    """
    if colour not in ("prompt", "voice", "velocity"):
        raise ParameterError(f"colour es «{colour}»: elige prompt, voice o velocity")
    song, left_out = first_bars(song)
    notes = notes_of(song.events)
    draw_frame(ax, notes, 0, song.duration_ql, song)
    if colour == "velocity":
        velocities = [event.velocity for event, _ in notes]
        _velocity_scale(draw_notes(ax, notes, array=velocities))
    else:
        names, palette = _voices(song, notes) if colour == "voice" else _given(notes, prompt_ql)
        draw_notes(ax, notes, facecolors=[palette[name] for name in names])
        if colour == "voice" or prompt_ql:
            _legend_below(ax, palette)
    if prompt_ql and notes:
        ax.axvline(prompt_ql, color=BLACK, linestyle=":", linewidth=1.8)
        if colour != "prompt":
            label_at(ax, "◂ motivo inicial", (prompt_ql, 0), (-4, 4), ax.get_xaxis_transform())
    ax.set_title(f"{title} {left_out}".strip(), parse_math=False)
    return ax


def piano_rolls(songs, axes, **options):
    """Draw songs above each other along the same time.

    songs: {title: Song}; axes: as many
    options: those of `piano_roll`
    """
    end_ql = max(song.duration_ql for song in songs.values())
    for ax, (title, song) in zip(axes, songs.items(), strict=True):
        piano_roll(song, ax, title=title, **options)
        ax.set_xlim(0, end_ql)
    return axes


def roll_png(song, **options):
    """Return the piano roll of a song as the bytes of a PNG, the same for the same song.

    options: those of `piano_roll`
    """
    with plt.style.context(STYLE):
        figure = plt.Figure()  # one that pyplot does not keep
        piano_roll(song, figure.add_subplot(), **options)
        return png_of(figure)


def png_of(figure):
    """Return a figure as the bytes of a PNG, the same for the same figure."""
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def compare_songs(song, other, axes):
    """Draw two songs above each other, and in both the longest passage that they share.

    axes: two; both show the same pitches and as many quarter lengths, those
        of the song: of a longer song the part around the passage, which
        stands below the one above it as far as that can be

    Returns the axes. What counts as shared: see `evaluation.copied_run`.
    """
    run = copied_run(song, [other])
    events, other_events = song.chords(), other.chords()
    shared = events[run.start : run.start + run.length]
    source = other_events[run.source_start : run.source_start + run.length]
    start_ql, end_ql = _span(shared)
    source_start_ql, source_end_ql = _span(source)
    passages_ql = end_ql - start_ql, source_end_ql - source_start_ql
    width_ql = max(song.duration_ql or other.duration_ql, *passages_ql)
    # The passages below each other, but neither cut off nor with nothing to their right.
    aligned_ql = min(source_start_ql - start_ql, other.duration_ql - width_ql)
    left_ql = max(aligned_ql, source_end_ql - width_ql, 0.0)
    every_note = notes_of(events + other_events)
    titles = _shared_titles(song, other, run)
    sides = (song, events, shared, 0), (other, other_events, source, left_ql)
    for ax, title, (side, played, passage, first_ql) in zip(axes, titles, sides, strict=True):
        draw_frame(ax, every_note, first_ql, first_ql + width_ql, side)
        notes, in_both = notes_of(played), set(passage)
        colours = [ORANGE if event in in_both else DIM for event, _ in notes]
        draw_notes(ax, notes, facecolors=colours)
        if passage:
            ax.axvspan(*_span(passage), color=ORANGE, alpha=0.12, linewidth=0, zorder=0.6)
        ax.set_title(title, parse_math=False)
    axes[0].set_xlabel("")
    return axes


def _span(events):
    """Return when events begin and when the last of them ends."""
    if not events:
        return 0.0, 0.0
    return events[0].onset_ql, max(event.end_ql for event in events)


def _brief(name, n=30):
    """Return a name that fits into a title: of a long one, the end."""
    return name if len(name) <= n else f"…{name[-n:]}"


def _shared_titles(song, other, run):
    name = _brief(song.source) or "la canción"
    other_name = _brief(other.source) or "la otra"
    if not run.length:
        return f"{name}: no comparten ninguna nota", other_name
    key = "en la misma tonalidad"
    if run.semitones:
        n_semitones = abs(run.semitones)
        where = "abajo" if run.semitones > 0 else "arriba"
        key = f"{n_semitones} semitono{'s' if n_semitones > 1 else ''} más {where}"
    start, source_start = comma(f"{run.onset_ql:g}"), comma(f"{run.source_onset_ql:g}")
    return (
        f"{name}: {run.length} notas o acordes seguidos, desde la negra {start}",
        f"{other_name}: los mismos, desde la negra {source_start}, {key}",
    )


def first_bars(song):
    """Return (song, what to say), with MAX_BARS bars at most."""
    lines = song.bar_lines_ql()
    if len(lines) <= MAX_BARS:
        return song, ""
    return song.until(lines[MAX_BARS]), f"(primeros {MAX_BARS} compases de {len(lines)})"


# What the notes look like


def notes_of(events):
    """Return the (event, pitch) pairs of events."""
    return [(event, pitch) for event in events for pitch in event.pitches]


def draw_notes(ax, notes, **style):
    """Draw (event, pitch) pairs as one collection, and return it; the ax has its limits already."""
    if not notes:
        ax.text(0.5, 0.5, "sin notas", transform=ax.transAxes, ha="center", va="center")
    rows = [(event.onset_ql, event.duration_ql, pitch) for event, pitch in notes]
    onset, duration, pitch = np.reshape(rows, (-1, 3)).T
    width = np.ptp(ax.get_xlim())
    # A gap between notes, so that repeated ones can be told apart.
    gap = np.minimum(0.14 * duration, width / 300)
    # A grace note is a stroke.
    duration = np.maximum(duration - gap, width / 500)
    boxes = _boxes(onset, onset + duration, pitch - 0.44, pitch + 0.44)
    style = {"linewidths": 0, "zorder": 2, "gid": "notas"} | style
    return ax.add_collection(PolyCollection(boxes, **style), autolim=False)


def _boxes(left, right, low, high):
    """Return the corners of rectangles, an array (n, 4, 2)."""
    left, right, low, high = np.broadcast_arrays(left, right, low, high)
    corners = [[left, low], [left, high], [right, high], [right, low]]
    return np.array(corners).transpose(2, 0, 1)


def _given(notes, prompt_ql):
    names = ["motivo inicial" if event.onset_ql < prompt_ql else "generado" for event, _ in notes]
    return names, {"motivo inicial": ORANGE, "generado": BLUE}


def _voices(song, notes):
    """Return the name of each note's voice, and {name: colour} of those that there are."""
    palette = VOICES
    if is_choir(song):
        names = [tuple(VOICES)[event.part] for event, _ in notes]
    elif song.n_parts > 1:
        # The first parts have a colour each.
        labels = []
        for part in range(min(song.n_parts, len(PARTS))):
            labels.append(f"{part + 1}. {instrument_name(song.program_of(part))}")
        palette = dict(zip(labels, PARTS, strict=False))
        labels += (song.n_parts - len(labels)) * ["las demás"]
        names = [labels[event.part] for event, _ in notes]
    else:
        names = _names_on_grid(song, notes)
    palette = palette | {"las demás": GREY, "sin voz": GREY}
    present = set(names)
    return names, {name: colour for name, colour in palette.items() if name in present}


def _names_on_grid(song, notes):
    """Return the voice in which each note begins on the grid of sixteenths."""
    grid, begins = song_to_voices(song)
    names = []
    for event, pitch in notes:
        # In which voices a note of this pitch begins at this step; a grace note in none.
        found = np.zeros(N_VOICES, dtype=bool)
        if event.duration_ql:
            step = notes_on_grid(Song((event,)), SIXTEENTHS)[0].start
            written = max(pitch, LOWEST_PITCH + pitch % 12)
            found = begins[step] & (grid[step] == written)
        names.append(tuple(VOICES)[found.argmax()] if found.any() else "sin voz")
    return names


def _velocity_scale(drawn):
    drawn.set(cmap=LOUDNESS, norm=Normalize(1, 127))
    velocities = [nearest_dynamic(velocity) for velocity in range(32, 129, 32)]
    names = [f"{velocity}  {DYNAMICS[round(velocity / 16) - 1]}" for velocity in velocities]
    colour_bar(drawn, "intensidad").set_ticks(velocities, labels=names)


def _legend_below(ax, palette):
    """Name colours to the right of the label of the time axis, outside the data."""
    patches = [Patch(color=colour, label=name) for name, colour in palette.items()]
    # Twenty points below the ax.
    below = ax.transAxes + ScaledTranslation(0, -20 / 72, ax.figure.dpi_scale_trans)
    place = {"loc": "upper right", "bbox_to_anchor": (1, 0), "bbox_transform": below}
    # Beside the label of the axis; of each column the patch and its letters.
    width_pt, _ = in_points(ax)
    room_pt = width_pt - 110
    column_pt = 34 + 6.3 * max(map(len, palette), default=0)
    ncols = max(1, int(room_pt / column_pt))
    ax.legend(handles=patches, ncols=ncols, borderaxespad=0, handlelength=1.3, **place)


# What stands around the notes


def draw_frame(ax, notes, left, right, song=None):
    """Set the limits, and draw the keyboard, the rows and the bar lines."""
    # A little above and below all notes.
    pitches = [pitch for _, pitch in notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    more = max(0, 17 - (high - low)) // 2  # a single note stands among its neighbours
    low, high = max(low - more, 0), min(high + more, 127)
    if right <= left:  # nothing sounds
        right = left + 4
    ax.set(xlim=(left, right), ylim=(low - 0.5, high + 0.5))
    ax.set_xlabel("tiempo (negras)", loc="left")
    ax.set_ylabel("altura")
    ax.xaxis.get_major_locator().set_params(integer=True)
    # Each C has its name, beside the keyboard.
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    ax.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
    ax.tick_params(axis="y", length=0, pad=KEYS_PT + 3)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)
    _keyboard(ax, low, high)
    if song:
        _bars(ax, song)


def _keyboard(ax, low, high):
    """Draw the keys from low to high at the left of the ax, and shade the rows of the black ones."""
    pitches = range(low, high + 1)
    blacks = np.array([pitch for pitch in pitches if pitch % 12 in BLACK_KEYS])
    # Between white keys: B and C, E and F meet at a row's edge, the others behind a black key.
    edges = [pitch - 0.5 for pitch in pitches[1:] if pitch % 12 in (0, 5)]
    rows = _boxes(0, 1, blacks - 0.5, blacks + 0.5)
    bed = _boxes(-KEYS_PT, -1, low - 0.5, [high + 0.5])
    keys = _boxes(-KEYS_PT, -0.42 * KEYS_PT, blacks - 0.5, blacks + 0.5)
    # Across in points from the left of the ax, upwards in pitches.
    points = Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans
    points += ScaledTranslation(0, 0, ax.transAxes)
    style = {"transform": blended_transform_factory(points, ax.transData), "clip_on": False}
    style |= {"linewidths": 0.6, "edgecolors": GREY, "gid": "teclado"}
    across = {"transform": ax.get_yaxis_transform(), "linewidths": 0, "zorder": 0.2}
    ax.hlines((*blacks, *edges), -KEYS_PT, -1, zorder=3.1, **style)
    for drawn in (
        PolyCollection(rows, facecolors="#F0F2F5", **across),
        PolyCollection(bed, facecolors="white", zorder=3, **style),
        PolyCollection(keys, facecolors=BLACK, zorder=3.2, **style),
    ):
        ax.add_collection(drawn, autolim=False)


def _bars(ax, song):
    """Draw bar lines and, above the ax, the numbers of as many bars as there is room for."""
    width_pt, _ = in_points(ax)
    numbers = numbered_bars(song, *ax.get_xlim(), width_pt / 24)
    if not numbers:
        return
    # Lines for all bars, or where they would be too dense for those with a number.
    places = list(numbers.values())
    bar_lines = song.bar_lines_ql()
    drawn = bar_lines if len(bar_lines) < 10 * len(numbers) else places
    across = ax.get_xaxis_transform()
    ax.vlines(drawn, 0, 1, transform=across, color=PALE, linewidth=0.9, zorder=0.8)
    top = ax.secondary_xaxis("top")
    top.set_xticks(places, map(str, numbers))
    top.tick_params(length=0, pad=2, labelsize="small", labelcolor=SLATE)
    top.spines["top"].set_visible(False)
    label_at(ax, "compás", (0, 1), (-14, 3), "axes fraction", gid="compases")


def numbered_bars(song, left, right, n):
    """Return {number: onset_ql} of each, every second, fourth, ... bar, n or so in the span."""
    span = right - left
    numbers_at = bar_numbers(song)
    usual = np.median(np.diff(list(numbers_at))) if len(numbers_at) > 1 else span
    step = 1
    while step * usual < span / n:
        step *= 2
    # Short bars may still stand too close: a number needs half the usual room.
    numbers, last = {}, -np.inf
    for line, number in numbers_at.items():
        in_turn = (number - 1) % step == 0
        room = line - last > 0.5 * span / n
        if in_turn and room and left <= line < right:
            numbers[number] = last = line
    return numbers
