"""A lesson run headless by papermill, and stored for others to see."""

import json
import logging
import os
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from musiclab.course.parameters import (
    EXHAUSTED,
    NOTEBOOKS,
    PROJECT,
    merge_parameters,
    read_notebook,
    read_parameters,
)
from musiclab.errors import OutputError, ParameterError, RunError
from musiclab.files import data_url, output_folder, write_bytes, write_json
from musiclab.progress import WHERE

METRICS = "metrics.json"
PACKAGES = ("musiclab", "music21", "numpy", "tensorflow", "keras", "matplotlib", "papermill")


def lessons():
    """Return the paths of the course's notebooks, in their order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def solutions():
    """Return the paths of the exercise notebooks with their solutions, in their order."""
    return sorted((NOTEBOOKS / "soluciones").glob("*.ipynb"))


def find_notebook(name):
    """Return the path of a lesson, named by its path, its file name or its number."""
    candidates = [Path(name), NOTEBOOKS / name, NOTEBOOKS / f"{name}.ipynb"]
    candidates += [path for path in lessons() if path.stem.startswith(f"{name}_")]
    for path in candidates:
        if path.suffix == ".ipynb" and path.is_file():
            return path.resolve()
    known = ", ".join(path.stem for path in lessons())
    raise ParameterError(f"no existe el cuaderno «{name}»: los que hay son {known}")


def run_notebook(notebook, parameters, root=PROJECT / "runs"):
    """Run a lesson in a fresh kernel; return the folder of what it made.

    parameters: {name: value} that differ from the lesson's defaults; without
        OUTPUT_DIR the folder is a new one, below root

    The executed notebook and its HTML page are there even when it fails.
    Raises RunError then, with the error of the cell that failed.
    """
    defaults = read_parameters(notebook)
    parameters = merge_parameters(defaults, parameters)
    if "OUTPUT_DIR" in parameters:
        folder = output_folder(parameters["OUTPUT_DIR"]).resolve()
    else:
        folder = _new_folder(Path(root).resolve() / Path(notebook).stem)
    executed = folder / Path(notebook).name
    (folder / METRICS).unlink(missing_ok=True)  # of an earlier run: it would prove nothing
    start = time.perf_counter()
    try:
        _execute(notebook, executed, parameters | {"OUTPUT_DIR": str(folder)})
    finally:
        if executed.exists():
            _settle(executed, Path(notebook).resolve())
            save_html(executed)
    if not (folder / METRICS).exists():
        raise RunError(f"el cuaderno terminó sin escribir {METRICS}: mira «{executed}»")
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        metrics["timings_s"]["total"] = round(time.perf_counter() - start, 1)
    except (OSError, ValueError, TypeError, KeyError, *EXHAUSTED) as error:
        raise RunError(
            f"el cuaderno no escribió {METRICS} con save_metrics: mira «{executed}»"
        ) from error
    write_json(folder / METRICS, metrics)
    return folder


def store_notebook(notebook):
    """Run a lesson with its defaults, and keep its outputs in its own file."""
    temporary = Path(notebook).with_name(f".{Path(notebook).name}")
    try:
        _execute(notebook, temporary, {})
        normalised = normalise(read_notebook(temporary))
        write_bytes(notebook, (normalised + "\n").encode())
    finally:
        temporary.unlink(missing_ok=True)


def normalise(notebook):
    """Return a notebook's text without what changes from run to run."""
    import nbformat

    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    for cell in _without_widgets(notebook).cells:
        for key in ("papermill", "execution", "trusted"):
            cell.metadata.pop(key, None)
    return nbformat.writes(notebook).rstrip("\n")


def _without_widgets(notebook):
    """Take out the controls that only a kernel can work; what stands in for them stays."""
    for output in (o for cell in notebook.cells for o in cell.get("outputs", ())):
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata.pop("widgets", None)
    return notebook


