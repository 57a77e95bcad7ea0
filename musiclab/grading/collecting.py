"""What a class handed in: one notebook a student, from a folder or a zip.

A folder of notebooks, a folder with one folder a student, the zip that
Moodle gives of an assignment, or Canvas' zip; a zip may also hold what a
folder may. Nothing is unpacked: a zip is read entry by entry, so that no
name leads out of it and no entry gets larger than its limit. Links, pipes
and zips within are left out, and said so.
"""

import json
import lzma
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath

from musiclab.course.parameters import EXHAUSTED
from musiclab.errors import GradingError
from musiclab.files import read_regular, reason, shown

MOST_BYTES, MOST_IN_ALL = 2**25, 2**30  # of a notebook, and of all that could not be made smaller
MOST_FILES, DEEPEST = 20_000, 12
PARTS = {".ipynb": "cuaderno", ".zip": "zip", ".rar": "zip", ".7z": "zip", ".gz": "zip"}

# «Ana Pérez_101_assignsubmission_file_/02.ipynb», with or without folders; the name may be
# «Participante_101» (blind) or «Grupo 1_7» (a team), and may hold numbers itself; the team of all
# who are in none has no number.
_MOODLE = re.compile(r"(?P<name>.*?)_?(?P<id>\d*)_assignsubmission_(?P<kind>[a-z]+)_?(?P<rest>.*)")
# «perezana_LATE_5501_98765_02.ipynb»
_CANVAS = re.compile(
    r"(?P<name>[^/]+?)_(?P<late>late_)?(?P<id>\d+)_\d+_(?P<rest>.+)", re.IGNORECASE
)
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError, EOFError,
)  # fmt: skip
_RESERVED = re.compile("con|prn|aux|nul|(com|lpt)[0-9]")  # on Windows
_BLIND = ("participant", "participante")


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    id: the LMS's number, or a short form of the name; fit for a file's name
    name: as it is shown; data: the notebook, without what it printed
    notes: Spanish sentences on what was left out
    problem: a Spanish sentence where there is no notebook to grade
    file: the notebook's name; when: of its last change, "" where unknown
    late: whether the LMS says that it came late; lms: "moodle", "canvas" or ""
    own_fault: whether the problem is the disk's or the grader's, not the student's
    """

    id: str
    name: str
    data: bytes = b""
    notes: tuple[str, ...] = ()
    problem: str = ""
    file: str = ""
    when: str = ""
    late: bool = False
    lms: str = ""
    own_fault: bool = False


@dataclass(frozen=True)
class _Entry:
    """A file somewhere in a folder or a zip."""

    parts: tuple[str, ...]
    size: int
    when: str
    read: Callable
    refused: str = ""


def collect(source, stem=""):
    """Return what lies in a folder or a zip as a list of Submission, in the order of their ids.

    stem: the assignment's name, such as `02_representar_la_musica`: of
        several notebooks of a student, those that begin with its number count

    Raises GradingError for what is neither a folder nor a zip, or holds nothing.
    """
    source = Path(source)
    if source.is_dir():
        return _submissions(_unwrapped(_in_folder(source)), stem, source)
    try:
        with zipfile.ZipFile(source) as archive:
            return _submissions(_unwrapped(_in_zip(archive)), stem, source)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise GradingError(
            f"«{shown(source)}» no es una carpeta ni un zip que se pueda leer "
            f"({reason(error)}); descárgalo de nuevo o descomprímelo"
        ) from error


def clean(text):
    """Return a name in one form, without what cannot be seen or turns the text around."""
    text = unicodedata.normalize("NFC", shown(text))
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(seen.split())[:120]


def plain_id(name):
    """Return a name as plain letters, digits and hyphens, which every disk takes."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:60] or "sin-nombre"
    return f"de-{plain}" if _RESERVED.fullmatch(plain) else plain


def free_name(wanted, taken):
    """Return a name, with a number behind it where it is among those taken, and add it to them."""
    numbered = (f"{wanted}-{k}" for k in count(2))
    name = next(name for name in chain([wanted], numbered) if name not in taken)
    taken.add(name)
    return name


