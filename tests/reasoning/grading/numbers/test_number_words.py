"""Numbers written out in English; a word that is none ends them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reasoning.grading.numbers.number_words import words_to_number


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("eleven", Fraction(11)),
        ("Two hundred and thirty-five dollars", Fraction(235)),
        ("twenty-seven thousand and four", Fraction(27004)),
        ("one million two hundred thousand", Fraction(1200000)),
        ("a dozen", Fraction(12)),
        ("a hundred", Fraction(100)),
        ("fifty-two point six two", Fraction("52.62")),
        ("three quarters", Fraction(3, 4)),
        ("minus seven", Fraction(-7)),
        ("one of them", None),
        ("no one", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_numbers_in_words(words: str, value: Fraction | None) -> None:
    assert words_to_number(words) == value
