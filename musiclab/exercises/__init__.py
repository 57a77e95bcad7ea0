"""Exercises: what a student's cell calls to hear at once how it did. No TensorFlow.

One module a lesson holds its exercises (the slow, obvious specification,
cases from a seed, known misconceptions) and questions, and a `check_…` for
each; `exercise` and `artifact` say what they are made of.
"""

from musiclab.exercises.artifact import Artifact
from musiclab.exercises.exercise import PENDING, RIGHT, WRONG, Exercise, Question, Verdict

__all__ = ["PENDING", "RIGHT", "WRONG", "Artifact", "Exercise", "Question", "Verdict"]
