"""Coin flip: the first wrong step of hand-written rationales."""

from __future__ import annotations

import pytest

from reasoning.tasks.families import FAMILIES

QUESTION = (
    "A coin is heads up. Ka flips the coin. Jose Antonio does not flip the coin. Kate flips the coin. "
    'Is the coin still heads up? Note that "flip" here means "reverse".'
)
FAMILY = FAMILIES["coin_flip"]


def test_the_canonical_rationale_is_short_and_regular() -> None:
    assert FAMILY.rationale(QUESTION).text == (
        "The coin is heads up. Ka flips the coin, so it is tails up. Jose Antonio does not flip the coin, so it stays "
        "tails up. Kate flips the coin, so it is heads up. So the coin is heads up."
    )
    assert FAMILY.rationale(QUESTION).answer == "yes"


@pytest.mark.parametrize(
    ("rationale", "step", "reason"),
    [
        ("The coin is tails up. Ka flips the coin, so it is heads up.", 0, "heads up, not tails up"),
        ("Ka flips the coin, so it is heads up.", 1, "Ka flips the coin and it was heads up, so it is tails up"),
        ("Ka does not flip the coin, so it stays heads up.", 1, "Ka flips the coin."),
        (
            "Ka flips the coin, so it is tails up. Kate flips the coin, so it is heads up.",
            2,
            "of Jose Antonio is missing",
        ),
        ("Ka flips it: tails up. Ka flips it: tails up.", 1, "of Ka is done twice"),
        ("Ka flips the coin, so it is tails up. Bo flips the coin, so it is heads up.", 2, "does not mention Bo"),
        ("Ka flips the coin. A flip turns heads into heads.", 1, "A flip turns heads into tails"),
        ("Ka flips it: tails up. Before Jose Antonio, the coin is heads up.", 2, "is tails up, not heads up"),
        ("Ka flips it: tails up. Jose Antonio does not flip it: tails up.", 3, "of Kate is missing"),
        ("Ka flips it: tails up. So the coin is heads up.", 2, "of Jose Antonio is missing"),
        (
            "Ka flips it: tails up. Jose Antonio does not flip it: tails up. Kate flips it. It ends tails up.",
            4,
            "the end",
        ),
        ("", 1, "of Ka is missing"),
    ],
)
def test_the_first_wrong_step_is_found_and_named(rationale: str, step: int, reason: str) -> None:
    wrong = FAMILY.first_wrong_step(QUESTION, rationale)
    assert wrong is not None
    assert wrong.index == step
    assert reason in wrong.reason


def test_feedback_works_out_the_missed_step_and_no_other() -> None:
    mistake = "Ka flips the coin, so it is tails up. Jose Antonio does not flip the coin, so it is heads up."
    feedback = FAMILY.feedback(QUESTION, mistake)
    assert feedback.rationale == (
        "The coin is heads up. Ka flips the coin, so it is tails up. Before Jose Antonio, the coin is tails up. "
        "Jose Antonio does not flip the coin. Nothing changes. So it stays tails up. "
        "Kate flips the coin, so it is heads up. So the coin is heads up."
    )


def test_words_of_a_recorded_model_are_judged_too() -> None:
    text = (
        "\n\nKa flips the coin, so the coin is now tails up.\nJose Antonio leaves the coin alone. \n"
        "Kate flips the coin, so the coin is now tails up."
    )
    wrong = FAMILY.first_wrong_step(QUESTION, text)
    assert wrong is not None and wrong.index == 3 and "heads up, not tails up" in wrong.reason


def test_two_people_of_one_name_are_two_steps() -> None:
    question = QUESTION.replace("Kate", "Ka")
    assert FAMILY.first_wrong_step(question, FAMILY.rationale(question).text) is None
