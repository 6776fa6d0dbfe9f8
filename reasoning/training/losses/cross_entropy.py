"""The cross entropy of a student's logits, as a sum over the tokens that are targets."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from reasoning.training.losses.precision import at_least_float32

NOT_A_TARGET = -100


def cross_entropy_sum(logits_BTV: Tensor, targets_BT: Tensor, weights_BT: Tensor | None = None) -> Tensor:
    """Sum over the targets that are not `NOT_A_TARGET` of weight (1 by default) * cross entropy."""
    losses = functional.cross_entropy(
        at_least_float32(logits_BTV).flatten(0, 1),
        targets_BT.flatten(),
        ignore_index=NOT_A_TARGET,
        reduction="sum" if weights_BT is None else "none",
    )
    return losses if weights_BT is None else (losses * weights_BT.flatten().to(losses.dtype)).sum()
