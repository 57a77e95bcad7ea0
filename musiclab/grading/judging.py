"""What a notebook is worth: its cells run in a box, the comparison stays outside.

Each item's hidden inputs come from a seed, go into the box one call at a
time, and the results come back as plain data. What ends the box (a loop
without end, `os._exit`) costs only the cell or the item in which it happened:
another box is opened and the notebook run again without that cell, or that
item not called again.
"""

import builtins
import contextlib
import copy
import dataclasses
import hashlib
import importlib
import re
import secrets
import time

from musiclab.errors import GradingError
from musiclab.exercises import PENDING, RIGHT, WRONG, Artifact, Exercise, Question
from musiclab.exercises.artifact import MOST_BYTES
from musiclab.exercises.calling import Outcome
from musiclab.exercises.comparing import NAMES, difference, kind_of
from musiclab.grading.borrowed import defines, is_borrowed
from musiclab.grading.box import BROKEN_OFF, BUBBLEWRAP, NO_MEMORY, Box, BoxEndedError
from musiclab.grading.codec import TOO_LARGE, decode, encode
from musiclab.grading.confining import Limits
from musiclab.grading.results import OUTPUTS, OWN_FAULT, ItemResult, RunResult

IMPORT = re.compile(r"\s*(import|from)\s")
MOST_SKIPPED = 3  # cells that end the box; with one more, what follows is not run

STOPPED = {
    "tiempo": "tarda demasiado: ¿un bucle sin fin?",
    "memoria": "usa demasiada memoria",
    "disco": "escribe demasiados archivos",
    "respuesta": "devuelve algo que no son datos",
    "proceso": "termina el proceso de Python",
}
FAULTS = {
    "late": "Con una de las entradas no acaba a tiempo: ¿un bucle sin fin?",
    "printed": "Imprime el resultado y no lo devuelve: usa return.",
    "no_return": "No devuelve nada con una de las entradas: ¿falta un return?",
    "changed_argument": "Cambia sus argumentos: trabaja con una copia.",
}
BORROWED = "Usa la respuesta de musiclab en vez de una tuya: escribe la función tú."


class _OwnFaultError(Exception):
    """The grader or its machine is to blame, and says so in Spanish."""


def judge(cells, items, seed, isolation=BUBBLEWRAP, limits=None):
    """Run a notebook's cells in a box and judge its items; return the RunResult.

    cells: (id, source) of each, in order, parameters already among them
    items: of the rubric; seed: of the hidden inputs
    isolation: "bubblewrap", or "none" for those whom the teacher trusts

    Raises GradingError when there is no box to be had.
    """
    started = time.monotonic()
    with contextlib.closing(_Sitting(cells, isolation, limits or Limits())) as sitting:
        # Files first: no hidden input has come in when they are read.
        order = sorted(items, key=lambda item: item.kind != "artifact")
        results = {item.grade_id: _judged(item, cells, sitting, seed) for item in order}
    return RunResult(
        items=tuple(results[item.grade_id] for item in items),
        isolation=isolation,
        finished=not sitting.skipped and sitting.has_run,
        stopped_by=sitting.stopped_by,
        errors=tuple(sitting.errors),
        seconds=round(time.monotonic() - started, 3),
    )


