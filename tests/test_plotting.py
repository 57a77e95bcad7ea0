import re
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import odd_songs, random_chorale

from musiclab import encoding, generation, plotting
from musiclab.encoding import (
    ENCODINGS,
    END,
    START,
    UNKNOWN,
    Vocabulary,
    decode_song,
    get_encoding,
    token_events,
)
from musiclab.engraving.mei import score_mei
from musiclab.errors import ParameterError
from musiclab.evaluation import copied_run
from musiclab.generation import sample_id
from musiclab.music import NoteEvent, Song
from musiclab.music.voices import grid_to_song, song_to_voices
from musiclab.plotting import statistics, style


class History:
    """What the plots take from training.History, without TensorFlow."""

    loss, val_loss = [3.0, 2.0, 1.5], [3.1, 2.5, 2.6]
    accuracy, val_accuracy = [0.1, 0.4, 0.6], [0.1, 0.3, 0.25]
    n_epochs, best_epoch = 3, 2


@pytest.fixture
def axes():
    with plt.style.context(style.STYLE):
        figure, axes = plt.subplots(2, figsize=(10, 7))
        yield axes
        figure.canvas.draw()  # what cannot be drawn fails here
        plt.close(figure)


@pytest.fixture
def ax(axes):
    return axes[0]


def texts(ax):
    legend = ax.get_legend().get_texts() if ax.get_legend() else []
    return [text.get_text().strip() for text in [*ax.texts, *legend] if text.get_text()]


def legend(ax):
    """Return {label: colour} of a legend."""
    handles = ax.get_legend().get_patches()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    return dict(zip(names, (handle.get_facecolor() for handle in handles), strict=True))


def labels(ax):
    return ax.get_title("left") or ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


def notes_of(ax, gid="notas"):
    """Return (onset, middle of the row, width, colour) of each drawn note, in order."""
    [drawn] = [c for c in ax.collections if c.get_gid() == gid]
    ax.figure.canvas.draw()  # numbers become colours
    colours = list(drawn.get_facecolor())
    boxes = [path.get_extents() for path in drawn.get_paths()]
    colours = colours * len(boxes) if len(colours) == 1 else colours
    rows = [round((box.y0 + box.y1) / 2, 6) for box in boxes]
    return [
        (box.x0, row, box.width, tuple(colour))
        for box, row, colour in zip(boxes, rows, colours, strict=True)
    ]


def same(colour, other):
    return matplotlib.colors.same_color(colour, other)


def bar_numbers(ax):
    return [int(label.get_text()) for label in ax.child_axes[0].get_xticklabels()]


# Training


def test_learning_curves(ax):
    assert plotting.learning_curves(History(), ax, baselines=[("5-grama", 2.2)]) is ax
    assert labels(ax) == ("Pérdida", "época", "nats por símbolo")
    assert sorted(texts(ax)) == ["5-grama", "entrenamiento", "mejor época", "validación"]
    train, held_out, best, baseline = ax.lines[:4]
    assert train.get_xydata().tolist() == [[1, 3.0], [2, 2.0], [3, 1.5]]
    assert held_out.get_ydata().tolist() == History.val_loss
    assert set(best.get_xdata()) == {2} and set(baseline.get_ydata()) == {2.2}


# Piano rolls


@pytest.mark.parametrize("prompt_ql", [0, 1.5])
def test_piano_roll_draws_a_bar_a_note(ax, song, prompt_ql):
    assert plotting.piano_roll(song, ax, prompt_ql, title="Mi canción") is ax
    assert labels(ax) == ("Mi canción", "tiempo (negras)", "altura")
    assert texts(ax) == ["compás", *(["motivo inicial", "generado"] if prompt_ql else [])]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["C4", "C5"]
    drawn = [(x, y, same(c, style.ORANGE)) for x, y, _, c in notes_of(ax)]
    notes = [(e.onset_ql, p, e.onset_ql < prompt_ql) for e in song.events for p in e.pitches]
    assert drawn == notes
    widths = [width for _, _, width, _ in notes_of(ax)]
    lengths = [e.duration_ql for e in song.events for _ in e.pitches]
    assert all(0.85 * d < w < d for w, d in zip(widths, lengths, strict=True))


