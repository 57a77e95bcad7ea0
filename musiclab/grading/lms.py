"""What Moodle and Canvas give a teacher, filled in, to be uploaded again.

The teacher's own file comes back with grades in it, and nothing else of it
changed: rows and columns keep their order. Grades have a point for a
decimal mark, in the scale of the file. A cell that a spreadsheet would take
for a formula gets an apostrophe.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from musiclab.course.parameters import read_number
from musiclab.errors import GradingError
from musiclab.files import read_regular, reason, shown

MOST_BYTES = 2**25
FORMULAS = "=+-@\t\r"
_NUMBER = re.compile(r"-?|[-+]?\d+([.,]\d+)?%?")
_MONTHS = (
    "january february march april may june july august september october november december "
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
_DATE = re.compile(
    r"(\d{1,2}) (?:de )?([a-z]+) (?:de )?(\d{4}), ?(\d{1,2}):(\d{2})(?: ?([ap])\.? ?m)?"
)
HEADERS = {
    "identifier": ("identifier", "identificador"),
    "name": ("full name", "nombre completo"),
    "grade": ("grade", "calificacion"),
    "maximum": ("maximum grade", "calificacion maxima"),
    "may_change": ("grade can be changed", "la calificacion puede ser cambiada"),
    "submitted": ("last modified (submission)", "ultima modificacion (entrega)"),
    "comments": ("feedback comments", "comentarios de retroalimentacion"),
    "team": ("group", "grupo", "team", "equipo"),
}


@dataclass(frozen=True)
class Mark:
    """What an LMS is told of one submission.

    share: of the full mark, 0 to 1, or None where it is not known
    """

    id: str
    name: str
    lms: str
    share: float | None
    comment: str = ""


@dataclass(frozen=True)
class Filled:
    """A teacher's file with grades in it.

    data: its bytes; ids: {id of a submission: number in the LMS}
    zeros, unknown, untouched: names of those with a 0, of submissions that no
        row is for, and of rows that the LMS keeps closed
    """

    data: bytes
    ids: dict
    zeros: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()


def safe(value):
    """Return text that no spreadsheet takes for a formula."""
    text = str(value)
    risky = text.lstrip(" \n\xa0")[:1] in tuple(FORMULAS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if risky else text


def as_csv(rows, delimiter=","):
    """Return rows as the bytes of a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


# Moodle


def fill_worksheet(path, marks):
    """Return Moodle's worksheet («Descargar hoja de calificaciones») Filled with marks.

    Raises GradingError for a file that is none.
    """
    rows, delimiter = read_rows(path)
    columns = columns_of(rows[0])
    if not {"identifier", "grade"} <= columns.keys():
        raise GradingError(
            f"«{shown(path)}» no es la hoja de calificaciones de una tarea de Moodle: le faltan las "
            "columnas «Identificador» y «Calificación»; descárgala de la tarea"
        )
    people = [
        (k, last_number(cell_of(row, columns, "identifier")), cell_of(row, columns, "name"))
        for k, row in enumerate(rows)
        if k and any(row)
    ]
    maximum_of = lambda row: _maximum(cell_of(row, columns, "maximum"), path)
    found, unknown = _matched(marks, people, "moodle")
    return _filled(rows, delimiter, columns, found, unknown, maximum_of)


def submission_times(path):
    """Return {number in Moodle: ISO time of the submission} of a worksheet, as far as it is told."""
    rows, _ = read_rows(path)
    columns = columns_of(rows[0])
    times = {}
    for row in rows[1:]:
        number = last_number(cell_of(row, columns, "identifier"))
        if number and (when := read_date(cell_of(row, columns, "submitted"))):
            times[number] = when.isoformat(" ", "minutes")
    return times


def read_date(text):
    """Return the datetime that Moodle writes in Spanish or English, or None."""
    found = _DATE.search(folded(text))
    if not found:
        return None
    day, word, year, hour, minute, half = found.groups()
    shift = 12 * (half == "p") - 12 * (half is not None and int(hour) == 12)
    try:
        month = _MONTHS.split().index(word) % 12 + 1
        return datetime(int(year), month, int(day), int(hour) + shift, int(minute))
    except ValueError:
        return None


def feedback_zip(pages):
    """Return the zip that Moodle takes as «Subir múltiples archivos de retroalimentación».

    pages: (name, number in Moodle, HTML) of each student
    """
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, number, page in pages:
            # Moodle looks for the number behind the first «_».
            folder = re.sub(r"[_/\\:*?\"<>|]+", " ", name).strip(" .") or "Estudiante"
            path = f"{folder}_{number}_assignsubmission_file/feedback.html"
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), page)
    return data.getvalue()


# Canvas


def fill_canvas(path, marks, stem):
    """Return Canvas' export of the grade book Filled with marks.

    stem: the assignment's name; its column is the only one, or the one whose
        title has the name or the number

    Raises GradingError where there is no such column.
    """
    rows, delimiter = read_rows(path)
    titles = [title.strip() for title in rows[0]]
    points = next((row for row in rows[1:4] if row[0].strip() == "Points Possible"), None)
    if "ID" not in titles or points is None:
        raise GradingError(
            f"«{shown(path)}» no es el libro de calificaciones de Canvas: le faltan la columna «ID» "
            "o la fila «Points Possible»; expórtalo de nuevo"
        )
    column, own = _canvas_column(titles, stem, path), titles.index("ID")
    maximum = _maximum("".join(points[column : column + 1]), path)
    first = rows.index(points) + 1
    people = [
        (k, row[own].strip(), row[0])
        for k, row in enumerate(rows)
        if k >= first and len(row) > own and row[own].strip().isdigit()
    ]
    found, unknown = _matched(marks, people, "canvas")
    columns = {"identifier": own, "grade": column}
    return _filled(rows, delimiter, columns, found, unknown, lambda row: maximum)


