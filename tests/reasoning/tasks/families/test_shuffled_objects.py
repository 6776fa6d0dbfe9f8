"""Shuffled objects: reading, and the first wrong step of hand-written rationales."""

from __future__ import annotations

import random

import pytest

from reasoning.tasks.families import FAMILIES
from reasoning.tasks.families.shuffled_contexts import CONTEXTS
from reasoning.tasks.families.shuffled_objects import ShuffledObjects

QUESTION = (
    "Ada, Bo, and Cy are playing a game. At the start of the game, they are each holding a ball: Ada has a red ball, "
    "Bo has a gold ball, and Cy has an olive ball. As the game goes on, pairs of players trade balls. First, Bo and "
    "Ada swap balls. Finally, Ada and Cy swap balls. At the end of the game, Cy has the Which choice is true ? "
    "Answer Choices: (A) olive ball. (B) gold ball. (C) red ball."
)
FAMILY = FAMILIES["tracking_shuffled_objects"]
START = "Ada has the red ball, Bo has the gold ball, and Cy has the olive ball."
FIRST = "Bo and Ada swap, so Bo has the red ball and Ada has the gold ball."
SECOND = "Ada and Cy swap, so Ada has the olive ball and Cy has the gold ball."


def test_the_canonical_rationale_is_short_and_regular() -> None:
    worked = FAMILY.rationale(QUESTION)
    assert worked.text == f"{START} {FIRST} {SECOND} At the end Cy has the gold ball, choice B."
    assert worked.answer == "B"
    assert FAMILY.choices(QUESTION) == ("olive ball", "gold ball", "red ball")


@pytest.mark.parametrize(
    ("rationale", "step", "reason"),
    [
        (START.replace("gold", "red"), 0, "At the start, Bo has the gold ball, not the red ball."),
        (f"{START} Bo and Ada swap, so Bo has the gold ball.", 1, "After Bo and Ada swap, Bo has the red ball"),
        (f"{START} Bo and Cy swap, so Bo has the olive ball.", 1, "Swap 1 is between Bo and Ada."),
        (f"{START} {SECOND}", 1, "Swap 1 is between Bo and Ada."),
        (f"{START} {FIRST} {FIRST}", 2, "Swap 2 is between Ada and Cy."),
        (f"{START} {FIRST} {SECOND} {SECOND}", 3, "only 2 swaps"),
        (f"{START} {FIRST} Before the swap, Ada has the red ball.", 2, "Before this swap, Ada has the gold ball"),
        (f"{START} {FIRST} At the end Cy has the olive ball, choice A.", 2, "swap of Ada and Cy is missing"),
        (f"{START} {FIRST} {SECOND} At the end Cy has the gold ball, choice C.", 3, "choice B, not C"),
    ],
)
def test_the_first_wrong_step_is_found_and_named(rationale: str, step: int, reason: str) -> None:
    wrong = FAMILY.first_wrong_step(QUESTION, rationale)
    assert wrong is not None
    assert wrong.index == step
    assert reason in wrong.reason


def test_feedback_tells_who_holds_what_before_and_after_the_missed_swap() -> None:
    feedback = FAMILY.feedback(QUESTION, f"{START} {FIRST} Ada and Cy swap, so Ada has the gold ball.")
    assert feedback.rationale == (
        f"{START} {FIRST} Before the swap, Ada has the gold ball. Before the swap, Cy has the olive ball. "
        "Ada and Cy swap. Now Ada has the olive ball. Now Cy has the gold ball. As before, Bo has the red ball. "
        "At the end Cy has the gold ball, choice B."
    )


@pytest.mark.parametrize(
    "broken",
    [
        QUESTION.replace("(C) red ball", "(C) blue ball"),
        QUESTION.replace("Cy has the Which", "Di has the Which"),
        QUESTION.replace("Ada, Bo, and Cy are", "Ada, Ada, and Cy are"),
        QUESTION.replace(" Answer Choices:", ""),
    ],
)
def test_a_question_that_does_not_add_up_is_not_read(broken: str) -> None:
    assert FAMILY.parse(broken) is None


def test_no_item_of_a_context_hides_in_another() -> None:
    for context in CONTEXTS:
        assert not any(one != other and one in other for one in context.items for other in context.items)


def test_every_letter_is_the_answer_about_equally_often() -> None:
    rng = random.Random(0)
    answers = [ShuffledObjects().generate(rng)[1] for _ in range(900)]
    assert all(230 < answers.count(letter) < 370 for letter in "ABC")


def test_a_size_that_is_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match="3 to 5"):
        ShuffledObjects(objects=9)
