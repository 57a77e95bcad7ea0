"""What an assignment is marked by: a small YAML file beside its solution.

It is made from the grade ids of the solution, and may be mended by hand:
points, hints, half marks for a known misconception, a rule for what comes
late. A mended rubric gives new marks to what has been run already.
"""

import importlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import yaml

from musiclab.course.parameters import (
    NOTEBOOKS,
    merge_parameters,
    read_notebook,
    read_number,
)
from musiclab.errors import GradingError, ParameterError, ReleaseError
from musiclab.exercises import RIGHT, Artifact
from musiclab.exercises.artifact import BOUNDS, JSON, MEASURES, MIDI, MOST_BYTES
from musiclab.files import read_regular, reason, shown, write_bytes
from musiclab.grading.leaks import grade_id, placed
from musiclab.grading.matching import EXERCISES, PREFIX, modules_of, parsed
from musiclab.grading.release import solutions
from musiclab.grading.results import OUTPUTS, Item

KINDS = {"Exercise": "function", "Question": "question", "Artifact": "artifact"}
WRITTEN = ("grade_id", "points", "module", "kind", "hint")
PER_STUDENT = "per_student"
CHANGES = ("partial", "tolerance")  # what a rubric may say of functions and questions
HEADING = """\
# Con qué se califica «{stem}». Puedes cambiar:
#   points   los puntos de cada ejercicio; con decimales si hace falta
#   hint     una frase que verá quien no lo tenga bien
#   partial  la parte de los puntos que da una confusión conocida, por ejemplo
#            partial: {{no_limits: 0.5}}
#   tolerance  cuánto puede apartarse un número del que se pide, por ejemplo 0.01
# y añadir al final una regla para lo que llega tarde (partes de la nota):
#   late: {{due: 2026-11-20 23:59, per_day: 0.1, most: 0.5}}
# o los parámetros con que se ejecuta el cuaderno, iguales o distintos para cada cual:
#   parameters: {{SEED: per_student}}
# Después, repite «musiclab grade»: lo que ya se ejecutó no se vuelve a ejecutar.
"""