def _canvas_column(titles, stem, path):
    """Return the number of the column of an assignment, titled «Title (id)»."""
    columns = [k for k, title in enumerate(titles) if re.search(r"\(\d+\)$", title)]
    number, _, words = stem.partition("_")
    wanted = folded(words.replace("_", " "))
    named = [k for k in columns if wanted and wanted in folded(titles[k])]
    numbered = []
    if number.isdigit():
        numbered = [k for k in columns if re.search(rf"\b0*{int(number)}\b(?!\)$)", titles[k])]
    for some in (named, numbered, columns):
        if len(some) == 1:
            return some[0]
    said = ", ".join(f"«{titles[k]}»" for k in columns) or "ninguna"
    raise GradingError(
        f"en «{shown(path)}» no se sabe cuál es la columna de {stem}: hay {said}; deja solo la suya"
    )


# Tables


def read_rows(path):
    """Return (rows of texts, delimiter) of a CSV file in UTF-8, or as Excel writes it.

    Raises GradingError for what is no table, and for an empty one.
    """
    try:
        data = read_regular(path, MOST_BYTES)
        if len(data) > MOST_BYTES:
            raise ValueError("es demasiado grande")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, ValueError, csv.Error) as error:
        raise GradingError(
            f"no se puede leer la tabla «{shown(path)}» ({reason(error)}); descárgala de nuevo"
        ) from error
    rows = [row for row in rows if row]
    if not rows:
        raise GradingError(f"la tabla «{shown(path)}» está vacía; descárgala de nuevo")
    return rows, delimiter


def columns_of(header):
    """Return {key of HEADERS: number of its column} of a table's first row."""
    titles = [folded(title) for title in header]
    found = {}
    for what, names in HEADERS.items():
        places = [titles.index(name) for name in names if name in titles]
        if places:
            found[what] = min(places)
    return found


def cell_of(row, columns, what):
    """Return a row's text in the column of a key of HEADERS, or ""."""
    k = columns.get(what, -1)
    return row[k] if 0 <= k < len(row) else ""


def folded(text):
    """Return a text of any script in small letters, without accents and double spaces."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    # Marks of a class below belong to their letter, as in Kana and Devanagari.
    bare = "".join(c for c in letters if unicodedata.combining(c) < 200)
    return " ".join(bare.split())


def words_of(name):
    """Return the words of a name, folded, whatever stands between: Moodle writes «_» as a space."""
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in folded(name))
    return tuple("".join(kept).split())


def last_number(text):
    """Return the number that a text such as «Participante101» ends with, or ""."""
    found = re.search(r"\d+$", text.strip())
    return found[0] if found else ""


def _maximum(text, path):
    try:
        return read_number(text)
    except ValueError as error:
        raise GradingError(
            f"en «{shown(path)}», la calificación máxima es «{text[:20]}» y debe ser un número; "
            "descárgala de nuevo"
        ) from error


def _matched(marks, people, lms):
    """Return ({number of a row: mark}, names of the submissions without a row).

    people: (number of the row, number in the LMS, name) of each

    By the LMS's number where the submission has one, else by a name that
    only one person has, whatever the order of its words.
    """
    by_id = {number: k for k, number, _ in people if number}
    by_name, asked = {}, Counter(_sorted(mark.name) for mark in marks)
    for k, _, name in people:
        by_name.setdefault(_sorted(name), []).append(k)
    found, unknown = {}, []
    for mark in marks:
        name = _sorted(mark.name)
        rows = by_name.get(name, [])
        if mark.lms == lms:
            k = by_id.get(mark.id)
        else:
            k = rows[0] if len(rows) == asked[name] == 1 else None
        if k is None or k in found:
            unknown.append(mark.name)
        else:
            found[k] = mark
    return found, tuple(unknown)


def _filled(rows, delimiter, columns, found, unknown, maximum_of):
    """Return a table Filled with the marks of some rows.

    columns: {key of HEADERS: number}; maximum_of: gives the full mark of a row
    """
    ids, zeros, untouched = {}, [], []
    for k, mark in found.items():
        row = rows[k]
        row += [""] * (len(rows[0]) - len(row))
        ids[mark.id] = last_number(cell_of(row, columns, "identifier"))
        if cell_of(row, columns, "may_change").strip().lower() == "no":
            untouched.append(mark.name)
        elif mark.share is not None:
            grade = mark.share * maximum_of(row)
            row[columns["grade"]] = f"{grade:.2f}"
            if round(grade, 2) == 0:
                zeros.append(mark.name)
            if "comments" in columns:
                row[columns["comments"]] = mark.comment
    # No cell is a formula but the one that says who, which stays.
    who = columns["identifier"]
    safe_rows = [[c if k == who else safe(c) for k, c in enumerate(row)] for row in rows]
    return Filled(as_csv(safe_rows, delimiter), ids, tuple(zeros), unknown, tuple(untouched))


def _sorted(name):
    return tuple(sorted(words_of(name)))