@pytest.mark.parametrize("events", [(), (NoteEvent(0, 0, (61,)),), (NoteEvent(0, 1, (0, 127)),)])
@pytest.mark.parametrize("colour", ["prompt", "voice", "velocity"])
def test_piano_roll_of_odd_songs(ax, events, colour):
    plotting.piano_roll(Song(events), ax, prompt_ql=0.5, colour=colour)
    assert len(notes_of(ax)) == sum(len(e.pitches) for e in events)
    assert ("sin notas" in texts(ax)) == (not events)
    assert ax.get_xlim()[0] == 0 < ax.get_xlim()[1]
    low, high = ax.get_ylim()
    assert -0.5 <= low and high <= 127.5 and high - low >= 12


def test_another_colour_says_which_there_are(ax, song):
    with pytest.raises(ParameterError, match="«fuerza»: elige prompt, voice o velocity"):
        plotting.piano_roll(song, ax, colour="fuerza")


def test_a_title_is_no_formula(ax, song):
    plotting.piano_roll(song, ax, title="$x^$")
    ax.figure.canvas.draw()
    assert labels(ax)[0] == "$x^$"


def test_parts_are_colours_with_their_instruments_names(ax):
    events = tuple(NoteEvent(k / 2, 0.5, (60 + k % 9,), part=k % 9) for k in range(36))
    plotting.piano_roll(Song(events, programs=(40, 40, 42, *range(6))), ax, colour="voice")
    names = legend(ax)
    assert list(names)[:3] == ["1. violín", "2. violín", "3. violonchelo"]
    assert len(names) == 8 and list(names)[-1] == "las demás" and len(set(names.values())) == 8
    for k, (_, _, _, colour) in enumerate(notes_of(ax)):
        assert colour == list(names.values())[min(k % 9, 7)]


@pytest.mark.parametrize("seed", range(3))
def test_four_voices_have_the_colours_of_the_grid(ax, seed):
    chorale = random_chorale(seed, length=20)  # longer ones leave the reach of singers
    plotting.piano_roll(grid_to_song(chorale), ax, colour="voice")
    names = legend(ax)
    assert list(names) == ["soprano", "alto", "tenor", "bajo"]
    grid = song_to_voices(grid_to_song(chorale))[0]
    for onset, pitch, _, colour in notes_of(ax):
        voices = [k for k in range(4) if grid[round(4 * onset), k] == pitch]
        assert colour in [list(names.values())[k] for k in voices]


def test_voices_of_notes_off_the_grid_low_and_too_many(ax):
    notes = [(0.03, 1, 80), (0.03, 1, 5), (0, 0, 70), (1.5, 0.001, 60), (1.5, 1, 61)]
    notes += [(1.5, 1, pitch) for pitch in (50, 40, 30)]
    events = tuple(NoteEvent(onset, length, (pitch,)) for onset, length, pitch in notes)
    plotting.piano_roll(Song(events), ax, colour="voice")
    names = {colour: name for name, colour in legend(ax).items()}
    voices = {pitch: names[colour] for _, pitch, _, colour in notes_of(ax)}
    assert voices[70] == voices[50] == "sin voz", "a grace note, and the third of five"
    assert voices[61] == "soprano" and voices[30] == "bajo" and voices[5] != "sin voz"


def test_a_note_that_another_voice_holds_already_has_its_own_voice(ax):
    notes = [(0, 4, (60, 67)), (1, 1, (60,))]
    plotting.piano_roll(Song(tuple(NoteEvent(*note) for note in notes)), ax, colour="voice")
    names = {colour: name for name, colour in legend(ax).items()}
    held, _, new = [names[colour] for *_, colour in notes_of(ax)]
    assert held != new


@settings(max_examples=40)
@given(odd_songs(), st.sampled_from(["prompt", "voice", "velocity"]))
def test_every_note_of_any_song_is_drawn(song, colour):
    ax = plt.Figure().add_subplot()
    plotting.piano_roll(song, ax, 1.0, colour=colour)
    drawn = [c for c in ax.collections if c.get_gid() == "notas"]
    assert sum(len(c.get_paths()) for c in drawn) == sum(len(e.pitches) for e in song.events)


