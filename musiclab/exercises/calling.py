"""A student's function is called, and whatever it does comes back as data.

An endless loop, an exception, a changed argument or something printed is an
Outcome and never a traceback. The time limit works in a notebook on all
systems: the function runs in a thread of its own, in which an exception is
raised from outside when the time is up. A thread that swallows it is left
behind, and the Outcome says so. What never gives the interpreter back, such
as `sum` of an endless iterator, can only be stopped by ending the process.
"""

import contextlib
import copy
import ctypes
import inspect
import io
import threading
import traceback
from dataclasses import dataclass

LIMIT_S = 5.0
GRACE_S = 3.0  # how long a function that is told to stop may take to do so
MOST_PRINTED = 10_000  # characters that are kept


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    value: what the function returned
    error: its exception in words, empty where there was none
    printed: what it printed
    arguments: what it left of its arguments, a tuple
    late: whether it was stopped; stuck: whether it could not be
    """

    value: object = None
    error: str = ""
    printed: str = ""
    arguments: tuple = ()
    late: bool = False
    stuck: bool = False


class _TimeIsUpError(SystemExit):
    """Raised in the thread of a function that takes too long.

    `except Exception` lets it pass, and Python says nothing of a thread that ends with it.
    """


class _Printed(io.StringIO):
    """What was printed, as far as anyone would read."""

    def write(self, text):
        if self.tell() < MOST_PRINTED:
            super().write(text[:MOST_PRINTED])
        return len(text)


def call(function, arguments, limit_s=LIMIT_S):
    """Call function(*arguments) on a copy of the arguments, and return the Outcome."""
    own, found, printed = copy.deepcopy(tuple(arguments)), {}, _Printed()
    if mismatch := wrong_arity(function, len(own)):
        return Outcome(error=mismatch, arguments=own)

    def work():
        try:
            found["value"] = function(*own)
        except _TimeIsUpError:
            pass
        except BaseException as error:
            found["error"] = in_words(error)

    thread = threading.Thread(target=work, daemon=True)
    # Redirected out here: a thread that is left behind would never put it back.
    with contextlib.redirect_stdout(printed):
        thread.start()
        try:
            thread.join(limit_s)
        finally:
            late = thread.is_alive()
            stuck = late and not _stopped(thread)
    if late:
        return Outcome(late=True, stuck=stuck)
    return Outcome(**found, printed=printed.getvalue(), arguments=own)


def wrong_arity(function, n_arguments):
    """Return in Spanish why a function cannot be called with so many arguments, or ""."""
    try:
        signature = inspect.signature(function)
    except Exception:  # Python's own functions may have none; an object may do anything
        return ""
    try:
        signature.bind(*range(n_arguments))
        return ""
    except TypeError:
        names = ", ".join(signature.parameters)
        given = "1 argumento" if n_arguments == 1 else f"{n_arguments} argumentos"
        has = f"tiene estos: {names}" if names else "no tiene ninguno"
        return f"TypeError: se llama con {given} y tu función {has}"[:200]


def _stopped(thread):
    """Raise _TimeIsUpError in a thread until it ends; return whether it did."""
    n_tries = 60
    for _ in range(n_tries):
        number = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(_TimeIsUpError))
        thread.join(GRACE_S / n_tries)
        if not thread.is_alive():
            return True
    return False


def in_words(error):
    """Return an exception as a student reads it: its kind, what it says, and where."""
    try:
        said = str(error)
    except BaseException:
        said = ""
    frames = traceback.extract_tb(error.__traceback__)
    # The first frame is ours, the second the student's function.
    place = f" (línea {frames[1].lineno} de «{frames[1].name}»)" if len(frames) > 1 else ""
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{text[:200]}{place}"
