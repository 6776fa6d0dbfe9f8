"""Thirty runs lose every part, a third of them two, each at a moment of its life; the same draws lose the same."""

from __future__ import annotations

import random

import pytest

from bench.chaos.machines import Cluster
from bench.chaos.moments import PARTS, Lives, moment, victims


def drawn() -> list[tuple[str, ...]]:
    return [victims(number, PARTS, random.Random(number)) for number in range(1, 31)]


def test_every_part_is_killed_alone_and_in_a_third_of_the_runs_a_second_one() -> None:
    assert {parts[0] for parts in drawn() if len(parts) == 1} == set(PARTS) and len(PARTS) == 12
    assert [len(parts) for parts in drawn()].count(2) == 10
    assert drawn() == drawn()


def test_a_moment_is_one_of_the_parts_life() -> None:
    spans, chance = ((10.0, 12.0), (50.0, 56.0)), random.Random(0)
    found = [moment(spans, chance) for _ in range(2000)]
    early = [at for at in found if 10.0 <= at <= 12.0]
    assert len(early) / len(found) == pytest.approx(0.25, abs=0.04)
    assert all(50.0 <= at <= 56.0 for at in found if at not in early)


def test_the_life_of_a_part_is_noted_with_its_gaps() -> None:
    now = [0.0]
    lives = Lives(Cluster(workers=1, cpus=1, folder=None), clock=lambda: now[0])  # type: ignore[arg-type]  # not started
    for second in range(20):
        now[0] = float(second)
        lives.look(["engine"] if 3 <= second <= 6 or second >= 12 else [])
    now[0] = 21.0
    seen = lives.stop()
    assert seen["engine"] == ((3.0, 6.0), (12.0, 19.0)) and seen["head"] == ((0.0, 21.0),)
