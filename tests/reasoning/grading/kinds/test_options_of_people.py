"""What the one person has who is asked about, where a text tells of several."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.found_answer import NO_ANSWER
from reasoning.grading.kinds.options_of_people import option_of_person
from reasoning.records import AnswerKind

QUESTION = (
    "Ann, Bo and Cy have a thing each. Ann swaps with Bo. Then Bo swaps with Cy. At the end, Bo has the"
    " Answer Choices: (A) red cup (B) big hat (C) old map"
)
CHOICES = ("red cup", "big hat", "old map")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Ann has the big hat. Bo has the old map. Cy has the red cup.", "C"),
        ("- **Ann**: big hat\n- **Bo**: old map\n- **Cy**: red cup", "C"),
        ("Ann: B\nBo: C\nCy: A", "C"),
        ("Final: Ann (B), Bo (C), Cy (A).", "C"),
        ("Ann ends with the big hat; Bo ends with the old map; Cy ends with the red cup.", "C"),
        ("In the end, Bo has the old map. Cy has the red cup.", "C"),
        ("Bo gives Cy the red cup and gets the old map.", "C"),
        ("Cy gives Bo the old map.", "C"),
        ("Bo gets the red cup from Ann, then gets the old map.", "C"),
        ("Bo began with the big hat but gave it to Ann, so he has the old map.", "C"),
        ("Bo doesn't have the red cup, he has the old map.", "C"),
        ("Then Bo and Cy swap. Cy gives him the old map.", "C"),
        ("Bo has the red cup. Cy has the old map.", "A"),
        ("Cy has the old map in the end.", ""),
        ("Finally, Cy has the old map.", ""),
        ("Bo gives the old map to Cy and keeps nothing.", ""),
        ("Bo began with the big hat and gave it to Ann.", ""),
    ],
)
def test_what_the_person_asked_about_has(text: str, letter: str) -> None:
    assert judged_answer(text, AnswerKind.CHOICE, CHOICES, QUESTION).answer == letter


def test_what_is_not_about_people_is_left_as_it_is() -> None:
    assert option_of_person("Where is it?", "It is the old map.", CHOICES) is None
    assert option_of_person(QUESTION, "It is the old map.", CHOICES) is None
    assert option_of_person(QUESTION, "Cy is glad.", CHOICES) is None
    assert option_of_person("", "", ()) is None
    assert option_of_person(QUESTION, "Cy has the old map.", CHOICES) is NO_ANSWER