# The files there are


def _in_folder(root):
    entries, todo = [], [(root, ())]
    while todo:
        folder, parts = todo.pop()
        try:
            inside = sorted(os.scandir(folder), key=lambda one: one.name)
        except OSError as error:
            raise GradingError(
                f"no se puede leer «{shown(folder)}» ({reason(error)}); comprueba sus permisos"
            ) from error
        for one in inside:
            here = (*parts, shown(one.name))
            if one.is_dir(follow_symlinks=False):
                if len(here) < DEEPEST and not _hidden(here[-1]):
                    todo.append((one.path, here))
                continue
            entries.append(_file(one, here))
            _check_number(entries, root)
    return [entry for entry in entries if not _hidden(entry.parts[-1])]


def _file(one, parts):
    about = one.stat(follow_symlinks=False)
    when = datetime.fromtimestamp(about.st_mtime).isoformat(" ", "seconds")
    read = partial(read_regular, one.path)
    return _Entry(parts, about.st_size, when, read, _refused(about.st_mode))


def _refused(mode):
    """Return why a file of a mode is not looked at, or ""; a zip may say no mode."""
    known = {0: "", stat.S_IFREG: "", stat.S_IFLNK: "es un enlace"}
    return known.get(stat.S_IFMT(mode), "no es un fichero normal")


def _in_zip(archive):
    entries = []
    for info in archive.infolist():
        name = _zip_name(info)
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if info.is_dir() or not parts or any(_hidden(part) for part in parts if part != ".."):
            continue
        refused = _refused(info.external_attr >> 16)
        if parts[0] == "/" or ".." in parts or re.match("[A-Za-z]:", parts[0]):
            parts, refused = (f"fuera-{parts[-1]}",), "su ruta sale de la carpeta"
        elif info.flag_bits & 1:
            refused = refused or "tiene contraseña"
        read = partial(_read_zipped, archive, info)
        entries.append(_Entry(parts[:DEEPEST], info.file_size, _zip_time(info), read, refused))
        _check_number(entries, archive.filename)
    return entries


def _zip_name(info):
    """Return an entry's name; many programs write UTF-8 and do not say so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _zip_time(info):
    try:
        return datetime(*info.date_time).isoformat(" ", "seconds")
    except ValueError:
        return ""


def _read_zipped(archive, info, most):
    """Return at most `most` + 1 bytes of an entry, however many it says or turns out to have."""
    try:
        with archive.open(info) as file:
            return file.read(most + 1)
    except _DAMAGED as error:
        raise OSError(None, "el zip está dañado") from error


def _hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _check_number(entries, where):
    if len(entries) > MOST_FILES:
        raise GradingError(
            f"«{shown(where)}» tiene más de {MOST_FILES} ficheros; di la carpeta o el zip que solo "
            "tiene las entregas"
        )


def _unwrapped(entries):
    """Return the entries without a folder that holds them all and is no student's."""
    while len({entry.parts[0] for entry in entries}) == 1 and all(
        len(entry.parts) > 1 for entry in entries
    ):
        inside = {entry.parts[1] for entry in entries}
        folders = {e.parts[1] for e in entries if len(e.parts) > 2 and _kind(e) == "cuaderno"}
        lms = any(_MOODLE.fullmatch(name) or _CANVAS.fullmatch(name) for name in inside)
        if _MOODLE.fullmatch(entries[0].parts[0]) or not (lms or len(folders) > 1):
            break
        entries = [replace(entry, parts=entry.parts[1:]) for entry in entries]
    return entries


# Whose they are


def _submissions(entries, stem, source):
    canvas = _is_canvas(entries)
    owned = {}
    for entry in entries:
        owner, file = _owner(entry, canvas, stem)
        if owner:
            owned.setdefault(owner, []).append((file, entry))
    if not owned:
        raise GradingError(
            f"en «{shown(source)}» no hay ninguna entrega; di la carpeta de los cuadernos, o el zip "
            "de Moodle o de Canvas"
        )
    budget, taken, found = [MOST_IN_ALL], set(), []
    for owner in sorted(owned, key=lambda one: (one.id, one.name)):
        name = free_name(owner.id, taken)
        found.append(_submission(owner, name, owned[owner], stem, budget))
    return found


