"""The course's figures: an `ax` comes in and goes out, its labels in Spanish.

Colours are those of Okabe and Ito (2008), which colour-blind eyes tell apart;
four voices and two histograms differ in grey too. Where colours stand for a
quantity, more is darker. All notes of a roll are one collection, «notas».
"""

import io
from dataclasses import replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Patch
from matplotlib.ticker import ScalarFormatter
from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

from musiclab.encoding import (
    DYNAMICS,
    END,
    HOLD,
    PITCH_NAMES,
    REST,
    START,
    UNKNOWN,
    get_encoding,
    nearest_dynamic,
    pitch_name,
    pitch_number,
)
from musiclab.errors import ParameterError
from musiclab.evaluation import copied_run
from musiclab.grid import (
    LOWEST_PITCH,
    N_VOICES,
    SIXTEENTHS,
    notes_on_grid,
    song_to_voices,
)
from musiclab.instruments import instrument_name
from musiclab.measures import overlapping_area, shares_of, similarity_matrix
from musiclab.notes import NoteEvent, Song
from musiclab.staves import is_choir

STYLE = Path(__file__).with_name("course.mplstyle")
BLUE, ORANGE, YELLOW, GREEN = "#0072B2", "#D55E00", "#E69F00", "#009E73"
BLACK, SLATE, GREY, PALE, DIM = "#1B1E22", "#5A626B", "#8A9099", "#C3C9D0", "#7FA8C9"
VOICES = {"soprano": YELLOW, "alto": GREEN, "tenor": BLUE, "bajo": BLACK}
PARTS = (*VOICES.values(), ORANGE, "#CC79A7", "#56B4E9")
# From pale to dark, without the ends that a white page swallows.
LOUDNESS = ListedColormap(plt.get_cmap("viridis_r")(np.linspace(0.12, 1, 256)))
WEIGHT = ListedColormap(plt.get_cmap("Blues")(np.linspace(0.04, 1, 256)))
MAX_BARS = 400  # of a song in one figure
KEYS_PT = 20  # how wide the keyboard is, in points
BLACK_KEYS = (1, 3, 6, 8, 10)
N_DURATIONS = 12  # that have a column of their own in a histogram
HISTOGRAMS = {
    "pitch_class": "clase de altura",
    "pitch": "altura",
    "duration": "duración (negras)",
    "interval": "intervalo de la línea superior (semitonos)",
}


def use_style():
    """Draw all figures of this process in the course's style."""
    plt.style.use(STYLE)


class _Comma(ScalarFormatter):
    def __call__(self, x, pos=None):
        return comma(super().__call__(x, pos))


def decimal_comma(*axes):
    """Write the numbers along axes (`ax.yaxis`, ...) with a decimal comma, as Spanish does."""
    for axis in axes:
        axis.set_major_formatter(_Comma())


def comma(number):
    """Return a number, or its text, with a decimal comma."""
    return str(number).replace(".", ",")


# Training


def learning_curves(history, ax, baselines=()):
    """Draw the loss of training and of the held-out songs, epoch by epoch.

    history: training.History
    baselines: (name, nats) pairs, drawn as horizontal lines to compare with
    """
    epochs = np.arange(1, history.n_epochs + 1)
    ax.plot(epochs, history.loss, marker="o", label="entrenamiento")
    ax.plot(epochs, history.val_loss, marker="o", label="validación")
    ax.axvline(history.best_epoch, color=GREY, linestyle=":", label="mejor época")
    for name, nats in baselines:
        ax.axhline(nats, color=GREY, linewidth=1.2, linestyle="--")
        ax.text(0.75, nats, name, va="bottom", color=SLATE, fontsize="small")
    ax.set(title="Pérdida", xlabel="época", ylabel="nats por símbolo")
    ax.margins(y=0.15)
    _whole_epochs(ax, epochs)
    decimal_comma(ax.yaxis)
    # A loss falls, so that corner has no curve; the other lines end at the legend's edge.
    ax.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none")
    return ax


def accuracy_curves(history, ax):
    """Draw the share of symbols that were predicted right, epoch by epoch."""
    epochs = np.arange(1, history.n_epochs + 1)
    ax.plot(epochs, np.multiply(history.accuracy, 100), marker="o", label="entrenamiento")
    ax.plot(epochs, np.multiply(history.val_accuracy, 100), marker="o", label="validación")
    ax.set(title="Exactitud", xlabel="época", ylabel="% de aciertos", ylim=(0, None))
    _whole_epochs(ax, epochs)
    ax.legend(loc="best")
    return ax