def test_velocity_is_a_scale_from_pale_to_dark(ax):
    events = tuple(NoteEvent(k, 1, (60,), velocity) for k, velocity in enumerate((1, 32, 64, 127)))
    plotting.piano_roll(Song(events), ax, colour="velocity", prompt_ql=2)
    light = [np.dot(colour[:3], (0.2126, 0.7152, 0.0722)) for *_, colour in notes_of(ax)]
    assert light == sorted(light, reverse=True) and light[0] < 0.8 and light[-1] < 0.1
    [scale] = [other for other in ax.figure.axes if other.get_ylabel() == "intensidad"]
    ticks = [label.get_text().split() for label in scale.get_yticklabels()]
    assert ticks == [["32", "pp"], ["64", "mp"], ["96", "f"], ["127", "fff"]]
    assert "◂ motivo inicial" in texts(ax)


def test_the_keyboard_is_in_line_with_the_rows(ax):
    plotting.piano_roll(Song((NoteEvent(0, 1, (55, 77)),)), ax)
    _, bed, blacks = [c for c in ax.collections if c.get_gid() == "teclado"]
    rows = [path.get_extents() for path in blacks.get_paths()]
    keys = [key for key in range(53, 80) if key % 12 in (1, 3, 6, 8, 10)]
    assert [(box.y0, box.y1) for box in rows] == [(key - 0.5, key + 0.5) for key in keys]
    assert (bed.get_paths()[0].get_extents().y0, 79.5) == ax.get_ylim()
    ax.figure.canvas.draw()
    corners = bed.get_transform().transform(bed.get_paths()[0].vertices)
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    inside = ax.get_window_extent()
    assert 0 < left < right < inside.x0 and (low, high) == pytest.approx((inside.y0, inside.y1))
    assert all(0 < label.get_window_extent().x1 < left for label in ax.get_yticklabels())


def test_bars_are_numbered_as_in_a_score(ax):
    notes = tuple(NoteEvent(k, 1, (60,)) for k in range(13))
    plotting.piano_roll(Song(notes, bars=((0.0, 1, 4), (1.0, 3, 4))), ax)
    assert bar_numbers(ax) == [1, 2, 3, 4]
    assert ax.child_axes[0].get_xticks().tolist() == [1, 4, 7, 10]
    [lines] = [c for c in ax.collections if len(c.get_paths()) == 5 and not c.get_gid()]
    assert [path.vertices[0, 0] for path in lines.get_paths()] == [0, 1, 4, 7, 10]


def test_a_bar_that_a_repeat_divides_has_one_number(ax):
    """3/4 and 1/4 are a bar of 4/4: score and roll count alike."""
    notes = tuple(NoteEvent(k, 1, (60,)) for k in range(16))
    bars = ((0.0, 4, 4), (4.0, 3, 4), (7.0, 1, 4), (8.0, 4, 4))
    song = Song(notes, bars=bars)
    plotting.piano_roll(song, ax)
    numbered = dict(zip(bar_numbers(ax), ax.child_axes[0].get_xticks().tolist(), strict=True))
    assert numbered == {1: 0, 2: 4, 3: 8, 4: 12}
    mei, *_ = score_mei(song)
    assert re.findall(r'<measure n="(\d+)"', mei) == ["1", "2", "2", "3", "4"]


@pytest.mark.parametrize(("n_bars", "step"), [(7, 1), (40, 2), (90, 4), (300, 16)])
def test_bar_numbers_leave_each_other_room(ax, n_bars, step):
    events = tuple(NoteEvent(4 * k, 4, (60 + k % 5,)) for k in range(n_bars))
    plotting.piano_roll(Song(events), ax)
    assert bar_numbers(ax) == list(range(1, n_bars + 1, step))
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.child_axes[0].get_xticklabels()]
    compas = next(text for text in ax.texts if text.get_text() == "compás").get_window_extent()
    edges = [compas, *boxes]
    assert all(a.x1 < b.x0 for a, b in pairwise(edges))


