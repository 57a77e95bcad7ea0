"""What is judged and what came of it, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

OWN_FAULT = "error del corrector"
OUTPUTS = "salidas"  # where a notebook writes to, in its own folder


@dataclass(frozen=True)
class Item:
    """One line of a rubric: what is judged, and for how many points."""

    grade_id: str  # "transportar", "pregunta_1"
    points: float
    module: str  # "representing": musiclab.exercises.representing.ALL[grade_id]
    kind: str  # "function", "question" or "artifact"
    hint: str = ""
    file: str = ""  # of an artifact, in the folder of outputs
    wanted: dict = field(default_factory=dict)  # of an artifact, as exercises.Artifact has it
    tolerance: float | None = None  # of numbers, in place of the exercise's own


@dataclass(frozen=True)
class ItemResult:
    """What became of one item."""

    grade_id: str
    points: float | None  # None: the grader's own fault, listed, never 0
    max_points: float
    status: str  # "correcto", "incorrecto", "pendiente", "error del corrector"
    reason: str = ""  # Spanish, never a hidden input
    misconception: str = ""


@dataclass(frozen=True)
class RunResult:
    """What became of one run of a student's notebook."""

    items: tuple[ItemResult, ...]
    isolation: str  # "bubblewrap" or "none"
    finished: bool  # all cells were run
    stopped_by: str = ""  # "", "tiempo", "memoria", "disco", "proceso", "fin"...
    errors: tuple[str, ...] = ()  # of cells: name of the exception and id of the cell
    seconds: float = 0.0
