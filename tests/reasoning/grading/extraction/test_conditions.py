"""What holds on a condition only is no answer where the condition is denied or left open."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.conditions import is_left_open, is_supposed, was_not_so
from reasoning.records import AnswerKind


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("If it was flipped once, yes. But the text does not say so, I cannot tell.", ""),
        ("If it was flipped once, no. But I can't say whether she really did it.", ""),
        ("Assuming nobody touched it, yes; however there is not enough information.", ""),
        ("Provided that she flipped it, no. Whether she did is unclear.", ""),
        ("If the water were cold, yes. But boiling water kills fish.", ""),
        ("If it were another fish, the answer would be yes. I don't know, however.", ""),
        ("If it is flipped twice, the answer is yes. But I cannot tell.", ""),
        ("So if it is flipped twice, the answer is yes. It is not known whether it is.", ""),
        ("If it had been flipped, the answer would be no.", ""),
        ("If Paul flipped it, the answer would be yes. He did not, so no.", "no"),
        ("If it is flipped twice, the answer is yes.", "yes"),
        ("If we boil it, it dies, so no. However, some bacteria survive.", "no"),
        ("If it is flipped an even number of times, yes. It was flipped twice. So yes.", "yes"),
        ("Since it was flipped twice, the answer is yes. But I can't be sure.", "yes"),
        ("So, the answer is no. But I cannot tell why.", "no"),
    ],
)
def test_yes_and_no_on_a_condition(text: str, answer: str) -> None:
    assert judged_answer(text, AnswerKind.YES_NO).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("If she had sold nothing, the answer would be 48.", ""),
        ("If she had sold nothing, the answer would be 48. But she sold 13, so it is 35.", "35"),
        ("If she sold none, the answer would be 48. However, she sold 13. So 35 are left.", "35"),
        ("If each costs 3 dollars, the total would be 12.", "12"),
        ("If he had 5 apples and gets 7, he would have 12.", "12"),
        ("If all are sold, the answer would be 48.", "48"),
    ],
)
def test_numbers_on_a_condition(text: str, answer: str) -> None:
    assert judged_answer(text, AnswerKind.NUMBER).answer == answer


def test_a_condition_must_begin_the_sentence() -> None:
    assert is_left_open("if so, yes. but who knows", 7)
    assert not is_left_open("it is so, yes. but who knows", 10)
    assert not is_left_open("if so, yes.", 7)
    assert is_supposed("if so, the answer would be 5. he did not", 11, would=True)
    assert not is_supposed("if so, the answer is 5. he did not", 11)
    assert was_not_so("if she had sold none, she would have ")
    assert not was_not_so("if she had seven, she would have ")
