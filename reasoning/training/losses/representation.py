"""A completion as one vector.

Owns: the table of ways (`learning.objective.representation`); the recipe repeats the names. The hidden states are those
of the columns of a completion, never the prompt's (paper A's `pool` leaves it out too): of all of it (`last`, `mean`),
or of the part that the sample says is compared, its reasoning (`rationale`) or the first step in which right and wrong
part (`divergence`); see `reasoning.training.mistakes.comparisons`. A row without any column gives a vector to be
ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from reasoning.training.losses.precision import at_least_float32

MIN_COLUMNS = 1e-6  # paper A's clamp of an empty mean


def representation(hidden_BTD: Tensor, completion_BT: Tensor, kind: str) -> Tensor:
    """(B, D), in float32 at least: one vector of the `hidden_BTD` where `completion_BT` is true."""
    return REPRESENTATIONS[kind](at_least_float32(hidden_BTD), completion_BT)


def last(hidden_BTD: Tensor, completion_BT: Tensor) -> Tensor:
    """The last of them: for a decoder that of the end of sequence."""
    columns_T = torch.arange(completion_BT.shape[1], device=completion_BT.device)
    last_B = torch.where(completion_BT, columns_T, 0).amax(dim=1)
    return hidden_BTD.gather(1, last_B[:, None, None].expand(-1, 1, hidden_BTD.shape[2]))[:, 0]


def mean(hidden_BTD: Tensor, completion_BT: Tensor) -> Tensor:
    """Their mean."""
    weights_BT = completion_BT.to(hidden_BTD.dtype)
    return torch.einsum("btd,bt->bd", hidden_BTD, weights_BT) / weights_BT.sum(1, keepdim=True).clamp(min=MIN_COLUMNS)


REPRESENTATIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "last": last,
    "mean": mean,
    "rationale": mean,
    "divergence": mean,
}
