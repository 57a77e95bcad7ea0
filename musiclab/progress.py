"""Long work: one line of progress that leaves nothing behind, and no pauses for garbage.

The line goes to the terminal or below the notebook's cell; where the environment
sets MUSICLAB_PROGRESS, into the file of that name, or nowhere if it is `off`.
"""

import gc
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

WHERE = "MUSICLAB_PROGRESS"


def progress(iterable, desc, unit, total=None):
    """Return the iterable with a tqdm bar around it.

    desc, unit: in Spanish, such as «Entrenando», «época»
    """
    where = os.environ.get(WHERE)
    ipython = sys.modules.get("IPython")  # where it is not running already, this is no notebook
    in_notebook = getattr(ipython and ipython.get_ipython(), "kernel", None) is not None
    if where:
        file = _Line(lambda line: Path(where).write_text(line, encoding="utf-8"))
    elif in_notebook:
        handle = ipython.display.display({"text/plain": ""}, raw=True, display_id=True)
        file = _Line(lambda line: handle.update({"text/plain": line}, raw=True))
    else:
        file = sys.stderr
    return tqdm(
        iterable,
        desc=desc,
        unit=unit,
        total=total,
        leave=False,
        file=file,
        ncols=78 if isinstance(file, _Line) else None,
        # None: off where the terminal is none, so that logs stay short.
        disable=True if where == "off" else None if file is sys.stderr else False,
    )


@contextmanager
def garbage_left():
    """Keep Python from looking for garbage among a hundred thousand new objects, time and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # The new objects count as old ones, which are not searched through at once.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


class _Line:
    """A file that passes on the last line that tqdm wrote; the very last one is blank."""

    def __init__(self, show):
        self._show = show

    def write(self, text):
        if line := text.strip("\r\n"):
            self._show(line.rstrip())

    def flush(self):
        pass
