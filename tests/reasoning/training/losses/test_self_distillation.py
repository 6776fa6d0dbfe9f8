"""The divergence of `self_distillation`: its formula, in parts as in whole, and who counts."""

from __future__ import annotations

import pytest
import torch

from reasoning.training.losses import self_distillation
from reasoning.training.losses.self_distillation import SelfDistillation, divergence_sum
from reasoning.training.samples import Pair, Sample


def test_it_is_the_divergence_from_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    own, shown = torch.randn(7, 5, dtype=torch.float64, requires_grad=True), torch.randn(7, 5, dtype=torch.float64)
    p, q = torch.softmax(shown, dim=-1), torch.softmax(own, dim=-1)
    expected = (p * (p / q).log()).sum()
    (slope,) = torch.autograd.grad(expected, own, retain_graph=True)
    for at_once in (1, 3, 512):
        monkeypatch.setattr(self_distillation, "TOKENS_AT_ONCE", at_once)
        found = divergence_sum(own, shown)
        assert float(found.detach()) == pytest.approx(float(expected.detach()))
        torch.testing.assert_close(torch.autograd.grad(found, own)[0], slope)
    assert float(divergence_sum(shown, shown)) == pytest.approx(0.0, abs=1e-9)


def test_bfloat16_is_computed_in_float32() -> None:
    assert divergence_sum(torch.zeros(2, 3).bfloat16(), torch.ones(2, 3).bfloat16()).dtype == torch.float32


def test_every_token_of_an_attempt_counts() -> None:
    term = SelfDistillation(0.5)
    counted = [Sample((5,), (8, 1), pair=Pair((8, 1), (9, 4, 1))), Sample((5,), (8, 1), (9, 1), (7, 1))]
    assert [term.count(sample, encoder_decoder=False) for sample in counted] == [3, 0]
