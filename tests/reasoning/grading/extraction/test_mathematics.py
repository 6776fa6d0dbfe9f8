"""Expressions are worked out, within bounds; everything else is no number."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import find_answer
from reasoning.grading.extraction.mathematics import decimal, plain, worked_out
from reasoning.records import AnswerKind


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("\\frac{1}{2}", "0.5"),
        ("\\frac{\\sqrt{9}}{2}", "1.5"),
        ("2^{10}", "1024"),
        ("1.5 \\times 10^3".replace("\\times", "×"), "1500"),
        ("3 + 4 × 5", "23"),
        ("\\pi", "3.141592653589793"),
        ("\\frac{1}{0}", ""),
        ("\\sqrt{-4}", ""),
        ("(1", ""),
        ("", ""),
        ("x", ""),
        ("10!", ""),
    ],
)
def test_worked_out(expression: str, value: str) -> None:
    assert worked_out(expression) == value


@pytest.mark.parametrize(
    "expression", ["9^{9^{9^9}}", "9**9**9", "9^{999}", "1" * 16 + "^2", "1+" * 60 + "1", "2^2^2^2"]
)
def test_nothing_that_could_take_long_is_worked_out(expression: str) -> None:
    assert worked_out(expression) == ""


def test_powers_of_ten_are_read_to_the_last_digit() -> None:
    assert plain(r"6.02 \times 10^{23}") == "6.02 × 10^23"
    assert find_answer(r"\boxed{6.02 \times 10^{23}}", AnswerKind.NUMBER).answer == "602" + "0" * 21


def test_it_works_in_a_thread() -> None:  # Math-Verify's own time limit needs the main one
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(worked_out("\\frac{7}{8} + 1")))
    thread.start()
    thread.join()
    assert found == ["1.875"]


@settings(deadline=None)  # the first one imports Math-Verify
@given(
    st.lists(
        st.sampled_from(["\\frac", "\\sqrt", "{", "}", "(", ")", "^2", "^{9}", "+", "/", "3", "0.5", " "]), max_size=9
    )
)
def test_no_expression_makes_it_raise(parts: list[str]) -> None:
    value = worked_out("".join(parts))
    assert value == "" or Fraction(value) is not None


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("$\\boxed{\\text{Yes}}$", "$Yes$"),
        ("\\(18\\)", "18"),
        ("1{,}234\\,000", "1,234000"),
        ("3\\tfrac{1}{2}", "3 1/2"),
        ("50\\%", "50%"),
    ],
)
def test_dress_is_taken_off(said: str, text: str) -> None:
    assert plain(said) == text


@given(st.fractions(min_value=-(10**6), max_value=10**6))
def test_decimals_are_near_enough(value: Fraction) -> None:
    assert abs(Fraction(decimal(value)) - value) <= abs(value) * Fraction(1, 10**15)
