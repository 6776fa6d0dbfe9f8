"""Which of a task's problems a published question is.

Owns: the comparison of a question as one repository words it with the same question as this task words it.

Invariants
- A question is matched with one problem or with none. Where two problems fit, none does: a wrong pairing would teach a
  wrong answer.
- The options of a matched multiple-choice question stand in the problem's order, so that its letters mean the same
  (paper B shuffles those of date_understanding).

Both papers word a question as its data set does, up to white space and punctuation; choices differ: paper A leaves them
out of CommonsenseQA's questions, paper B puts commas between them, and "Which choice is true?" before those of
BIG-bench's tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reasoning.exchange.solutions import excerpt
from reasoning.records import Problem

_CHOICES = re.compile(r"\banswer choices\s*:", re.IGNORECASE)
_ASKS_CHOICE = re.compile(r"\s*which choice is true\s*\?\s*$", re.IGNORECASE)
_LETTER = re.compile(r"\(([A-Z])\)\s")
_UNHEARD = re.compile(r"[\s;:?!'\"“”‘’`]+|[.,](?![0-9])")


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Why a question is none of the problems."""

    what: str


@dataclass(frozen=True, slots=True)
class _Shape:
    stem: str
    options: tuple[str, ...]


class Catalog:
    """A task's problems, found by the words of their questions."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._exact: dict[str, Problem] = {}
        self._shapes: dict[_Shape, list[Problem]] = {}
        self._stems: dict[str, list[tuple[Problem, _Shape]]] = {}
        for problem in problems:
            if self._exact.setdefault(_spaced(problem.question), problem) is not problem:
                continue  # a task may count a question more than once
            shape = _shape(problem.question)
            self._shapes.setdefault(shape, []).append(problem)
            self._stems.setdefault(shape.stem, []).append((problem, shape))

    def find(self, question: str) -> Problem | Unmatched:
        """The problem that `question` is, in whatever punctuation, with its choices or without."""
        exact = self._exact.get(_spaced(question))
        if exact is not None:
            return exact
        shape = _shape(question)
        alike = self._shapes.get(shape, [])
        if len(alike) == 1:
            return alike[0]
        same_stem = self._stems.get(shape.stem, [])
        if not same_stem:
            return Unmatched(f"it is not a question of this task: {excerpt(question)!r}")
        if not shape.options and len(same_stem) == 1:
            return same_stem[0][0]
        if len(alike) > 1 or not shape.options:
            return Unmatched(f"several questions of this task begin like this: {excerpt(question)!r}")
        if any(sorted(other.options) == sorted(shape.options) for _, other in same_stem):
            return Unmatched(
                f"its choices are those of the task in another order, so its letters mean others: {excerpt(question)!r}"
            )
        return Unmatched(f"its choices differ from the task's: {excerpt(question)!r}")


def stem_of(question: str) -> str:
    """A multiple-choice question without its choices, any other unchanged: how paper A names CommonsenseQA's."""
    head, *_ = _CHOICES.split(question, maxsplit=1)
    return head.strip() if head.strip() else question


def _shape(question: str) -> _Shape:
    head, *rest = _CHOICES.split(question, maxsplit=1)
    if not rest:
        return _Shape(_heard(question), ())
    parts = _LETTER.split(rest[0])
    options = tuple(_heard(text.strip().rstrip(",.")) for text in parts[2::2])
    return _Shape(_heard(_ASKS_CHOICE.sub("", head)), options)


def _heard(text: str) -> str:
    """`text` without what differs between repositories: white space, capitals, marks that are not part of a number."""
    return _UNHEARD.sub("", text).casefold()


def _spaced(text: str) -> str:
    return " ".join(text.split())
