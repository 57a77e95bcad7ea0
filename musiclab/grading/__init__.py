"""A class graded: exercises released, collected, run in a box, judged and reported."""
