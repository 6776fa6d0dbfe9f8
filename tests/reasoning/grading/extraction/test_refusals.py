"""Texts that say there is no answer, and those that come to one after all."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.refusals import leaves_unsaid, refuses
from reasoning.records import AnswerKind


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I cannot solve this. 42 is given.", True),
        ("There isn't enough information about the 42 kids.", True),
        ("I am not sure whether Ann has 42.", True),
        ("I don't know the rest, but she has 42.", False),
        ("She has 42 and knows it.", False),
    ],
)
def test_a_refusal_without_an_answer_behind_it(text: str, refused: bool) -> None:
    assert refuses(text) is refused


@pytest.mark.parametrize(
    ("sentence", "unsaid"),
    [
        ("The question does not say how many of the 42 broke", True),
        ("The problem mentions 42 but doesn't say of what", True),
        ("She has 42; the problem doesn't say of what", False),
        ("The problem doesn't say it, so we take all 42", False),
    ],
)
def test_what_the_question_is_said_not_to_tell(sentence: str, unsaid: bool) -> None:
    assert leaves_unsaid(sentence, sentence.index("42")) is unsaid
    assert judged_answer(f"{sentence}.", AnswerKind.NUMBER).answer == ("" if unsaid else "42")
