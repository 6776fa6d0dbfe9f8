"""A grader of the user's own: a function that a recipe names as `module:function`.

Owns: how it is found, called and held to its contract: `function(question, gold, completion)`, three texts, gives true
or false, or "correct", "wrong" or "no answer". It is a pure function: the same texts give the same verdict.

Invariants
- Whatever goes wrong in it or with it is a `GraderError`, which names module, function and, in a call, the question.
- A completion is given without what the model thinks before it speaks. Of several right answers each is tried.
- It is imported by its name wherever answers are graded; what a worker process finds of it is the same module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from reasoning.files.user_error import UserError
from reasoning.records import Problem, Verdict

_VERDICTS = {
    "correct": Verdict.CORRECT,
    "wrong": Verdict.WRONG,
    "incorrect": Verdict.WRONG,
    "no_answer": Verdict.NO_ANSWER,
}
_SHOWN = 120

Function = Callable[[str, str, str], Any]


class GraderError(UserError, ValueError):
    """A grader that cannot be imported, raises, or returns something else. The message names it and the question."""

    exit_code = 1


def load_grader(name: str) -> Function:
    """The function that `name`, "module:function", means. A module of the folder where the program was started is
    found, too. Raises `GraderError`."""
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # a console script does not look there
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # a module may raise anything when it is imported
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "") in (module, module.split(".")[0])
        cure = "start tailor in its folder, or add that to PYTHONPATH" if missing else "fix it"
        raise GraderError(f"grader {name}: module {module} cannot be imported: {_told(error)}; {cure}") from error
    for part in function.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise GraderError(f"grader {name}: module {module} has no function {function!r}; check form.grader")
    return found  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _loaded(name: str) -> Function:
    return load_grader(name)


def own_verdict(problem: Problem, completion: str) -> Verdict:
    """The verdict of the problem's own grader on a completion: correct if it is for one of the right answers. Raises
    `GraderError`."""
    verdicts = [judged(problem.grader, problem.question, gold, completion) for gold in problem.golds]
    return next((v for v in (Verdict.CORRECT, Verdict.WRONG) if v in verdicts), Verdict.NO_ANSWER)


def judged(name: str, question: str, gold: str, completion: str) -> Verdict:
    """The verdict of the grader called `name`. Raises `GraderError`."""
    function = _loaded(name)
    try:
        said = function(question, gold, completion)
    except Exception as error:  # anything may go wrong in a user's function
        raise GraderError(f"grader {name} failed on the question {_short(question)}: {_told(error)}") from error
    if isinstance(said, bool) or type(said).__name__ in ("bool_", "bool"):  # NumPy has its own
        return Verdict.CORRECT if said else Verdict.WRONG
    word = said.strip().lower().replace(" ", "_") if isinstance(said, str) else ""
    if word not in _VERDICTS:
        raise GraderError(
            f"grader {name} returned {_short(said)} for the question {_short(question)}; it must return true or false, "
            'or "correct", "wrong" or "no answer"'
        )
    return _VERDICTS[word]


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
