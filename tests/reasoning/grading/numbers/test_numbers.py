"""The parts of reading numbers that kinds share; whole answers are read in `kinds/test_number.py`."""

from __future__ import annotations

import time

import pytest

from reasoning.grading.extraction.found_answer import How
from reasoning.grading.numbers.numbers import (
    every_number,
    is_number_alone,
    last_number,
    stated_number,
)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("16 - 3 = 13 eggs", "13"),
        ("2x = 36, x = 18", "18"),
        ("minus 7", "-7"),
        ("half of it", "0.5"),
        ("– 3 below zero", "-3"),
    ],
)
def test_a_statement_comes_to_a_number(said: str, answer: str) -> None:
    found = stated_number(said, How.ANCHORED)
    assert (found.answer if found else "") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *(("He ate 5 of 12", "12"), ("so 1 / 2.", "0.5"), ("none", "")),
        ("The hall holds 56 chairs in 8 rows of 7.", "56"),
        ("60 miles per hour for 2 hours gives 120 miles.", "120"),
        ("She has 5 left. How many more does she need to get 12?", "5"),
        ("What is 4 times 12?", ""),
    ],
)
def test_the_last_number_is_read_from_the_end(text: str, answer: str) -> None:
    found = last_number(text, How.LAST_CANDIDATE)
    assert (found.answer if found else "") == answer


def test_every_number_has_both_its_readings() -> None:
    assert list(every_number("1,080 of 50%, -3.50")) == ["1080", "50", "0.5", "-3.5"]


def test_a_number_is_not_taken_for_one_in_other_surroundings() -> None:
    text = "1/2 1/3 1/2, 1 /2 3,5 3,5,7 1/2 " + "5" + " " * 60 + "1/2 " + "5" + " " * 60 + "1/3"
    assert {"0.5", "3.5", "5.5", "5", "3"} <= set(every_number(text))
    assert set(every_number(text * 2)) >= set(every_number(text))


@pytest.mark.parametrize("part", ["½", "(1", "1/2 "])
def test_numbers_of_a_long_text_that_repeats_itself_are_looked_up_once(part: str) -> None:
    """Read anew, 100,000 characters take about a second."""
    text = part * (100_000 // len(part))
    start = time.process_time()
    assert set(every_number(text))
    assert time.process_time() - start < 0.5


def test_a_number_alone_on_a_line() -> None:
    assert is_number_alone(" **$1,080.** ") and not is_number_alone("5 apples") and not is_number_alone("")