def test_what_is_too_long_says_what_is_left_out(ax):
    events = tuple(NoteEvent(3 * k, 3, (40 + k % 40,), part=k % 3) for k in range(4_000))
    plotting.piano_roll(Song(events), ax, colour="voice", title="Larga")
    assert labels(ax)[0] == "Larga (primeros 400 compases de 3000)"
    assert len(notes_of(ax)) == sum(e.onset_ql < 1600 for e in events)
    assert ax.get_xlim() == (0, pytest.approx(1600))


def test_ten_thousand_notes_are_few_things_to_draw(ax):
    events = tuple(NoteEvent(0.03 * k, 0.3, (40 + k % 40,)) for k in range(10_000))
    plotting.piano_roll(Song(events), ax)
    assert len(notes_of(ax)) == 10_000
    assert len(ax.get_children()) < 40 and len(ax.collections) < 10


def test_a_legend_stands_outside_the_data_and_over_nothing(ax):
    events = tuple(NoteEvent(k, 1, (60,), part=k) for k in range(7))
    plotting.piano_roll(Song(events, programs=(48,) * 7), ax, colour="voice")
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert box.y1 < ax.get_window_extent().y0
    others = [ax.xaxis.label, *ax.get_xticklabels()]
    assert not any(box.overlaps(other.get_window_extent()) for other in others)
    assert box.x1 <= ax.figure.bbox.x1


def test_png_is_the_same_each_time_and_leaves_no_figure(song):
    before = plt.get_fignums()
    png = plotting.roll_png(song, title="Mía", colour="velocity")
    assert png.startswith(b"\x89PNG") and png == plotting.roll_png(
        song, title="Mía", colour="velocity"
    )
    assert png != plotting.roll_png(song) and plt.get_fignums() == before


# Two songs


def melody(*pitches, source="", length=1.0):
    return Song(tuple(NoteEvent(k * length, length, (p,)) for k, p in enumerate(pitches)), source)


def test_rolls_above_each_other_share_their_time(axes):
    songs = {"larga": melody(60, 62, 64), "corta": melody(60)}
    assert plotting.piano_rolls(songs, axes) is axes
    assert [labels(ax)[0] for ax in axes] == ["larga", "corta"]
    assert [ax.get_xlim() for ax in axes] == [(0, 3), (0, 3)]


def test_compared_songs_show_what_they_share(axes):
    song = melody(60, 61, 67, 65, 64, 62, 60, 73, source="nueva")
    other = melody(*[50, 90] * 20, 70, 68, 67, 65, 63, 40, *[50, 90] * 5, source="vieja")
    run = copied_run(song, [other])
    assert (run.length, run.semitones) == (5, -3), "65 64 62 60 against 68 67 65 63, and one more"
    assert plotting.compare_songs(song, other, axes) is axes
    top, bottom = axes
    assert labels(top)[0] == "nueva: 5 notas o acordes seguidos, desde la negra 2"
    assert labels(bottom)[0] == "vieja: los mismos, desde la negra 40, 3 semitonos más arriba"
    for ax, start in ((top, 2), (bottom, 40)):
        drawn = [x for x, _, _, colour in notes_of(ax) if same(colour, style.ORANGE)]
        assert drawn == [start, start + 1, start + 2, start + 3, start + 4]
        [band] = ax.patches
        assert (band.get_x(), band.get_width()) == (start, 5)
    assert top.get_ylim() == bottom.get_ylim() and top.get_xlim() == (0, 8)
    assert bottom.get_xlim() == (38, 46), "one passage below the other"


@pytest.mark.parametrize("length", [0.5, 4.0])
def test_a_passage_is_in_sight_whatever_its_rhythm(axes, length):
    song = melody(40, 60, 64, 62, 67, 65)
    other = melody(30, 60, 64, 62, 67, 65, length=length)
    plotting.compare_songs(song, other, axes)
    run = copied_run(song, [other])
    left, right = axes[1].get_xlim()
    assert left <= run.source_onset_ql
    assert run.source_onset_ql + run.length * length <= right
    assert np.ptp(axes[0].get_xlim()) == right - left
    assert labels(axes[1])[0].endswith("en la misma tonalidad")


def test_songs_that_share_nothing_say_so(axes):
    plotting.compare_songs(Song(()), melody(60, 62), axes)
    assert labels(axes[0])[0] == "la canción: no comparten ninguna nota"
    assert not axes[0].patches and "sin notas" in texts(axes[0])


