"""Of the numbers of several people that of the one who is asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import judged_answer
from reasoning.grading.numbers.named_counts import count_of_asked
from reasoning.records import AnswerKind

ANN = "Tom has twice as many apples as Ann. How many apples does Ann have?"


@pytest.mark.parametrize(
    "text",
    [
        *("Ann has 12 apples, and Tom has 24.", "Tom has 24 apples and Ann has 12 apples.", "Ann: 12, Tom: 24"),
        *("36 / 3 = 12. So Ann has 12 apples while Tom has 24 apples.", "Ann has 12; Tom has 24."),
    ],
)
def test_the_number_of_the_one_who_is_asked_about(text: str) -> None:
    assert judged_answer(text, AnswerKind.NUMBER, (), ANN).answer == "12"
    assert judged_answer(text, AnswerKind.NUMBER).answer == ""


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many more apples does Ann have than Tom?", "Ann has 12 apples, and Tom has 24."),
        ("How many apples do they have?", "Ann has 12 apples, and Tom has 24."),
        (ANN, "Ann gave 12 apples, and Tom has 24."),
        (ANN, "Ann has 12 or Tom has 24."),
        (ANN, "Ann has 12 fewer, and Tom has 24."),
        (ANN, "Ann has 12, Ann has 13 and Tom has 24."),
        (ANN, "I cannot tell. Ann has 12 and Tom has 24"),
    ],
)
def test_no_number_where_another_may_be_meant(question: str, text: str) -> None:
    assert count_of_asked(question, text) is None


def test_an_age_that_is_asked_for_with_what_is() -> None:
    found = count_of_asked(
        "They are 80 together. What is Peter's age?", "Paul is 30 years old, and Peter is 50 years old."
    )
    assert found is not None and found.answer == "50"


@given(st.text(st.sampled_from("How many doesAnn have?12,.:="), max_size=60), st.text("Ann has12,.;:=?\n", max_size=60))
def test_any_question_and_text(question: str, text: str) -> None:
    assert count_of_asked(question, text) is None or count_of_asked(ANN, "Ann has 1") is not None
