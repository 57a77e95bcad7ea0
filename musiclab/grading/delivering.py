"""The files that come of a graded class, for its teacher, its students and their LMS."""

import json

from musiclab.course.parameters import EXHAUSTED
from musiclab.files import shown, write_bytes, write_json
from musiclab.grading.lms import Mark, feedback_zip, fill_canvas, fill_worksheet
from musiclab.grading.reporting import comment, feedback_page, grades_csv, teacher_page


def deliver(class_, students, assignment, folder, worksheet, canvas):
    """Write all files of a class into a folder; return Spanish sentences on them.

    class_: list of Graded, one a submission; students: the same, one a student
    worksheet, canvas: the teacher's files, or None
    """
    said, items = [], assignment.rubric.items
    marks = [Mark(one.id, one.name, one.lms, one.share, comment(one)) for one in students]
    ids = {one.id: one.id for one in students if one.lms == "moodle"}
    if worksheet:
        filled = fill_worksheet(worksheet, marks)
        ids |= filled.ids
        said += _filled(filled, folder / "moodle.csv", "de Moodle")
    if canvas:
        filled = fill_canvas(canvas, marks, assignment.stem)
        said += _filled(filled, folder / "canvas.csv", "de Canvas")
    pages = {one.id: feedback_page(one, assignment.title) for one in students}
    known = {f"{name}.html" for name in pages}
    for old in (folder / "feedback").glob("*.html"):
        if old.name not in known:
            old.unlink()
    for name, page in pages.items():
        _write_changed(folder / "feedback" / f"{name}.html", page.encode())
    if ids:
        inside = [(one.name, ids[one.id], pages[one.id]) for one in students if one.id in ids]
        write_bytes(folder / "moodle_feedback.zip", feedback_zip(inside))
    for one in class_:
        _add_marks(one, folder)
    write_bytes(folder / "grades.csv", grades_csv(students, items))
    overview = teacher_page(class_, assignment.title, said)
    page = write_bytes(folder / "profesor.html", overview.encode())
    review = [one.name for one in class_ if one.points is None]
    if review:
        said.append(f"Por revisar, sin nota: {', '.join(review)}.")
    return [*said, f"Hecho: abre {shown(page)}."]


def _write_changed(path, data):
    """Write a file unless it is so already: a class has hundreds."""
    if not (path.is_file() and path.read_bytes() == data):
        write_bytes(path, data)


def _add_marks(one, folder):
    """Put the marks beside the run in results/<id>.json, where they have changed."""
    path = folder / "results" / f"{one.id}.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, *EXHAUSTED):
        result = {}
    if not one.run and (not result or result.get("run")):  # there is none, or an earlier version's
        result = {"id": one.id, "run": None, "problem": one.problem}
    marks = {
        "name": one.name,
        "file": one.file,
        "points": one.points,
        "maximum": one.maximum,
        "lost_for_late": one.lost,
        "items": {item.grade_id: item.points for item in one.run.items} if one.run else {},
    }
    if result.get("marks") != marks:
        write_json(path, result | {"marks": marks})


def _filled(filled, path, whose):
    said = [f"La hoja {whose} está rellena en {shown(write_bytes(path, filled.data))}."]
    for names, sentence in (
        (filled.zeros, "Con un 0, que al importar puede no escribirse: ponlo a mano a"),
        (filled.unknown, "Sin fila en la hoja:"),
        (filled.untouched, "La hoja no deja cambiar la nota de"),
    ):
        if names:
            said.append(f"{sentence} {', '.join(names)}.")
    return said
