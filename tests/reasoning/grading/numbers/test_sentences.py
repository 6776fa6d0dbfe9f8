"""Which number of a whole sentence is what it comes to."""

from __future__ import annotations

import pytest

from reasoning.grading.numbers.sentences import SEVERAL, told_within, what_comes_of


def first(line: str) -> int:
    return next(place for place, char in enumerate(line) if char.isdigit())


@pytest.mark.parametrize(
    "line",
    [
        *("3 tins of 15 beans each make 45 beans", "50 pens less 5 pens leaves 45", "Half of 90 is 45"),
        *("3 bags with 15 nuts in each hold 45 nuts", "5 rows of 10 is 50, minus 5 is 45", "The 2 have 45 altogether"),
        *(
            "Each of 3 boys gets 15, so 45 are needed",
            "9 packs at 5 each, giving 45",
            "15 a day for 3 days comes to 45",
        ),
    ],
)
def test_a_verb_or_arithmetic_leads_to_the_last(line: str) -> None:
    assert line[what_comes_of(line, first(line)) :].startswith("45")


@pytest.mark.parametrize(
    "line",
    [
        *("45 beans in 3 tins", "45 is 15 more than 30", "45, so each of 3 boys gets 15", "45 of 90 are 15 years old"),
        *("45 beans, which make 3 tins", "45 beans because 3 tins hold 15 each", "45. Then 3 tins make 15"),
        *("45 (3 tins of 15 make it)", "45 = 3 tins make 15", "45"),
    ],
)
def test_what_follows_does_not_come_of_the_first(line: str) -> None:
    assert what_comes_of(line, 0) == 0


@pytest.mark.parametrize("line", ["45 cars need 180 wheels", "45 boys have 3 books", "45 tins weigh 9 kilograms"])
def test_two_that_nothing_tells_apart(line: str) -> None:
    assert what_comes_of(line, 0) == SEVERAL


@pytest.mark.parametrize(
    ("line", "within"),
    [
        ("In 3 hours she packs 45", True),
        ("Each of the 3 boys gets 45", True),
        ("After 3 days. Then 45", False),
        ("In 45 days", False),
        ("She packs 45 in 3 hours", False),
        ("45 in 3 hours", False),
    ],
)
def test_a_number_in_which_another_is_counted(line: str, within: bool) -> None:
    assert bool(told_within(line, first(line))) is within