def _whole_epochs(ax, epochs):
    ax.set_xlim(0.7, epochs[-1] + 0.3)
    ax.xaxis.get_major_locator().set_params(integer=True)


# Piano rolls


def piano_roll(song, ax, prompt_ql=0.0, title="", colour="prompt"):
    """Draw a song: time to the right, pitch upwards, one bar a note, a keyboard at the side.

    prompt_ql: quarter lengths at the start that were given, not generated
    colour: what the colour of a note says. "prompt": whether it was given;
        "voice": whose it is, its part's where several play, else one of the
        four voices that `grid.song_to_voices` supposes; "velocity": how loud it is

    Bars are numbered as in a score: a pick-up does not count. Of a song with
    more than MAX_BARS come the first ones, and the title says so. Raises
    ParameterError for another colour.
    """
    if colour not in ("prompt", "voice", "velocity"):
        raise ParameterError(f"colour es «{colour}»: elige prompt, voice o velocity")
    song, left_out = _first_bars(song)
    notes = _notes(song)
    _frame(ax, notes, 0, song.duration_ql, song.bar_lines_ql())
    if colour == "velocity":
        _velocity_scale(_draw_notes(ax, notes, array=[event.velocity for event, _ in notes]))
    else:
        names, palette = _voices(song, notes) if colour == "voice" else _given(notes, prompt_ql)
        _draw_notes(ax, notes, facecolors=[palette[name] for name in names])
        if colour == "voice" or prompt_ql:
            _legend_below(ax, palette)
    if prompt_ql and notes:
        ax.axvline(prompt_ql, color=BLACK, linestyle=":", linewidth=1.8)
        if colour != "prompt":
            _note(ax, "◂ motivo inicial", (prompt_ql, 0), (-4, 4), ax.get_xaxis_transform())
    ax.set_title(f"{title} {left_out}".strip(), parse_math=False)
    return ax


def roll_png(song, **options):
    """Return the piano roll of a song as the bytes of a PNG, the same for the same song.

    options: those of `piano_roll`
    """
    with plt.style.context(STYLE):
        figure = plt.Figure()  # one that pyplot does not keep
        piano_roll(song, figure.add_subplot(), **options)
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
    song, other = (replace(side, events=side.chords()) for side in (song, other))
    ours, theirs = (range(k, k + run.length) for k in (run.start, run.source_start))
    start, end = _span(song, ours)
    source_start, source_end = _span(other, theirs)
    full_ql = song.duration_ql or other.duration_ql
    width = max(full_ql, end - start, source_end - source_start)
    aligned = min(source_start - start, other.duration_ql - width)
    left = max(aligned, source_end - width, 0.0)
    notes = _notes(song) + _notes(other)
    for ax, side, shared, first in zip(axes, (song, other), (ours, theirs), (0, left), strict=True):
        _frame(ax, notes, first, first + width, side.bar_lines_ql())
        events = enumerate(side.events)
        colours = [ORANGE if k in shared else DIM for k, event in events for _ in event.pitches]
        _draw_notes(ax, _notes(side), facecolors=colours)
        if shared:
            ax.axvspan(*_span(side, shared), color=ORANGE, alpha=0.12, linewidth=0, zorder=0.6)
    for ax, title in zip(axes, _shared_titles(song, other, run), strict=True):
        ax.set_title(title, parse_math=False)
    axes[0].set_xlabel("")
    return axes


def _span(song, numbers):
    """Return when events begin and when the last of them ends."""
    events = [song.events[k] for k in numbers]
    return (events[0].onset_ql, max(event.end_ql for event in events)) if events else (0.0, 0.0)


def _brief(name, n=30):
    """Return a name that fits into a title: of a long one, the end."""
    return name if len(name) <= n else f"…{name[-n:]}"