@dataclass(frozen=True)
class Late:
    """How much of a mark is lost: a share for each day begun after `due`, at most `most`."""

    due: datetime
    per_day: float
    most: float = 1.0

    def share_lost(self, when, late=False):
        """Return the share that is lost by what came at `when` (ISO text, or "" if unknown).

        late: whether the LMS says that it came late, which counts as a day
        """
        days = 0
        if when:
            after = datetime.fromisoformat(when).replace(tzinfo=None) - self.due
            days = max(0, -(-after // timedelta(days=1)))
        return min(self.most, self.per_day * max(days, int(late)))


@dataclass(frozen=True)
class Rubric:
    """What an assignment is marked by.

    partial: half marks, {grade id: {misconception: share}}; late: a rule, or None
    parameters: {name: value}; a list of values, one for each student, or PER_STUDENT
    """

    items: tuple[Item, ...]
    partial: dict = field(default_factory=dict)
    late: Late | None = None
    parameters: dict = field(default_factory=dict)

    @property
    def total(self):
        """Return the points of all items."""
        return sum(item.points for item in self.items)

    def is_own(self, name):
        """Return whether each student has a value of their own for a parameter."""
        chosen = self.parameters.get(name)
        return chosen == PER_STUDENT or isinstance(chosen, list)

    def parameters_of(self, who, defaults, seed):
        """Return {name: value} of what a student's notebook is run with.

        who: id of the student; defaults: {name: value} of the notebook's parameters
        seed: of the run; the notebook's own SEED is drawn from it, unless the rubric says it

        Raises ParameterError for a name or a value that the notebook does not take.
        """
        chosen = {"SEED": _drawn(seed, "SEED", "")} if "SEED" in defaults else {}
        for name, value in self.parameters.items():
            drawn = _drawn(seed, name, who if self.is_own(name) else "")
            if isinstance(value, list):
                value = value[drawn % len(value)]
            chosen[name] = drawn if value == PER_STUDENT else value
        outputs = {"OUTPUT_DIR": OUTPUTS} if "OUTPUT_DIR" in defaults else {}
        return merge_parameters(defaults, chosen) | outputs

    def mark(self, run):
        """Return a RunResult with this rubric's points, whatever the points were when it ran."""
        known = {result.grade_id: result for result in run.items}
        return replace(run, items=tuple(self._marked(item, known) for item in self.items))

    def _marked(self, item, known):
        result = known[item.grade_id]
        points = result.points
        if points is not None:
            share = points / result.max_points if result.max_points else 0.0
            half = self.partial.get(item.grade_id, {}).get(result.misconception, 0.0)
            points = round(item.points * max(share, half), 4)
        return replace(result, points=points, max_points=item.points)


def _drawn(seed, name, who):
    """Return a number that says nothing of the seed of the hidden inputs."""
    return int.from_bytes(sha256(f"{seed} {name} {who}".encode()).digest()[:4])


def items_of(notebook):
    """Return the items of a notebook, solved or released, from its check cells."""
    found = []
    for where, cell in placed(notebook):
        name = grade_id(cell)
        if not name.startswith(PREFIX) or not cell.metadata["nbgrader"].get("grade"):
            continue
        module = modules_of(parsed(cell.source, where), name)[0]
        exercise = getattr(importlib.import_module(module), name).__self__
        asked = {}
        if isinstance(exercise, Artifact):
            asked = {"file": exercise.file, "wanted": exercise.wanted}
        found.append(
            Item(
                name.removeprefix(PREFIX),
                cell.metadata["nbgrader"]["points"],
                module.removeprefix(f"{EXERCISES}."),
                KINDS[type(exercise).__name__],
                **asked,
            )
        )
    return tuple(found)


def make_rubrics(names=(), root=NOTEBOOKS, check=False):
    """Make the rubrics that are missing, check those that are there; return the paths of all.

    names, root, check: as `release_notebooks` has them

    Raises ReleaseError where a rubric does not fit its solution.
    """
    paths = []
    for source in solutions(names, root):
        path = source.with_suffix(".yaml")
        notebook = read_notebook(source)
        if not path.is_file() and not check:
            write_bytes(path, rubric_text(notebook, source.stem).encode())
        try:
            read_rubric(path, notebook)
        except GradingError as error:
            raise ReleaseError(str(error)) from error
        paths.append(path)
    return paths


def rubric_text(notebook, stem):
    """Return the text of the rubric that a solved notebook begins with."""
    text = f"{HEADING.format(stem=stem)}items:"
    for item in items_of(notebook):
        # What an artifact is asked for stands beside its name.
        asked = {"file": item.file, **item.wanted} if item.kind == "artifact" else {}
        said = {name: getattr(item, name) for name in WRITTEN} | asked
        one = yaml.safe_dump([said], sort_keys=False, allow_unicode=True, width=100)
        text += f"\n{one}"
    return text


def read_rubric(path, notebook=None, defaults=None):
    """Return the Rubric of a YAML file; raise GradingError for what is none.

    notebook: whose items it must have, in whatever order; it may have artifacts that no
        cell checks
    defaults: {name: value} of the notebook's parameters, which must take the chosen ones
    """
    try:
        rubric = _rubric(_read(path), Path(path).parent)
        if notebook is not None:
            _check_items(rubric, items_of(notebook))
        if defaults is not None:
            _check_chosen(rubric, defaults)
    except GradingError as error:
        raise GradingError(f"«{shown(Path(path).name)}»: {error}") from error
    return rubric


def _check_items(rubric, items):
    missing = {item.grade_id: item for item in items}
    for item in rubric.items:
        mine = missing.pop(item.grade_id, None)
        if mine is None and item.kind != "artifact":
            known = ", ".join(one.grade_id for one in items)
            raise GradingError(f"«{item.grade_id}» no está en el cuaderno; los que hay son {known}")
        if mine and (item.module, item.kind) != (mine.module, mine.kind):
            raise GradingError(
                f"«{item.grade_id}» debe decir module: {mine.module} y kind: {mine.kind}"
            )
    if missing:
        raise GradingError(
            f"falta «{min(missing)}»; añádelo, o borra el fichero y ejecuta make release"
        )


def _check_chosen(rubric, defaults):
    for name, value in rubric.parameters.items():
        if value == PER_STUDENT and type(defaults.get(name, 0)) is not int:
            raise GradingError(f"{name} no es un entero; da una lista en vez de {PER_STUDENT}")
        for one in value if isinstance(value, list) else [value]:
            try:
                replace(rubric, parameters={name: one}).parameters_of("", defaults, 0)
            except ParameterError as error:
                raise GradingError(f"en parameters, {error}") from error


def _read(path):
    try:
        # Every value as it is written: 010 is ten, and a date is a text.
        return yaml.load(Path(path).read_text(encoding="utf-8"), yaml.BaseLoader)
    except OSError as error:
        raise GradingError("no se puede leer; ejecuta make release, que lo hace") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:100]
        raise GradingError(f"no es YAML ({said}); revisa la sangría y las comillas") from error


def _rubric(data, folder):
    """Return the Rubric that a mapping is; folder: where the files lie that it names."""
    if not isinstance(data, dict) or not isinstance(data.get("items"), list) or not data["items"]:
        raise GradingError("debe tener «items:» con una lista de ejercicios")
    if strange := data.keys() - {"items", "late", "parameters"}:
        raise GradingError(
            f"no se entiende «{min(strange)}»; solo puede tener items, late y parameters"
        )
    items = tuple(_item(one, folder) for one in data["items"])
    names = [item.grade_id for item in items]
    if len(set(names)) < len(names):
        raise GradingError(f"«{max(names, key=names.count)}» está dos veces; deja una")
    partial = {
        item.grade_id: _partial(one["partial"], item)
        for one, item in zip(data["items"], items, strict=True)
        if one.get("partial")
    }
    late = _late(data["late"]) if data.get("late") else None
    return Rubric(items, partial, late, _parameters(data.get("parameters") or {}))


def _item(one, folder):
    is_file = isinstance(one, dict) and one.get("kind") == "artifact"
    needed = {"grade_id", "points", "kind", "file" if is_file else "module"}
    if not isinstance(one, dict) or not needed <= one.keys():
        raise GradingError(
            "cada ejercicio debe tener grade_id, points, kind y module (o file, si es artifact)",
        )
    name = str(one["grade_id"])
    known = {*needed, "module", "hint", *((*MEASURES, "equals") if is_file else CHANGES)}
    if strange := one.keys() - known:
        raise GradingError(f"en «{name}» no se entiende «{min(strange)}»; quítalo")
    if one["kind"] not in KINDS.values():
        raise GradingError(f"en «{name}», kind debe ser {', '.join(KINDS.values())}")
    points = _number(one["points"], f"points de «{name}»", 1000)
    made = Item(
        name, points, str(one.get("module", "")), str(one["kind"]), str(one.get("hint", ""))
    )
    if is_file:
        return replace(made, file=_file(one), wanted=_wanted(one, folder))
    if "tolerance" in one:
        tolerance = _number(one["tolerance"], f"tolerance de «{name}»", 1000)
        return replace(made, tolerance=float(tolerance))
    return made


def _file(one):
    """Return the name of an artifact; raise GradingError for what nobody should open."""
    name = str(one["file"])
    kind = Path(name).suffix.lower()
    if Path(name).name != name or kind not in (*MIDI, *JSON):
        raise GradingError(
            f"file de «{one['grade_id']}» es «{name[:60]}» y debe ser el nombre de un .mid o de un "
            ".json; otros ficheros pueden ejecutar código al abrirse",
        )
    if kind in JSON and ("equals" not in one or one.keys() & set(MEASURES)):
        raise GradingError(
            f"de «{name}» solo se puede pedir equals, un .json al lado de la rúbrica"
        )
    return name


def _wanted(one, folder):
    """Return what is asked for of an artifact, as `exercises.Artifact` has it."""
    wanted = {}
    for measure in MEASURES:
        if measure not in one:
            continue
        bounds = one[measure]
        what = f"{measure} de «{one['grade_id']}»"
        if not isinstance(bounds, dict) or not bounds or bounds.keys() - set(BOUNDS):
            raise GradingError(f"{what} se escribe así: {measure}: {{at_least: 20, at_most: 60}}")
        wanted[measure] = {k: _number(v, f"{k} de {what}", 10**6) for k, v in bounds.items()}
    if "equals" in one:
        wanted["equals"] = _reference(one, folder)
    return wanted


def _reference(one, folder):
    """Return the bytes of the file beside the rubric that an artifact has to equal."""
    said = shown(str(one["equals"]))
    try:
        data = read_regular(folder / said, MOST_BYTES)
        if Artifact(one["grade_id"], one["file"], {"equals": data}).judge(data).status == RIGHT:
            return data
        problem = "no se entiende"
    except (OSError, ValueError) as error:
        problem = reason(error)
    raise GradingError(
        f"equals de «{one['grade_id']}» es «{said[:60]}», que {problem}; debe ser un fichero de la "
        "misma clase, al lado de la rúbrica",
    )


def _partial(shares, item):
    exercise = importlib.import_module(f"{EXERCISES}.{item.module}").ALL.get(item.grade_id)
    known = getattr(exercise, "wrong", {})
    if not isinstance(shares, dict) or shares.keys() - known.keys():
        said = ", ".join(known) or "ninguna"
        raise GradingError(f"las confusiones conocidas de «{item.grade_id}» son: {said}")
    return {k: _number(v, f"partial de «{item.grade_id}»", 1) for k, v in shares.items()}


def _parameters(chosen):
    said = isinstance(chosen, dict) and all(
        isinstance(one, str) and one
        for value in chosen.values()
        for one in (value if isinstance(value, list) and value else [value])
    )
    if not said:
        example = "parameters: {SEED: per_student, N_NOTES: [20, 30, 40]}"
        raise GradingError(f"los parámetros del cuaderno se escriben así: {example}")
    if "OUTPUT_DIR" in chosen:
        raise GradingError("OUTPUT_DIR lo elige el corrector; quítalo de parameters")
    return chosen


def _late(rule):
    try:
        due = datetime.fromisoformat(rule["due"]).replace(tzinfo=None)
        per_day = _number(rule["per_day"], "per_day", 1)
        return Late(due, per_day, _number(rule.get("most", "1"), "most", 1))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        example = "late: {due: 2026-11-20 23:59, per_day: 0.1, most: 0.5}"
        raise GradingError(f"la regla de lo que llega tarde se escribe así: {example}") from error


def _number(text, what, most):
    try:
        value = read_number(text)
        if not 0 <= value <= most:
            raise ValueError
        return int(value) if value == int(value) else value
    except ValueError as error:
        raise GradingError(f"{what} debe ser un número de 0 a {most}") from error
