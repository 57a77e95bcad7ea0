"""What comes of a graded class: a page for each student, one for the teacher, a table.

All text of students is escaped; the pages load nothing and run nothing. A
page never shows a hidden input, for results do not hold any.
"""

import html
import re
from collections import Counter
from dataclasses import dataclass, field

from musiclab.grading.lms import as_csv, safe
from musiclab.grading.results import OWN_FAULT, RunResult

RIGHT, WRONG, PENDING = "correcto", "incorrecto", "pendiente"
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
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
td,th{padding:.4rem .6rem;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}
.mark{font-size:1.3rem}pre{overflow-x:auto;background:#f5f5f5;padding:.5rem;max-height:20rem}
svg{width:100%;max-width:34rem;height:auto}
@media(max-width:40rem){tr{display:block;padding:.5rem 0;border-bottom:1px solid #ddd}
tr.head{display:none}td,td.n{display:block;border:0;padding:.1rem 0;text-align:left;
white-space:normal;overflow-wrap:anywhere}td:first-child{font-weight:600}
td.n{display:inline-block;margin-right:1rem}td.n::before{content:attr(data-of) ": "}}
"""
PAGE = """<!DOCTYPE html>
<html lang="es"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


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
    hints: dict | None = None
    parameters: dict = field(default_factory=dict)
    team: str = ""

    @property
    def share(self):
        """Return the mark as a share of the full one, or None."""
        return None if self.points is None else self.points / self.maximum if self.maximum else 0.0


def number(value):
    """Return a number as Spanish is written: 2,5."""
    return f"{round(value, 2):g}".replace(".", ",")


def _said(value):
    return f"{value:g}".replace(".", ",") if isinstance(value, float) else str(value)


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


# A student's page


def feedback_page(graded, title):
    """Return the HTML that a student gets."""
    who = f"{graded.name} · {graded.team}" if graded.team else graded.name
    body = [f"<p>{html.escape(who)}</p>", f'<p class="mark">{_total(graded)}</p>']
    if graded.problem:
        body.append(f"<p>{html.escape(graded.problem)}</p>")
    if graded.run:
        rows = [_item_row(one, graded.hints or {}) for one in graded.run.items]
        body.append(_table(("Ejercicio", "Resultado", "Puntos"), rows, numbers=(2,)))
        body += _about_run(graded.run)
    if graded.notes:
        items = "".join(f"<li>{html.escape(note)}</li>" for note in graded.notes)
        body.append(f"<h2>Sobre tu entrega</h2><ul>{items}</ul>")
    return PAGE.format(title=html.escape(title), style=STYLE, body="\n".join(body))


def _total(graded):
    if graded.points is None:
        return "Nota: por revisar"
    late = ""
    if graded.lost:
        late = f" (con un {number(100 * graded.lost)} % menos por llegar tarde)"
    return f"Nota: {number(graded.points)} de {number(graded.maximum)}{late}"


def _item_row(one, hints):
    reason = html.escape(one.reason)
    if one.status in (WRONG, PENDING) and hints.get(one.grade_id):
        reason += f"<br><i>Pista: {html.escape(hints[one.grade_id])}</i>"
    if one.status == OWN_FAULT:
        reason = "No es culpa tuya: el corrector no ha podido mirarlo, y lo hará una persona."
    label = f'<b style="color:{COLOURS.get(one.status, "#222")}">{html.escape(one.status)}</b>'
    points = "—" if one.points is None else number(one.points)
    score = f"{points} / {number(one.max_points)}"
    return html.escape(one.grade_id), f"{label}{'<br>' if reason else ''}{reason}", score


def _about_run(run):
    said = []
    if not run.finished:
        why = STOPPED.get(run.stopped_by, run.stopped_by)
        why = f" ({html.escape(why)})" if why else ""
        said.append(f"<p>Tu cuaderno no se ejecutó hasta el final{why}.</p>")
    if run.errors:
        items = "".join(f"<li><code>{html.escape(error)}</code></li>" for error in run.errors[:20])
        said.append(f"<h2>Celdas que se detienen</h2><ul>{items}</ul>")
    return said


def _table(header, rows, numbers=()):
    """Return a table; its cells are HTML already."""

    def line(cells, tag):
        kinds = ["" for _ in cells]
        for k in numbers:
            kinds[k] = f' class="n" data-of="{header[k]}"'  # shown where there is no header
        inside = (f"<{tag}{kind}>{c}</{tag}>" for kind, c in zip(kinds, cells, strict=True))
        return "".join(inside)

    head = f'<tr class="head">{line(header, "th")}</tr>'
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table>{head}{body}</table></div>'


# The teacher's page


def teacher_page(class_, title, remarks=()):
    """Return the HTML for the teacher.

    remarks: sentences on the files of the LMS
    """
    known = [one for one in class_ if one.points is not None]
    body = [f"<p>{people(len(class_))}. {_isolation(class_)}</p>"]
    body += [f"<p>{html.escape(remark)}</p>" for remark in remarks]
    body += ["<h2>Notas</h2>", histogram([one.share for one in known])]
    body += ["<h2>Ejercicios, del más difícil al más fácil</h2>", _difficulty(class_)]
    body += ["<h2>Confusiones más frecuentes</h2>", _misconceptions(class_)]
    body += ["<h2>Por revisar</h2>", _faults(class_)]
    body += ["<h2>Entregas que no se pudieron ejecutar enteras</h2>", _unfinished(class_)]
    zeros = [html.escape(one.name) for one in known if round(one.points, 2) == 0]
    body += ["<h2>Con un 0</h2>", f"<p>{', '.join(zeros) or 'Nadie.'}</p>"]
    body += ["<h2>Las más lentas</h2>", _slowest(class_)]
    body += ["<h2>Entregas que se parecen</h2>", _alike(class_)]
    if any(one.parameters for one in class_):
        body += ["<h2>Parámetros de cada entrega</h2>", _parameters(class_)]
    return PAGE.format(title=html.escape(title), style=STYLE, body="\n".join(body))


def people(n):
    """Return how many submissions, in words."""
    return "1 entrega" if n == 1 else f"{n} entregas"


def _isolation(class_):
    kinds = Counter(one.run.isolation for one in class_ if one.run)
    if kinds.get("none"):
        return f"<b>{kinds['none']} se ejecutaron sin aislamiento</b> (--trust-submissions)."
    return "Todas se ejecutaron aisladas." if kinds else ""


def histogram(shares):
    """Return an SVG of how many have which tenth of the full mark."""
    bins = [0] * 10
    for share in shares:
        bins[min(9, int(10 * share + 1e-9))] += 1
    top, parts = max(bins, default=0) or 1, []
    for k, n in enumerate(bins):
        height, left = 120 * n / top, 36 * k
        parts.append(
            f'<rect x="{left + 2}" y="{150 - height:.1f}" width="32" height="{height:.1f}" '
            f'fill="#0072B2"/>'
        )
        parts.append(f'<text x="{left + 18}" y="168" text-anchor="middle">{k}–{k + 1}</text>')
        if n:
            parts.append(
                f'<text x="{left + 18}" y="{144 - height:.1f}" text-anchor="middle">{n}</text>'
            )
    said = ", ".join(f"de {k} a {k + 1}: {n}" for k, n in enumerate(bins) if n) or "ninguna"
    return (
        '<svg viewBox="0 0 360 180" role="img" font-size="12" '
        f'font-family="system-ui,sans-serif" aria-label="Notas sobre 10; {said}">'
        f"{''.join(parts)}</svg><p>Notas sobre 10.</p>"
    )


def _results(class_):
    return [(graded, one) for graded in class_ if graded.run for one in graded.run.items]


def _difficulty(class_):
    counts = {}
    for _, one in _results(class_):
        counts.setdefault(one.grade_id, Counter())[one.status] += 1
    if not counts:
        return "<p>No hay ninguno.</p>"
    rows = []
    for name, found in sorted(counts.items(), key=lambda pair: pair[1][RIGHT] / pair[1].total()):
        share = f"{100 * found[RIGHT] / found.total():.0f} %"
        numbers = [str(found[status]) for status in (RIGHT, WRONG, PENDING, OWN_FAULT)]
        rows.append((html.escape(name), share, *numbers))
    header = ("Ejercicio", "Bien", "Correcto", "Incorrecto", "Pendiente", "Error del corrector")
    return _table(header, rows, numbers=range(1, 6))


def _misconceptions(class_):
    met = {}
    for graded, one in _results(class_):
        if one.misconception:
            met.setdefault((one.grade_id, one.reason), []).append((graded, one.misconception))
    rows = []
    for (name, said), who in sorted(met.items(), key=lambda pair: -len(pair[1])):
        names = ", ".join(html.escape(graded.name) for graded, _ in who[:30])
        source = next((s for s in who[0][0].written if f"def {name}" in s), "")
        more = [f"<pre>{html.escape(source[:2000])}</pre>"] if source else []
        if (known := who[0][1]) not in ANYWHERE:
            line = f"partial: {{{known}: 0.5}}"
            more.append(f"Media nota, en la rúbrica: <code>{html.escape(line)}</code>")
        inside = "".join(more)
        code = f"<details><summary>Una de ellas</summary>{inside}</details>" if more else ""
        rows.append((html.escape(name), f"{html.escape(said)}{code}", str(len(who)), names))
    if not rows:
        return "<p>Ninguna.</p>"
    return _table(("Ejercicio", "Confusión", "Cuántas", "Quién"), rows, numbers=(2,))


def _faults(class_):
    rows = []
    for graded in class_:
        if graded.points is not None:
            continue
        failed = [one for one in graded.run.items if one.points is None] if graded.run else []
        said = [f"{one.grade_id}: {one.reason}" for one in failed] or [graded.problem]
        rows.append((html.escape(graded.name), "<br>".join(map(html.escape, said))))
    if not rows:
        return "<p>Nada: el corrector ha podido mirarlo todo.</p>"
    return _table(("Quién", "Qué le pasó al corrector; no cuenta como 0"), rows)


def _unfinished(class_):
    rows = []
    for graded in class_:
        if graded.problem and graded.points is not None:
            rows.append((html.escape(graded.name), html.escape(graded.problem)))
        elif graded.run and (graded.run.stopped_by or not graded.run.finished):
            why = STOPPED.get(graded.run.stopped_by, graded.run.stopped_by) or "no acabó"
            rows.append((html.escape(graded.name), html.escape(why)))
    return _table(("Quién", "Por qué"), rows) if rows else "<p>Ninguna.</p>"


def _slowest(class_):
    runs = sorted((one for one in class_ if one.run), key=lambda one: -one.run.seconds)[:5]
    rows = [(html.escape(one.name), f"{number(one.run.seconds)} s") for one in runs]
    return _table(("Quién", "Tiempo"), rows, numbers=(1,)) if rows else "<p>Ninguna.</p>"


def _parameters(class_):
    rows = [
        (
            html.escape(one.name),
            html.escape("; ".join(f"{k} = {_said(v)}" for k, v in given.items())),
        )
        for one in class_
        if (given := one.parameters)
    ]
    return _table(("Quién", "Con qué se ejecutó"), rows)


def _alike(class_):
    rows = [
        (html.escape(one.name), html.escape(other.name), f"{100 * share:.0f} %")
        for one, other, share in similar_pairs(class_)
    ]
    if not rows:
        return "<p>Ninguna pareja llama la atención.</p>"
    note = (
        "<p>Son indicios, no pruebas: ejercicios cortos se parecen entre sí. "
        "Mira los cuadernos antes de decir nada.</p>"
    )
    return note + _table(("Quién", "Y quién", "En común"), rows, numbers=(2,))


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
    names = (item.grade_id for item in items)
    rows = [[*header, *names, "aislamiento", "acabado", "motivo"]]
    for one in class_:
        points = {r.grade_id: r.points for r in one.run.items} if one.run else {}
        row = [one.id, one.name, *([one.team] if teams else []), one.file]
        row += [_cell(one.points), _cell(one.maximum), _cell(one.lost)]
        row += [_cell(points.get(item.grade_id)) for item in items]
        run = one.run
        row += [run.isolation, "sí" if run.finished else "no"] if run else ["", ""]
        rows.append([*row, one.problem or (run.stopped_by if run else "")])
    return as_csv([[safe(cell) for cell in row] for row in rows])


def _cell(value):
    return "" if value is None else f"{round(value, 4):g}"
