"""The lessons are what a student finds, and strict nbval would notice if not.

nbval itself runs every notebook of notebooks/: see pyproject.toml.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from musiclab import course
from musiclab.course import parameters, runs
from musiclab.errors import RunError
from musiclab.files import write_bytes
from musiclab.midi import song_to_midi
from musiclab.music import NoteEvent, Song

ROOT = Path(__file__).parents[1]
LESSONS = sorted(course.NOTEBOOKS.glob("*.ipynb"))
PRESETS = sorted(parameters.PRESETS.glob("*.yaml"))
SMALLEST = {
    "DATASET": "juegos",
    "TRANSPOSE": 0,
    "SEQUENCE_LEN": 8,
    "TUTORIAL_WINDOWS": 32,
    "SYMBOL_EPOCHS": 1,
    "EPOCHS": 1,
    "N_NOTES": 20,
}
MADE = (
    "simbolos",
    "song.mid",
    "song.mp3",
    "song.pdf",
    "piano_roll.png",
    "model.safetensors",
    "checkpoint.safetensors",
    "metrics.json",
)


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# As they are stored


def test_there_are_lessons():
    assert LESSONS


def test_every_code_cell_was_run_once_and_in_order(lesson):
    counts = [cell.execution_count for cell in code_cells(lesson)]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_hold_no_warning_no_error_and_no_dead_widget(lesson):
    for cell in code_cells(lesson):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_no_cell_is_left_out_of_the_comparison(lesson):
    for cell in code_cells(lesson):
        assert not re.search("nbval", cell.source, re.IGNORECASE)
        assert not re.search("nbval", str(cell.metadata.get("tags", "")), re.IGNORECASE)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_storing_again_would_change_no_line(path):
    text = path.read_text(encoding="utf-8")
    assert runs.normalise(nbformat.reads(text, as_version=4)) + "\n" == text


def test_every_parameter_has_a_type_and_a_comment(lesson):
    cells = [c for c in code_cells(lesson) if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    for line in cells[0].source.splitlines():
        assert re.fullmatch(r"[A-Z_]+: (str|int|float|bool) = .+  # .+", line), line


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_presets_fit_the_lesson(preset):
    defaults = course.read_parameters(course.find_notebook("01"))
    assert course.merge_parameters(defaults, course.read_preset(preset.stem))


def test_the_readme_links_to_what_is_there():
    for readme in ("README.md", "README.es.md", "CONTRIBUTING.md", "Datasets/README.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert "://" in target or ((ROOT / readme).parent / target).exists(), target


# What nbval sees


@pytest.mark.parametrize("said, passes", [("4\n", True), ("5\n", False)])
def test_strict_nbval_compares_the_stored_outputs(tmp_path, said, passes):
    cell = nbformat.v4.new_code_cell("print(2 + 2)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
    path = tmp_path / "cuaderno.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    config = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    sanitize = f"--nbval-sanitize-with={ROOT / 'tests/sanitize.cfg'}"
    command = [sys.executable, "-m", "pytest", *config, sanitize, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(path)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode == 0) == passes, done.stdout
    assert ("1 passed" if passes else "1 failed") in done.stdout


# As `musiclab run` runs the first one


def game_tune(seed):
    """Return a tune as old games have it: broken chords in thirty-seconds, bass and drums."""
    rng = np.random.default_rng(seed)
    root, *steps = rng.integers(0, 8, 5).tolist()
    events, drums = [], []
    for beat in range(16):
        low = 48 + root + steps[beat // 4]
        events.append(NoteEvent(beat, 0.5, (low - 12,), part=1))
        for k, interval in enumerate(rng.choice((0, 4, 7, 12), 8).tolist()):
            events.append(NoteEvent(beat + k / 8, 0.125, (low + interval,)))
        drums.append(NoteEvent(beat, 0.25, (36 + 2 * (beat % 2),)))
    events.sort(key=lambda event: (event.onset_ql, event.part))
    return Song(tuple(events), programs=(80, 38), tempo_bpm=150.0, drums=tuple(drums))


@pytest.fixture(scope="module")
def game_music(tmp_path_factory):
    """The folder of a student's own set, which the lesson's kernel finds."""
    root = tmp_path_factory.mktemp("Datasets")
    for seed in range(6):
        write_bytes(root / "juegos" / f"{seed}.mid", song_to_midi(game_tune(seed)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSICLAB_DATASETS", str(root))
        yield root


@pytest.fixture(scope="module")
def two_runs(game_music, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    path = course.find_notebook("01")
    return [course.run_notebook(path, SMALLEST, root) for _ in range(2)]


def test_a_run_leaves_all_its_files(two_runs):
    stem = course.find_notebook("01").stem
    names = {path.name for path in two_runs[0].iterdir()}
    assert names == {*MADE, f"{stem}.ipynb", f"{stem}.html"}
    metrics = json.loads((two_runs[0] / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["parameters"] | SMALLEST == metrics["parameters"]
    assert {"losses", "versions", "timings_s", "data_hash"} <= set(metrics)


def test_the_page_asks_nothing_of_the_network(two_runs):
    (page,) = two_runs[0].glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "data:audio/mpeg;base64," in text and "data:image/png;base64," in text
    tags = re.findall(r"<(?:script|img|link|audio|iframe)\b[^>]*>", text)
    assert not [tag for tag in tags if re.search(r"""(?:src|href)=["'](?!data:)""", tag)]
    assert not re.search(r"import\s[^;]*https?://|@import", text)


def test_two_fresh_processes_write_the_same_song(two_runs):
    first, second = two_runs
    assert (first / "song.mid").read_bytes() == (second / "song.mid").read_bytes()
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    losses = [
        json.loads((run / "metrics.json").read_text(encoding="utf-8"))["losses"] for run in two_runs
    ]
    assert losses[0] == losses[1]


def test_another_seed_writes_another_song(game_music, two_runs, tmp_path):
    path = course.find_notebook("01")
    other = course.run_notebook(path, SMALLEST | {"SEED": 1, "OUTPUT_DIR": str(tmp_path)})
    assert (other / "song.mid").read_bytes() != (two_runs[0] / "song.mid").read_bytes()


def outputs_of(run, name):
    """Return the outputs of a name, such as stderr, in a run's executed notebook."""
    (path,) = run.glob("*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return [o for cell in cells for o in cell.get("outputs", ()) if o.get("name") == name]


def test_lesson_runs_on_game_music_and_without_a_warning(two_runs):
    said = "".join(output.text for output in outputs_of(two_runs[0], "stdout"))
    assert "6 canciones leídas" in said and "percusión omitida de los símbolos: 16 golpes" in said
    assert not outputs_of(two_runs[0], "stderr")


def test_a_failed_run_says_why_and_keeps_the_notebook(tmp_path):
    path = course.find_notebook("01")
    with pytest.raises(RunError, match=r"no existe el conjunto «nada».*bach"):
        course.run_notebook(path, SMALLEST | {"DATASET": "nada"}, tmp_path)
    (executed,) = tmp_path.rglob("*.ipynb")
    assert executed.with_suffix(".html").exists()
    assert not list(tmp_path.rglob("metrics.json"))
