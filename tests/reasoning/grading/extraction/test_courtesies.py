"""Good manners at a text's end are not what it says."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.courtesies import without_courtesy
from reasoning.records import AnswerKind

OPTIONS = ("garage", "bedroom", "river")


@pytest.mark.parametrize(
    "courtesy",
    [
        *("Hope this helps!", "I hope this is clear.", "Let me know if you need more of the 20 answers."),
        *("Would you like me to explain why (A) fails?", "Feel free to ask!", "Thanks!", "Good luck with part A!"),
        *("Is there anything else I can help with?", "If you have any questions, just ask.", "\nHope that helps 😊"),
    ],
)
def test_courtesies_are_no_answer(courtesy: str) -> None:
    assert without_courtesy(f"B. {courtesy}") == "B."
    assert judged_answer(f"B. {courtesy}", AnswerKind.CHOICE, OPTIONS).answer == "B"
    assert judged_answer(f"So there are 35 left. {courtesy}", AnswerKind.NUMBER).answer == "35"


@pytest.mark.parametrize("text", ["I hope it rains.", "Thanks!", "Hope this helps!", "He feels free.", "B. I hope so."])
def test_what_a_text_says_stays(text: str) -> None:
    assert without_courtesy(text) == text
