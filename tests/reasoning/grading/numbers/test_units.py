"""Numbers with units: one kind converted, another kind none."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import is_right, judged_answer
from reasoning.grading.kinds.number import Number
from reasoning.grading.numbers.units import are_one_measure, in_unit, known_unit


@pytest.mark.parametrize(
    ("said", "unit", "bare"),
    [
        ("5 km", "km", "5"),
        ("5km", "km", "5"),
        ("about 5000 m.", "km", "about 5."),
        ("5 kilometres", "km", "5"),
        ("5\\text{ km}", "km", "5"),
        ("$5$ km", "km", "5"),
        ("-3.5 kg", "g", "-3500"),
        ("1,234 m", "m", "1234"),
        ("3 × 10^8 m/s", "m/s", "300000000"),
        ("36 km/h", "m/s", "10"),
        ("12 m s^{-1}", "m/s", "12"),
        ("12 m·s⁻¹", "m/s", "12"),
        (r"12\ \mathrm{m\,s^{-1}}", "m/s", "12"),
        ("1 h 30 min", "h", "1.5"),
        ("2 hours and 15 minutes", "min", "135"),
        ("5 ft 3 in", "in", "63"),
        ("$5", "$", "5"),
        ("5 dollars", "USD", "5"),
        ("50 cents", "$", "0.5"),
        ("50%", "%", "50"),
        ("20 °C", "°C", "20"),
        ("5 apples", "apple", "5"),
        ("there are 12 in total", "cm", "there are 12 in total"),
        ("7", "km", "7"),
        ("1/4 kg", "g", "250"),
        ("three books", "book", "3"),
        ("two hours", "min", "120"),
        ("an hour and a half", "min", "90"),
        ("9.8 meters per second squared", "m/s^2", "9.8"),
        ("37°", "°C", "37"),
    ],
)
def test_a_quantity_is_a_number_of_the_unit(said: str, unit: str, bare: str) -> None:
    assert in_unit(said, unit) == bare


@pytest.mark.parametrize(("said", "unit"), [("5 kg", "km"), ("€5", "$"), ("3 m²", "m"), ("5 °F", "°C"), ("5 W", "J")])
def test_a_quantity_of_another_kind_has_no_number(said: str, unit: str) -> None:
    assert not any(sign.isdecimal() for sign in in_unit(said, unit))


def test_one_measure_in_two_units() -> None:
    assert are_one_measure(Fraction(5, 2), "km", Fraction(2500), "m") and are_one_measure(
        Fraction(65), "mph", Fraction(105), "km/h"
    )
    assert not are_one_measure(Fraction(5), "km", Fraction(5), "kilometers")
    assert not are_one_measure(Fraction(5), "km", Fraction(5000), "g")


def test_units_are_known_by_symbols_and_words() -> None:
    assert known_unit("Kilometres") == known_unit("km") and known_unit("widget") is None
    assert known_unit("mW") is None or known_unit("mW") != known_unit("MW")


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Answer: 5 km", True),
        ("Answer: 5", True),
        ("The answer is 5,000 metres.", True),
        ("It takes 2 hours at 2.5 km/h, so the answer is 5 km.", True),
        ("\\boxed{5\\,\\mathrm{km}}", True),
        ("So he walks 5000 m", True),
        ("Answer: 5 miles", False),
        ("Answer: 5 kg", False),
        ("Answer: 5 m", False),
    ],
)
def test_answers_with_a_unit(said: str, right: bool) -> None:
    rules = Number(unit="km")
    assert rules.gold_in_row("5 km") == "5 km" and rules.is_gold("5 km", ()) and rules.gold_in_row(5) == "5"
    for gold in ("5 km", "5", "5000 m"):
        assert is_right(judged_answer(said, rules), gold, rules) is right
    with pytest.raises(ValueError, match="not a number of km"):
        rules.gold_in_row("5 kg")


def test_tolerances_are_exact_and_include_their_bound() -> None:
    close, relative = replace(Number(), tolerance=0.1), replace(Number(), relative=0.01)
    assert close.same("3.2", "3.1") and not close.same("3.21", "3.1") and not close.same("4", "3")
    assert relative.same("1010", "1000") and not relative.same("1011", "1000") and relative.same("-99", "-100")
    assert replace(Number(), tolerance=1.0).same("4", "3") and not relative.same("1", "0")


@given(
    st.text(st.sampled_from("0123456789.,-$€ kmghsinft/²^%°\\"), max_size=60), st.sampled_from(["km", "$", "s", "xs"])
)
def test_any_text_is_read(text: str, unit: str) -> None:
    assert isinstance(in_unit(text, unit), str)
    assert isinstance(Number(unit=unit).normal(text), str)
