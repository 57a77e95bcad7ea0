"""One line of progress for long work, which leaves nothing behind."""

import os

from IPython import get_ipython
from IPython.display import display
from tqdm import tqdm

QUIET = "MUSICLAB_QUIET"  # set in the environment: no bars, as in a notebook's stored outputs


def progress(iterable, desc, unit, total=None):
    """Return the iterable with a tqdm bar around it, in a terminal or a notebook.

    desc, unit: in Spanish, such as «Entrenando», «época»
    """
    in_notebook = getattr(get_ipython(), "kernel", None) is not None
    quiet = bool(os.environ.get(QUIET))
    return tqdm(
        iterable,
        desc=desc,
        unit=unit,
        total=total,
        leave=False,
        disable=quiet,
        file=_CellLine() if in_notebook and not quiet else None,
        ncols=80 if in_notebook else None,
    )


class _CellLine:
    """A line of a cell's output that each write replaces; tqdm's last one is blank."""

    def __init__(self):
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, text):
        if line := text.strip("\r\n"):
            self._handle.update({"text/plain": line.rstrip()}, raw=True)

    def flush(self):
        pass
