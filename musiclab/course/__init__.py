"""Lessons: their parameters, running and storing them by papermill, the playground."""

from musiclab.course.parameters import (
    NOTEBOOKS,
    PROJECT,
    check_parameters,
    collect_parameters,
    merge_parameters,
    read_parameters,
    read_preset,
)
from musiclab.course.runs import (
    find_notebook,
    lessons,
    run_notebook,
    save_html,
    save_metrics,
    solutions,
    store_notebook,
)

__all__ = [
    "NOTEBOOKS",
    "PROJECT",
    "check_parameters",
    "collect_parameters",
    "find_notebook",
    "lessons",
    "merge_parameters",
    "read_parameters",
    "read_preset",
    "run_notebook",
    "save_html",
    "save_metrics",
    "solutions",
    "store_notebook",
]
