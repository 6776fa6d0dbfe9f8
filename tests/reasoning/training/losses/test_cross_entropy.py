"""A sum of weighted cross entropies, in float32 at least, over the targets alone."""

from __future__ import annotations

import math

import torch

from reasoning.training.losses.cross_entropy import NOT_A_TARGET, cross_entropy_sum

LOGITS = torch.tensor([[[0.0, math.log(3.0)], [math.log(3.0), 0.0], [5.0, 5.0]]])


def test_it_sums_over_targets_by_their_weights() -> None:
    targets = torch.tensor([[1, 1, NOT_A_TARGET]])
    assert math.isclose(cross_entropy_sum(LOGITS, targets).item(), math.log(4 / 3) + math.log(4), rel_tol=1e-6)
    weighted = cross_entropy_sum(LOGITS, targets, torch.tensor([[1.0, 0.25, 9.0]])).item()
    assert math.isclose(weighted, math.log(4 / 3) + 0.25 * math.log(4), rel_tol=1e-6)


def test_nothing_to_predict_sums_to_zero() -> None:
    targets = torch.full((1, 3), NOT_A_TARGET)
    assert cross_entropy_sum(LOGITS, targets).item() == 0.0


def test_it_is_summed_in_float32_whatever_the_logits_are() -> None:
    many = torch.zeros(1, 4096, 2, dtype=torch.bfloat16)
    found = cross_entropy_sum(many, torch.zeros(1, 4096, dtype=torch.long))
    assert found.dtype == torch.float32
    assert math.isclose(found.item(), 4096 * math.log(2), rel_tol=1e-4)
