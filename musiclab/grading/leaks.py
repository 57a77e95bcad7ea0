"""What of a solution, or of a hidden check, would reach the students.

nbgrader takes out what lies between two marks, wherever a line contains
them. A misspelt mark takes out nothing, and says nothing. So every line
that is like a mark must be one, and the lines between two marks must not
stand anywhere else: not in another cell, nor in a picture, an output or
the metadata.
"""

import ast
import base64
import binascii
import html
import re
import unicodedata
from difflib import SequenceMatcher

from musiclab.errors import ReleaseError

SHORTEST, LONG = 10, 16  # characters without spaces of a line that can tell, and of a telling piece
MOST_BYTES = 2**21  # of something encoded in a text

_EXACT = re.compile(r"([ \t]*)### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)[ \t]*")
_PLAIN = re.compile(
    r"\b(begin|end)[\W_]*(solution|hidden[\W_]*test|mark[\W_]*scheme)", re.IGNORECASE
)
_COMMENT = re.compile(r"(?:^|\s)#[^\"']*$")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_STARTS = ("begin", "start", "end", "inicio", "comienzo", "fin")
_KINDS = ("solution", "solucion", "hidden", "mark", "beginsolution", "endsolution")
_BETWEEN = {"de", "la", "el", "las", "los", "of", "the", "a"}
_OPERATIONS = (ast.BinOp, ast.BoolOp, ast.Compare, ast.Call, ast.comprehension, ast.Subscript)


def placed(notebook):
    """Yield how each cell is named to its author, by its number from 1 and its id, and the cell."""
    for number, cell in enumerate(notebook.cells, start=1):
        name = grade_id(cell) or cell.get("id", "")
        yield f"celda {number}" + (f" («{name}»)" if name else ""), cell


def grade_id(cell):
    """Return the name by which nbgrader knows a cell, or "" where it does not."""
    return str(_about(cell).get("grade_id") or "")


def flag(cell, name):
    """Return whether nbgrader is told something of a cell, such as that it is `locked`."""
    return bool(_about(cell).get(name))


def _about(cell):
    meta = cell.metadata.get("nbgrader")
    return meta if isinstance(meta, dict) else {}


def regions(cell, where):
    """Return the lines between a cell's marks, as {kind: lines}.

    Raises ReleaseError for marks that are misspelt, alone, crossed or
    indented differently, and for any line that is like a mark.
    """
    found, opened = {}, None
    for line in cell.source.splitlines():
        mark = _EXACT.fullmatch(line)
        if mark is None:
            if like_a_mark(line, cell.cell_type):
                raise ReleaseError(
                    f"{where}: «{line.strip()[:60]}» parece una marca y no lo es, así que dejaría "
                    "ver la solución; escribe ### BEGIN SOLUTION y ### END SOLUTION, cada una en "
                    "su línea"
                )
            if opened:
                found.setdefault(opened[1], []).append(line)
            continue
        indent, verb, kind = mark.groups()
        if (verb == "BEGIN") == (opened is not None):
            raise ReleaseError(
                f"{where}: «### {verb} {kind}» no tiene su pareja; cada BEGIN va seguido de su END"
            )
        if verb == "END" and opened != (indent, kind):
            raise ReleaseError(
                f"{where}: «### END {kind}» no cierra la marca anterior; pon las dos iguales y con "
                "la misma sangría"
            )
        lines = [line for line in found.setdefault(kind, []) if line.strip()]
        if verb == "END" and lines and not re.match(rf"{indent}\S", lines[0]):
            raise ReleaseError(
                f"{where}: «### {verb} {kind}» no tiene la sangría de lo que encierra; pónsela, "
                "que es la de lo que escribirá el estudiante"
            )
        opened = (indent, kind) if verb == "BEGIN" else None
    if opened:
        raise ReleaseError(f"{where}: falta «### END {opened[1]}» detrás de la marca que abre")
    return found


