"""The cross entropy of a student's tokens, as a sum over those that are targets.

Owns: how much of the logits exists at once. Of hidden states, logits are made a piece at a time, each with its
gradient, so that memory is bounded by a piece and no piece is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from reasoning.training.losses.precision import at_least_float32

NOT_A_TARGET = -100
LOGITS_AT_ONCE = {"cpu": 2**24, "cuda": 2**28}  # numbers: 64 MiB and a GiB of float32, several of which exist at once

Head = Callable[[Tensor], Tensor]


def cross_entropy_sum(logits_BTV: Tensor, targets_BT: Tensor, weights_BT: Tensor | None = None) -> Tensor:
    """Sum over the targets that are not `NOT_A_TARGET` of weight (1 by default) * cross entropy."""
    losses = functional.cross_entropy(
        at_least_float32(logits_BTV).flatten(0, -2),
        targets_BT.flatten(),
        ignore_index=NOT_A_TARGET,
        reduction="sum" if weights_BT is None else "none",
    )
    return losses if weights_BT is None else (losses * weights_BT.flatten().to(losses.dtype)).sum()


def hidden_cross_entropy_sum(
    hidden_PD: Tensor,
    head: Head,
    head_weights: Sequence[Tensor],
    vocabulary: int,
    targets_P: Tensor,
    weights_P: Tensor | None = None,
    *,
    at_once: int | None = None,
) -> Tensor:
    """`cross_entropy_sum` of the logits that `head` makes of `hidden_PD`, of which at most `at_once` numbers (by
    default what suits the device) exist at a time. `head_weights` are the weights of `head` that take a gradient."""
    rows = max(1, (at_once or LOGITS_AT_ONCE.get(hidden_PD.device.type, 2**24)) // vocabulary)
    if len(hidden_PD) <= rows:
        return cross_entropy_sum(head(hidden_PD), targets_P, weights_P)
    if not torch.is_grad_enabled():
        pieces = _pieces(hidden_PD, targets_P, weights_P, rows)
        return torch.stack(
            [cross_entropy_sum(head(hidden), targets, weights) for hidden, targets, weights in pieces]
        ).sum()
    return _PieceByPiece.apply(head, rows, targets_P, weights_P, hidden_PD, *head_weights)  # type: ignore[no-any-return]


def _pieces(
    hidden_PD: Tensor, targets_P: Tensor, weights_P: Tensor | None, rows: int
) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    """Of about equal length, at most `rows` each."""
    count = -(-len(hidden_PD) // rows)
    weights = weights_P.tensor_split(count) if weights_P is not None else [None] * count
    return list(zip(hidden_PD.tensor_split(count), targets_P.tensor_split(count), weights, strict=True))


class _PieceByPiece(torch.autograd.Function):
    """The sum and, since it is a scalar, its gradients at once: the backward pass only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        head: Head,
        rows: int,
        targets_P: Tensor,
        weights_P: Tensor | None,
        hidden_PD: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        of_hidden = torch.empty_like(hidden_PD)
        of_weights = [
            torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32)) for weight in weights
        ]
        sums, done = [], 0
        for hidden, targets, token_weights in _pieces(hidden_PD, targets_P, weights_P, rows):
            with torch.enable_grad():
                hidden = hidden.detach().requires_grad_()
                loss = cross_entropy_sum(head(hidden), targets, token_weights)
                found = torch.autograd.grad(loss, (hidden, *weights))
            of_hidden[done : done + len(hidden)] = found[0]
            for whole, part in zip(of_weights, found[1:], strict=True):
                whole += part
            sums.append(loss.detach())
            done += len(hidden)
        ctx.save_for_backward(of_hidden, *(g.to(w.dtype) for g, w in zip(of_weights, weights, strict=True)))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, None, *(gradient * upstream.to(gradient.dtype) for gradient in ctx.saved_tensors)
