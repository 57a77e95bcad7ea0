"""What one unit of a network does while it reads a song, drawn over the notes and heard.

Conventions: activity is one number a step, from -1 to 1, as a state that
comes out of tanh; a step is an event of `Song.chords()`, and what it leaves
in the unit stays until the next one begins.
"""

import html

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML

from musiclab.errors import ParameterError
from musiclab.files import data_url
from musiclab.playback import mp3_bytes, player_html, render
from musiclab.plotting.rolls import draw_frame, draw_notes, notes_of, png_of
from musiclab.plotting.showing import describe
from musiclab.plotting.style import DIM, ORANGE, STYLE, decimal_comma

FRAME = (0.085, 0.18, 0.84, 0.66)  # left, bottom, width, height in the figure of a player


def activity_roll(song, activity, ax, title=""):
    """Draw a unit's activity as a line over the piano roll of the song that it reads.

    activity: (n_steps,), one number for each event of song.chords()

    Returns the ax of the activity, whose scale stands at the right; that of
    the roll is `ax`. Raises ParameterError for another number of steps.
    """
    activity, events = np.asarray(activity, dtype=float), song.chords()
    if activity.shape != (len(events),) or not len(events):
        raise ParameterError(
            f"hay {activity.size} valores de actividad y {len(events)} notas o acordes: "
            "hace falta uno por cada uno, y al menos una nota"
        )
    notes = notes_of(events)
    draw_frame(ax, notes, 0, song.duration_ql, song)
    draw_notes(ax, notes, facecolors=DIM)
    ax.set_title(title, parse_math=False)
    over = ax.twinx()
    # What a note leaves in the unit lasts until the next one.
    moments = [*(event.onset_ql for event in events), song.duration_ql]
    over.step(moments, [*activity, activity[-1]], where="post", color=ORANGE, gid="actividad")
    over.set(ylim=(-1.05, 1.05), yticks=(-1, -0.5, 0, 0.5, 1))
    over.set_ylabel("actividad", color=ORANGE)
    over.tick_params(axis="y", length=0, labelcolor=ORANGE)
    over.grid(visible=False)
    decimal_comma(over.yaxis)
    return over


def activity_player(song, activity, title=""):
    """Return a player of a song above its `activity_roll`, with a line that moves as it sounds.

    It plays offline, and in a notebook that is not trusted too, but there the line stays away.
    """
    (png, text), samples = _picture(song, activity, title), render(song)
    left, _, width, _ = FRAME
    # What sounds ends later than the last note, which rings on.
    move = (
        "const line=this.closest('div').querySelector('i');"
        f"const done=Math.min(1,this.currentTime/{song.duration_s:.3f});"
        f"line.style.left=100*({left}+{width}*done)+'%';line.style.opacity=0.8"
    )
    player = player_html(mp3_bytes(samples), title)
    player = player.replace("<audio controls", f'<audio controls ontimeupdate="{move}"')
    line = "position:absolute;top:16%;height:66%;width:2px;background:#1B1E22;opacity:0;"
    line += "transition:left 0.25s linear"
    image = f'<img alt="{html.escape(text)}" style="width:100%" src="{data_url(png, "image/png")}">'
    return HTML(
        f'<div style="max-width:60em;background:white">{player}'
        f'<div style="position:relative">{image}<i style="{line}"></i></div></div>'
    )


def _picture(song, activity, title):
    """Return the PNG of an activity_roll whose ax fills FRAME, and its text."""
    with plt.style.context([STYLE, {"figure.constrained_layout.use": False}]):
        figure = plt.Figure(figsize=(10, 3.6))  # one that pyplot does not keep
        activity_roll(song, activity, figure.add_axes(FRAME), title)
        return png_of(figure), describe(figure)
