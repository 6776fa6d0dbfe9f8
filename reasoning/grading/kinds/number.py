"""A number, in digits or in words. Normal form: no commas, currency or trailing zeros, "." before decimals.

Owns: what counts as a number given as an answer. How a number is found in a text is
`reasoning.grading.numbers.numbers`.

Invariant: numbers compare as numbers: 18.00 is 18.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, FoundAnswer, How, settled
from reasoning.grading.extraction.mathematics import decimal
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.numbers.gold_numbers import gold_number, number_text, with_another_digit
from reasoning.grading.numbers.named_counts import count_of_asked
from reasoning.grading.numbers.numbers import (
    every_number,
    is_number_alone,
    last_number,
    stated_number,
)
from reasoning.grading.numbers.units import in_unit
from reasoning.grading.options import NO_OPTIONS, RowOptions

CLOSE = 1e-6  # what paper B allows between two floats

_ALONE = re.compile(r"[\s:*$]*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?)[\s.*$]*\Z")
_NORMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_WITH_UNIT = re.compile(r"[^\w\s]?\d[\d.,/]*\s*[^\W\d]+(?: [^\W\d]+){0,2}\.?")


@dataclass(frozen=True, slots=True)
class Number(AnswerRules):
    """A number. Decimal fractions are the same within `tolerance`; paper B compares floats so. With a tolerance of the
    task's, or one `relative` to the right answer, so are whole numbers. Of quantities in a `unit` any unit of the kind
    counts, converted; without one the number is taken to be in it."""

    description = "a number, such as 18, -3.5 or 1,080"

    tolerance: float = CLOSE
    relative: float = 0.0
    unit: str = ""

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        if self.unit:
            said = in_unit(said, self.unit)
        alone = _ALONE.match(said)
        if alone:
            answer = alone[1]
            return FoundAnswer("0" if answer == "-0" else answer, how)
        corrected = settled(said)
        found = stated_number(corrected, how)
        return stated_number(said, how) if found is None and corrected is not said else found

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        return last_number(in_unit(text[-LONGEST_ANSWER:], self.unit) if self.unit else text, How.LAST_CANDIDATE)

    def beside(self, question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        return None if self.unit else count_of_asked(question, text)

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        return every_number(in_unit(text, self.unit) if self.unit else text)

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        line = in_unit(line, self.unit) if self.unit else line
        return _ALONE.match(line) is not None or is_number_alone(line)

    def normal(self, answer: str) -> str:
        if _NORMAL.fullmatch(answer):
            return "0" if answer == "-0" else answer
        found = self.first(answer[:LONGEST_ANSWER], (), How.ANCHORED)
        return found.answer if found else ""

    def readings(self, gold: str) -> tuple[str, ...]:
        plain = self.normal(gold)
        if gold.endswith("%") and plain and not self.unit:
            return plain, decimal(Fraction(plain) / 100)
        return (plain,)

    def same(self, left: str, right: str) -> bool:
        if not left or not right:
            return False
        if left == right:
            return True
        if self.relative or self.tolerance != CLOSE:
            return self._close(left, right)
        if not ("." in left or "." in right):  # whole numbers beyond a float's digits differ
            return False
        return abs(float(left) - float(right)) <= self.tolerance

    def _close(self, left: str, right: str) -> bool:
        if len(left) + len(right) > 2 * LONGEST_ANSWER:
            return False
        allowed = max(Fraction(str(self.tolerance)), Fraction(str(self.relative)) * abs(Fraction(right)))
        return abs(Fraction(left) - Fraction(right)) <= allowed

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(gold_number(in_unit(answer, self.unit) if self.unit else answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"its answer is not a number but {type(value).__name__}")
        text = value.strip() if isinstance(value, str) else number_text(value)
        bare = in_unit(text, self.unit).strip() if self.unit else text
        gold = gold_number(bare)
        if not gold:
            of = f" of {self.unit}" if self.unit else ""
            raise ValueError(f"its answer is not a number{of}: {text[:40]!r}{_hint(text)}")
        return gold if bare == text else " ".join(text.split())

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        return with_another_digit(answer)


def _hint(text: str) -> str:
    if _DECIMAL_COMMA.fullmatch(text):
        return " (decimals stand after a point)"
    if _WITH_UNIT.fullmatch(text):
        return " (name its unit with form.unit, or keep the number alone)"
    return " (name the mark before the number with form.answer_after)" if " " in text else ""
