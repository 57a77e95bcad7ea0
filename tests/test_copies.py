"""What a student wrote is never lost, and what the course gains is never hidden."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from musiclab import course
from musiclab.course import copies, runs
from musiclab.course.copies import LAID, content_of, course_files, lay_out
from musiclab.errors import OutputError
from musiclab.midi import song_to_midi


def write(path, *sources):
    """Write a notebook of Markdown cells, and of code cells for sources that begin with >."""
    cells = [
        new_code_cell(source[1:]) if source.startswith(">") else new_markdown_cell(source)
        for source in sources
    ]
    for k, cell in enumerate(cells):
        cell.id = f"c{k}"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def project(tmp_path, song):
    """A project with a lesson, its exercises and what they link to."""
    notebooks = tmp_path / "notebooks"
    write(
        notebooks / "01_una.ipynb",
        "Los [ejercicios](ejercicios/01_una.ipynb), ![figura](figuras/a%20b.png#x) y "
        "[la canción](../docs/song.mid), [fuera](https://x.org/y.ipynb), [nada](nada.ipynb)",
        ">from pathlib import Path\nSong = Path('../docs/song.mid').read_bytes()",
    )
    write(
        notebooks / "ejercicios" / "01_una.ipynb",
        'La [lección](../01_una.ipynb) y <a href="../extra/mas.ipynb">más</a>',
    )
    write(notebooks / "extra" / "mas.ipynb", "Y [más aún](aun.txt)")
    write(notebooks / "extra" / "otra.ipynb", "Nadie la enlaza")
    (notebooks / "extra" / "aun.txt").write_text("uno")
    (notebooks / "figuras").mkdir()
    (notebooks / "figuras" / "a b.png").write_bytes(b"\x89PNG")
    write(notebooks / "soluciones" / "01_una.ipynb", "La solución")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "song.mid").write_bytes(song_to_midi(song))
    return tmp_path


@pytest.fixture
def lay(project):
    return lambda: lay_out(project / "notebooks", project / "mi_curso")


def files(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LAID)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


ALL = {
    *("01_una.ipynb", "ejercicios/01_una.ipynb", "extra/mas.ipynb", "extra/aun.txt"),
    "figuras/a b.png",
}


def test_lessons_exercises_and_what_they_link_to_are_copied(project, lay):
    assert lay() == []
    mine, theirs = files(project / "mi_curso"), files(project / "notebooks")
    assert set(mine) == ALL and all(mine[name] == theirs[name] for name in mine)
    assert lay() == [] and files(project / "mi_curso") == mine


def test_work_is_never_overwritten(project, lay):
    lay()
    mine = write(project / "mi_curso" / "01_una.ipynb", "Lo mío")
    saved = mine.read_bytes()
    assert lay() == [] and mine.read_bytes() == saved
    write(project / "notebooks" / "01_una.ipynb", "Edición 2")
    (said,) = lay()
    assert said == (
        "«01_una.ipynb» ha cambiado en el curso: tu copia sigue como la dejaste y la nueva está al "
        "lado, en «01_una.nueva.ipynb»"
    )
    newer = project / "mi_curso" / "01_una.nueva.ipynb"
    assert mine.read_bytes() == saved
    assert newer.read_bytes() == (project / "notebooks" / "01_una.ipynb").read_bytes()
    assert lay() == []  # said once


def test_the_newer_one_is_followed_until_it_is_touched_too(project, lay):
    lay()
    mine = write(project / "mi_curso" / "01_una.ipynb", "Lo mío")
    original = project / "notebooks" / "01_una.ipynb"
    for edition in ("Edición 2", "Edición 3"):
        write(original, edition)
        assert len(lay()) == 1
    newer = project / "mi_curso" / "01_una.nueva.ipynb"
    assert newer.read_bytes() == original.read_bytes()
    write(newer, "También mío")
    write(original, "Edición 4")
    assert "01_una.nueva2.ipynb" in lay()[0]
    assert "Lo mío".encode() in mine.read_bytes()
    assert "También mío".encode() in newer.read_bytes()
    assert (project / "mi_curso/01_una.nueva2.ipynb").read_bytes() == original.read_bytes()


def test_a_copy_that_nobody_touched_follows_the_course(project, lay):
    lay()
    original = write(project / "notebooks" / "01_una.ipynb", "Edición 2")
    (project / "notebooks" / "extra" / "mas.ipynb").unlink()
    assert lay() == []
    assert (project / "mi_curso" / "01_una.ipynb").read_bytes() == original.read_bytes()
    assert "01_una.nueva.ipynb" not in files(project / "mi_curso")
    assert "extra/mas.ipynb" in files(project / "mi_curso")  # what is gone there stays here


def test_new_outputs_alone_are_no_new_edition(project, lay):
    lay()
    mine = write(project / "mi_curso" / "01_una.ipynb", "Lo mío")
    original = project / "notebooks" / "01_una.ipynb"
    notebook = nbformat.read(original, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="42")]
    nbformat.write(notebook, original)
    assert lay() == [] and "Lo mío".encode() in mine.read_bytes()


def test_run_and_saved_is_touched(project, lay):
    lay()
    mine = project / "mi_curso" / "01_una.ipynb"
    notebook = nbformat.read(mine, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="42")]
    nbformat.write(notebook, mine)
    write(project / "notebooks" / "01_una.ipynb", "Edición 2")
    assert len(lay()) == 1 and "42" in mine.read_text()


def test_a_deleted_copy_is_laid_anew_and_a_deleted_newer_one_is_not(project, lay):
    lay()
    mine = write(project / "mi_curso" / "01_una.ipynb", "Lo mío")
    original = write(project / "notebooks" / "01_una.ipynb", "Edición 2")
    lay()
    newer = project / "mi_curso" / "01_una.nueva.ipynb"
    newer.unlink()
    assert lay() == [] and not newer.exists()
    mine.unlink()
    assert lay() == [] and mine.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("note", [None, "", "[]", "nada", '{"01_una.ipynb": 3}', "[" * 10**5])
def test_without_its_note_nothing_is_lost_either(project, lay, note):
    lay()
    mine = write(project / "mi_curso" / "01_una.ipynb", "Lo mío")
    path = project / "mi_curso" / LAID
    path.unlink() if note is None else path.write_text(note)
    (said,) = lay()  # it cannot be known which edition it was
    assert "01_una.nueva.ipynb" in said and "Lo mío".encode() in mine.read_bytes()
    assert lay() == [] and json.loads(path.read_text())


def test_a_file_of_the_students_own_stays(project, lay):
    mine = write(project / "mi_curso" / "mis_ideas.ipynb", "Mías")
    before = write(project / "mi_curso" / "01_una.ipynb", "De antes")
    saved = mine.read_bytes(), before.read_bytes()
    assert len(lay()) == 1
    assert (mine.read_bytes(), before.read_bytes()) == saved


def test_places_that_cannot_be_written_are_one_sentence(project, lay):
    (project / "mi_curso" / "01_una.ipynb").mkdir(parents=True)
    with pytest.raises(OutputError, match="--originals"):
        lay()
    with pytest.raises(OutputError, match="no se puede escribir"):
        lay_out(project / "notebooks", project / "docs" / "song.mid")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_in_its_place_is_not_waited_for(project, lay):
    (project / "mi_curso").mkdir()
    os.mkfifo(project / "mi_curso" / "01_una.ipynb")
    with pytest.raises(OutputError, match="01_una"):
        lay()


def test_a_notebook_that_is_none_is_copied_as_it_is(project, lay):
    (project / "notebooks" / "02_rota.ipynb").write_text("nada")
    assert lay() == [] and (project / "mi_curso" / "02_rota.ipynb").read_text() == "nada"
    assert content_of(b"nada") != content_of(b"algo")


def test_links_out_of_the_project_are_not_followed(project, lay):
    write(project / "notebooks" / "02_dos.ipynb", "[x](../docs/song.mid) [y](/etc/hosts) [z](..)")
    lay()
    assert set(files(project / "mi_curso")) == {*ALL, "02_dos.ipynb"}


def test_a_copy_runs_where_it_lies(project, tmp_path):
    parameters = 'OUTPUT_DIR: str = "../runs/jupyterlab"  # dónde'
    for folder, up in (("", ".."), ("ejercicios", "../..")):
        path = project / "notebooks" / folder / "02_dos.ipynb"
        source = f"""from pathlib import Path
