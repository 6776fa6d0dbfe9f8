"""A number beside another: one of several, said again, or a part of it."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.found_answer import FoundAnswer, How
from reasoning.grading.numbers.quantities import quantity_at
from reasoning.grading.numbers.several_numbers import beside_another, unless_several
from reasoning.records import AnswerKind


def first_of(line: str) -> FoundAnswer:
    quantity = quantity_at(line, 0)
    assert quantity is not None
    return unless_several(line, FoundAnswer(quantity.answer, How.ANCHORED), quantity.end)


@pytest.mark.parametrize(
    "line",
    [
        *("5 or 7", "5 oder 7", "5 или 7", "5-7", "5, 4, 3", "5 and 3", "5 apples and 3 pears", "5 red, 3 blue"),
        *("5 for Ann and 3 for Bea", "5 kg and 3 metres", "5 days, 3 nights and 2 meals"),
    ],
)
def test_one_of_several_is_no_answer(line: str) -> None:
    assert first_of(line).answer == ""


@pytest.mark.parametrize(
    ("line", "answer", "also"),
    [
        ("5 apples and 3 are left", "5", ""),
        ("5 apples in 3 bags", "5", ""),
        ("5 apples, 3 of which are red", "5", ""),
        ("5 hours, or 300 minutes", "5", "300"),
        ("5 hours and 30 minutes", "5.5", "330"),
        ("5 dollars and 25 cents", "5.25", "525"),
        ("5 feet, 6 inches", "5.5", "66"),
        ("180 minutes, which is 3 hours", "180", "3"),
        ("65 miles per hour, or roughly 105 km/h", "65", "105"),
        ("$0.75 (75 cents)", "0.75", "75"),
        ("1/3, or 33.3%", "0.3333333333333333", "33.3"),
    ],
)
def test_one_with_what_belongs_to_it(line: str, answer: str, also: str) -> None:
    found = first_of(line)
    assert (found.answer, found.also) == (answer, also)


@pytest.mark.parametrize(
    ("line", "several"),
    [
        ("She has 5 apples and 3 pears", True),
        ("Ann has 5, Bea has 3", True),
        ("x = 5, y = 3", True),
        ("It lies between 5 and 3", True),
        ("He ate 5 and 3 are left", False),
        ("Ann had 5, Bea found 3", False),
        ("Of 5 there are 5", False),
    ],
)
def test_the_last_number_of_a_sentence_may_be_one_of_several(line: str, several: bool) -> None:
    start, end = line.index("5"), line.index("5") + 1
    found = beside_another(line, len(line) - 1 - line[::-1].index("3" if "3" in line else "5"), (start, end), FIVE)
    assert (found is not None) is several


FIVE = FoundAnswer("5", How.LAST_CANDIDATE)


@pytest.mark.parametrize(
    ("text", "answer", "also"),
    [
        ("She walks 2500 meters, or 2.5 kilometers.", "2500", "2.5"),
        ("It takes **180 minutes** (or 3 hours)", "180", "3"),
        ("It costs 240 cents, or $2.40.", "240", "2.4"),
        ("It is 25%, or 1 in 4.", "25", "0.25"),
        ("The share is 1/3, or 33.3%.", "0.3333333333333333", "33.3"),
        ("He fills 33 bags, with 1 apple left over.", "1", "33"),
        ("There are 5 apples or 7 apples.", "", ""),
        ("There are 5 apples, or maybe 7.", "", ""),
        ("Max is 10 years old, while Eva is 14 years old.", "", ""),
        ("Eva is 4 years older, and Max is 10.", "10", ""),
        ("He needs 12.5, or 13 boxes.", "13", ""),
        ("It takes 1 hour 30 minutes, or 1.5 hours.", "1.5", ""),
        ("The meals cost 7 times 3, or 21 dollars.", "21", ""),
    ],
)
def test_what_a_text_ends_in_is_an_alternative_or_said_again(text: str, answer: str, also: str) -> None:
    found = judged_answer(text, AnswerKind.NUMBER)
    assert (found.answer, found.also) == (answer, also)
