"""Print the anatomy of the lessons: how much a student reads, runs, sees and hears.

    .venv/bin/python scripts/anatomy.py [notebook ...]

Words are those of Markdown cells; code lines are neither blank nor comments.
A figure, a diagram (SVG with an alternative text) and a sound count when they
are stored in an output. A figure has a text when it is an `img` with an `alt`
that `plotting.describe` made, and is labelled when that text names what each
of its curves and bars measures. Exercises are the graded cells of the solutions.
"""

import re
import sys
from pathlib import Path
from statistics import quantiles

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
HEADING = (
    "notebook                          cells  code  median  p90  words/code  "
    "figures  labelled  texts  diagrams  sounds  predict  exercises"
)


def code_lines(source):
    """Return how many lines of a cell are code."""
    lines = [line.strip() for line in source.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def pages(cell):
    """Return the HTML and the pictures' formats that a code cell has stored."""
    texts, pictures = [], 0
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        texts.append("".join(data.get("text/html", "")))
        pictures += any(kind.startswith("image/") for kind in data)
    return "".join(texts), pictures


def anatomy(path):
    """Return the counts of one notebook as a dict."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    lines = [code_lines(cell.source) for cell in code]
    stored = [pages(cell) for cell in code]
    html = "".join(text for text, _ in stored)
    texts = re.findall(r'<img alt="Figura\. ([^"]+)"', html)
    return {
        "cells": len(notebook.cells),
        "code": len(code),
        "median": sorted(lines)[len(lines) // 2],
        "p90": quantiles(lines, n=10)[-1],
        "words": len(re.findall(r"\w+", prose)) / len(code),
        "figures": sum(pictures for _, pictures in stored) + len(texts),
        "labelled": sum(not re.search(r"(Curvas|Barras)(?! de )", text) for text in texts),
        "texts": len(texts),
        "diagrams": html.count("data:image/svg+xml") - html.count('alt="Partitura'),
        "sounds": html.count("<audio"),
        "predict": len(re.findall("predice antes de ejecutar", prose, re.IGNORECASE)),
        "exercises": exercises_of(path),
    }


def exercises_of(path):
    """Return how many graded cells the lesson's solutions have."""
    solutions = path.parent / "soluciones" / path.name
    if not solutions.exists():
        return 0
    cells = nbformat.read(solutions, as_version=4).cells
    return sum(bool(cell.metadata.get("nbgrader", {}).get("grade")) for cell in cells)


def row(path):
    """Return the line of one notebook."""
    a = anatomy(path)
    return (
        f"{path.stem:<33} {a['cells']:5} {a['code']:5} {a['median']:7} {a['p90']:4.0f} "
        f"{a['words']:11.0f} {a['figures']:8} {a['labelled']:9} {a['texts']:6} {a['diagrams']:9} {a['sounds']:7} "
        f"{a['predict']:8} {a['exercises']:10}"
    )


if __name__ == "__main__":
    chosen = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    print("\n".join([HEADING, *map(row, chosen)]))
