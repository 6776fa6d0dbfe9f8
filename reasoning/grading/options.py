"""Options of multiple-choice questions: their letters, and those that a question states.

Owns: the alphabet of options and the heading before them. Which one a text names is `reasoning.grading.named_options`.

Invariant: options are lettered from A in the order in which they stand; there are at most 26.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPTIONS_HEADING = "Answer Choices:"

AnswerAs = Literal["letter", "index", "position", "text"]


@dataclass(frozen=True, slots=True)
class RowOptions:
    """The options of a row of data: their `labels` and `texts` in order, and what its answer is where that could be two
    things (None: not said)."""

    labels: Sequence[Any] = ()
    texts: tuple[str, ...] = ()
    answer_as: AnswerAs | None = None


NO_OPTIONS = RowOptions()


def given(options: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The `options` of a row without those of other rows, which a table of one schema has in every row, as null."""
    return {key: value for key, value in options.items() if value is not None}


# The options that a question states ---------------------------------------------------------------------------------


class OptionsError(ValueError):
    """The options of a question cannot be told apart; the message says which."""


_STYLES = tuple(
    (style, letters) for style in (r"\(\s*{}\s*\)", r"(?<![\w(]){}\)") for letters in (LETTERS, LETTERS.lower())
)


def stated_choices(question: str) -> tuple[str, ...]:
    """The texts of the options that `question` states after "Answer Choices:", in order: "(A) ... (B) ...", "(a) ..."
    or "A) ...". () when it states none. Errors: `OptionsError` when an option's bracket is unpaired or a letter is left
    out."""
    _, heading, stated = question.rpartition(OPTIONS_HEADING)
    if not heading:
        return ()
    for style, letters in _STYLES:
        marks = _marks(stated, style, letters)
        if marks:
            break
    else:
        return ()
    _check_next(stated[marks[-1].end() :], style, letters[len(marks) : len(marks) + 2])
    ends = [mark.start() for mark in marks[1:]] + [len(stated)]
    return tuple(stated[mark.end() : end].strip(" .\n\t") for mark, end in zip(marks, ends, strict=True))


def _marks(stated: str, style: str, letters: str) -> list[re.Match[str]]:
    marks: list[re.Match[str]] = []
    for letter in letters:
        found = re.compile(style.format(letter)).search(stated, marks[-1].end() if marks else 0)
        if found is None:
            break
        marks.append(found)
    return marks


def _check_next(rest: str, style: str, letters: str) -> None:
    """That `rest`, the text of the last option found, holds no broken mark of one of the next two `letters`."""
    for letter in letters:
        if re.search(rf"\(\s*{letter}\s+[^\s)]|(?<![\w(]){letter}\)\s", rest):
            raise OptionsError(f"the bracket of option ({letter}) is unpaired")
    if len(letters) == 2 and re.search(style.format(letters[1]), rest):
        raise OptionsError(f"option ({letters[1]}) follows, but there is no option ({letters[0]})")
