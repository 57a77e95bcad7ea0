"""The notebook that is graded: the released one, with what the student wrote put into it.

The released notebook is the backbone. Of the submission only the sources of
solution cells and of cells that the student added or changed are taken, so
that deleted checks, lost metadata, a missing kernel or another order cost
nothing. A cell is known by its grade id, else by its id, else by the name
that it defines. Checks are left out, and so is what only shows an answer:
answers are judged outside.
"""

import json
import re
from dataclasses import dataclass

from musiclab.course.parameters import EXHAUSTED
from musiclab.grading.collecting import free_name
from musiclab.grading.leaks import flag, grade_id, unaccented
from musiclab.grading.matching import NOTHING, defined_name, names_or_none

MOST_CELLS, MOST_SOURCE = 2000, 2**18  # of a submission; characters of all its sources
INJECTED = "parametros-de-la-correccion"
_DYNAMIC = {"globals", "locals", "eval", "exec", "vars"}


@dataclass(frozen=True)
class Restored:
    """What is run of a submission.

    cells: (id, source) of each cell, in order, parameters among them
    notes: Spanish sentences on what was put right
    problem: why nothing can be run, as a Spanish sentence, or ""
    written: the sources that are the student's
    """

    cells: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    written: tuple[str, ...] = ()


@dataclass
class _Cell:
    """A cell of a submission.

    mine: number of the released cell that it is, if it is one
    is_written: whether it is neither empty nor as it was released
    """

    source: str
    is_code: bool
    id: str
    grade_id: str
    mine: int | None = None
    is_written: bool = False


def restore(backbone, data, parameters):
    """Return what to run of a submission, as a Restored.

    backbone: the cells of the released notebook, as nbformat reads it
    data: bytes of what was handed in, which may be anything
    parameters: {name: value} in place of the defaults of the released notebook
    """
    cells, problem = _read(data)
    if problem:
        return Restored(problem=problem)
    answers = {
        k: unaccented(grade_id(cell)) for k, cell in enumerate(backbone) if _is_solution(cell)
    }
    _identify(cells, backbone)
    elsewhere = _elsewhere(cells, backbone)
    pieces = _pieces(cells, backbone, answers, elsewhere, parameters)
    taken, needed = set(), _without_shows(pieces, backbone, answers)
    return Restored(
        cells=tuple((free_name(name, taken), source) for name, source in needed),
        notes=tuple(_notes(cells, answers, elsewhere)),
        written=tuple(source for _, source, number in pieces if number is None),
    )


# What was handed in


