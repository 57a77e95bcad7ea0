import io
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from musiclab import diagrams
from musiclab.errors import ParameterError
from musiclab.music import NoteEvent, Song
from musiclab.plotting import (
    activity_player,
    activity_roll,
    interval_bars,
    memory_curves,
    similarity_map,
    style,
)
from musiclab.plotting.activity import FRAME


@pytest.fixture
def ax():
    with plt.style.context(style.STYLE):
        figure, ax = plt.subplots()
        yield ax
        figure.canvas.draw()  # what cannot be drawn fails here
        plt.close(figure)


def line_of(over):
    (line,) = over.lines
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def test_the_line_changes_where_each_note_begins(ax, song):
    activity = [-0.5, 0.0, 0.25, 0.9, -0.9]
    moments, values = line_of(activity_roll(song, activity, ax, "una unidad"))
    assert moments == [0, 1, 1.5, 3, 5, 6]
    assert values == [*activity, -0.9]
    assert ax.get_title("left") == "una unidad"


def test_every_note_is_drawn_under_the_line(ax, song):
    activity_roll(song, np.zeros(5), ax)
    (notes,) = [drawn for drawn in ax.collections if drawn.get_gid() == "notas"]
    lefts = [path.vertices[0, 0] for path in notes.get_paths()]
    assert lefts == [0, 1, 1.5, 3, 5, 5, 5]


def test_both_scales_say_what_they_measure(ax, song):
    over = activity_roll(song, np.zeros(5), ax)
    ax.figure.canvas.draw()
    assert (ax.get_ylabel(), over.get_ylabel()) == ("altura", "actividad")
    assert ax.get_xlabel() == "tiempo (negras)"
    assert "0,5" in [label.get_text() for label in over.get_yticklabels()]
    low, high = over.get_ylim()
    assert low < -1 and high > 1


def test_a_chord_of_two_parts_is_one_step(ax):
    events = (NoteEvent(0, 1, (60,)), NoteEvent(0, 1, (64,), part=1), NoteEvent(1, 1, (62,)))
    moments, values = line_of(activity_roll(Song(events), [0.5, -0.5], ax))
    assert (moments, values) == ([0, 1, 2], [0.5, -0.5, -0.5])


@pytest.mark.parametrize("n_values", [0, 4, 6])
def test_another_number_of_steps_is_refused(ax, song, n_values):
    with pytest.raises(ParameterError, match=f"hay {n_values} valores de actividad y 5 notas"):
        activity_roll(song, np.zeros(n_values), ax)


def test_a_song_without_notes_is_refused(ax):
    with pytest.raises(ParameterError, match="al menos una nota"):
        activity_roll(Song(()), [], ax)


def test_the_player_shows_what_it_plays(song):
    import base64

    page = activity_player(song, [-0.9, 0.0, 0.25, 0.9, -0.9], "prueba").data
    assert "data:audio/mpeg;base64," in page and 'alt="Figura. Rollo de pianola «prueba»: ' in page
    assert "Curvas de actividad: de " in page
    assert f"this.currentTime/{song.duration_s:.3f}" in page
    png = base64.b64decode(re.search('data:image/png;base64,([^"]+)"', page)[1])
    picture = matplotlib.image.imread(io.BytesIO(png))
    # The line goes high and low inside the frame, in orange, and nothing else does.
    orange = np.array(matplotlib.colors.to_rgb(style.ORANGE))
    is_line = np.abs(picture[..., :3] - orange).max(axis=-1) < 0.02
    height, width = is_line.shape
    left, _, across, up = FRAME
    rows, columns = np.nonzero(is_line[:, : int((left + across) * width) - 2])
    assert columns.min() >= left * width - 2
    assert rows.max() - rows.min() > 0.8 * up * height


def test_memory_is_drawn_on_a_log_scale_with_its_names(ax):
    curves = {("LSTM", "recién creada"): [1.0, 0.1, 0.01], ("LSTM", "entrenada"): [1.0, 0.5, 0.3]}
    memory_curves(curves, ax)
    assert ax.get_yscale() == "log"
    drawn = {line.get_label(): (line.get_linestyle(), *line.get_ydata()) for line in ax.lines}
    assert drawn == {
        "LSTM, recién creada": ("--", 1.0, 0.1, 0.01),
        "LSTM, entrenada": ("-", 1.0, 0.5, 0.3),
    }
    assert ax.get_xlabel() and ax.get_ylabel()


def test_similarity_is_drawn_note_by_note(ax):
    similar = np.array([[1.0, -0.5], [-0.5, 1.0]])
    similarity_map(similar, ["C4", "G4"], ax, "Parecido")
    assert np.array_equal(ax.images[0].get_array(), similar)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["C4", "G4"]


def test_each_interval_has_its_mean_and_a_point_for_each_network(ax):
    interval_bars(np.array([[0.2, 0.4], [-0.1, -0.3]]), ax)
    assert np.allclose([bar.get_height() for bar in ax.patches], [0.3, -0.2])
    points = [line for line in ax.lines if line.get_marker() == "."]
    assert [line.get_ydata().tolist() for line in points] == [[0.2, -0.1], [0.4, -0.3]]


def test_diagrams_are_the_same_each_time_and_say_what_they_show():
    for draw in (diagrams.rnn_step, diagrams.lstm_gates, lambda: diagrams.unrolled(["C4", "D4"])):
        diagram = draw()
        assert diagram.svg == draw().svg
        assert diagram.svg.count("<path") > 10
        assert len(diagram.alt) > 80 and diagram.alt.endswith(".")


def test_an_unrolled_network_has_a_box_for_each_step_and_can_mark_the_wrong_ones():
    names = ["C4", "D4", "E4"]
    right, wrong = diagrams.unrolled(names), diagrams.unrolled(names, wrong_from=1)
    fill = "fill: " + style.ORANGE.lower()
    # Filled boxes of the two steps that go wrong; there is no other filled orange shape.
    assert (right.svg.count(fill), wrong.svg.count(fill)) == (0, 2)
    assert "Desde el paso 2" in wrong.alt and "Desde" not in right.alt
    assert len(diagrams.unrolled(names[:2]).svg) < len(right.svg)