def like_a_mark(line, cell_type="code"):
    """Return whether a line is a mark, or meant as one and misspelt."""
    if _PLAIN.search(line):
        return True
    _, hash_sign, comment = line.partition("#")
    if not hash_sign or (cell_type == "markdown" and line.strip()[:1] != "#"):
        return False
    first, *rest = re.findall("[a-z]+", unaccented(comment).lower()) or [""]
    rest = [word for word in rest if word not in _BETWEEN]
    if not rest:
        # A comment of one word; a heading of one word is a heading.
        alone = _KINDS if cell_type == "code" else _KINDS[-2:]
        return _near(first, [word for word in alone if len(word) > 6])
    pairs = ((first, rest[0]), (rest[0], first))
    return any(_near(verb, _STARTS) and _near(kind, _KINDS) for verb, kind in pairs)


def _near(word, known):
    if len(word) < 3:
        return False
    return any(
        sorted(word) == sorted(other) or SequenceMatcher(None, word, other).ratio() >= 0.75
        for other in known
    )


def unaccented(text):
    """Return a text in ASCII, without its accents."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def check_leaks(notebook, secrets):
    """Raise ReleaseError when a notebook shows a mark, or a line of a solution.

    notebook: with its solutions taken out, its outputs and metadata still there
    secrets: {grade id: lines of code between marks}
    """
    telling = {
        name: [line for line in map(_bare, lines) if is_telling(line, name)]
        for name, lines in secrets.items()
    }
    for where, cell in placed(notebook):
        _check(cell.source, "el texto", where, telling, cell.cell_type)
        for key, said in (
            ("metadata", "los metadatos"),
            ("attachments", "los adjuntos"),
            ("outputs", "las salidas"),
        ):
            _check(cell.get(key, {}), said, where, telling)
    _check(notebook.metadata, "los metadatos", "el cuaderno", telling)


def _check(value, said, where, telling, cell_type="markdown"):
    for text in _texts(value):
        for line in text.splitlines():
            if like_a_mark(line, cell_type):
                raise ReleaseError(
                    f"{where}: queda una marca en {said}, «{line.strip()[:60]}»; bórrala"
                )
        pieces = _pieces(text)
        for name, lines in telling.items():
            for line in lines:
                if _stands_in(line, *pieces):
                    raise ReleaseError(
                        f"{where}: {said} enseña «{line.strip()[:60]}», que es de la solución de "
                        f"«{name}»; escríbelo de otra forma o bórralo"
                    )


def is_telling(line, name=""):
    """Return whether a line of code, found elsewhere, would tell a solution.

    name: of what the solution defines; to give it a value is to tell it
    """
    size = len(_compact(line))
    if size < SHORTEST:
        return False
    try:
        code = ast.parse(line + (" pass" if line.endswith(":") else ""))
    except (SyntaxError, ValueError):  # a piece of a longer statement
        return size >= LONG
    if not code.body:
        return False
    (statement, *_) = code.body
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False
    if isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and unaccented(target.id) == name
        for target in statement.targets
    ):
        return True
    if isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("print("):
        return False
    return any(isinstance(node, _OPERATIONS) for node in ast.walk(statement))


def _pieces(text):
    """Return a text without its spaces, and its lines and quotations of code one by one."""
    pieces = [*text.splitlines(), *re.findall("`([^`]*)`", text)]
    bare = (_bare(piece.strip().lstrip("#>` ")) for piece in pieces if len(piece) < 1000)
    return _compact(text), {_compact(piece) for piece in bare}


def _stands_in(line, whole, pieces):
    wanted = _compact(line)
    return wanted in whole if len(wanted) >= LONG else wanted in pieces


def _bare(line):
    """Return a line of code without its comment."""
    return _COMMENT.sub("", line).strip()


def _compact(text):
    return re.sub(r"\s+", "", text).replace("'", '"')


def _texts(value):
    """Yield every text within a value, and what is written in it as HTML or base64."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
        if "&" in value:
            yield html.unescape(value)
        yield from _decoded(value)


def _decoded(text):
    # A file's base64 may come in lines.
    for piece in {*_BASE64.findall(text), *_BASE64.findall(text.replace("\n", ""))}:
        if len(piece) > MOST_BYTES:
            continue
        try:
            yield base64.b64decode(piece, validate=True).decode()
        except (binascii.Error, ValueError):  # no base64, or no text
            continue
