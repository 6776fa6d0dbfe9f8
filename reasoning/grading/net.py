"""A net under the graders: a text that one of them raises on costs one attempt, and not the run.

Owns: what is said of such a text, and what a student's completion counts as then. Where texts of a run are graded, they
are graded in here; what others count as is for the caller to say.

Invariants
- Whoever falls into the net is never right.
- It is logged once for each question and process: the question's id, the exception's kind and where it was raised; no
  word of the text.
- A grader of the user's own is held by no net: what it raises stops the run and names it, and is the user's to mend.
- In tests it holds nobody (`HOLDS`), and `bench.grading.fuzz` calls the graders themselves: a fault of theirs is
  seen there.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TypeVar

from reasoning.files.user_error import UserError
from reasoning.grading.answers import grade
from reasoning.records import Problem, Verdict

HOLDS = True  # False: what is raised goes on

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_told: set[str] = set()


def in_net(problem_id: str, grading: Callable[[], T], otherwise: T, caught: Callable[[], object] | None = None) -> T:
    """What `grading` a text for the question `problem_id` gives; `otherwise` where it raises, and `caught` is called.
    Raises `UserError` (such as a `GraderError`) and `MemoryError` as they come."""
    try:
        return grading()
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if not HOLDS:
            raise
        if problem_id not in _told:
            _told.add(problem_id)
            _LOG.error("a text for the question %s could not be graded, and is wrong: %s", problem_id, _at(error))
        if caught is not None:
            caught()
        return otherwise


def graded(
    problem: Problem, text: str, complete: bool, caught: Callable[[], object] | None = None
) -> tuple[str, Verdict]:
    """A student's completion by `reasoning.grading.answers.grade`; where that raises it has no answer."""
    none = "", Verdict.NO_ANSWER if complete else Verdict.TRUNCATED
    return in_net(problem.id, lambda: grade(text, complete, problem), none, caught)


def _at(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {', from '.join(places)}; please report this"
