"""What a calculation comes to, and where it ends; whole answers are read in `kinds/test_number.py`."""

from __future__ import annotations

import pytest

from reasoning.grading.numbers.calculations import calculation_at, enclosing, higher_mathematics


@pytest.mark.parametrize(
    ("line", "answer", "end"),
    [
        ("16 - 3 = 13 eggs", "13", 11),
        ("3 bags × 14 marbles = 42 marbles", "42", 24),
        ("2 + 3 × 4", "14", 9),
        ("6 / 4", "1.5", 5),
        ("42 marbles", "42", 2),
        ("5 + y", "", 1),  # with an unknown
        ("3/4/2021", "", 8),  # a date
        ("5 May", "", 1),
        ("2^x", "", 1),
    ],
)
def test_a_calculation_comes_to_its_result(line: str, answer: str, end: int) -> None:
    found = calculation_at(line, 0)
    assert (found.answer, found.start) == (answer, 0) and (found.end == end or not answer)


@pytest.mark.parametrize(
    ("line", "answer", "also"),
    [
        ("180 minutes = 3 hours", "3", "180"),
        ("2.25 h = 135 min", "135", "2.25"),
        ("1 hour = 60 minutes", "60", ""),
        ("3 boxes = 12 pens", "12", ""),
        ("180 minutes / 60 = 3 hours", "3", ""),
    ],
)
def test_one_measure_in_two_units_has_two_readings(line: str, answer: str, also: str) -> None:
    found = calculation_at(line, 0)
    assert (found.answer, found.also) == (answer, also)


@pytest.mark.parametrize(
    ("line", "answer"),
    [(r"\sqrt{16}", "4"), ("√9", "3"), (r"(1+2)^{2}", "9"), (r"\sqrt{x}", ""), (r"\binom{4}{2}", "")],
)
def test_roots_and_powers_of_sums_are_worked_out_or_not_understood(line: str, answer: str) -> None:
    found = higher_mathematics(line)
    assert found is not None and found.answer == answer


def test_plain_arithmetic_is_not_higher_mathematics() -> None:
    assert higher_mathematics("3 + 4 = 7") is None


def test_a_number_within_latex_is_a_part_of_it() -> None:
    line = r"So x = \frac{5+3}{4}, 7."
    assert enclosing(line, line.index("4")) == line.index("=") + 1
    assert enclosing(line, line.index("7")) == -1
