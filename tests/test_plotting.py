import matplotlib
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from musiclab import plotting
from musiclab.notes import NoteEvent, Song


class History:
    """What the plots take from training.History, without TensorFlow."""

    loss, val_loss = [3.0, 2.0, 1.5], [3.1, 2.5, 2.6]
    accuracy, val_accuracy = [0.1, 0.4, 0.6], [0.1, 0.3, 0.25]
    n_epochs, best_epoch = 3, 2


@pytest.fixture
def ax():
    with plt.style.context(plotting.STYLE):
        figure, ax = plt.subplots()
        yield ax
        figure.canvas.draw()  # what cannot be drawn fails here
        plt.close(figure)


def texts(ax):
    legend = ax.get_legend().get_texts() if ax.get_legend() else []
    return [text.get_text().strip() for text in [*ax.texts, *legend]]


def labels(ax):
    return ax.get_title("left") or ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


def test_learning_curves(ax):
    assert plotting.learning_curves(History(), ax, baselines=[("5-grama", 2.2)]) is ax
    assert labels(ax) == ("Pérdida", "época", "nats por símbolo")
    assert sorted(texts(ax)) == ["5-grama", "entrenamiento", "mejor época", "validación"]
    train, held_out, best, baseline = ax.lines[:4]
    assert train.get_xydata().tolist() == [[1, 3.0], [2, 2.0], [3, 1.5]]
    assert held_out.get_ydata().tolist() == History.val_loss
    assert set(best.get_xdata()) == {2} and set(baseline.get_ydata()) == {2.2}


def test_accuracy_curves(ax):
    assert plotting.accuracy_curves(History(), ax) is ax
    assert labels(ax) == ("Exactitud", "época", "% de aciertos")
    assert texts(ax) == ["entrenamiento", "validación"]
    assert [line.get_ydata()[1] for line in ax.lines] == pytest.approx([40, 30])


@pytest.mark.parametrize("prompt_ql", [0, 1.5])
def test_piano_roll_draws_a_bar_a_note(ax, song, prompt_ql):
    assert plotting.piano_roll(song, ax, prompt_ql, title="Mi canción") is ax
    assert labels(ax) == ("Mi canción", "tiempo (negras)", "altura")
    assert texts(ax) == (["motivo inicial", "generado"] if prompt_ql else [])
    assert "C4" in {label.get_text() for label in ax.get_yticklabels()}
    bars = []
    for drawn in ax.collections:
        given = matplotlib.colors.same_color(drawn.get_facecolor()[0], plotting.ORANGE)
        for box in (path.get_extents() for path in drawn.get_paths()):
            bars.append((box.x0, pytest.approx((box.y0 + box.y1) / 2), given))
    notes = [(e.onset_ql, p, e.onset_ql < prompt_ql) for e in song.events for p in e.pitches]
    assert sorted(bars, key=lambda bar: (bar[0], bar[1].expected)) == notes


@pytest.mark.filterwarnings("ignore:Attempting to set identical")
@pytest.mark.parametrize("events", [(), (NoteEvent(0, 0, (61,)),), (NoteEvent(0, 1, (0, 127)),)])
def test_piano_roll_of_odd_songs(ax, events):
    plotting.piano_roll(Song(events), ax)
    assert sum(len(c.get_paths()) for c in ax.collections) == sum(len(e.pitches) for e in events)


def test_bars(ax):
    assert plotting.common_tokens([("C4", 5), ("0.4.7", 2)], ax, title="Símbolos") is ax
    assert labels(ax) == ("Símbolos", "", "apariciones")
    assert [bar.get_height() for bar in ax.patches] == [5, 2]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["C4", "0.4.7"]


def test_nll_ladder(ax):
    pairs = [("uniforme", 4.4), ("5-grama", 2.2), ("red", 1.9)]
    assert plotting.nll_ladder(pairs, ax) is ax
    assert "nats por símbolo" in ax.get_xlabel() and ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [4.4, 2.2, 1.9]
    assert texts(ax) == ["4.40", "2.20", "1.90"]
    uniform, ngram, best = (bar.get_facecolor() for bar in ax.patches)
    assert uniform == ngram != best