def _read(data):
    """Return (cells of a submission, "") or (None, why it is no notebook)."""
    if not data.strip():
        return None, "El fichero está vacío."
    try:
        notebook = json.loads(data)
        sheets = notebook.get("worksheets")
        cells = sheets[0]["cells"] if sheets else notebook["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except (TypeError, KeyError, AttributeError, IndexError):
        return None, "No es un cuaderno de Jupyter: no tiene celdas."
    except (ValueError, *EXHAUSTED):
        return None, "No es un cuaderno que se pueda leer: está cortado o no es JSON."
    found = [_cell(cell, k) for k, cell in enumerate(cells[: MOST_CELLS + 1]) if _is_cell(cell)]
    if len(cells) > MOST_CELLS:
        return None, f"Tiene más de {MOST_CELLS} celdas."
    if sum(len(cell.source) for cell in found) > MOST_SOURCE:
        return None, "Tiene demasiado texto para ser un cuaderno de ejercicios."
    if not found:
        return None, "El cuaderno no tiene ninguna celda."
    return found, ""


def _is_cell(cell):
    return isinstance(cell, dict) and isinstance(_source(cell), str | list)


def _source(cell):
    return cell.get("source", cell.get("input"))


def _cell(cell, number):
    source = _source(cell)
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = source.encode("utf-8", errors="replace").decode().replace("\r\n", "\n")
    meta = cell.get("metadata")
    meta = meta.get("nbgrader") if isinstance(meta, dict) else None
    name = meta.get("grade_id") if isinstance(meta, dict) else None
    cell_id = cell.get("id")
    cell_id = cell_id if isinstance(cell_id, str) and re.fullmatch(r"[\w-]{1,64}", cell_id) else ""
    return _Cell(
        source,
        cell.get("cell_type") == "code",
        cell_id or f"entrega-{number + 1}",
        name if isinstance(name, str) else "",
    )


# Which is which


def _is_solution(cell):
    return cell.cell_type == "code" and flag(cell, "solution")


def _is_locked(cell):
    return flag(cell, "locked")


def _identify(cells, backbone):
    """Say of each cell of a submission which released one it is, and whether it is written."""
    by_grade_id = {grade_id(cell): k for k, cell in enumerate(backbone) if grade_id(cell)}
    by_id = {cell.id: k for k, cell in enumerate(backbone)}
    by_source = {_bare(cell.source): k for k, cell in enumerate(backbone)}
    for cell in cells:
        source, released = _bare(cell.source), ""
        places = [by_grade_id.get(cell.grade_id), by_id.get(cell.id)]
        if cell.is_code:
            places.append(by_source.get(source))
        cell.mine = next((k for k in places if k is not None), None)
        if cell.mine is not None:
            released = _bare(backbone[cell.mine].source)
        cell.is_written = source not in ("", released)


def _notes(cells, answers, elsewhere):
    """Return Spanish notes on what was put right."""
    notes = [
        f"La celda de «{answers[cell.mine]}» ya no era de código; se lee igual."
        for cell in cells
        if cell.mine in answers and not cell.is_code
    ]
    for k, name in answers.items():
        mine = [cell for cell in cells if cell.mine == k]
        n_written = sum(cell.is_written for cell in mine)
        if not n_written and name in elsewhere:
            notes.append(f"«{name}» está escrita en otra celda, y vale igual.")
        elif not mine:
            notes.append(f"Falta la celda de «{name}».")
        elif n_written > 1:
            notes.append(f"La celda de «{name}» está {len(mine)} veces; cuenta la última escrita.")
    return notes


def _elsewhere(cells, backbone):
    """Return the names that the student's own code defines, in whatever cell."""
    found = set()
    for cell in cells:
        is_ours = cell.mine is not None and _is_locked(backbone[cell.mine])
        if cell.is_code and cell.is_written and not is_ours:
            bound, _ = names_or_none(cell.source) or NOTHING
            found |= set(map(unaccented, bound))
    return found


def _bare(source):
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


# The notebook that is run


def _pieces(cells, backbone, answers, elsewhere, parameters):
    """Return (id, source, number of the released cell, None for the student's) of each piece."""
    added, last = {}, -1
    for cell in cells:
        if cell.mine is not None:
            last = cell.mine
        elif cell.is_code and cell.is_written:
            added.setdefault(last, []).append((cell.id, cell.source, None))
    # What comes before all released cells may need their imports: behind the first code.
    pieces, head = [], added.pop(-1, [])
    for k, cell in enumerate(backbone):
        written = [one for one in cells if one.mine == k and one.is_written]
        if cell.cell_type == "code" and k in answers:
            pieces += [(one.id, one.source, None) for one in written]
            # A stub would undo what is written in another cell.
            if not written and answers[k] not in elsewhere:
                pieces.append((cell.id, cell.source, k))
        elif cell.cell_type == "code" and not _is_locked(cell):
            pieces.append((cell.id, cell.source, k))
            # A line that somebody added to a cell of ours may be needed further down.
            pieces += [(one.id, one.source, None) for one in written if one.is_code]
            if "parameters" in cell.metadata.get("tags", ()):
                pieces += [(INJECTED, _injected(parameters), k), *head]
                head = []
        pieces += added.get(k, ())
    return pieces + head


def _injected(parameters):
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    return "\n".join(["# Los de esta corrección", *lines])


def _without_shows(pieces, backbone, answers):
    """Return (id, source) of the pieces, without released cells that the student's do not need.

    A function without end, called in one that only shows what it gives,
    would end the box for all others; and what is not imported costs nothing.
    """
    known = [names_or_none(source) for _, source, _ in pieces]
    own = [k for k, (_, _, number) in enumerate(pieces) if number is None or number in answers]
    wanted = set().union(*(known[k][1] for k in own if known[k]))
    # Code that cannot be read before it runs, such as a magic, may use any name.
    blind = not all(known[k] for k in own) or bool(wanted & _DYNAMIC)
    shown = {defined_name(backbone[k], unaccented(grade_id(backbone[k])), "") for k in answers}
    behind, kept = True, []
    for k in reversed(range(len(pieces))):
        name, source, _ = pieces[k]
        bound, used = known[k] or NOTHING
        behind = behind and k not in own
        if k not in own and name != INJECTED and not bound & wanted:
            touches = blind or not known[k] or bool(used & wanted)
            if behind or used & shown or not touches:
                continue
        wanted |= used
        kept.append((name, source))
    return kept[::-1]
