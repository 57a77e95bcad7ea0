"""Print how dense the package's code is, room by room, and how much of it explains itself.

    .venv/bin/python scripts/air.py [folder]

A code line is neither blank, nor a comment, nor part of a docstring. Nodes
are those of Python's syntax tree without its contexts (Load, Store);
comments count once a line, behind code too. Medians are of functions.
"""

import ast
import io
import sys
import tokenize
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).parents[1] / "musiclab"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
HEADING = "room                lines   code  nodes/line  compr./100  comments/100  median  longest"


@dataclass
class Count:
    """What was counted in some modules."""

    lines: int = 0
    code: int = 0
    nodes: int = 0
    comprehensions: int = 0
    comments: int = 0
    functions: list = field(default_factory=list)
    modules: list = field(default_factory=list)

    def add(self, other):
        """Take in the counts of another."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def row(self, name):
        """Return the counts as a line of the table."""
        per_line, per_100 = self.nodes / max(self.code, 1), 100 / max(self.code, 1)
        return (
            f"{name:<18} {self.lines:6} {self.code:6} {per_line:11.2f} "
            f"{per_100 * self.comprehensions:11.1f} {per_100 * self.comments:13.1f} "
            f"{median(self.functions or [0]):7.0f} {max(self.modules):8}"
        )


def count(path):
    """Return the Count of one module."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if not isinstance(node, ast.expr_context)]
    silent = set()  # lines of docstrings
    for node in nodes:
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            first = node.body[0]
            silent |= set(range(first.lineno, first.end_lineno + 1))
    code, comments = set(), set()
    ignored = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in ignored:
            code |= set(range(token.start[0], token.end[0] + 1))
    functions = [n.end_lineno - n.lineno + 1 for n in nodes if isinstance(n, ast.FunctionDef)]
    n_lines = text.count("\n")
    return Count(
        lines=n_lines,
        code=len(code - silent),
        nodes=len(nodes),
        comprehensions=sum(isinstance(node, COMPREHENSIONS) for node in nodes),
        comments=len(comments),
        functions=functions,
        modules=[n_lines],
    )


def table(folder):
    """Return the lines of the table: the ground floor, each room, all together."""
    rooms, total = defaultdict(Count), Count()
    for path in sorted(Path(folder).rglob("*.py")):
        place = path.relative_to(folder).parts
        counted = count(path)
        rooms[place[0] if len(place) > 1 else "(modules)"].add(counted)
        total.add(counted)
    rows = [rooms[name].row(name) for name in sorted(rooms)]
    return [HEADING, *rows, total.row("all")]


if __name__ == "__main__":
    print("\n".join(table(sys.argv[1] if len(sys.argv) > 1 else PACKAGE)))
