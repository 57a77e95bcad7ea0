"""What comes of a graded class: a page for each student, one for the teacher, a table.

All text of students is escaped; the pages load nothing and run nothing. A
page never shows a hidden input, for results do not hold any.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from musiclab.exercises import PENDING, RIGHT, WRONG
from musiclab.grading.lms import as_csv, safe
from musiclab.grading.results import OWN_FAULT, RunResult

COLOURS = {RIGHT: "#00795A", WRONG: "#B34700", PENDING: "#5F666D", OWN_FAULT: "#7A3E9D"}
TOKEN, COMMENT = re.compile(r"\w+|[^\w\s]"), re.compile("#.*")
N_TOKENS, FEWEST, ALIKE, MOST_PAIRS = 5, 40, 0.9, 20
# What is wrong with an answer, of no exercise in particular; no rubric gives points for it.
ANYWHERE = {"late", "printed", "no_return", "changed_argument", "exception", "borrowed"}
STOPPED = {
    "tiempo": "se acabó el tiempo",
    "memoria": "gastó demasiada memoria",
    "disco": "escribió demasiado",
    "proceso": "su proceso terminó antes de tiempo",
}


@dataclass(frozen=True)
class Graded:
    """One submission with its marks.

    run: the result with the rubric's points, None where there was no run
    points: None where the grader itself failed; lost: share for coming late
    notes: what a student is told; problem: why there was nothing to run
    written: the student's sources; hints: {grade id: the rubric's hint}
    parameters: {name: value} of those that each student has their own of
    team: whose mark it is, where one hands in for all
    """

    id: str
    name: str
    lms: str
    file: str
    run: RunResult | None
    points: float | None
    maximum: float
    lost: float = 0.0
    notes: tuple[str, ...] = ()
    problem: str = ""
    written: tuple[str, ...] = ()
    hints: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    team: str = ""

    @property
    def share(self):
        """Return the mark as a share of the full one, or None."""
        return None if self.points is None else self.points / self.maximum if self.maximum else 0.0


def number(value):
    """Return a number as Spanish is written: 2,5."""
    return f"{round(value, 2):g}".replace(".", ",")


def comment(graded):
    """Return a line for the comment column of an LMS."""
    if graded.problem:
        return safe(graded.problem)
    said = [f"{one.grade_id}: {_item_line(one)}" for one in graded.run.items]
    late = f" Por llegar tarde, −{number(100 * graded.lost)} %." if graded.lost else ""
    return safe(f"{'; '.join(said)}.{late}")


def _item_line(one):
    if one.points is None:
        return "por revisar"
    return f"{one.status} ({number(one.points)} de {number(one.max_points)})"


# The pages


@cache
def _template(name):
    """Return a template of `pages`; whatever is put into it is escaped."""
    import jinja2

    folder = Path(__file__).with_name("pages")
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    pages.filters |= {"number": number, "people": people, "stopped": _stopped}
    return pages.get_template(name)


def feedback_page(graded, title):
    """Return the HTML that a student gets."""
    return _template("student.html").render(title=title, one=graded, right=RIGHT, colours=COLOURS)


def teacher_page(class_, title, remarks=()):
    """Return the HTML for the teacher.

    remarks: sentences on the files of the LMS
    """
    known = [one for one in class_ if one.points is not None]
    ran = [one for one in class_ if one.run]
    slowest = sorted(ran, key=lambda one: -one.run.seconds)[:5]
    return _template("teacher.html").render(
        title=title,
        class_=class_,
        remarks=remarks,
        ran=ran,
        n_alone=sum(one.run.isolation == "none" for one in ran),
        bins=_tenths(known),
        difficulty=_difficulty(ran),
        misconceptions=_misconceptions(ran),
        faults=_faults(class_),
        unfinished=_unfinished(class_),
        zeros=[one.name for one in known if round(one.points, 2) == 0],
        slowest=[(one.name, f"{number(one.run.seconds)} s") for one in slowest],
        alike=[
            (one.name, other.name, f"{100 * share:.0f} %")
            for one, other, share in similar_pairs(class_)
        ],
        parameters=[(one.name, _given(one.parameters)) for one in class_ if one.parameters],
    )


def people(n):
    """Return how many submissions, in words."""
    return "1 entrega" if n == 1 else f"{n} entregas"


def _stopped(reason):
    return STOPPED.get(reason, reason)


def _given(parameters):
    said = []
    for name, value in parameters.items():
        text = f"{value:g}".replace(".", ",") if isinstance(value, float) else value
        said.append(f"{name} = {text}")
    return "; ".join(said)


def _tenths(class_):
    """Return how many have which tenth of the full mark."""
    found = Counter(min(9, int(10 * one.share + 1e-9)) for one in class_)
    return [found[k] for k in range(10)]


def _difficulty(ran):
    counts = {}
    for graded in ran:
        for one in graded.run.items:
            counts.setdefault(one.grade_id, Counter())[one.status] += 1
    rows = []
    for name, found in sorted(counts.items(), key=lambda pair: pair[1][RIGHT] / pair[1].total()):
        share = f"{100 * found[RIGHT] / found.total():.0f} %"
        rows.append((name, share, *(found[status] for status in COLOURS)))
    return rows


def _misconceptions(ran):
    """Return rows of (exercise, what is said, who, the source of one, the rubric's line for it)."""
    met = {}
    for graded in ran:
        for one in graded.run.items:
            if one.misconception:
                key = (one.grade_id, one.reason)
                met.setdefault(key, []).append((graded, one.misconception))
    rows = []
    for (name, said), found in sorted(met.items(), key=lambda pair: -len(pair[1])):
        first, known = found[0]
        source = next((s for s in first.written if f"def {name}" in s), "")
        partial = "" if known in ANYWHERE else f"partial: {{{known}: 0.5}}"
        rows.append((name, said, [graded.name for graded, _ in found], source, partial))
    return rows


def _faults(class_):
    rows = []
    for graded in class_:
        if graded.points is None:
            items = graded.run.items if graded.run else ()
            failed = [f"{one.grade_id}: {one.reason}" for one in items if one.points is None]
            rows.append((graded.name, failed or [graded.problem]))
    return rows


def _unfinished(class_):
    rows = []
    for graded in class_:
        run = graded.run
        if graded.problem and graded.points is not None:
            rows.append((graded.name, graded.problem))
        elif run and (run.stopped_by or not run.finished):
            rows.append((graded.name, _stopped(run.stopped_by) or "no acabó"))
    return rows


def similar_pairs(class_):
    """Return (graded, graded, share in common) of the most similar pairs, the most similar first.

    What most of a class writes tells nothing and is left out.
    """
    pieces = [_shingles(one.written) for one in class_]
    common = Counter(piece for some in pieces for piece in some)
    usual = {piece for piece, n in common.items() if n > max(2, len(class_) / 4)}
    pieces = [some - usual for some in pieces]
    found = []
    for k, some in enumerate(pieces):
        for other in range(k):
            small, large = sorted((len(some), len(pieces[other])))
            if small < FEWEST or small < ALIKE * large:
                continue
            shared = len(some & pieces[other])
            share = shared / (small + large - shared)
            if share >= ALIKE:
                found.append((class_[other], class_[k], share))
    return sorted(found, key=lambda pair: -pair[2])[:MOST_PAIRS]


def _shingles(sources):
    """Return the runs of words and signs in some sources, with comments and spaces left out."""
    tokens = [token for one in sources for token in TOKEN.findall(COMMENT.sub("", one))]
    return {hash(tuple(tokens[k : k + N_TOKENS])) for k in range(len(tokens) - N_TOKENS + 1)}


# The table


def grades_csv(class_, items):
    """Return grades.csv: a row a submission, a column an item."""
    teams = ["equipo"] if any(one.team for one in class_) else []
    header = ["id", "nombre", *teams, "fichero", "nota", "maximo", "por_tarde"]
    names = [item.grade_id for item in items]
    rows = [[*header, *names, "aislamiento", "acabado", "motivo"]]
    for one in class_:
        points, about = {}, ["", "", ""]
        if one.run:
            points = {item.grade_id: item.points for item in one.run.items}
            about = [one.run.isolation, "sí" if one.run.finished else "no", one.run.stopped_by]
        row = [one.id, one.name, *([one.team] if teams else []), one.file]
        row += [_cell(one.points), _cell(one.maximum), _cell(one.lost)]
        row += [_cell(points.get(name)) for name in names]
        rows.append([*row, *about[:2], one.problem or about[2]])
    return as_csv([[safe(cell) for cell in row] for row in rows])


def _cell(value):
    return "" if value is None else f"{round(value, 4):g}"