# Attention


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@pytest.mark.parametrize("seed", range(3))
def test_tokens_play_what_the_whole_song_plays(encoding, seed):
    song = grid_to_song(random_chorale(seed))
    tokens = get_encoding(encoding).encode(song)
    events = token_events(tokens, encoding, step_ql=0.25)
    assert len(events) == len(tokens)
    whole = decode_song(tokens, encoding, 0.25)

    def sounds(events):
        return {
            (round(24 * event.onset_ql) + k, pitch)
            for event in events
            for pitch in event.pitches
            for k in range(round(24 * event.duration_ql))
        }

    assert sounds(event for event in events if event) == sounds(whole.events)
    if encoding in ("events", "events+velocity"):
        notes = [(event.onset_ql, pitch) for event in whole.events for pitch in event.pitches]
        played = [(event.onset_ql, event.pitches[0]) for event in events if event]
        assert sorted(played) == sorted(notes), "a token a note"


def test_what_plays_nothing_has_no_event():
    tokens = [START, "C4:1:1/2", UNKNOWN, "rest:1", "D4:1/3:0", "F4:2:1", END, "C4:1:1"]
    events = token_events(tokens, "events")
    assert [k for k, event in enumerate(events) if event] == [1, 4, 5]
    assert events[4] == NoteEvent(1.5, 1 / 3, (62,)) and events[5] == NoteEvent(1.5, 2, (65,))
    chord = encoding.token_events(["C4", UNKNOWN, "C4.E4"], "pitches", step_ql=0.5)
    assert chord == [NoteEvent(0, 0.5, (60,)), None, NoteEvent(1.0, 0.5, (60, 64))]


def test_attention_is_darkness_and_arrows(ax):
    events = [None, *(NoteEvent(k, 1, (60 + k, 70)) for k in range(5))]
    weights = np.array([0.25, 0.4, 0.05, 0.2, 0.1, 0])
    assert plotting.attention_roll(events, weights, ax, step=4, n_arrows=2) is ax
    assert labels(ax)[0] == "Adónde mira el símbolo 4; 25 % en símbolos que no suenan"
    light = [sum(colour[:3]) for _, _, _, colour in notes_of(ax)]
    assert light[::2] == light[1::2], "the notes of a chord have one weight"
    assert np.argsort(light[::2]).tolist() == [0, 2, 3, 1]
    assert [x for x, *_ in notes_of(ax, "por venir")] == [4, 4]
    assert sorted(texts(ax)) == ["20 %", "40 %"]
    [drawn] = [c for c in ax.collections if c.get_gid() == "notas"]
    edges = [same(edge, style.ORANGE) for edge in drawn.get_edgecolor()]
    assert edges == [False] * 6 + [True] * 2
    assert any(other.get_ylabel() == "peso de atención (%)" for other in ax.figure.axes)


def test_attention_of_a_step_that_is_silent_or_missing(axes):
    events, weights = [None, NoteEvent(0, 1, (60,)), None], [0.5, 0.25, 0.25]
    plotting.attention_roll(events, weights, axes[0])
    assert labels(axes[0])[0].startswith("Adónde mira el símbolo 2; 75 %")
    assert not texts(axes[0])
    plotting.attention_roll([None], [1.0], axes[1], title="El inicio")
    assert labels(axes[1])[0] == "El inicio" and texts(axes[1]) == ["sin notas"]
    for step in (-1, 3):
        with pytest.raises(
            ParameterError, match=f"step es {step} y hay 3 símbolos: elige de 0 a 2"
        ):
            plotting.attention_roll(events, weights, axes[0], step=step)


# Symbols and predictors


def test_nll_ladder(ax):
    pairs = [("uniforme", 4.4), ("5-grama", 2.2), ("red", 1.9)]
    assert plotting.nll_ladder(pairs, ax) is ax
    assert "nats por símbolo" in ax.get_xlabel() and ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [4.4, 2.2, 1.9]
    assert texts(ax) == ["4,40", "2,20", "1,90"]
    uniform, ngram, best = (bar.get_facecolor() for bar in ax.patches)
    assert uniform == ngram != best


