"""A student's own copy of the course, in which work is never lost.

`mi_curso/` lies beside `notebooks/` and has its shape, so that every
relative path of a notebook leads where it led: `../runs`, `../docs`,
`ejercicios/`. What was laid there is noted in `.entregado.json`. A copy
that the student has not touched follows the course; one that was touched
stays, and the course's newer one is laid beside it.
"""

import json
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from musiclab.course.parameters import EXHAUSTED, NOTEBOOKS, PROJECT, read_notebook
from musiclab.errors import OutputError, ParameterError
from musiclab.files import output_folder, read_regular, reason, shown, write_bytes, write_json

COPIES = PROJECT / "mi_curso"
LAID = ".entregado.json"
NEWER = "nueva"  # NN_name.nueva.ipynb
FOLDERS = ("", "ejercicios")
MOST_BYTES = 2**27
_LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)|(?:src|href)\s*=\s*["']([^"']+)["']""")


def lay_out(notebooks=NOTEBOOKS, copies=COPIES):
    """Bring a student's copies up to the course; return Spanish sentences on what is new.

    A file that the student has, and has changed, is never written to.
    Raises OutputError when the folder cannot be written.
    """
    notebooks, copies = Path(notebooks), output_folder(copies)
    laid, said = _read_laid(copies), []
    for name in course_files(notebooks):
        data = _read(notebooks / name)
        content = content_of(data)
        note = laid.setdefault(name, {"content": "", "files": {}})
        place = copies / name
        if place.exists() and (note["content"] == content or content_of(_read(place)) == content):
            # The student's copy is of this edition already, whatever was done in it.
            note["content"] = content
            continue
        target = _target(place, copies, note)
        write_bytes(target, data)
        note["content"] = content
        note["files"][_name(target, copies)] = sha256(data).hexdigest()
        if target != place:
            said.append(
                f"«{name}» ha cambiado en el curso: tu copia sigue como la dejaste y la nueva está "
                f"al lado, en «{_name(target, copies)}»"
            )
    write_json(copies / LAID, laid)
    return said


def course_files(notebooks=NOTEBOOKS):
    """Return the lessons, the exercises and the files that they link to, relative to notebooks.

    Links out of the folder need no copy: the copies lie as deep.
    """
    notebooks = Path(notebooks)
    names = [
        path.relative_to(notebooks).as_posix()
        for folder in FOLDERS
        for path in sorted((notebooks / folder).glob("*.ipynb"))
        if not path.name.startswith(".")
    ]
    for name in names:  # which grows: what is linked to may link on
        if name.endswith(".ipynb"):
            names += [link for link in _links(notebooks, name) if link not in names]
    return names


def content_of(data):
    """Return a digest of what somebody wrote in a file: of a notebook, its cells without outputs."""
    try:
        cells = json.loads(data)["cells"]
        written = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
        data = json.dumps(written).encode()
    except (ValueError, TypeError, KeyError, *EXHAUSTED):  # no notebook
        pass
    return sha256(data).hexdigest()


def _target(place, copies, note):
    """Return where to lay a newer edition: in the place of an untouched one, or beside it."""
    beside = [
        place,
        *(place.with_suffix(f".{NEWER}{k}{place.suffix}") for k in ("", *range(2, 100))),
    ]
    for target in beside:
        untouched = note["files"].get(_name(target, copies))
        if not target.exists() or (
            target.is_file() and sha256(_read(target)).hexdigest() == untouched
        ):
            return target
    raise OutputError(f"hay demasiadas copias de «{shown(place)}»; borra las que no quieras")


def _links(notebooks, name):
    """Return the files within the notebooks' folder that a notebook links to."""
    folder, found = PurePosixPath(name).parent, []
    try:
        cells = read_notebook(notebooks / name).cells
    except ParameterError:  # JupyterLab will say so
        return []
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        for link in _LINK.findall(cell.source):
            path = unquote("".join(link).partition("#")[0])
            if not path or re.match("[a-z]+:|/", path):
                continue
            target = (notebooks / folder / path).resolve()
            root = notebooks.resolve()
            if target.is_relative_to(root) and target.is_file():
                inside = target.relative_to(root).as_posix()
                found += [inside] if inside not in found else []
    return found


def _read_laid(copies):
    """Return {name: {"content": digest, "files": {name: digest}}}, empty where it is lost."""
    try:
        laid = json.loads((copies / LAID).read_text(encoding="utf-8"))
        for note in laid.values():
            note["content"] + "".join(note["files"].values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, *EXHAUSTED):
        return {}
    return laid


def _read(path):
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise OutputError(
            f"no se puede leer «{shown(path)}» ({reason(error)}): apártalo, o abre los originales "
            "con musiclab lab --originals"
        ) from error


def _name(path, copies):
    return path.relative_to(copies).as_posix()
