"""An exercise: a slow and obvious specification, cases from a seed, and a verdict.

A verdict is data first (which case, expected, got, which misconception) and
a Spanish sentence second, so that a notebook shows it and a grader counts
it. A misconception is known by what it computes: a wrong variant of the
specification whose result is the student's.
"""

import copy
import dis
import html
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from musiclab.exercises.calling import LIMIT_S, call
from musiclab.exercises.comparing import TOLERANCE, difference, kind_of, plain, shown

PENDING, RIGHT, WRONG = "pendiente", "correcto", "incorrecto"
COLOURS = {PENDING: "#8A9099", RIGHT: "#009E73", WRONG: "#D55E00"}


@dataclass(frozen=True)
class Verdict:
    """How an answer did.

    exercise: its name; status: PENDING, RIGHT or WRONG
    call: the case, as it would be typed; expected and got: its results
    misconception: the name of a known one, empty for another fault
    reason: a Spanish sentence; picture: HTML that shows or plays the difference
    n_right, n_cases: how many cases were right before the first that was not
    """

    exercise: str
    status: str
    reason: str = ""
    call: str = ""
    expected: object = None
    got: object = None
    misconception: str = ""
    n_right: int = 0
    n_cases: int = 0
    picture: str = field(default="", repr=False)

    def __str__(self):
        return f"{self.exercise}: {self.status}" + (f". {self.reason}" if self.reason else "")

    __repr__ = __str__

    def _repr_html_(self):
        style = f"border-left: 4px solid {COLOURS[self.status]}; padding: 2px 10px"
        heading = f"<b>{html.escape(self.exercise)}: {self.status}</b>"
        picture = f"<div>{self.picture}</div>" if self.picture else ""  # on a line of its own
        return f'<div style="{style}">{heading}<br>{html.escape(self.reason)}{picture}</div>'


@dataclass(frozen=True)
class Exercise:
    """A function that a student writes.

    name: of the function, and the grade id of its cell
    solve: the specification, a function of the same arguments
    cases: rng -> a list of tuples of arguments, the smallest first
    wrong: {misconception: (what it computes, a Spanish sentence that helps)}
    show: (arguments, expected, got) -> HTML that shows or plays the difference
    """

    name: str
    solve: Callable
    cases: Callable
    wrong: dict = field(default_factory=dict)
    show: Callable | None = None
    tolerance: float = TOLERANCE
    limit_s: float = LIMIT_S

    def check(self, function, seed=0):
        """Return the Verdict on a student's function."""
        if function is None or function is ... or is_stub(function):
            return Verdict(self.name, PENDING, "Escribe la función y vuelve a ejecutar la celda.")
        if not callable(function):
            reason = f"«{self.name}» es {shown(function)} y debe ser una función: usa def."
            return Verdict(self.name, WRONG, reason, got=function)
        return self.judge(lambda arguments: call(function, arguments, self.limit_s), seed)

    def judge(self, call_it, seed=0):
        """Return the Verdict on whatever answers calls.

        call_it: tuple of arguments -> Outcome, here or in another process
        """
        cases = self.cases(np.random.default_rng(seed))
        for n_right, arguments in enumerate(cases):
            outcome = call_it(arguments)
            expected = self.solve(*copy.deepcopy(arguments))
            said, misconception = self._fault(arguments, expected, outcome)
            if not said:
                continue
            results = arguments, expected, outcome.value
            if not misconception:
                misconception = self._misconception(*results, cases[n_right + 1 :], call_it)
            if misconception in self.wrong:
                said = f"{said} {self.wrong[misconception][1]}"
            return Verdict(
                self.name,
                WRONG,
                said,
                typed(self.name, arguments),
                *results[1:],
                misconception,
                n_right,
                len(cases),
                self._picture(*results),
            )
        return Verdict(self.name, RIGHT, n_right=len(cases), n_cases=len(cases))

    def _fault(self, arguments, expected, outcome):
        """Return (sentence, kind of fault) of an Outcome; the kind is empty for a wrong result."""
        case = typed(self.name, arguments)
        if outcome.late:
            also = " Reinicia el núcleo: sigue en marcha." if outcome.stuck else ""
            limit = f"{self.limit_s:g}".replace(".", ",")
            seconds = "segundo" if limit == "1" else "segundos"
            return f"{case} no acaba en {limit} {seconds}: ¿un bucle sin fin?{also}", "late"
        if outcome.error:
            return f"{case} se detiene con {outcome.error}", "exception"
        if outcome.value is None and expected is not None:
            if outcome.printed:
                return f"{case} imprime el resultado y no lo devuelve: usa return.", "printed"
            return f"{case} no devuelve nada: ¿falta un return?", "no_return"
        said = difference(expected, outcome.value, self.tolerance)
        if said:
            return f"{case} {said}.", ""
        changed = outcome.arguments and difference(list(arguments), list(outcome.arguments), 0.0)
        if changed:
            return f"{case} cambia sus argumentos: trabaja con una copia.", "changed_argument"
        return "", ""

    def _misconception(self, arguments, expected, got, cases, call_it):
        """Return the name of the wrong variant that gives just this wrong result, if any.

        The smallest cases, such as a single note, often look the same for
        several: the likeliest is one that further cases do not speak against.
        """
        names = [
            name
            for name in self.wrong
            if self._gives(name, arguments, got) and not self._gives(name, arguments, expected)
        ]
        for further in cases:
            if len(names) < 2:
                break
            outcome = call_it(further)
            if outcome.late:
                break
            if not outcome.error:
                alike = [name for name in names if self._gives(name, further, outcome.value)]
                names = alike or names
        return names[0] if names else ""

    def _gives(self, name, arguments, got):
        """Return whether a wrong variant gives just this result."""
        variant, _ = self.wrong[name]
        try:
            value = variant(*copy.deepcopy(arguments))
        except Exception:
            return False
        return not difference(value, got, self.tolerance)

    def _picture(self, arguments, expected, got):
        if self.show is None:
            return ""
        try:
            return self.show(arguments, expected, got)
        except Exception:  # what the student returned may be nothing that can be drawn
            return ""