def test_probabilities_by_hand():
    logits = np.log([9.0, 1.0, 2.0, 4.0])
    assert generation.next_symbol_probabilities(logits, 1) == pytest.approx(
        [0, 1 / 7, 2 / 7, 4 / 7]
    )
    assert generation.next_symbol_probabilities(logits, 0.5) == pytest.approx(
        [0, 1 / 21, 4 / 21, 16 / 21]
    )
    assert generation.next_symbol_probabilities(logits, 0).tolist() == [0, 0, 0, 1]
    assert generation.next_symbol_probabilities(logits, 1e-300).tolist() == [0, 0, 0, 1]
    with pytest.raises(ParameterError, match="temperatura es -1"):
        generation.next_symbol_probabilities(logits, -1)


def test_probabilities_are_those_that_the_generator_draws_with():
    rng, logits = np.random.default_rng(0), np.array([5.0, 0.3, 1.2, -0.5, 0.9])
    drawn = [sample_id(logits, 0.7, rng) for _ in range(4000)]
    shares = np.bincount(drawn, minlength=5) / 4000
    assert shares == pytest.approx(generation.next_symbol_probabilities(logits, 0.7), abs=0.025)


def test_next_symbols_stand_by_probability(ax):
    vocabulary = Vocabulary((UNKNOWN, "C4", "D4", "E4", "F4"))
    logits = np.log([9.0, 1.0, 4.0, 2.0, 1.0])
    assert plotting.next_symbol_bars(logits, vocabulary, ax, temperatures=(0.5, 1), n=2) is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == ["D4", "E4"]
    assert texts(ax) == ["0,5 (los demás: 9 %)", "1 (los demás: 25 %)"]
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([1600 / 22, 400 / 22, 50, 25])
    assert labels(ax)[1:] == ("siguiente símbolo", "probabilidad (%)")
    ax.figure.canvas.draw()
    legend_box, title = ax.get_legend().get_window_extent(), ax._left_title.get_window_extent()
    assert legend_box.y0 >= ax.get_window_extent().y1 and not legend_box.overlaps(title)


# Songs beside others and beside themselves