class _Sitting:
    """One submission's time with the grader, in as many boxes as it needs."""

    def __init__(self, cells, isolation, limits):
        self.cells, self.isolation, self.limits = list(cells), isolation, limits
        self.box, self.has_run, self.stopped_by = None, False, ""
        self.skipped, self.errors, self._n_ends = {}, [], 0
        self._end = time.monotonic() + limits.total_s
        self.words = _imported_words(cells)

    def close(self):
        if self.box is not None:
            self.box.__exit__()
        self.box = None

    def ready(self):
        """Open a box in which the notebook has run, unless there is one."""
        while self.box is None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise BoxEndedError("tiempo")
            self._place = None
            try:
                self.box = Box(self.limits, self.isolation, self.words).__enter__()
                self.box.allow(min(self.limits.run_s, left))
                self._run(min(self.limits.run_s, left))
                self.has_run = True
            except BoxEndedError as error:
                self._ended(error.reason)
                if self._place is not None:
                    self._leave_out(self._place)

    def _run(self, seconds):
        """Run all cells but those that are skipped; keep in `_place` which one is run."""
        errors, n_heard, self._place = {}, 0, 0
        end = time.monotonic() + seconds
        chosen = [(k, cell) for k, (_, cell) in enumerate(self.cells) if k not in self.skipped]
        key = self._send({"cells": chosen})
        while (answer := self.box.receive()).get("id") != key:
            n_heard += 1
            if n_heard > 2 * len(chosen):  # a cell begins, and may end with an error
                self.box.end("respuesta")
            k = answer.get("cell")
            if type(k) is int and 0 <= k < len(self.cells):
                self._place = k
                if "error" in answer:
                    errors[k] = _word(answer["error"])
                else:
                    self.box.allow(min(self.limits.cell_s, end - time.monotonic()))
        errors |= self.skipped
        self.errors = [f"{errors[k]} en {self.cells[k][0]}" for k in sorted(errors)]

    def _leave_out(self, place):
        """Leave out a cell from the next run, and after a few of them all that follow."""
        self._n_ends += 1
        beyond = self._n_ends - MOST_SKIPPED
        n_cells = len(self.cells)
        # A box may say what it likes of the place: in the end nothing is run.
        left_out = [place] if beyond <= 0 else range(place if beyond == 1 else 0, n_cells)
        self.skipped |= {k: self.stopped_by for k in left_out if k not in self.skipped}

    def _ended(self, reason):
        self.stopped_by = self.stopped_by or reason
        self.close()
        if reason == BROKEN_OFF:
            raise SystemExit  # of this thread
        if reason == NO_MEMORY:
            raise _OwnFaultError("A este equipo no le queda memoria: cierra programas y repite.")

    def _send(self, request):
        key = secrets.token_hex(8)
        self.box.send(request | {"id": key})
        return key

    def ask(self, request, limit_s):
        """Return the answer to a request; raise BoxEndedError where none comes in time."""
        self.ready()
        self.box.allow(max(0.0, min(limit_s, self._end - time.monotonic())))
        try:
            key = self._send(request)
            answer = self.box.receive()
            if answer.get("id") != key:
                # Something else was written than answers to what was asked.
                self.box.end("respuesta")
                raise BoxEndedError("respuesta")
            self.box.rest()
            return answer
        except BoxEndedError as error:
            self._ended(error.reason)
            raise


def _imported_words(cells):
    """Return the words of all lines that import something."""
    lines = (line for _, source in cells for line in source.splitlines())
    return frozenset(
        word for line in lines if IMPORT.match(line) for word in re.findall(r"\w+", line)
    )


# An item


def _judged(item, cells, sitting, seed):
    """Return the ItemResult of one item."""

    def result(status, reason="", misconception=""):
        points = {RIGHT: float(item.points), OWN_FAULT: None}.get(status, 0.0)
        return ItemResult(item.grade_id, points, item.points, status, reason, misconception)

    try:
        if item.kind == "artifact":
            return result(*_artifact(item, sitting))
        return result(*_answer(_exercise(item), cells, sitting, seed))
    except BoxEndedError as error:
        return result(WRONG, f"No se puede leer: {STOPPED.get(error.reason, error.reason)}.")
    except _OwnFaultError as error:
        return result(OWN_FAULT, str(error))
    except GradingError:
        raise
    except Exception as error:  # a fault of ours is never a student's zero
        return result(OWN_FAULT, f"El corrector se detiene con {type(error).__name__}.")


def _exercise(item):
    """Return the Exercise or Question of an item, as the rubric wants it."""
    exercise = importlib.import_module(f"musiclab.exercises.{item.module}").ALL[item.grade_id]
    wanted = {} if item.tolerance is None else {"tolerance": item.tolerance}
    if isinstance(exercise, Exercise):
        wanted["show"] = None  # a class of 500 needs no pictures
    return dataclasses.replace(exercise, **wanted)


def _artifact(item, sitting):
    """Return the verdict on a file that the notebook wrote to its outputs, or beside itself."""
    for path in (f"{OUTPUTS}/{item.file}", item.file):
        answer = sitting.ask({"file": path}, sitting.limits.call_s)
        if answer.get("found"):
            break
    else:
        return PENDING, f"El cuaderno no ha escrito «{item.file}»."
    data = _decoded(answer.get("value"))
    if type(data) is not bytes:
        most = f"{MOST_BYTES // 2**20} MB"
        return WRONG, f"«{item.file}» no es un fichero normal, o pasa de {most}."
    verdict = Artifact(item.grade_id, item.file, item.wanted).judge(data)
    return verdict.status, verdict.reason


