"""The exercise notebooks, made from those with the solutions.

`notebooks/soluciones/NN_name.ipynb` is what is written and run;
`notebooks/ejercicios/NN_name.ipynb` is made from it by nbgrader's own
preprocessors, without its database: the solutions become stubs, hidden
checks and outputs go, cells are locked and get their checksums. The same
solutions give the same bytes. Nothing is written when anything is amiss.
"""

import copy
import logging
from pathlib import Path

from musiclab.course.parameters import NOTEBOOKS, read_notebook, read_parameters
from musiclab.course.runs import normalise
from musiclab.errors import ParameterError, ReleaseError
from musiclab.files import shown, write_bytes
from musiclab.grading.leaks import check_leaks, grade_id, placed, regions
from musiclab.grading.matching import CHECK, SOLUTION, check_pairs, check_stubs, kind_of

SOLUTIONS, EXERCISES = "soluciones", "ejercicios"
STUB = "# Escribe aquí tu código\npass"
CLEARING = ("LockCells", "ClearSolutions", "ClearHiddenTests", "ClearMarkScheme")
FINISHING = ("ClearOutput", "CheckCellMetadata", "ComputeChecksums")
ALLOWED = {"SOLUTION": SOLUTION, "HIDDEN TESTS": CHECK}  # which cells may have which marks
KEPT = ("deletable", "editable", "nbgrader", "tags")  # of a cell's metadata

_SILENT = logging.getLogger("musiclab.nbgrader")
_SILENT.disabled = True  # what nbgrader has to say is in its exceptions


def release_notebooks(names=(), root=NOTEBOOKS, check=False):
    """Make the exercise notebooks of all solutions, or of those named; return their paths.

    names: numbers such as "03", names or paths of solution notebooks
    check: write nothing, and raise ReleaseError where another notebook lies
        there than would be made

    Raises ReleaseError, and writes nothing, when one of them would show a
    solution, or its cells do not fit together.
    """
    folder = Path(root) / EXERCISES
    sources = solutions(names, root)
    if not names:
        known = {source.name for source in sources}
        strays = sorted(p.name for p in folder.glob("*.ipynb") if p.name not in known)
        if strays:
            raise ReleaseError(
                f"«{EXERCISES}/{strays[0]}» no sale de ningún cuaderno de {SOLUTIONS}/; bórralo o "
                "recupera su solución"
            )
    made = {folder / source.name: released(source).encode() for source in sources}
    for path, data in made.items():
        if check and not (path.is_file() and path.read_bytes() == data):
            raise ReleaseError(
                f"«{EXERCISES}/{path.name}» no es lo que sale de {SOLUTIONS}/{path.name}; ejecuta "
                "make release"
            )
    if not check:
        for path, data in made.items():
            write_bytes(path, data)
    return list(made)


def solutions(names=(), root=NOTEBOOKS, kind=SOLUTIONS):
    """Return the paths of all notebooks of a kind, with solutions or EXERCISES, or of those named."""
    known = sorted((Path(root) / kind).glob("*.ipynb"))
    if not names:
        return known
    found = []
    for name in names:
        mine = [p for p in known if name in (p.stem, p.name) or p.name.startswith(f"{name}_")]
        mine = mine or [path for path in known if Path(name).resolve() == path.resolve()]
        if not mine:
            there = ", ".join(path.stem for path in known) or "ninguno"
            raise ReleaseError(
                f"no existe el cuaderno de {kind} «{shown(name)}»; los que hay son {there}"
            )
        found += mine
    return list(dict.fromkeys(found))


def released(path):
    """Return the text of the notebook that students get in place of one with solutions.

    Raises ReleaseError, or ParameterError for what is no notebook.
    """
    solved = read_notebook(path)
    try:
        return _released(solved, path)
    except ReleaseError as error:
        raise ReleaseError(f"«{SOLUTIONS}/{Path(path).name}», {error}") from error


def _released(solved, path):
    _check_parameters_cell(solved, path)
    secrets = _secrets(solved)
    check_pairs(solved)
    bare = _processed(solved, CLEARING)
    bare.metadata = copy.deepcopy(solved.metadata)
    check_stubs(solved, bare)
    check_leaks(bare, secrets)
    final = _processed(_settled(bare), FINISHING)
    return normalise(final) + "\n"


def _check_parameters_cell(notebook, path):
    try:
        read_parameters(path)
    except ParameterError as error:
        raise ReleaseError(f"sin parámetros: {error}") from error
    tagged = [
        where for where, cell in placed(notebook) if "parameters" in cell.metadata.get("tags", ())
    ]
    if len(tagged) > 1:
        raise ReleaseError(f"{tagged[1]}: es la segunda con la etiqueta «parameters»; deja una")


def _secrets(notebook):
    """Return {grade id: lines between marks}; raise ReleaseError for marks where none belong."""
    secrets = {}
    for where, cell in placed(notebook):
        found, kind = regions(cell, where), kind_of(cell, where)
        for mark, lines in found.items():
            if ALLOWED.get(mark) != kind:
                raise ReleaseError(
                    f"{where}: «### BEGIN {mark}» está en una celda que no es la suya; las "
                    "soluciones van en celdas de solución, y lo oculto en las de comprobación"
                )
            secrets.setdefault(grade_id(cell), []).extend(lines)
        if kind == SOLUTION and "SOLUTION" not in found:
            raise ReleaseError(
                f"{where}: es una celda de solución sin marcas; pon ### BEGIN SOLUTION y "
                "### END SOLUTION alrededor de lo que escribe el estudiante"
            )
    return secrets


def _processed(notebook, names):
    """Return what nbgrader's preprocessors of some names make of a copy of a notebook."""
    from nbformat import ValidationError
    from nbgrader import preprocessors
    from nbgrader.nbgraderformat import SchemaTooNewError, SchemaTooOldError
    from nbgrader.nbgraderformat import ValidationError as NbgraderError

    complaints = (ValidationError, NbgraderError, SchemaTooNewError, SchemaTooOldError)
    notebook, resources = copy.deepcopy(notebook), {}
    notebook.metadata["kernelspec"] = {"language": "python"}
    try:
        for name in names:
            preprocessor = getattr(preprocessors, name)()
            preprocessor.log = _SILENT
            if name == "ClearSolutions":
                preprocessor.code_stub = {"python": STUB}
            notebook, resources = preprocessor.preprocess(notebook, resources)
    except (RuntimeError, ValueError, *complaints) as error:
        first = str(error).splitlines()[0]
        raise ReleaseError(f"nbgrader no lo admite ({first}); revisa sus metadatos") from error
    return notebook


def _settled(notebook):
    """Return a notebook of the newest form, with an id for each cell and no metadata to spare."""
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.setdefault("id", f"celda-{number}")
        for key in cell.metadata.keys() - set(KEPT):
            del cell.metadata[key]
    return notebook
