"""What runs inside the box: a notebook's cells, and then calls of what they defined.

Started as `python -I inner.py PACKAGES`; PACKAGES is the folder that holds
musiclab. One JSON line a request comes in on the standard input, one line an
answer goes out on the standard output; both are moved away before a cell of
the student's runs. Nothing here is trusted: the student's code shares this
process and may change all of it. No expected value ever comes in.
"""

import contextlib
import importlib
import io
import json
import os
import random
import shutil
import sys
from pathlib import Path

MOST_ANSWER = 8 * 2**20  # characters of a line

OUTPUTS = "text/plain"  # nobody looks at the figures of a run that is graded


class _Printed(io.TextIOBase):
    """A standard output that only knows whether anything was written, and cannot be closed."""

    encoding, errors, closed = "utf-8", "replace", False

    def __init__(self):
        self.anything, self.buffer = False, self

    def write(self, text):
        self.anything = self.anything or bool(text.strip())
        return len(text)

    def fileno(self):
        return 1


def main():
    """Answer requests until there are none, and end without any goodbye."""
    requests, answers = _private_pipes()
    home = _settle()
    shell = None
    _send(answers, {"ready": True})
    for line in requests:
        request = json.loads(line)
        if "cells" in request:
            shell = _shell(home)
            _leave_checks_out()
            for place, source in request["cells"]:
                _send(answers, {"cell": place})
                if error := run_cell(shell, source):
                    _send(answers, {"cell": place, "error": error})
            answer = {"ran": True}
        elif "look" in request:
            answer = look(shell.user_ns, request["look"])
        elif "file" in request:
            answer = read_file(home, request["file"])
        else:
            answer = call(shell.user_ns, request)
        _send(answers, answer | {"id": request["id"]})
    os._exit(0)


def _private_pipes():
    """Return the two pipes, and leave nothing but /dev/null on the numbers 0 to 2."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


def _send(answers, data):
    line = json.dumps(data)
    if len(line) >= MOST_ANSWER:
        line = json.dumps({"id": data.get("id"), "value": ["?", codec.TOO_LARGE]})
    raw = f"{line}\n".encode()
    while raw:
        raw = raw[os.write(answers, raw) :]


def _settle():
    """Make the folders that a notebook expects, and return that of all that it writes."""
    home = Path.cwd()
    fonts = Path(os.environ["MPLCONFIGDIR"])
    place = home / "notebooks" / "ejercicios"
    for folder in (fonts, place):
        folder.mkdir(parents=True, exist_ok=True)
    for fontlist in Path(__file__).parent.glob("fontlist-*.json"):
        shutil.copy(fontlist, fonts)
    os.chdir(place)  # a notebook writes to ../../runs
    sys.path.insert(0, sys.argv[1])
    return home


# The notebook


def _shell(home):
    """Return an IPython shell that takes what a kernel takes, and shows nothing."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            """Take `%matplotlib inline`."""

        def ask_exit(self):
            """Go on after `exit()`, as after any other cell."""

        def init_sys_modules(self):
            super().init_sys_modules()
            sys.modules["__main__"] = self.user_module

    config = Config()
    config.HistoryManager.enabled = False
    config.DisplayFormatter.active_types = [OUTPUTS]
    config.InteractiveShell.colors = "NoColor"
    sys.stdout, sys.stderr = _Printed(), _Printed()
    # What has gone wrong before a student's cell is the grader's fault, and was to be seen.
    os.dup2(1, 2)
    return Shell.instance(config=config, ipython_dir=str(home / ".ipython"))


def _leave_checks_out():
    """Let the checks of a notebook say «pendiente»: they take time, and earn nothing here.

    A notebook's check_… is bound to its exercise already where that was imported before.
    """
    from musiclab.exercises import PENDING, Exercise, Verdict

    Exercise.judge = lambda exercise, call_it, seed=0: Verdict(exercise.name, PENDING)


def run_cell(shell, source):
    """Run a cell to its end or its first exception; return that exception's name, or ""."""
    try:
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        return type(error).__name__ if error is not None else ""
    except BaseException as error:
        return type(error).__name__


# What the notebook defined


def look(names, name):
    """Say what stands under a name: whether it is there, a stub or musiclab's own, and its value."""
    if name not in names:
        return {"found": False}
    value = names[name]
    try:
        from musiclab.exercises.exercise import is_stub

        stub = is_stub(value)
    except BaseException:
        stub = False
    return {
        "found": True,
        "stub": bool(stub),
        "own": is_musiclabs(value),
        "callable": callable(value),
        "value": codec.encode(value),
    }


def read_file(home, name):
    """Say whether the notebook wrote a file, and its bytes where it is a plain one."""
    from musiclab.files import read_regular

    path = (home / "notebooks" / "ejercicios").resolve() / name
    data = None
    with contextlib.suppress(OSError):
        if path.resolve() == path:  # neither it nor its folder is a link
            data = read_regular(path, codec.MOST_BYTES)
    return {"found": os.path.lexists(path), "value": codec.encode(data)}


def is_musiclabs(value):
    """Return whether a function comes from musiclab, dressed up or not."""
    try:
        for step in ("func", "__func__", "__wrapped__"):
            value = getattr(value, step, value)
        module = getattr(value, "__module__", None) or type(value).__module__
        return str(module).split(".")[0] == "musiclab"
    except BaseException:
        return False


def call(names, request):
    """Call a function on data, and say what came of it; of an exception only its kind."""
    arguments = [codec.decode(argument, _class_of) for argument in request["arguments"]]
    _seed(request["seed"])
    printed = _Printed()
    answer = {"value": None, "error": ""}
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(_Printed()):
            value = names[request["call"]](*arguments)
            answer["value"] = codec.encode(value)
    except BaseException as error:
        answer["error"] = type(error).__name__
    after = [codec.encode(argument, objects=True) for argument in arguments]
    return answer | {"printed": printed.anything, "arguments": after}


def _class_of(module, name):
    """Return a class of musiclab's own, such as a network of an exercise."""
    return getattr(importlib.import_module(module), name)


def _seed(seed):
    random.seed(seed)
    with contextlib.suppress(Exception):
        import numpy

        numpy.random.seed(seed % 2**32)
        if "tensorflow" in sys.modules:
            sys.modules["tensorflow"].random.set_seed(seed)


if __name__ == "__main__":
    # The codec lies beside this file, in a folder where nothing else is looked for.
    sys.path.insert(0, str(Path(__file__).parent))
    import codec

    del sys.path[0]
    main()
