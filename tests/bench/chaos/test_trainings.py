"""Killed trainings: what the harness draws and judges, and a few of them for real."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

import pytest

from bench.chaos.trainings import KINDS, fault, kind_of, moment, trainings

STEPS = list(range(72))


def test_ten_trainings_lose_everything_that_can_be_lost_at_moments_all_over() -> None:
    assert Counter(kind_of(number) for number in range(1, 11)) == {"worker": 4, "node": 3, "everything": 3}
    drawn = [moment(0, number, 72) for number in range(1, 11)]
    assert drawn == [moment(0, number, 72) for number in range(1, 11)]
    assert min(drawn) >= 2
    assert max(drawn) <= 67
    assert len({step // 24 for step in drawn}) == 3  # in each pass


@pytest.mark.parametrize(
    ("steps", "killed_at", "difference", "met", "wrong"),
    [
        ([*range(40), *range(33, 72)], 39, 1e-7, True, ""),
        ([*range(5), *range(72)], 4, 0.0, True, ""),  # before the first checkpoint
        ([*range(40), *range(72)], 39, 0.0, True, "it began again from its first step"),
        (STEPS, 39, 0.0, False, "nothing was there to be killed"),
        ([*range(40), *range(41, 72)], 39, 0.0, True, "some of its 71 steps are missing"),
        (STEPS, 39, 0.01, True, "its student differs by 1.0e-02"),
    ],
)
def test_a_training_is_wrong_when(steps: list[int], killed_at: int, difference: float, met: bool, wrong: str) -> None:
    assert fault(steps, killed_at, difference, met=met) == wrong


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", "fsdp"])
def test_a_training_that_is_killed_ends_in_the_undisturbed_student(sharding: str) -> None:
    """A worker, a node and everything, once each, and one that loses nothing: about five minutes on two cores, which
    start five clusters and eleven workers."""
    options = Namespace(runs=len(KINDS), first=1, seed=0, sharding=sharding, checkpoint_seconds=2.0, undisturbed=None)
    outcomes = trainings(options)
    assert [outcome.wrong for outcome in outcomes] == [""] * len(KINDS)
