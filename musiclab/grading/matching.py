"""Whether a notebook's solutions, checks and exercises fit together.

A solution cell (nbgrader: solution, no grade) defines the name that is its
grade id, without accents; the check cell `check_<grade id>` (grade, locked,
points) hands it to the function of that name of a module of
`musiclab.exercises`.
"""

import ast
import importlib
import symtable
from collections import Counter

from musiclab.course.parameters import EXHAUSTED
from musiclab.errors import ReleaseError
from musiclab.grading.leaks import grade_id, placed, unaccented

EXERCISES, PREFIX = "musiclab.exercises", "check_"
UNREADABLE, NOTHING = (SyntaxError, ValueError, *EXHAUSTED), (frozenset(), frozenset())
SOLUTION, CHECK, READ_ONLY = "solution", "check", "read-only"


def kind_of(cell, where):
    """Return what a cell is to nbgrader, "" for nothing; raise ReleaseError for a muddle."""
    if "nbgrader" not in cell.metadata:
        return ""
    meta = cell.metadata["nbgrader"]
    meta = meta if isinstance(meta, dict) else {}
    said = tuple(meta.get(key, False) for key in ("solution", "grade", "task", "locked"))
    kinds = {
        (True, False, False, False): SOLUTION,
        (False, True, False, True): CHECK,
        (False, False, False, True): READ_ONLY,
    }
    kind = kinds.get(said, "") if all(type(flag) is bool for flag in said) else ""
    if not kind or (cell.cell_type != "code" and kind != READ_ONLY):
        raise ReleaseError(
            f"{where}: sus metadatos de nbgrader no son ni de solución ni de comprobación; cópialos "
            "de otra celda que funcione"
        )
    if not grade_id(cell):
        raise ReleaseError(f"{where}: le falta el grade_id en sus metadatos de nbgrader; pónselo")
    return kind


def check_pairs(notebook):
    """Raise ReleaseError unless each solution cell has its check cell below, and it its exercise."""
    cells = list(placed(notebook))
    kinds = [kind_of(cell, where) for where, cell in cells]
    counts = Counter(grade_id(cell) for _, cell in cells)
    seen, checked = {}, set()
    for (where, cell), kind in zip(cells, kinds, strict=True):
        name = grade_id(cell)
        if kind and counts[name] > 1:
            raise ReleaseError(f"{where}: el grade_id «{name}» está en dos celdas; cambia uno")
        if kind == SOLUTION:
            seen[name] = defined_name(cell, name, where)
        elif kind == CHECK:
            checked.add(_check_of(cell, name, where, seen))
    for where, cell in cells:
        if grade_id(cell) in seen.keys() - checked:
            raise ReleaseError(
                f"{where}: ninguna celda la comprueba; añade debajo la de «{PREFIX}{grade_id(cell)}»"
            )
    if not seen:
        raise ReleaseError("el cuaderno no tiene ninguna celda de solución; márcalas con nbgrader")


def _check_of(cell, name, where, seen):
    """Return the grade id of what a check cell checks, or raise ReleaseError."""
    solution = name.removeprefix(PREFIX)
    if solution == name or solution not in seen:
        raise ReleaseError(
            f"{where}: no hay encima ninguna celda de solución «{solution}»; el grade_id de una "
            f"comprobación es {PREFIX} y el de su solución"
        )
    points = cell.metadata["nbgrader"].get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not 0 < points < 1000:
        raise ReleaseError(f"{where}: le faltan los puntos («points»), un número mayor que cero")
    module = _imported_from(cell, name, where, seen[solution])
    try:
        check = getattr(importlib.import_module(module), name)
        exercise = check.__self__.name
    except (ImportError, AttributeError) as error:
        raise ReleaseError(
            f"{where}: {module} no tiene la comprobación «{name}»; añádela o corrige el nombre"
        ) from error
    if unaccented(exercise) != solution:
        raise ReleaseError(
            f"{where}: «{name}» comprueba el ejercicio «{exercise}» y no «{solution}»; corrígelo en "
            f"{module}"
        )
    return solution


def _imported_from(cell, name, where, argument):
    """Return the module from which a check cell takes its check, which it must call."""
    tree = parsed(_without_hidden(cell.source), where)
    modules = modules_of(tree, name)
    calls = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Expr)]
    wanted = f"{name}({argument})"
    if len(modules) != 1 or not str(modules[0]).startswith(f"{EXERCISES}.") or wanted not in calls:
        raise ReleaseError(
            f"{where}: debe decir «from {EXERCISES}.<tema> import {name}» y, debajo, «{wanted}»"
        )
    return modules[0]


def modules_of(tree, name):
    """Return the modules from which the statements of a cell take a name."""
    return [
        node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names)
    ]


def _without_hidden(source):
    before, _, rest = source.partition("### BEGIN HIDDEN TESTS")
    return before + rest.partition("### END HIDDEN TESTS")[2]


def parsed(source, where):
    """Return the syntax tree of a cell's source, or raise ReleaseError."""
    try:
        return ast.parse(source)
    except UNREADABLE as error:
        raise ReleaseError(
            f"{where}: no es código de Python que se pueda leer ({error}); revisa la sangría de las "
            "marcas y lo que queda fuera de ellas"
        ) from error


def names_of(source):
    """Return (names that a cell's code gives a value, names that it takes from elsewhere).

    Raises SyntaxError for what is no Python alone, such as a magic.
    """
    table = symtable.symtable(source, "<celda>", "exec")
    bound = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }
    used, tables = set(), [table]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        used |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
        }
    return bound, used


def defined_name(cell, name, where):
    """Return the name of a solution cell that is its grade id but for accents."""
    parsed(cell.source, where)
    bound, _ = names_of(cell.source)
    for found in sorted(bound):
        if unaccented(found) == name:
            return found
    raise ReleaseError(
        f"{where}: la solución no define «{name}»; el grade_id es el nombre de la función o de la "
        "respuesta"
    )


def check_stubs(solved, released):
    """Raise ReleaseError where a released notebook lacks a name that it needs.

    solved, released: the notebook with its solutions, and without them
    """
    hidden, known = {}, set()
    for (where, before), after in zip(placed(solved), released.cells, strict=True):
        if before.cell_type != "code":
            continue
        name = grade_id(before)
        if before.metadata.get("nbgrader", {}).get("solution"):
            wanted = defined_name(before, name, where)
            parsed(after.source, where)
            bound, _ = names_of(after.source)
            if wanted not in bound:
                raise ReleaseError(
                    f"{where}: sin la solución ya no define «{wanted}»; deja fuera de las marcas la "
                    "línea de def o un valor None"
                )
            lost = names_of(before.source)[0] - bound
            hidden |= dict.fromkeys(lost, name)
        known |= (names_or_none(after.source) or NOTHING)[0]
    for where, after in placed(released):
        if after.cell_type != "code":
            continue
        for missing in sorted((names_or_none(after.source) or NOTHING)[1] & hidden.keys() - known):
            raise ReleaseError(
                f"{where}: usa «{missing}», que solo define la solución de "
                f"«{hidden[missing]}»; defínelo fuera de las marcas"
            )


def names_or_none(source):
    """Return what `names_of` does, or None where it cannot, as of a cell with a magic."""
    try:
        return names_of(source)
    except UNREADABLE:
        return None