def _shared_titles(song, other, run):
    names = _brief(song.source) or "la canción", _brief(other.source) or "la otra"
    if not run.length:
        return f"{names[0]}: no comparten ninguna nota", names[1]
    key = "en la misma tonalidad"
    if run.semitones:
        distance = f"{abs(run.semitones)} semitono{'s' * (abs(run.semitones) > 1)}"
        key = f"{distance} más {'abajo' if run.semitones > 0 else 'arriba'}"
    return (
        f"{names[0]}: {run.length} notas o acordes seguidos, desde la negra {comma(f'{run.onset_ql:g}')}",
        f"{names[1]}: los mismos, desde la negra {comma(f'{run.source_onset_ql:g}')}, {key}",
    )


def _first_bars(song):
    """Return (song, what to say), with MAX_BARS bars at most."""
    lines = song.bar_lines_ql()
    if len(lines) <= MAX_BARS:
        return song, ""
    return song.until(lines[MAX_BARS]), f"(primeros {MAX_BARS} compases de {len(lines)})"


# What the notes look like


def _notes(song):
    return [(event, pitch) for event in song.events for pitch in event.pitches]


def _draw_notes(ax, notes, **style):
    """Draw (event, pitch) pairs as one collection, and return it; the ax has its limits already."""
    if not notes:
        ax.text(0.5, 0.5, "sin notas", transform=ax.transAxes, ha="center", va="center")
    rows = [(event.onset_ql, event.duration_ql, pitch) for event, pitch in notes]
    onset, duration, pitch = np.reshape(rows, (-1, 3)).T
    # A gap between notes, so that repeated ones can be told apart; a grace note is a stroke.
    width = np.ptp(ax.get_xlim())
    duration = np.maximum(duration - np.minimum(0.14 * duration, width / 300), width / 500)
    boxes = _boxes(onset, onset + duration, pitch - 0.44, pitch + 0.44)
    style = {"linewidths": 0, "zorder": 2, "gid": "notas"} | style
    return ax.add_collection(PolyCollection(boxes, **style), autolim=False)


def _boxes(left, right, low, high):
    """Return the corners of rectangles, an array (n, 4, 2)."""
    left, right, low, high = np.broadcast_arrays(left, right, low, high)
    return np.array([[left, low], [left, high], [right, high], [right, low]]).transpose(2, 0, 1)


def _given(notes, prompt_ql):
    names = ["motivo inicial" if event.onset_ql < prompt_ql else "generado" for event, _ in notes]
    return names, {"motivo inicial": ORANGE, "generado": BLUE}


def _voices(song, notes):
    """Return the name of each note's voice, and {name: colour} of those that there are."""
    if is_choir(song):
        palette = VOICES
        names = [tuple(VOICES)[event.part] for event, _ in notes]
    elif song.n_parts > 1:
        labels = [f"{k + 1}. {instrument_name(song.program_of(k))}" for k in range(song.n_parts)]
        palette = dict(zip(labels, PARTS, strict=False))
        names = [label if label in palette else "las demás" for label in labels]
        names = [names[event.part] for event, _ in notes]
    else:
        palette = VOICES
        names = _names_on_grid(song, notes)
    palette = palette | {"las demás": GREY, "sin voz": GREY}
    present = set(names)
    return names, {name: colour for name, colour in palette.items() if name in present}


def _names_on_grid(song, notes):
    """Return the voice in which each note begins on the grid of sixteenths."""
    grid, begins = song_to_voices(song)
    names = []
    for event, pitch in notes:
        found = np.zeros(N_VOICES, dtype=bool)
        if event.duration_ql:
            step = notes_on_grid(Song((event,)), SIXTEENTHS)[0].start
            found = begins[step] & (grid[step] == max(pitch, LOWEST_PITCH + pitch % 12))
        names.append(tuple(VOICES)[found.argmax()] if found.any() else "sin voz")
    return names


def _velocity_scale(drawn):
    drawn.set(cmap=LOUDNESS, norm=Normalize(1, 127))
    velocities = [nearest_dynamic(16 * k) for k in range(2, 9, 2)]
    names = [f"{v}  {DYNAMICS[(v + 8) // 16 - 1]}" for v in velocities]
    _scale(drawn, "intensidad").set_ticks(velocities, labels=names)


def _scale(drawn, label):
    """Put a colour bar beside an ax, and return it."""
    bar = drawn.axes.figure.colorbar(drawn, ax=drawn.axes, label=label, pad=0.012, aspect=18)
    decimal_comma(bar.ax.yaxis)
    bar.outline.set_visible(False)
    return bar