@dataclass(frozen=True)
class Question:
    """A question whose answer is a variable.

    answer: a letter of `choices`, or a number
    choices: {letter: what is said of it}, for a question with letters; the
        sentence of the right one says why it is right
    why: what is said of the right number; hint: of a wrong one
    tolerance: how far a number may be from the answer
    """

    name: str
    answer: object
    choices: dict = field(default_factory=dict)
    why: str = ""
    hint: str = ""
    tolerance: float = TOLERANCE

    def check(self, answer, seed=0):
        """Return the Verdict on a student's answer."""
        if answer is None or answer is ... or (isinstance(answer, str) and not answer.strip()):
            return Verdict(self.name, PENDING, "Escribe tu respuesta y vuelve a ejecutar la celda.")
        status, reason = self._letter(answer) if self.choices else self._number(answer)
        return Verdict(self.name, status, reason, expected=self.answer, got=answer)

    def _letter(self, answer):
        # A student may well type «B)».
        letter = plain(answer).strip(" .()").lower() if isinstance(answer, str) else None
        if letter not in self.choices:
            *others, last = [f'"{choice}"' for choice in self.choices]
            return (
                WRONG,
                f"Tu respuesta es {shown(answer)} y debe ser {', '.join(others)} o {last}.",
            )
        return (RIGHT if letter == self.answer else WRONG), self.choices[letter]

    def _number(self, answer):
        if kind_of(answer) not in ("int", "float"):
            return WRONG, f"Tu respuesta es {shown(answer)} y debe ser un número, sin comillas."
        wrong = difference(float(self.answer), answer, self.tolerance)
        return (WRONG, self.hint) if wrong else (RIGHT, self.why)


def typed(name, arguments):
    """Return a call as a student would type it, shortened."""
    inside = ", ".join(shown(argument) for argument in arguments)
    return f"{name}({inside})"


def is_stub(function):
    """Return whether a function has nothing in it yet but its documentation, `...` or `pass`."""
    if type(function) is not types.FunctionType:
        return False
    # It may do nothing but give None or `...` back.
    code = function.__code__
    steps = [*dis.get_instructions(code)]
    given = {step.argval for step in steps if step.opname in _CONSTANTS}
    does_nothing = {step.opname for step in steps} <= _NOTHING_DONE and given <= {None, ...}
    return does_nothing and not code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE)


_CONSTANTS = {"LOAD_CONST", "RETURN_CONST"}
_NOTHING_DONE = {"RESUME", "NOP", "RETURN_VALUE", *_CONSTANTS}
