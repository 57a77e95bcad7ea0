"""A class graded: exercises released, collected, run in a box, judged and reported.

`release` makes the notebooks that students get from those with the solutions;
`matching` says whether each check has its exercise, `leaks` whether anything
of a solution would get out.
"""

from musiclab.grading.release import release_notebooks, released

__all__ = ["release_notebooks", "released"]