def _legend_below(ax, palette):
    """Name colours to the right of the label of the time axis, outside the data."""
    patches = [Patch(color=colour, label=name) for name, colour in palette.items()]
    below = ax.transAxes + ScaledTranslation(0, -20 / 72, ax.figure.dpi_scale_trans)
    place = {"loc": "upper right", "bbox_to_anchor": (1, 0), "bbox_transform": below}
    longest = max(map(len, palette), default=0)
    ncols = max(1, int((_in_points(ax)[0] - 110) / (34 + 6.3 * longest)))
    ax.legend(handles=patches, ncols=ncols, borderaxespad=0, handlelength=1.3, **place)


def _in_points(ax):
    """Return the width and the height of an ax."""
    return 72 * ax.bbox.size / ax.figure.dpi


def _note(ax, text, place, offset_pt, coordinates="data", **style):
    style = {"ha": "right", "fontsize": "small", "color": SLATE, "zorder": 6} | style
    ax.annotate(text, place, offset_pt, coordinates, textcoords="offset points", **style)


# What stands around the notes


def _frame(ax, notes, left, right, bar_lines):
    """Set the limits, and draw the keyboard, the rows and the bar lines."""
    pitches = [pitch for _, pitch in notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    more = max(0, 17 - (high - low)) // 2  # a single note stands among its neighbours
    low, high = max(low - more, 0), min(high + more, 127)
    ax.set(xlim=(left, right if right > left else left + 4), ylim=(low - 0.5, high + 0.5))
    ax.set_xlabel("tiempo (negras)", loc="left")
    ax.set_ylabel("altura")
    ax.xaxis.get_major_locator().set_params(integer=True)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    ax.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
    ax.tick_params(axis="y", length=0, pad=KEYS_PT + 3)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)
    _keyboard(ax, low, high)
    _bars(ax, bar_lines)


def _keyboard(ax, low, high):
    """Draw the keys from low to high at the left of the ax, and shade the rows of the black ones."""
    blacks = np.array([pitch for pitch in range(low, high + 1) if pitch % 12 in BLACK_KEYS])
    # Between white keys: B and C, E and F meet at a row's edge, the others behind a black key.
    seams = [*blacks, *(p - 0.5 for p in range(low + 1, high + 1) if p % 12 in (0, 5))]
    rows = _boxes(0, 1, blacks - 0.5, blacks + 0.5)
    bed = _boxes(-KEYS_PT, -1, low - 0.5, [high + 0.5])
    keys = _boxes(-KEYS_PT, -0.42 * KEYS_PT, blacks - 0.5, blacks + 0.5)
    # Across in points from the left of the ax, upwards in pitches.
    points = Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans
    points += ScaledTranslation(0, 0, ax.transAxes)
    style = {"transform": blended_transform_factory(points, ax.transData), "clip_on": False}
    style |= {"linewidths": 0.6, "edgecolors": GREY, "gid": "teclado"}
    across = {"transform": ax.get_yaxis_transform(), "linewidths": 0, "zorder": 0.2}
    for drawn in (
        PolyCollection(rows, facecolors="#F0F2F5", **across),
        PolyCollection(bed, facecolors="white", zorder=3, **style),
        LineCollection([((-KEYS_PT, y), (-1, y)) for y in seams], zorder=3.1, **style),
        PolyCollection(keys, facecolors=BLACK, zorder=3.2, **style),
    ):
        ax.add_collection(drawn, autolim=False)


def _bars(ax, bar_lines):
    """Draw bar lines and, above the ax, the numbers of as many bars as there is room for."""
    numbers = _numbered_bars(bar_lines, *ax.get_xlim(), _in_points(ax)[0] / 24)
    if numbers:
        drawn = bar_lines if len(bar_lines) < 10 * len(numbers) else list(numbers.values())
        across = ax.get_xaxis_transform()
        ax.vlines(drawn, 0, 1, transform=across, color=PALE, linewidth=0.9, zorder=0.8)
        top = ax.secondary_xaxis("top")
        top.set_xticks(list(numbers.values()), map(str, numbers))
        top.tick_params(length=0, pad=2, labelsize="small", labelcolor=SLATE)
        top.spines["top"].set_visible(False)
        _note(ax, "compás", (0, 1), (-14, 3), "axes fraction")


