"""The first wrong step of a solution, and the same step of a right one, for every family."""

from __future__ import annotations

import random

import pytest

from reasoning.tasks.families import FAMILIES
from reasoning.tasks.families.parted_steps import family_of, parted_steps

COIN = "A coin is heads up. Ann flips the coin. Bob does not flip the coin. Is the coin still heads up?"
RIGHT = "Ann flips the coin, so it is tails up. Bob does not flip the coin, so it stays tails up."


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_finds_the_step_that_was_corrupted(name: str) -> None:
    family, rng = FAMILIES[name], random.Random(5)
    found = 0
    for _ in range(30):
        question, _ = family.generate(rng)
        right, wrong = family.rationale(question, rng).text, family.corrupt(question, rng).text
        assert family_of(question) is family
        parted = parted_steps(family, question, right, wrong)
        if parted is None:  # a slip that a family's reader passes over, or a step that the right one leaves unsaid
            continue
        found += 1
        mine, other = right[slice(*parted.right)], wrong[slice(*parted.wrong)]
        judged = family.first_wrong_step(question, wrong)
        assert judged is not None
        assert judged.sentence in (other, "")
        assert mine != other
        assert [s.right for s in family.said_steps(question, right) if s.start == parted.right[0]] == [True]
    assert found >= 25


@pytest.mark.parametrize(
    ("right", "wrong", "of_right", "of_wrong"),
    [
        (RIGHT, "Ann flips the coin, so it is heads up. Bob.", "Ann flips the coin, so it is tails up.",
         "Ann flips the coin, so it is heads up."),
        # In other words before, and worked out in smaller steps.
        ("At first the coin is heads up. Before Ann, the coin is heads up. Ann flips the coin. Now it is tails up.",
         "Ann flips it: heads up.", "Before Ann, the coin is heads up. Ann flips the coin.", "Ann flips it: heads up."),
        # Somebody is passed over: the sentence that comes too early is where it goes wrong.
        (RIGHT, "Bob does not flip the coin, so it stays heads up.", "Ann flips the coin, so it is tails up.",
         "Bob does not flip the coin, so it stays heads up."),
    ],
)  # fmt: skip
def test_coin_flips(right: str, wrong: str, of_right: str, of_wrong: str) -> None:
    parted = parted_steps(FAMILIES["coin_flip"], COIN, right, wrong)
    assert parted is not None
    assert (right[slice(*parted.right)], wrong[slice(*parted.wrong)]) == (of_right, of_wrong)


@pytest.mark.parametrize("wrong", [RIGHT, "", "I do not know."])
def test_nothing_wrong_is_no_place(wrong: str) -> None:
    assert parted_steps(FAMILIES["coin_flip"], COIN, RIGHT, wrong) is None


def test_a_question_of_no_family() -> None:
    assert family_of("Who flips the coin?") is None