def save_html(notebook):
    """Write a notebook's HTML page beside it, which needs no other file and no network."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        require_js_url="", jquery_url="", mathjax_url="", mermaid_js_url="", language_code="es"
    )
    name = {"metadata": {"name": Path(notebook).stem}}
    page, _ = exporter.from_notebook_node(_without_widgets(read_notebook(notebook)), name)
    # What the template still asks of the network, empty addresses included.
    page = re.sub(r'<script[^>]* src="[^"]*"[^>]*>\s*</script>', "", page)
    return write_bytes(Path(notebook).with_suffix(".html"), page.encode())


def save_metrics(folder, parameters, losses, timings_s, **more):
    """Write metrics.json: the last thing a lesson does, so that it proves its end."""
    versions = {package: _version(package) for package in PACKAGES}
    versions["python"] = sys.version.split()[0]
    metrics = {"parameters": parameters, "losses": losses, **more}
    metrics |= {"versions": versions, "timings_s": timings_s}
    return write_json(Path(folder) / METRICS, metrics)


def _execute(notebook, executed, parameters):
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    with _kernel_progress():
        try:
            papermill.execute_notebook(
                # papermill takes braces in a path for fields.
                read_notebook(notebook),
                str(executed).replace("{", "{{").replace("}", "}}"),
                parameters,
                kernel_name="python3",
                language="python",
                cwd=str(Path(notebook).parent),
                # The kernel would warn of its transport, and of its end.
                extra_arguments=["--log-level=CRITICAL"],
                progress_bar={
                    "desc": "Ejecutando",
                    "unit": "celda",
                    "leave": False,
                    "disable": None,
                },
            )
        except papermill.PapermillExecutionError as error:
            raise RunError(
                f"{error.ename}: {error.evalue}\n(celda {error.exec_count} de «{executed}»)"
            ) from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise RunError(f"el núcleo dejó de responder: mira «{executed}»") from error


def _settle(executed, source):
    """Make an executed notebook at home in its folder, and save it.

    papermill puts the source itself where its name should stand; pictures and
    links are relative to the source's folder: the picture comes along, the
    link is told the way.
    """
    import nbformat

    def relink(match):
        picture, text, target = match.groups()
        path = source.parent / target
        if picture and path.is_file():
            return f"![{text}]({data_url(path.read_bytes(), f'image/{path.suffix[1:]}')})"
        return f"{picture}[{text}]({Path(os.path.relpath(path, executed.parent)).as_posix()})"

    notebook = read_notebook(executed)
    if "papermill" in notebook.metadata:
        notebook.metadata.papermill["input_path"] = source.name
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            with suppress(ValueError):  # on another drive of Windows
                cell.source = _RELATIVE_LINK.sub(relink, cell.source)
    write_bytes(executed, nbformat.writes(notebook).encode())


_RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|[#/])([^)\s]+)\)")


@contextmanager
def _kernel_progress():
    """Hide the kernel's chatter, and show the bar of the cell that runs below papermill's."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "progress"
        wanted = {WHERE: str(path), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        saved = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        line = tqdm(bar_format="{desc}", position=1, leave=False, disable=None)
        done = threading.Event()

        def relay():
            while not done.wait(0.3):
                with suppress(OSError):
                    line.set_description_str(path.read_text(encoding="utf-8"))

        thread = threading.Thread(target=relay)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            line.close()
            os.environ.update({name: value for name, value in saved.items() if value is not None})
            for name in (name for name, value in saved.items() if value is None):
                del os.environ[name]


def _new_folder(parent):
    """Make and return a folder named after the time, which nobody else has."""
    stamp = f"{datetime.now():%Y-%m-%d_%H%M%S}"
    for suffix in ("", *(f"_{k}" for k in range(2, 100))):
        folder = parent / (stamp + suffix)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(
                f"no se puede escribir en «{parent}» ({error.strerror}): elige otra carpeta"
            ) from error
    raise ParameterError(f"no queda nombre libre para otra carpeta en «{parent}»")


def _version(package):
    try:
        return version(package)
    except ModuleNotFoundError:
        return version(f"{package}-cpu")