def _numbered_bars(bar_lines, left, right, n):
    """Return {number: onset_ql} of each, every second, fourth, ... bar, n or so in the span."""
    lengths = np.append(np.diff(bar_lines), right - left)
    pick_up = len(lengths) > 2 and lengths[0] < lengths[1] - 1e-6
    step = 1
    while step * np.median(lengths[:-1] if len(lengths) > 1 else lengths) < (right - left) / n:
        step *= 2
    numbers, last = {}, -np.inf
    for number, line in enumerate(bar_lines, start=0 if pick_up else 1):
        room = line - last > 0.5 * (right - left) / n
        if number and left <= line < right and (number - 1) % step == 0 and room:
            numbers[number] = last = line
    return numbers


# Attention


def token_events(tokens, encoding, step_ql=0.5):
    """Return what each token plays, a list of NoteEvents, None for one that plays nothing.

    step_ql: quarter lengths that a token lasts where tokens have no times

    As in the encoding's `decode`, what follows END plays nothing. In `grid`
    a token plays a sixteenth of its voice, held or not. Raises
    VocabularyError for a token of another encoding.
    """
    kind = get_encoding(encoding)
    body = list(takewhile(lambda token: token != END, tokens))
    nothing = [None] * (len(tokens) - len(body))
    if encoding == "grid":
        return _grid_events(body) + nothing
    events, now = [], Fraction(0)
    for token in body:
        known = token not in (UNKNOWN, START)
        played = kind.decode([token], step_ql) if known else ()
        events.append(replace(played[0], onset_ql=float(now)) if played else None)
        if not kind.timed:
            now += Fraction(step_ql)
        elif known:  # its last time is the wait until the next
            now += Fraction(token.split(":")[1 if token.startswith(REST) else 2])
    return events + nothing


def _grid_events(tokens):
    pitches, events = [0] * N_VOICES, []
    for token in tokens:
        if token != START:
            held = 0 if token == REST else pitches[-N_VOICES]
            pitches.append(held if token in (HOLD, REST, UNKNOWN) else pitch_number(token))
        plays = token != START and pitches[-1]
        onset_ql = (len(pitches) - N_VOICES - 1) // N_VOICES / SIXTEENTHS
        events.append(NoteEvent(onset_ql, 1 / SIXTEENTHS, (pitches[-1],)) if plays else None)
    return events


def attention_roll(events, weights, ax, step=None, title="", n_arrows=3):
    """Draw how much one step of a sequence looks at each note before it.

    events: what each step plays, see `token_events`
    weights: a row of attention (n_steps,): models.attention_weights(...)[layer, head, step]
    step: who looks, the last one if None: its note has an orange edge
    n_arrows: how many notes, those with most weight, an arrow leads to

    The darker a note, the more weight; notes to come are hollow. What weight
    lies on steps that play nothing the title says. Raises ParameterError for
    a step that there is not.
    """
    weights = np.asarray(weights, dtype=float)
    n_steps = min(len(weights), len(events))
    step = n_steps - 1 if step is None else step
    if not 0 <= step < n_steps:
        raise ParameterError(f"step es {step} y hay {n_steps} símbolos: elige de 0 a {n_steps - 1}")
    numbered = [(k, event) for k, event in enumerate(events[:n_steps]) if event]
    notes = [(event, pitch) for _, event in numbered for pitch in event.pitches]
    steps = np.array([k for k, event in numbered for _ in event.pitches], dtype=int)
    steps = steps[steps <= step]
    now, to_come = notes[: len(steps)], notes[len(steps) :]
    _frame(ax, notes, 0, max((event.end_ql for event, _ in notes), default=0), ())
    edges = {
        "edgecolors": [ORANGE if k == step else GREY for k in steps],
        "linewidths": [2.4 if k == step else 0.5 for k in steps],
    }
    drawn = _draw_notes(ax, now, array=100 * weights[steps], cmap=WEIGHT, **edges)
    drawn.set_clim(0, 100 * max(weights[steps].max(initial=0), 1e-9))
    _scale(drawn, "peso de atención (%)")
    if to_come:
        hollow = {"facecolors": "white", "edgecolors": GREY, "linewidths": 0.8}
        _draw_notes(ax, to_come, gid="por venir", **hollow)
    if events[step]:
        _arrows(ax, events, weights[: step + 1], n_arrows)
    silent = weights[: step + 1].sum() - weights[np.unique(steps)].sum()
    also = f"; {_percent(silent)} en símbolos que no suenan" if silent > 0.005 else ""
    ax.set_title(title or f"Adónde mira el símbolo {step}{also}", parse_math=False)
    return ax