from musiclab.files import output_folder, write_bytes
from musiclab.midi import read_midi
song, _ = read_midi(Path("{up}/docs/song.mid").read_bytes())
write_bytes(output_folder(OUTPUT_DIR) / "{folder}notas.txt", str(song.n_parts).encode())"""
        cell = f">{parameters.replace('..', up)}"
        write(path, cell, f">{source}")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(notebook, path)
    lay_out(project / "notebooks", project / "mi_curso")
    for folder in ("", "ejercicios"):
        mine = project / "mi_curso" / folder / "02_dos.ipynb"
        runs._execute(mine, tmp_path / "executed.ipynb", {})
        assert (project / "runs" / "jupyterlab" / f"{folder}notas.txt").read_text() == "1"
    assert not (project / "mi_curso" / "runs").exists()


# The course's own


@pytest.mark.parametrize("name", course_files())
def test_every_link_of_the_course_leads_on_from_a_copy(name):
    """From mi_curso/ a relative link must find a copy, or a file beside the folder."""
    if not name.endswith(".ipynb"):
        return
    place, known = copies.COPIES / name, set(course_files())
    for cell in nbformat.read(course.NOTEBOOKS / name, as_version=4).cells:
        links = re.findall(r"\]\(([^)\s]+)\)", cell.source) if cell.cell_type == "markdown" else []
        for link in links:
            path = unquote(link.partition("#")[0])
            if not path or re.match("[a-z]+:", path):
                continue
            target = Path(os.path.normpath(place.parent / path))
            if target.is_relative_to(copies.COPIES):
                assert target.relative_to(copies.COPIES).as_posix() in known, link
            else:
                assert target.exists(), link


def test_copies_lie_as_deep_as_the_originals_and_git_ignores_them():
    assert copies.COPIES.parent == course.NOTEBOOKS.parent == course.PROJECT
    ignored = (course.PROJECT / ".gitignore").read_text().splitlines()
    assert f"/{copies.COPIES.name}/" in ignored
