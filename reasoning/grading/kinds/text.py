"""Free text: a word or a phrase, such as the letters of last-letter concatenation.

Owns: where an answer of free text begins and ends. Normal form: without quotes, dots, hyphens and white space, in lower
case; the form in which two are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.found_answer import FoundAnswer, How, first_line, last_match, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.extraction.numbers import number_text
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.options import NO_OPTIONS, RowOptions

_ALONE = re.compile(r"[\s\"'“‘*]*(\w+)[\s.\"'”’*]*\Z")
_DROPPED = re.compile(r"[\s\"'“”‘’`.*\-]+")
_QUOTED = re.compile(r"[\"“`]([^\"“”`\n]{1,90})[\"”`]|\*\*([^*\n]{1,90})\*\*")
_CLAUSE_END = re.compile(r"[,;]\s|\.\s|\s(?:because|since)\s|\s\(")
_SPELLED = re.compile(r"[\s\"'“”‘’`*(]*\w(?!\w)(?:[\s\"'“”‘’`*,+\-]+(?:and\s+)?\w(?!\w))+(?=\W*\Z|\s*=)")
_INTRODUCED = re.compile(
    r"(?:the\s+)?(?:(?:final\s+)?(?:string|word|letters|result|concatenation)\b)\s*(?:is\b|are\b)?[:\s]*", re.I
)
_LETTER = re.compile(r"\w")
_DECORATION = " \t\r\n*_`\"'“”‘’"


@dataclass(frozen=True, slots=True)
class Text(AnswerRules):
    """A word or a phrase."""

    description = "a text"

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        alone = _ALONE.match(said)
        if alone:
            return FoundAnswer(_normal(alone[1]), how)
        answer = _of_line(first_line(settled(said))) or _of_line(first_line(said))
        return FoundAnswer(answer, how) if answer else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        found = last_match(_QUOTED, text)
        answer = _normal(found[1] or found[2]) if found else ""
        return FoundAnswer(answer, How.LAST_CANDIDATE) if answer else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        yield from (_normal(found[1] or found[2]) for found in _QUOTED.finditer(text))
        yield from (_normal(word.strip(",;:()!?")) for word in text.split())

    def normal(self, answer: str) -> str:
        return _normal(answer)

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(_normal(answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"its answer is not text but {type(value).__name__}")
        return value.strip() if isinstance(value, str) else number_text(value)

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        return answer[::-1] if answer[::-1] != answer else f"{answer}{answer}"

    def as_written(self, line: str, found: str) -> str:
        """A text keeps its capitals and spaces."""
        bare = line.strip(_DECORATION).removesuffix(".").strip(_DECORATION)
        return bare if self.same(_normal(bare), _normal(found)) else found


def _of_line(line: str) -> str:
    if "\\" in line:
        line = plain(line).strip("$ ")
    if " = " in line:  # "y + a + j + o = yajo"
        line = line.rpartition(" = ")[2]
    spelled = _SPELLED.match(line)
    if spelled:
        return "".join(_LETTER.findall(spelled[0].replace(" and ", " "))).lower()
    quoted = _QUOTED.search(line)
    if quoted:
        return _normal(quoted[1] or quoted[2])
    introduced = _INTRODUCED.match(line)
    return _normal(_CLAUSE_END.split(line[introduced.end() :] if introduced else line, maxsplit=1)[0])


def _normal(answer: str) -> str:
    return _DROPPED.sub("", answer).lower()