def _arrows(ax, events, weights, n_arrows):
    """Draw arrows from the last step to the notes before it with most weight, and say how much."""
    now = events[len(weights) - 1]
    style = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.4, "shrinkA": 5, "shrinkB": 2}
    style["connectionstyle"] = "arc3,rad=0.2"
    heard = [k for k in range(len(weights) - 1) if events[k]]
    for k in sorted(heard, key=lambda k: -weights[k])[:n_arrows]:
        event = events[k]
        pitch = event.pitches[-1]
        above = 1 if pitch >= now.pitches[-1] else -1  # where the arrow does not come from
        end = min(event.end_ql, now.onset_ql), pitch
        ax.annotate("", end, (now.onset_ql, now.pitches[-1]), arrowprops=style, zorder=5)
        middle = event.onset_ql + event.duration_ql / 2, pitch
        white = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
        place = {"ha": "center", "va": "center", "color": BLACK, "bbox": white}
        _note(ax, _percent(weights[k]), middle, (0, 11 * above), **place)


# Symbols and predictors


def common_tokens(pairs, ax, title=""):
    """Draw how often the commonest symbols occur.

    pairs: (token, count), commonest first
    """
    tokens, counts = zip(*pairs, strict=True)
    ax.bar(tokens, counts)
    ax.set(ylabel="apariciones", title=title)
    ax.grid(visible=False, axis="x")
    ax.tick_params(axis="x", rotation=60 if max(map(len, tokens)) > 3 else 0)
    return ax


