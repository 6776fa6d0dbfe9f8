"""A date, in any of the forms people write it. Normal form: 2021-05-01; see `reasoning.grading.extraction.dates`.

Owns: which date of a statement is its answer.

Invariant: a date that could be two days ("05/01/2021") is no answer and no gold answer unless the task says which of
the numbers is the day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reasoning.grading.extraction.dates import UNKNOWN, FoundDate, dates_in
from reasoning.grading.extraction.denials import is_denied
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.extraction.refusals import refuses
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.options import NO_OPTIONS, RowOptions

_OR = re.compile(r"[\s,]*(?:or|and|/|to|through|until|till|[-–—])\s+(?:maybe\s+|perhaps\s+|on\s+)?")
_DAY_BEFORE = re.compile(  # "between 20 and 24 December"
    r"(?<![\w.,/:-])[0-9]{1,2}(?:st|nd|rd|th|\.)?\s*(?:or|and|to|until|till|through|&|[-–—/])\s*(?:the\s+)?\Z",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"\b(?:after|before|since|until|till|by)\s+\Z", re.IGNORECASE)  # not that day itself
_BARE = " \t\r\n.*_\"'$()"


@dataclass(frozen=True, slots=True)
class Date(AnswerRules):
    """A day, a month or a year. `order` says what comes first where both are numbers: "day_first" or "month_first"."""

    description = "a date, such as 2021-05-01, May 1, 2021 or 13/05/2021"

    order: str = ""

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        for statement in (settled(said), said):
            line = first_line(statement)
            found = [one for one in dates_in(line, self.order) if not is_denied(line, one.start)]
            if found:
                return self._of(found, line, how)
        return None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        tail = text[-LONGEST_ANSWER:]
        found = [one for one in dates_in(tail, self.order) if not is_denied(tail, one.start)]
        if found and (
            refuses(tail)
            or _begins_otherwise(tail, found[-1])
            or _BESIDE.search(tail[: found[-1].start])
            or (len(found) > 1 and _apart(tail, *found[-2:]))
        ):
            return NO_ANSWER
        return FoundAnswer(found[-1].normal, How.LAST_CANDIDATE) if found and found[-1].normal != UNKNOWN else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        return (one.normal for one in dates_in(text, self.order) if one.normal != UNKNOWN)

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        found = list(dates_in(line, self.order))
        return len(found) == 1 and not f"{line[: found[0].start]}{line[found[0].end :]}".strip(_BARE)

    def normal(self, answer: str) -> str:
        found = {one.normal for one in dates_in(answer[:LONGEST_ANSWER], self.order)}
        return found.pop() if len(found) == 1 and UNKNOWN not in found else ""

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(self.normal(answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"its answer is not a date but {type(value).__name__}")
        text = str(value).strip()
        found = list(dates_in(text, self.order))
        if len(found) != 1:
            raise ValueError(
                f"its answer is not a date: {text[:40]!r}" if not found else "its answer has several dates"
            )
        if found[0].normal == UNKNOWN:
            cure = "say what comes first with form.date_order: day_first or month_first"
            raise ValueError(f"its answer {text[:40]!r} can be two days; {cure}")
        return text[found[0].start : found[0].end].strip()

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        normal = self.normal(answer)
        try:
            return (date.fromisoformat(normal) + timedelta(days=1)).isoformat()
        except (ValueError, OverflowError):
            return "2001-01-01"  # what is no whole date is not this one

    def as_written(self, line: str, found: str) -> str:
        """A date keeps the form in which it is written."""
        written = list(dates_in(line, self.order))
        return line[written[0].start : written[0].end] if written and written[0].normal == found else found

    def _of(self, found: list[FoundDate], line: str, how: How) -> FoundAnswer:
        first, *others = found
        if _begins_otherwise(line, first) or _BESIDE.fullmatch(line[: first.start].lstrip(_BARE)):
            return NO_ANSWER
        several = any(_apart(line, first, other) for other in others[:1])
        return NO_ANSWER if several or first.normal == UNKNOWN else FoundAnswer(first.normal, how)


def _apart(line: str, one: FoundDate, other: FoundDate) -> bool:
    """Whether two dates are alternatives, or the ends of a time."""
    return _OR.fullmatch(line, one.end, other.start) is not None and one.normal != other.normal


def _begins_otherwise(line: str, one: FoundDate) -> bool:
    """Whether another day stands before a date that shares its month: "24 or 25 December"."""
    return _DAY_BEFORE.search(line, max(0, one.start - 24), one.start) is not None
