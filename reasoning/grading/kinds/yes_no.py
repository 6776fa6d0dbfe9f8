"""Yes or no, true or false. Normal form: "yes" or "no".

Owns: which "yes" and "no" of a sentence is its answer.

Invariant: a "no" that only denies a noun ("no evidence", "no one") is no answer, and neither is "yes or no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.options import NO_OPTIONS, RowOptions

_HEDGE = r"\s*(?:or|and|/|nor)\s*"
# The word, and for "no" what may follow it: a stop, or the beginning of a reason.
_STOP = r"(?=\W*\Z|\s*[.,;:!?)\]}\"'”’*\n]"
_REASON = r"\s+(?:because|since|as|but|and|it|he|she|they|we|you|i|this|that)\b"
_WORD = re.compile(
    r"(?<![\w-])(?<!yes or )(?<!yes and )(?<!yes/)(?:(not\s+true|not\s+false)"
    rf"|(yes|true)(?!{_HEDGE}(?:no|false)\b)(?![\w-])|(false)(?![\w-])|(no){_STOP}|{_REASON}))",
    re.IGNORECASE,
)
_ALONE = re.compile(r"[\s:*\"'“(]*(yes|no)[\s.\"'”*!)]*\Z", re.IGNORECASE)
_LEADING_NO = re.compile(
    rf"\W*no\b(?!-)(?!{_HEDGE}yes\b)(?!\s+(?:one|way|evidence|idea|longer|more|matter|other|clear|definite|definitive|single"
    r"|answer|information|such|change|record|proof|doubt)\b)",
    re.IGNORECASE,
)
_LONE = re.compile(
    rf"(?<![\w-])(?<!yes or )(?<!yes and )(?:(yes)(?!\s+(?:or|and)\s+no\b)(?![\w-])|(no){_STOP}))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class YesNo(AnswerRules):
    """Yes or no."""

    description = "yes or no"
    settles = True

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        alone = _ALONE.match(said)
        if alone:
            return FoundAnswer(alone[1].lower(), how)
        corrected = settled(said)
        answer = _of_line(first_line(corrected))
        if not answer and corrected is not said:
            answer = _of_line(first_line(said))
        return FoundAnswer(answer, how) if answer else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        low = text.lower()
        if len(low) != len(text):  # a few capitals grow when lowered
            low = text
        yes, no = low.rfind("yes"), low.rfind("no")
        while (place := max(yes, no)) >= 0:
            found = _LONE.match(low, place)
            if found:
                return FoundAnswer("yes" if found[1] else "no", How.LAST_CANDIDATE)
            if place == yes:
                yes = low.rfind("yes", 0, place)
            else:
                no = low.rfind("no", 0, place)
        return None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        return (_meaning(found) for found in _WORD.finditer(text))

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        return _ALONE.match(line) is not None

    def normal(self, answer: str) -> str:
        return _of_line(first_line(answer[:LONGEST_ANSWER].lstrip()))

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return answer in ("yes", "no")

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, Mapping):
            right = [word for word, score in value.items() if score == 1]
            value = right[0] if len(right) == 1 else ""
        said = {"true": "yes", "false": "no"}
        word = str(value).strip(" .\n").lower() if isinstance(value, str | bool) else ""
        word = said.get(word, word)
        if word not in ("yes", "no"):
            raise ValueError(f"its answer {str(value)[:40]!r} is not yes or no")
        return word

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        scores = isinstance(value, Mapping) and any(isinstance(score, int) for score in value.values())
        found = (self.gold_in_row(value),) if scores else AnswerRules.golds_in_row(self, value)
        if len(found) > 1:
            raise ValueError("its answers are both yes and no")
        return found

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        return "no" if answer == "yes" else "yes"


def _of_line(line: str) -> str:
    if _LEADING_NO.match(line):
        return "no"
    found = _WORD.search(line)
    return _meaning(found) if found else ""


def _meaning(found: re.Match[str]) -> str:
    denied, yes, _, _ = found.groups()
    if denied:
        return "no" if denied.lower().endswith("true") else "yes"
    return "yes" if yes else "no"
