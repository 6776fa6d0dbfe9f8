"""A sum of weighted cross entropies, in float32 at least, over the targets alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from reasoning.training.losses.cross_entropy import NOT_A_TARGET, cross_entropy_sum, hidden_cross_entropy_sum
from reasoning.training.losses.precision import at_least_float32

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


PIECES = [
    (tied, weighted, dtype)
    for tied in (False, True)
    for weighted in (False, True)
    for dtype in (torch.float32, torch.float64, torch.bfloat16)
]


@pytest.mark.parametrize(("bias", "weighted", "dtype"), PIECES, ids=str)
def test_piece_by_piece_gives_the_value_and_gradients_of_the_whole(
    bias: bool, weighted: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, 30, bias=bias, dtype=dtype)
    hidden = torch.randn(17, 8, dtype=dtype, requires_grad=True)
    targets = torch.randint(0, 30, (17,))
    targets[3] = NOT_A_TARGET
    weights = torch.rand(17) if weighted else None
    takes = [hidden, *head.parameters()]
    found = []
    for at_once in (17 * 30, 5 * 30, 1):
        loss = hidden_cross_entropy_sum(hidden, head, list(head.parameters()), 30, targets, weights, at_once=at_once)
        found.append([loss.detach(), *torch.autograd.grad(loss * 0.5, takes)])
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 2e-2}[dtype]
    for pieces in found[1:]:
        for mine, theirs in zip(pieces, found[0], strict=True):
            assert mine.dtype == theirs.dtype
            torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def test_a_frozen_head_and_a_pass_without_gradient_are_read_in_pieces_too() -> None:
    head = nn.Linear(8, 30).requires_grad_(False)
    hidden, targets = torch.randn(17, 8, requires_grad=True), torch.randint(0, 30, (17,))
    whole = cross_entropy_sum(head(hidden), targets)
    loss = hidden_cross_entropy_sum(hidden, head, [], 30, targets, at_once=90)
    torch.testing.assert_close(loss, whole)
    for mine, theirs in zip(torch.autograd.grad(loss, hidden), torch.autograd.grad(whole, hidden), strict=True):
        torch.testing.assert_close(mine, theirs)
    with torch.no_grad():
        measured = hidden_cross_entropy_sum(hidden, head, [], 30, targets, at_once=90)
    assert not measured.requires_grad
    torch.testing.assert_close(measured, whole.detach())


class _Largest(TorchDispatchMode):
    """Watches how many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else [made]:
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return made


def test_a_vocabulary_of_150000_is_never_whole() -> None:
    """320 tokens of it are 48 million logits. What remains as large is the gradient of the head itself."""
    vocabulary, tokens, width = 150_000, 320, 8
    head = nn.Linear(width, vocabulary, bias=False)
    hidden, targets = torch.randn(tokens, width, requires_grad=True), torch.randint(0, vocabulary, (tokens,))
    with _Largest() as whole:
        cross_entropy_sum(head(hidden), targets).backward()
    with _Largest() as pieces:
        hidden_cross_entropy_sum(hidden, head, [head.weight], vocabulary, targets, at_once=2**22).backward()
    assert whole.numbers == tokens * vocabulary
    assert pieces.numbers <= 2**22


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_losses_are_computed_in_float32_at_least(given: torch.dtype, computed: torch.dtype) -> None:
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == computed
