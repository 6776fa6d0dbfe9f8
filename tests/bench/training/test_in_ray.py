"""The training that is compared inside and outside of Ray, rehearsed with a tiny student, without Ray."""

from __future__ import annotations

import pytest

from bench.training.in_ray import BATCH, QUESTIONS, Plain, training
from reasoning.training.report import LossPoint


@pytest.mark.training
def test_a_pass_tells_its_speed_and_every_loss() -> None:
    import torch

    points: list[LossPoint] = []
    turn = training("tiny", "both losses", torch.get_num_threads())(points.append, lambda: False)
    assert turn.speed > 0 and turn.user > 0
    steps = 2 * QUESTIONS["tiny"] // BATCH["tiny"]  # two rationales a question
    assert [point.step for point in points] == list(range(steps, 2 * steps))  # after the pass that warms up


@pytest.mark.training
def test_a_plain_process_is_asked_for_passes_and_ends() -> None:
    """Ten seconds: a process that imports torch."""
    side = Plain("tiny", "language model", 1)
    assert all(side.turn().speed > 0 for _ in range(2))
    side.end()
