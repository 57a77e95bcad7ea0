"""A class graded: exercises released, collected, run in a box, judged and reported.

`release` makes the notebooks that students get from those with the solutions;
`matching` says whether each check has its exercise, `leaks` whether anything
of a solution would get out. `grade` takes a class through the rest: `collecting`,
`restoring`, a `box`, `judging`, the `rubric`, `reporting`, and the LMS's files.
"""

from musiclab.grading.grade import check_own, grade
from musiclab.grading.release import release_notebooks, released
from musiclab.grading.rubric import make_rubrics

__all__ = ["check_own", "grade", "make_rubrics", "release_notebooks", "released"]