def nll_ladder(pairs, ax, title="Canciones de validación"):
    """Draw the held-out NLL of several predictors as horizontal bars.

    pairs: (name, nats), drawn from top to bottom; the best one stands out
    """
    names, nats = zip(*pairs, strict=True)
    colours = [ORANGE if value == min(nats) else BLUE for value in nats]
    ax.barh(names, nats, color=colours)
    for name, value in pairs:
        ax.text(value, name, comma(f" {value:.2f}"), va="center")
    ax.invert_yaxis()
    decimal_comma(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.set(title=title, xlabel="NLL (nats por símbolo; menos es mejor)")
    ax.set_xlim(0, 1.12 * max(nats))
    return ax


def next_symbol_probabilities(logits, temperature):
    """Return with what probability `generation.sample_id` draws each id, an array (vocab_size,).

    logits: (vocab_size,); temperature: 0 or more
    Id 0, the unknown symbol, is never drawn. Raises ParameterError for a
    negative temperature.
    """
    if not temperature >= 0:
        raise ParameterError(f"la temperatura es {temperature} y debe ser 0 o más")
    logits = np.array(logits, dtype=float)
    logits[0] = -np.inf
    if temperature == 0:
        return np.eye(len(logits))[logits.argmax()]
    with np.errstate(over="ignore"):  # far below the best, so close to 0 that it makes no odds
        p = np.exp((logits - logits.max()) / temperature)
    return p / p.sum()


def next_symbol_bars(logits, vocabulary, ax, temperatures=(0.5, 1.0, 1.5), n=12, title=""):
    """Draw the probabilities of the likeliest next symbols at several temperatures.

    logits: (vocab_size,), of one step; vocabulary: an encoding.Vocabulary
    n: how many symbols; the legend says what is left for the others
    """
    order = 1 + np.argsort(-np.asarray(logits)[1:], kind="stable")[:n]
    colours = plt.get_cmap("plasma")(np.linspace(0.05, 0.8, len(temperatures)))
    width = 0.84 / len(temperatures)
    for k, temperature in enumerate(temperatures):
        p = next_symbol_probabilities(logits, temperature)[order]
        label = f"{comma(f'{temperature:g}')} (los demás: {_percent(1 - p.sum())})"
        places = np.arange(len(order)) + width * (k - (len(temperatures) - 1) / 2)
        ax.bar(places, 100 * p, 0.92 * width, color=colours[k], label=label)
    tokens = [vocabulary.tokens[k] for k in order]
    ax.set_xticks(range(len(order)), tokens)
    if max(map(len, tokens)) > 5:
        plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    ax.set(xlabel="siguiente símbolo", ylabel="probabilidad (%)")
    _columns_style(ax, title or "Según la temperatura")
    return ax


def histograms(corpus, generated, ax, what="pitch_class"):
    """Draw the share of each value in the notes of the corpus and in those of generated songs.

    corpus, generated: lists of Songs
    what: pitch_class, pitch, duration or interval, see `measures.shares_of`

    Of durations come the commonest, and intervals of an octave and more are
    one column. The title says how much of both overlaps, column by column of
    the whole histograms: `measures.overlapping_area`.
    """
    sides = [shares_of(songs, what) for songs in (corpus, generated)]
    column_of, labels = _columns(what, sides)
    names = f"corpus ({len(corpus)})", f"generadas ({len(generated)})"
    for k, (name, colour) in enumerate(zip(names, (YELLOW, BLUE), strict=True)):
        columns = [column_of[value] for value in sides[k]]
        heights = np.bincount(columns, [*sides[k].values()], len(labels))
        places = np.arange(len(labels)) + 0.42 * (k - 0.5)
        ax.bar(places, 100 * heights, 0.42, color=colour, label=name)
    ax.set_xticks(range(len(labels)), labels)
    ax.set(
        xlabel=HISTOGRAMS[what], ylabel="% de los pasos" if what == "interval" else "% de las notas"
    )
    area = overlapping_area(*sides)
    _columns_style(ax, "Sin notas" if np.isnan(area) else f"Solapamiento: {_percent(area)}")
    return ax


def _columns(what, sides):
    """Return ({value: number of its column}, the columns' labels)."""
    found = sorted(set().union(*sides))
    if what == "pitch_class":
        return {k: k for k in range(12)}, PITCH_NAMES
    if what == "pitch":
        pitches = range(min(found, default=60), max(found, default=60) + 1)
        names = [pitch_name(pitch) if pitch % 12 == 0 else "" for pitch in pitches]
        return {pitch: k for k, pitch in enumerate(pitches)}, names
    if what == "interval":
        names = [f"{k:+d}".replace("-", "−") if k % 2 == 0 else "" for k in range(-12, 13)]
        names[0], names[12], names[-1] = "≤ −12", "0", "≥ +12"
        return {k: int(np.clip(k, -12, 12)) + 12 for k in found}, names
    by_share = sorted(found, key=lambda value: -sum(side.get(value, 0) for side in sides))
    common = sorted(by_share[:N_DURATIONS])
    names = [str(Fraction(value).limit_denominator(24)) for value in common]
    column_of = dict.fromkeys(found, len(common)) | {value: k for k, value in enumerate(common)}
    return column_of, names + ["otras"] * (len(found) > len(common))


def _columns_style(ax, title):
    ax.set_title(title)
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")
    style = {"handlelength": 1.3, "columnspacing": 1.4, "borderaxespad": 0.2}
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, **style)


def _percent(share):
    return f"{100 * share:.0f} %"


# A song beside itself


def self_similarity(song, ax, title="", frame_ql=1.0):
    """Draw how alike the moments of a song are to each other, its bars along both axes.

    frame_ql: quarter lengths of a moment; 4 shows the form of a long song better

    What comes back is a dark line beside the diagonal, and a section a dark
    square; see `measures.similarity_matrix`. As in `piano_roll`, MAX_BARS at most.
    """
    song, left_out = _first_bars(song)
    matrix = similarity_matrix(song, frame_ql)
    end_ql = frame_ql * max(1, len(matrix))
    style = {"cmap": WEIGHT, "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    pixels = matrix if len(matrix) else np.zeros((1, 1))
    image = ax.imshow(pixels, origin="lower", extent=(0, end_ql, 0, end_ql), **style)
    numbers = _numbered_bars(song.bar_lines_ql(), 0, end_ql, min(_in_points(ax)) / 24)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(list(numbers.values()), map(str, numbers))
    ax.grid(visible=False)
    ax.set(xlabel="compás", ylabel="compás")
    ax.set_title(f"{title} {left_out}".strip() if len(matrix) else "Sin notas", parse_math=False)
    _scale(image, "parecido (coseno)")
    return ax
