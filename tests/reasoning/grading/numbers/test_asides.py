"""What a text says besides its number."""

from __future__ import annotations

import pytest

from reasoning.grading.numbers.asides import is_said_besides, without_aside


@pytest.mark.parametrize(
    "line",
    ["He has 12 (7 + 5).", "He has 12, as 7 and 5 make 12", "He has 12 because he had 7.", "**12** (confidence: 90%)"],
)
def test_an_aside_is_told_from_the_number_before_it(line: str) -> None:
    whole, rest = without_aside(line)
    assert whole == line
    assert rest.strip("*").endswith("12")


@pytest.mark.parametrize("line", ["Because he had 7, he has 12", "12 because he had 7, so now 5", "(7 + 5)"])
def test_what_is_no_aside_stays(line: str) -> None:
    assert without_aside(line) == ("", line)


def test_a_comparison_is_dropped() -> None:
    assert without_aside("It is 52, which is 4 more than 48") == ("", "It is 52")


def test_sentences_that_say_nothing_of_the_number() -> None:
    assert all(map(is_said_besides, ["Let me know if 2 is unclear!", "(Note: there are 16 eggs.)", "Step 3: the sum"]))
    assert not is_said_besides("So 12 are left.")