def _is_canvas(entries):
    flat = all(len(entry.parts) == 1 for entry in entries)
    return bool(entries) and flat and all(_CANVAS.fullmatch(e.parts[0]) for e in entries)


def _owner(entry, canvas, stem):
    """Return (an empty Submission of whose a file is, or None, its name among that one's files)."""
    first, rest = clean(entry.parts[0]), "/".join(map(clean, entry.parts[1:]))
    if found := _MOODLE.fullmatch(first):
        name = found["name"].rstrip("_")
        if not name or name.lower() in _BLIND:
            name = f"{name} {found['id']}".strip()
        number = found["id"]
        owner = Submission(number or plain_id(name), name, lms="moodle" if number else "")
        # What was typed into Moodle's own field is no notebook.
        return (owner if found["kind"] == "file" else None), rest or found["rest"]
    if canvas:
        found = _CANVAS.fullmatch(first)
        owner = Submission(found["id"], found["name"], late=bool(found["late"]), lms="canvas")
        return owner, found["rest"]
    if rest:
        return Submission(plain_id(first), first), rest
    if not _kind(entry):
        return None, first
    name = PurePosixPath(first).stem
    if stem and name.startswith(stem):
        name = name.removeprefix(stem).strip(" _-.()") or name
    return Submission(plain_id(name), name), first


def _kind(entry):
    return PARTS.get(PurePosixPath(entry.parts[-1]).suffix.lower(), "")


def _submission(owner, name, files, stem, budget):
    """Return the Submission of a student's files: the last of the notebooks that fit."""
    notes = [f"«{file}» se deja fuera: {one.refused}." for file, one in files if one.refused]
    good = [(file, entry) for file, entry in files if not entry.refused]
    notebooks = [(file, entry) for file, entry in good if _kind(entry) == "cuaderno"]
    packed = [file for file, entry in good if _kind(entry) == "zip"]
    made = replace(owner, id=name)
    if not notebooks:
        problem = "No hay ningún cuaderno (.ipynb) en la entrega."
        if packed:
            problem = f"Ha entregado «{packed[0]}»: dentro de un zip no se mira; pide el cuaderno."
        return replace(made, notes=tuple(notes), problem=problem)
    number = stem.partition("_")[0]
    fitting = [(f, e) for f, e in notebooks if number and PurePosixPath(f).name.startswith(number)]
    if fitting and len(fitting) < len(notebooks):
        notes.append(f"De sus {len(notebooks)} cuadernos se miran los que empiezan por {number}.")
    fitting = sorted(fitting or notebooks, key=lambda pair: (pair[1].when, pair[0]))
    file, entry = fitting[-1]
    if len(fitting) > 1:
        notes.append(f"Hay {len(fitting)} versiones; cuenta la última, «{file}» ({entry.when}).")
    made = replace(made, notes=tuple(notes), file=file, when=entry.when)
    try:
        data = entry.read(MOST_BYTES)
    except OSError as error:
        problem = f"No se puede leer «{file}»: {reason(error)}."
        return replace(made, problem=problem, own_fault=True)
    if len(data) > MOST_BYTES or entry.size > MOST_BYTES:
        most = MOST_BYTES // 2**20
        return replace(made, problem=f"«{file}» ocupa más de {most} MB: borra sus salidas.")
    data = _without_outputs(data)
    budget[0] -= len(data)
    if budget[0] < 0:
        problem = "Las entregas juntas ocupan demasiado: califica esta aparte."
        return replace(made, problem=problem, own_fault=True)
    return replace(made, data=data)


def _without_outputs(data):
    """Return a notebook without what it showed, which may be most of it; other data as it is."""
    try:
        notebook = json.loads(data)
        for cell in notebook["cells"]:
            for key in ("outputs", "attachments", "execution_count"):
                cell.pop(key, None)
        return json.dumps(notebook).encode()
    except (ValueError, TypeError, KeyError, AttributeError, *EXHAUSTED):
        return data
