"""Arithmetic: the stories, the first wrong step of hand-written rationales, and small steps."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reasoning.tasks.families import FAMILIES
from reasoning.tasks.families.arithmetic import Arithmetic
from reasoning.tasks.families.small_steps import calculate, equation, smaller

QUESTION = (
    "Ada has 24 apples. Ada gives 16 apples to Bo. Then Ada gets 3 more bags with 13 apples in each. "
    "How many apples does Ada have now?"
)
FAMILY = FAMILIES["arithmetic"]


def test_the_canonical_rationale_is_short_and_regular() -> None:
    worked = FAMILY.rationale(QUESTION)
    assert worked.text == (
        "Now Ada has 24 - 16 = 8 apples. The bags hold 3 × 13 = 39 apples. Now Ada has 8 + 39 = 47 apples. "
        "The answer is 47."
    )
    assert worked.answer == "47"


@pytest.mark.parametrize(
    ("rationale", "step", "reason"),
    [
        ("Now Ada has 24 - 16 = 7 apples.", 0, "24 - 16 is 8, not 7."),
        ("Now Ada has 24 - 61 = 7 apples.", 0, "The step here is 24 - 16, not 24 - 61."),
        ("Now Ada has 24 + 16 = 40 apples.", 0, "The step here is 24 - 16, not 24 + 16."),
        ("24 - 10 = 14. 14 - 4 = 11.", 0, "14 - 4 is 10, not 11."),
        ("24 - 16 = 8, 3 × 13 = 36, 8 + 36 = 44.", 1, "3 × 13 is 39, not 36."),
        ("24 - 16 = 8. 8 + 39 = 47.", 1, "The step here is 3 × 13, not 8 + 39."),
        ("24 - 16 = 8. 3 * 13 = 39.", 2, "The step 8 + 39 is missing."),
        ("13 x 3 = 39. 24 - 16 = 8. 39 + 8 = 47. The answer is 39.", 3, "the answer is 47, not 39"),
        ("13 x 3 = 39. 24 − 16 = 8. 39 + 8 = 47.\nAnswer: 48", 3, "answer 47, not 48"),
    ],
)
def test_the_first_wrong_step_is_found_and_named(rationale: str, step: int, reason: str) -> None:
    wrong = FAMILY.first_wrong_step(QUESTION, rationale)
    assert wrong is not None
    assert wrong.index == step
    assert reason in wrong.reason


def test_steps_may_come_in_another_order_where_none_needs_the_other() -> None:
    assert FAMILY.first_wrong_step(QUESTION, "3 × 13 = 39. 24 - 16 = 8. 8 + 39 = 47.\nAnswer: 47") is None
    texts = {FAMILY.rationale(QUESTION, random.Random(seed)).text for seed in range(40)}
    assert {text.index("3 × 13") < text.index("24 - 16") for text in texts} == {True, False}


def test_feedback_quotes_the_text_and_works_the_missed_step_out() -> None:
    feedback = FAMILY.feedback(QUESTION, "24 - 16 = 8. 3 × 13 = 36.")
    assert feedback.rationale == (
        "Now Ada has 24 - 16 = 8 apples. Then Ada gets 3 more bags with 13 apples in each. 10 × 3 = 30. 3 × 3 = 9. "
        "30 + 9 = 39. The bags hold 3 × 13 = 39 apples. Now Ada has 8 + 39 = 47 apples. The answer is 47."
    )


def test_numbers_and_steps_keep_to_their_bounds() -> None:
    family = Arithmetic((2, 4), largest=99, largest_result=999)
    rng = random.Random(1)
    counts = set()
    for _ in range(400):
        question, answer = family.generate(rng)
        calculations = family.parse(question).calculations
        counts.add(len(calculations))
        assert all(2 <= step.result <= 999 for step in calculations)
        assert int(answer) == calculations[-1].result
    assert counts == {2, 3, 4}


@pytest.mark.parametrize(
    "question",
    [
        "Ada has 4 apples. Ada loses 9 apples. How many apples does Ada have now?",
        "Ada has 7 apples. Ada shares the apples equally among 2 friends. How many apples does each friend get?",
        "Ada has 7 apples. Ada shares the apples equally among 0 friends. How many apples does each friend get?",
        "Ada loses 9 apples. How many apples does Ada have now?",
        "Ada has 4 apples. Ada loses 3 apples.",
        "Ada has 4 apples. Bo has 3 more apples than Cy. How many apples do they have together?",
        "Ada has 4 apples. Ada paints 3 apples. How many apples does Ada have now?",
    ],
)
def test_a_story_without_a_solution_is_not_read(question: str) -> None:
    assert FAMILY.parse(question) is None


@pytest.mark.parametrize("sizes", [{"steps": (3, 2)}, {"steps": (0, 2)}, {"largest": 5}, {"largest_result": 100}])
def test_impossible_sizes_are_refused(sizes: dict) -> None:
    with pytest.raises(ValueError, match="need"):
        Arithmetic(**sizes)


@given(left=st.integers(0, 999), right=st.integers(0, 99), op=st.sampled_from("+-×÷"))
@example(left=1, right=21, op="+")
def test_small_steps_are_true_smaller_and_lead_to_the_result(left: int, right: int, op: str) -> None:
    if op == "-":
        left += right
    if op == "÷":
        right = max(1, right)
        left -= left % right
    parts = smaller(left, op, right)
    whole = equation(left, op, right)
    for part in parts:
        assert calculate(part.left, part.op, part.right) == part.result >= 0
        assert not part.same_terms(whole)
    if parts and op != "÷":
        assert parts[-1].result == whole.result
    if len(parts) > 1 and op == "÷":
        assert parts[-1].result == whole.result
