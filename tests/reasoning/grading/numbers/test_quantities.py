"""What the digits at one place are worth, and where they end; arithmetic; what is not understood is none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.numbers.quantities import normal_digits, quantity_at, sum_at


@pytest.mark.parametrize(
    ("line", "answer", "end"),
    [
        ("42 km", "42", 2),
        ("-$1,234.50 left", "-1234.5", 10),
        ("9 500 m", "9500", 5),
        ("9 50", "9", 1),
        ("1,00,000", "100000", 8),
        ("1.234.567,5", "1234567.5", 11),
        ("3 1/2 cups", "3.5", 5),
        ("4 10/3", "", 6),
        ("2 and a half", "2.5", 12),
        ("3 × 10^8 m", "300000000", 8),
        ("6e-3", "0.006", 4),
        ("7e999999999", "", 11),
        ("2^10", "1024", 4),
        ("2^x", "", 2),
        ("2^(10)", "1024", 6),
        ("5 dozen", "60", 7),
        ("4.2k", "4200", 4),
        ("3,5 Millionen", "3500000", 13),
        ("2 milliards", "2000000000", 11),
        ("5 m", "5", 1),
        ("--5", "", 3),
        ("1/0", "", 3),
    ],
)
def test_the_number_at_a_place(line: str, answer: str, end: int) -> None:
    quantity = quantity_at(line, 0)
    assert quantity is not None and (quantity.answer, quantity.end) == (answer, end)


def test_two_readings() -> None:
    per_cent, millions = quantity_at("50 %", 0), quantity_at("2.5 million", 0)
    chance = quantity_at("1 in 20 chance of rain", 0)
    assert chance and (chance.answer, chance.also) == ("1", "0.05")
    assert per_cent and (per_cent.answer, per_cent.also) == ("50", "0.5")
    assert millions and (millions.answer, millions.also) == ("2500000", "2.5")


@pytest.mark.parametrize(
    ("line", "value", "operators"),
    [
        ("40 + 2", 42, 1),
        ("3 × (14)", 42, 1),
        ("3(14)", 42, 1),
        ("(50 - 8)", 42, 1),
        ("84/2", 42, 0),
        ("2 × 3 + 4 x 9", 42, 3),
        ("10-3", 10, 0),
    ],
)
def test_arithmetic(line: str, value: int, operators: int) -> None:
    found = sum_at(line, 0)
    assert found is not None and (found[0], found[2]) == (value, operators)


@given(st.text("0123456789.,-+*/^()×$ %ekKM'_", max_size=40))
def test_any_line_is_read(line: str) -> None:
    quantity = quantity_at(line, 0)
    assert quantity is None or quantity.answer == "" or Fraction(quantity.answer) is not None
    sum_at(line, 0)


@given(st.integers(-(10**20), 10**20))
def test_normal_digits(value: int) -> None:
    assert normal_digits(f"00{abs(value)}.00", value < 0) == str(value)
