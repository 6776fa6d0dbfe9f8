"""Which "yes" and "no" of a text is its answer, and how a row of data says it."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import extract, find_answer, is_answer
from reasoning.grading.kinds import KINDS
from reasoning.records import AnswerKind

YES_NO = AnswerKind.YES_NO
RULES = KINDS[YES_NO]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So it is tails up.\nAnswer: no", "no"),
        ("Answer: Yes.", "yes"),
        ("Answer: yes, the coin is still heads up. There is no doubt.", "yes"),
        ("Therefore, the answer (Yes or No) is NO.", "no"),
        ("**Answer: yes**", "yes"),
        ("The answer is True.", "yes"),
        ("No one flips it. Is it still heads up? Yes", "yes"),
        ("Yes, and then nobody, no one, flips it.", "yes"),
        ("Therefore, the answer (Yes or No) is not known.", ""),
        ("Nobody knows; the noes have it, yesterday.", ""),
    ],
)
def test_yes_or_no_is_read(text: str, answer: str) -> None:
    assert extract(text, YES_NO) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There is no evidence against it, so yes.", "yes"),
        ("Yes, it would. There is no other way.", "yes"),
        ("The answer is not true.", "no"),
        ("Answer: No. Wait, yes.", "yes"),
        ("The answer is no because he left", "no"),
        ("The answer is both Yes and No.", ""),
        ("The answer is yes or no", ""),
        ("There is no way to know", ""),
        ("Answer: no one can say", ""),
        # what was said last counts, though it is no answer
        ("If it is so, then the answer is no. But the answer is not known.", ""),
        ("So the answer could be yes. Therefore, the answer (Yes or No) is dependent on the case.", ""),
        ("The answer is not as simple as it seems.\n\nYes, it could.", "yes"),
    ],
)
def test_the_word_that_is_no_answer_and_what_was_said_last(text: str, answer: str) -> None:
    assert find_answer(text, YES_NO).answer == answer


def test_gold_answers() -> None:
    assert is_answer("yes", YES_NO) and is_answer("no", YES_NO)
    assert not is_answer("maybe", YES_NO) and not is_answer("YES", YES_NO)


def test_a_row_says_yes_or_no_in_its_ways() -> None:
    values = ("Yes.", "NO", True, False, "true", {"Yes": 0, "No": 1})
    assert [RULES.gold_in_row(value) for value in values] == ["yes", "no", "yes", "no", "yes", "no"]
    for value in ("maybe", 1, None, {"Yes": 1, "No": 1}, ""):
        with pytest.raises(ValueError, match="not yes or no"):
            RULES.gold_in_row(value)


def test_a_wrong_answer_is_the_other_one() -> None:
    assert RULES.wrong("yes", ()) == "no" and RULES.wrong("no", ()) == "yes"


@pytest.mark.parametrize(("value", "gold"), [("Y", "yes"), ("n", "no"), ("T", "yes"), ("F.", "no"), ("TRUE", "yes")])
def test_a_gold_may_be_a_letter(value: str, gold: str) -> None:
    assert RULES.gold_in_row(value) == gold


@pytest.mark.parametrize("value", [0, 1, "0", "1"])
def test_a_gold_of_0_or_1_is_refused_with_its_cure(value: object) -> None:
    with pytest.raises(ValueError, match="write true and false"):
        RULES.gold_in_row(value)
