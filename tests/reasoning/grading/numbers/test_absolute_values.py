"""Bars around a value are its absolute value; those of a table are not."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.numbers.absolute_values import without_bars
from reasoning.records import AnswerKind


@pytest.mark.parametrize(
    "text",
    [
        *("|-3|", "\\boxed{|-3|}", "\\boxed{\\left|-3\\right|}", "\\boxed{\\left| -3 \\right|}", "It is |−3|."),
        *("\\boxed{\\lvert -3 \\rvert}", "\\boxed{\\vert -3 \\vert}", "\\boxed{\\big|-3\\big|}", "$\\bigl|-3\\bigr|$"),
        *("\\boxed{|5-8|}", "The answer is |5 - 8|.", "|-3| = 3", "|5 - 8| = |-3| = 3", "$|{-3}|$", "|3|"),
    ],
)
def test_bars_take_the_sign_away(text: str) -> None:
    assert judged_answer(text, AnswerKind.NUMBER).answer == "3"


@pytest.mark.parametrize("text", ["-|3|", "| left | -3 |", "|0|-3|", "The answer is -|-3|.", "|x| = 7, x = -3"])
def test_other_signs_stay(text: str) -> None:
    assert judged_answer(text, AnswerKind.NUMBER).answer == "-3"


@pytest.mark.parametrize("line", ["|x|", "|x - 3| = 5", "P(A|B) = 1", "a | -3 | b", "| 1 | 2 |", "||", "|"])
def test_what_is_no_value_stays_as_it_is(line: str) -> None:
    assert without_bars(line) == line