def _answer(exercise, cells, sitting, seed):
    """Return the verdict on what stands under the name of an Exercise or a Question."""
    name = exercise.name
    seen = sitting.ask({"look": name}, sitting.limits.call_s)
    if not seen.get("found"):
        if defines(cells, name):
            return WRONG, f"«{name}» no está definida: su celda se detiene antes."
        return PENDING, f"Falta «{name}»."
    if seen.get("own") or is_borrowed(cells, name):
        return WRONG, BORROWED, "borrowed"
    if isinstance(exercise, Question):
        said = exercise.check(_decoded(seen.get("value")))
        return said.status, said.reason
    if seen.get("stub") or seen.get("value") in (None, ["..."]):
        return PENDING, "La función está sin escribir."
    if not seen.get("callable"):
        return WRONG, f"«{name}» debe ser una función: usa def."
    calls = _Calls(exercise, sitting, seed)
    verdict = exercise.judge(calls, seed)
    if verdict.status == RIGHT:
        return RIGHT, ""
    return WRONG, _without_inputs(exercise, verdict, calls.last), verdict.misconception


class _Calls:
    """Answer Exercise.judge's calls from the box."""

    def __init__(self, exercise, sitting, seed):
        self.exercise, self.sitting = exercise, sitting
        digest = hashlib.sha256(f"{seed} {exercise.name}".encode()).digest()
        self.seed = int.from_bytes(digest[:4], "big")
        self.last, self.ended = None, None
        # What was just quick enough in the student's notebook is so here.
        self.limit_s = min(2 * exercise.limit_s, sitting.limits.call_s)

    def __call__(self, arguments):
        # Once the box has ended, this item is not called again.
        self.last = self.ended or self._outcome(arguments)
        return self.last

    def _outcome(self, arguments):
        request = {
            "call": self.exercise.name,
            "arguments": [_sent(argument) for argument in arguments],
            "seed": self.seed,  # not that of the cases, which are the same inside
        }
        try:
            answer = self.sitting.ask(request, self.limit_s)
        except BoxEndedError as error:
            late = error.reason == "tiempo"
            self.ended = Outcome(late=late, error="" if late else error.reason)
            return self.ended
        if answer.get("error"):
            return Outcome(error=_word(answer["error"]))
        try:
            # An object is made again only of the same class as one of the arguments.
            sent = {(type(one).__module__, type(one).__name__): type(one) for one in arguments}
            class_of = lambda *key: sent[key]
            left = tuple(decode(one, class_of) for one in answer.get("arguments", []))
        except ValueError:
            left = ()
        if len(left) != len(arguments):
            left = (None,) * (len(arguments) + 1)
        printed = "algo" if answer.get("printed") else ""
        return Outcome(_decoded(answer.get("value")), "", printed, left)


def _sent(argument):
    data = encode(copy.deepcopy(argument), objects=True)
    if isinstance(data, list) and data[0] == "?":
        raise _OwnFaultError(
            f"Un caso tiene un argumento de tipo {data[1]}, que no se puede enviar."
        )
    return data


def _decoded(data):
    try:
        return decode(data)
    except ValueError:
        return decode(["?", "algo que no son datos"])


def _word(text):
    """Return the name of an exception as something that can be written anywhere."""
    return re.sub(r"\W", "", str(text))[:60] or "Error"


def _without_inputs(exercise, verdict, outcome):
    """Return the reason of a wrong answer, without the hidden input that showed it."""
    if verdict.misconception in exercise.wrong:
        return exercise.wrong[verdict.misconception][1]
    if verdict.misconception in FAULTS:
        return FAULTS[verdict.misconception]
    if verdict.misconception == "exception":
        said = STOPPED.get(outcome.error) or f"se detiene con {_known_error(outcome.error)}"
        return f"Con una de las entradas {said}."
    kinds = [kind_of(value) for value in (verdict.got, verdict.expected)]
    if kinds[0] not in {*NAMES, TOO_LARGE}:
        # The name of a class of the student's could say what came in.
        return f"Tu función devuelve algo de otro tipo y se pide {NAMES.get(kinds[1], kinds[1])}."
    if kinds[0] != kinds[1]:
        said = difference(verdict.expected, verdict.got)  # names kinds alone
        if not said.startswith("da "):
            return f"Tu función {said}."
    return (
        f"No da lo que se pide: {verdict.n_right} de {verdict.n_cases} casos bien hasta el fallo."
    )


def _known_error(name):
    """Return the name of one of Python's own exceptions; another's could say what came in."""
    kind = getattr(builtins, name, None)
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    return name if known else "una excepción que no es de Python"
