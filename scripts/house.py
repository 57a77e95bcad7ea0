"""Print the house: its rooms, from which each takes, and its diagram for CONTRIBUTING.md.

    .venv/bin/python scripts/house.py

An arrow leads from a room to one that it takes from. Those that follow from
others are left out of the diagram: who goes upstairs passes the floors between.
"""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "musiclab"
GROUND = "ground floor"


def modules():
    """Return {dotted name within the package: path}."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "__init__"] = path
    return found


def imports(path):
    """Return the dotted names that a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write imports from the root"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room_of(name, rooms):
    """Return the room in which a module lies; modules that nobody shares a room with are rooms."""
    first = name.split(".")[0]
    return first if first in rooms else GROUND


def arrows(ground=("errors", "progress", "files", "logits", "backend")):
    """Return {room: rooms that it takes from}; the ground floor is one room."""
    found = modules()
    rooms = {name.split(".")[0] for name in found} - {*ground, "__init__", "__main__"}
    takes = {room: set() for room in [GROUND, *sorted(rooms)]}
    for name, path in found.items():
        room = room_of(name, rooms)
        if name in ("__init__", "__main__"):
            continue
        for imported in imports(path):
            if imported.startswith("musiclab."):
                takes[room].add(room_of(imported.removeprefix("musiclab."), rooms))
        takes[room].discard(room)
    return takes


def far(takes, room):
    """Return all that a room takes from, also by way of others."""
    reached, todo = set(), [*takes[room]]
    while todo:
        other = todo.pop()
        if other not in reached:
            reached.add(other)
            todo += takes[other]
    return reached


def diagram(takes):
    """Return the diagram in Mermaid's language, which GitHub draws."""
    lines = ["```mermaid", "graph BT"]
    for room, others in takes.items():
        beyond = set().union(*(far(takes, other) for other in others))
        lines += [f"  {name(room)} --> {name(other)}" for other in sorted(others - beyond)]
    return "\n".join([*lines, "```"])


def name(room):
    """Return a room's name and label, without the space that Mermaid takes for an end."""
    return 'ground["errors, progress, files, logits, backend"]' if room == GROUND else room


if __name__ == "__main__":
    house = arrows()
    for room, others in house.items():
        print(f"{room:<14} takes from {', '.join(sorted(others)) or 'nobody'}")
    print(diagram(house))