def bars_of(ax):
    """Return the heights of the columns of the corpus and of the generated songs."""
    heights = [bar.get_height() for bar in ax.patches]
    return heights[: len(heights) // 2], heights[len(heights) // 2 :]


def test_histograms_of_pitch_classes(ax):
    corpus = [melody(60, 62, 64, 72)]
    assert plotting.histograms(corpus, [melody(60, 61)] * 3, ax) is ax
    assert labels(ax) == ("Solapamiento: 50 %", "clase de altura", "% de las notas")
    assert texts(ax) == ["corpus (1)", "generadas (3)"]
    ours, theirs = bars_of(ax)
    assert ours == [50, 0, 25, 0, 25] + [0] * 7 and theirs == [50, 50] + [0] * 10
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B"]


def test_histograms_of_pitches_and_intervals(axes):
    corpus, generated = [melody(47, 48, 60, 90)], [melody(48, 48, 20)]
    plotting.histograms(corpus, generated, axes[0], "pitch")
    ticks = [label.get_text() for label in axes[0].get_xticklabels()]
    assert len(ticks) == 71 and [t for t in ticks if t] == ["C1", "C2", "C3", "C4", "C5", "C6"]
    assert ticks.index("C3") == 48 - 20
    plotting.histograms(corpus, generated, axes[1], "interval")
    ticks = [label.get_text() for label in axes[1].get_xticklabels()]
    assert (ticks[0], ticks[2], ticks[12], ticks[-1]) == ("≤ −12", "−10", "0", "≥ +12")
    ours, theirs = bars_of(axes[1])
    assert ours[13] == pytest.approx(100 / 3) and ours[24] == pytest.approx(200 / 3)
    assert theirs[0] == theirs[12] == 50 and labels(axes[1])[2] == "% de los pasos"


def test_rare_durations_share_a_column(ax):
    lengths = [1 / 3, 1.5, *(k / 24 for k in range(30, 44))]
    song = Song(tuple(NoteEvent(0, d, (60,)) for d in lengths for _ in range(2 if d > 1.3 else 9)))
    plotting.histograms([song], [Song((NoteEvent(0, 1 / 3, (60,)),))], ax, "duration")
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert len(ticks) == statistics.N_DURATIONS + 1 and ticks[0] == "1/3" and ticks[-1] == "otras"
    ours, theirs = bars_of(ax)
    assert sum(ours) == pytest.approx(100) and theirs[0] == 100


@pytest.mark.parametrize("what", list(statistics.HISTOGRAMS))
def test_histograms_of_nothing(ax, what):
    plotting.histograms([Song(())], [], ax, what)
    assert labels(ax)[:2] == ("Sin notas", statistics.HISTOGRAMS[what])


def test_self_similarity_shows_what_comes_back(ax):
    song = melody(60, 62, 64, 65, 60, 62, 64, 65)
    assert plotting.self_similarity(song, ax, title="Dos veces") is ax
    assert labels(ax) == ("Dos veces", "compás", "compás")
    [image] = ax.images
    pixels = np.asarray(image.get_array())
    assert pixels.tolist() == np.tile(np.eye(4), (2, 2)).tolist()
    assert image.origin == "lower" and image.get_extent() == [0, 8, 0, 8]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2"]
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist() == [0, 4]


def test_bar_numbers_of_a_small_matrix_do_not_touch(ax):
    plotting.self_similarity(melody(*[60, 62, 64, 65] * 40), ax)
    ax.figure.canvas.draw()
    numbers = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert len(numbers) > 3 and all(a.x1 < b.x0 for a, b in pairwise(numbers))


def test_the_colour_bar_of_a_map_is_as_high_as_the_map(ax):
    """A map is square, and lower than a figure of another shape."""
    ax.figure.set_size_inches(4, 8)
    plotting.self_similarity(melody(60, 62, 64, 65), ax)
    ax.figure.canvas.draw()
    bar = next(other for other in ax.child_axes if other.get_ylabel() == "parecido (coseno)")
    inside, beside = ax.get_window_extent(), bar.get_window_extent()
    assert (beside.y0, beside.y1) == pytest.approx((inside.y0, inside.y1), abs=1)


def test_self_similarity_of_long_and_empty_songs(axes):
    long = Song(tuple(NoteEvent(4.0 * k, 4, (60,)) for k in range(500)))
    plotting.self_similarity(long, axes[0], frame_ql=4)
    assert labels(axes[0])[0] == "(primeros 400 compases de 500)"
    assert axes[0].images[0].get_array().shape == (400, 400)
    assert axes[0].images[0].get_extent() == [0, 1600, 0, 1600]
    plotting.self_similarity(Song(()), axes[1])
    assert labels(axes[1])[0] == "Sin notas"


# The look


def contrast(colour, other="white"):
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""

    def luminance(colour):
        c = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    dark, light = sorted((luminance(colour), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_and_notes_stand_out_from_the_page():
    assert contrast(style.SLATE) > 4.5 and contrast(style.BLACK) > 12
    assert min(map(contrast, (style.BLUE, style.ORANGE, style.GREEN, style.GREY))) > 3
    voices = list(style.VOICES.values())
    assert min(contrast(a, b) for a, b in pairwise(voices)) > 1.3, "in grey"


def test_style_is_set_for_the_process():
    with plt.rc_context():
        plotting.use_style()
        assert plt.rcParams["svg.hashsalt"] == "musiclab" and plt.rcParams["font.size"] >= 12


# Lesson 3


def test_a_transition_map_reads_from_row_to_column():
    ax = plt.figure().gca()
    plotting.transition_map([[0.0, 1.0], [0.25, 0.75]], ["C4", "D4"], ax, "Qué sigue")
    (image,) = ax.images
    assert image.get_array().tolist() == [[0, 100], [25, 75]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["C4", "D4"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("símbolo siguiente", "símbolo")


def test_surprises_stand_beside_their_mean():
    ax = plt.figure().gca()
    plotting.surprise_bars(["C4", "D4", "C4"], [1.0, 2.0, 0.75], ax)
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 0.75]
    (mean,) = ax.lines
    assert set(mean.get_ydata()) == {1.25}
    assert ax.get_legend().get_texts()[0].get_text() == "NLL, la media: 1,25"
