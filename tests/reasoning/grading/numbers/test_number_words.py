"""Numbers written out in English; a word that is none ends them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.numbers.number_words import in_digits, words_to_number


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
        ("a dozen and a half", Fraction(18)),
        ("a quarter of a million", Fraction(250000)),
        ("three quarters of a million", Fraction(750000)),
        ("three quarters of a mile", Fraction(3, 4)),
        ("one point two million", Fraction(1200000)),
        ("two and a half", Fraction(5, 2)),
        ("ten and twelve", Fraction(10)),
        ("五十八", Fraction(58)),
        ("三万五千", Fraction(35000)),
        ("二〇二四年", Fraction(2024)),
        ("一共", None),
        ("第三", None),
        ("三角形", None),
        ("one of them", None),
        ("no one", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_numbers_in_words(words: str, value: Fraction | None) -> None:
    assert words_to_number(words) == value


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("Seventeen ducks and nine geese.", "17 ducks and 9 geese."),
        ("one hour and thirty minutes", "1 hour and 30 minutes"),
        ("minus four, or two thirds", "-4, or 2/3"),
        ("答案是四十五个。", "答案是45个。"),
        ("nobody, no one", "nobody, no one"),
        ("two km 五十八, three", "2 km 58, 3"),
        ("worth two point. Five more", "worth 2 point. 5 more"),
        ("one hundred and. Two", "100 and. 2"),
    ],
)
def test_digits_in_the_place_of_words(text: str, digits: str) -> None:
    assert in_digits(text) == digits


_WORDS = [
    "point",
    "and",
    "half",
    "a",
    "quarter",
    "thirds",
    "five",
    "twenty",
    "hundred",
    "dozen",
    "million",
    "minus",
    "no",
]


@given(st.lists(st.tuples(st.sampled_from(_WORDS), st.sampled_from([" ", "-", ". ", ", ", ""])), max_size=9))
def test_number_words_in_any_order_are_read_or_left(said: list[tuple[str, str]]) -> None:
    text = "".join(word + end for word, end in said)
    assert isinstance(in_digits(text), str)
    words_to_number(text)
