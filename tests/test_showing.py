import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from musiclab import plotting
from musiclab.plotting import describe, style
from musiclab.plotting.showing import figure_html


@pytest.fixture
def ax():
    with plt.style.context(style.STYLE):
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)


def said_of(ax):
    ax.figure.canvas.draw()
    return describe(ax.figure).removeprefix("Figura. ")


def test_a_curve_says_its_axes_where_it_begins_and_ends_and_how_far_it_goes(ax):
    ax.plot([1, 2, 3], [2.5, 0.25, 1], label="validación")
    ax.axhline(3, label="unigrama")
    ax.axvline(2, label="mejor época")
    ax.plot([1, 2], [0, 9])  # without a name
    ax.set(xlabel="época", ylabel="nats", title="Pérdida")
    assert said_of(ax) == (
        "Curvas de nats según época «Pérdida»: validación: de 2,5 a 1 (entre 0,25 y 2,5); "
        "unigrama: 3; mejor época: en 2."
    )


def test_a_lonely_curve_needs_no_name(ax):
    ax.plot([0, 1], [-1, 1])
    assert said_of(ax) == "Curvas: de −1 a 1."


@pytest.mark.parametrize("across", [False, True])
def test_few_bars_say_all_their_values(ax, across):
    (ax.barh if across else ax.bar)(["unigrama", "red"], [2.31, 1.4])
    ax.set(**{"xlabel" if across else "ylabel": "nats"})
    assert said_of(ax) == "Barras de nats: unigrama = 2,31, red = 1,4."


def test_many_bars_say_the_highest_and_the_lowest(ax):
    ax.bar(np.arange(9) + 0.2, [3, 1, 4, 1.5, 9, 2, 6, 5, 3.5], label="corpus")
    ax.set_xticks(range(9), "abcdefghi")
    assert said_of(ax) == "Barras: corpus: 9 barras, la más alta e = 9, la más baja b = 1."


def test_a_roll_says_its_notes_and_its_colours(ax, song):
    plotting.piano_roll(song, ax, prompt_ql=1, title="Una canción")
    said = said_of(ax)
    assert said.startswith("Rollo de pianola «Una canción»: 7 notas, de ")
    assert said.endswith(", de la negra 0 a la 6; motivo inicial; generado.")


def test_a_map_says_what_its_colours_are_and_its_scale_is_no_ax_of_its_own(ax):
    plotting.transition_map(np.eye(2) / 2, ["C4", "D4"], ax, "Qué sigue")
    assert said_of(ax) == (
        "Mapa de colores «Qué sigue»: símbolo (filas) y símbolo siguiente (columnas), "
        "probabilidad (%) de 0 a 50."
    )


def test_two_axes_are_two_sentences():
    figure, (above, below) = plt.subplots(2)
    above.plot([1, 2])
    below.bar([], [])
    figure.canvas.draw()
    assert describe(figure) == "Figura. Curvas: de 1 a 2. Barras: sin datos."
    plt.close(figure)


def test_a_text_cannot_break_out_of_its_tag(ax):
    ax.plot([1, 2])
    ax.set_title('"><script>')
    page = figure_html(ax.figure)
    assert page.count("<") == page.count(">") == 1 and "&quot;&gt;&lt;script&gt;" in page


CELLS = (
    "from musiclab import plotting",
    "plotting.use_style()",
    "import matplotlib.pyplot as plt",
    "%config InlineBackend.figure_format = 'retina'",  # as music21 does, a second after its import
    "plt.figure(figsize=(3, 2)).gca().plot([1, 2])\nplt.show()",
    "plt.figure()\nplt.show()",
)


def test_a_notebook_shows_a_figure_once_and_with_its_text(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS)])
    arguments = ["--log-level=CRITICAL"]
    NotebookClient(notebook, kernel_name="python3", extra_arguments=arguments).execute()
    figure, empty = [cell.outputs[0].data for cell in notebook.cells[-2:]]
    assert set(figure) == {"text/html", "text/plain"} and set(empty) == {"text/plain"}
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count('<img alt="Figura. Curvas: de 1 a 2."') == 1
