"""Whether an answer is musiclab's own and not the student's, seen in the source alone.

The exercises' specifications lie where the student's code runs, for the
checks in the notebook need them. What is flagged: an answer that reaches the
exercises by import, attribute or name, and a function that only hands its
arguments to one of musiclab's. Someone determined can hide it; then the
teacher's eye is left.
"""

import ast
from functools import lru_cache

HARMLESS = {"PENDING", "RIGHT", "WRONG"}
DEEP = {"__self__", "__globals__", "__closure__", "__builtins__", "__subclasses__"}
DYNAMIC = {"__import__", "importlib", "import_module", "eval", "exec", "compile", "run_cell"}


def is_borrowed(cells, name):
    """Return whether what is called `name` in the cells, (id, source) each, is musiclab's own."""
    bound, imported = _bindings(tuple(cells))
    if _hands_on(bound.get(name, []), imported):
        return True
    seen, waiting, walked = set(), [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if _of_exercises(imported.get(current, "")):
            return True
        # Once each: a thousand names may be bound by one line, which reads them all.
        for node in set(bound.get(current, [])) - walked:
            walked.add(node)
            if _reaches(node):
                return True
            waiting += _names(node)
    return False


def defines(cells, name):
    """Return whether any cell binds a name."""
    bound, imported = _bindings(tuple(cells))
    return name in bound or name in imported


@lru_cache(maxsize=8)  # a tree takes 600 times its source
def _bindings(cells):
    """Return ({name: the nodes that bind it}, {name: the dotted name that it is imported from})."""
    bound, imported = {}, {}
    for _, source in cells:
        for node in ast.walk(_parsed(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    for one in ast.walk(target):
                        if isinstance(one, ast.Name):
                            bound.setdefault(one.id, []).append(node)
            imported |= _imports(node)
    return bound, imported


def _imports(node):
    """Return {name: dotted name} of what a node imports, if it does."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return {}
    found = {}
    for alias in node.names:
        own = alias.asname or alias.name.partition(".")[0]
        inside = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        found[own] = inside + alias.name
    return found


def _parsed(source):
    """Return the tree of a cell without IPython's own lines; nothing where it is not Python."""
    lines = source.splitlines()
    plain = ["" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines]
    try:
        return ast.parse("\n".join(plain))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _of_exercises(dotted):
    """Return whether an import brings in more of the exercises than a check."""
    last = dotted.rpartition(".")[2]
    harmless = last in HARMLESS or last.startswith("check_")
    return dotted.startswith("musiclab.exercises") and not harmless


def _reaches(node):
    """Return whether a node goes to the exercises by itself."""
    dynamic, text = False, False
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute):
            if one.attr in DEEP or one.attr == "exercises":
                return True
            dynamic = dynamic or one.attr in DYNAMIC
        elif isinstance(one, ast.Name):
            dynamic = dynamic or one.id in DYNAMIC
        elif any(map(_of_exercises, _imports(one).values())):
            return True
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            text = text or "musiclab" in one.value
    return dynamic and text


def _names(node):
    """Return the names that a node reads and does not bind itself."""
    loaded, own = set(), set()
    for one in ast.walk(node):
        if isinstance(one, ast.arg):
            own.add(one.arg)
        elif isinstance(one, ast.Name):
            (loaded if isinstance(one.ctx, ast.Load) else own).add(one.id)
    return loaded if isinstance(node, ast.Assign) else loaded - own


def _hands_on(nodes, imported):
    """Return whether the last of some definitions only calls a function of musiclab's."""
    if not nodes:
        return False
    if not isinstance(nodes[-1], ast.FunctionDef):
        return _is_musiclabs(getattr(nodes[-1], "value", None), imported)
    function, steps = nodes[-1], []
    for step in function.body:
        imported = imported | _imports(step)
        said = isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)
        if not said and not _imports(step):
            steps.append(step)
    if len(steps) != 1 or not isinstance(steps[0], ast.Return):
        return False
    value = steps[0].value
    if not isinstance(value, ast.Call):
        return False
    given = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    passed = {one.id for one in value.args if isinstance(one, ast.Name)}
    return passed == given and _is_musiclabs(value.func, imported)


def _is_musiclabs(value, imported):
    """Return whether an expression names a function of musiclab's."""
    while isinstance(value, ast.Attribute):
        value = value.value
    dotted = imported.get(value.id, "") if isinstance(value, ast.Name) else ""
    return dotted.split(".")[0] == "musiclab"
