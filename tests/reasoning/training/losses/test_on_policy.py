"""The divergence of `on_policy`: its formula over listed tokens and the rest, in parts as in whole, and who counts."""

from __future__ import annotations

import math
from array import array

import pytest
import torch

from reasoning.training.losses import on_policy
from reasoning.training.losses.on_policy import LEAST_REST, OnPolicy, scored_divergence_sum
from reasoning.training.samples import Pair, Sample, Scores


def plain(own: torch.Tensor, listed: list[list[int]], teacher: torch.Tensor, weight: float) -> torch.Tensor:
    """Token by token, as the definition has it: listed tokens and one bucket for all others. float64."""
    losses = []
    for row, ids in enumerate(listed):
        known = [place for place, token in enumerate(ids) if 0 <= token < own.shape[1]]
        q_all = torch.softmax(own[row], dim=-1)
        p = torch.stack([teacher[row, place].exp() for place in known])
        q = torch.stack([q_all[ids[place]] for place in known])
        rests = [torch.clamp(1 - one.sum(), min=LEAST_REST) for one in (p, q)]
        p, q = (torch.cat([one, rest[None]]) for one, rest in zip((p, q), rests, strict=True))
        if weight in (0.0, 1.0):
            losses.append((p * (p / q).log()).sum() if weight == 0.0 else (q * (q / p).log()).sum())
            continue
        m = weight * p + (1 - weight) * q
        losses.append(weight * (p * (p / m).log()).sum() + (1 - weight) * (q * (q / m).log()).sum())
    return torch.stack(losses).sum()


LISTED = [[0, 4, 8], [2, 1, -1], [11, 3, 0], [5, 6, 40], [7, -1, -1]]  # 40: a token that the student does not have


@pytest.mark.parametrize("interpolation", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_it_is_the_divergence_over_what_is_listed_and_the_rest(
    interpolation: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    own = (3 * torch.randn(5, 12, dtype=torch.float64)).requires_grad_()
    whole = torch.log_softmax(2 * torch.randn(5, 41, dtype=torch.float64), dim=-1)
    listed = torch.tensor(LISTED)
    teacher = whole.gather(1, listed.clamp(min=0)).masked_fill(listed < 0, -9999.0)
    expected = plain(own, LISTED, teacher, interpolation)
    (slope,) = torch.autograd.grad(expected, own, retain_graph=True)
    for at_once in (1, 2, 512):
        monkeypatch.setattr(on_policy, "TOKENS_AT_ONCE", at_once)
        found = scored_divergence_sum(own, listed, teacher, interpolation)
        assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-9)
        torch.testing.assert_close(torch.autograd.grad(found, own)[0], slope)


@pytest.mark.parametrize("interpolation", [0.0, 0.5, 1.0])
def test_with_every_token_listed_it_is_that_of_the_whole_distributions(interpolation: float) -> None:
    """The rest is then nothing, on both sides alike."""
    torch.manual_seed(1)
    own, other = torch.randn(4, 6, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    log_q, log_p = own.log_softmax(-1), other.log_softmax(-1)
    listed = torch.arange(6).expand(4, 6)
    p, q = log_p.exp(), log_q.exp()
    m = interpolation * p + (1 - interpolation) * q
    forward, reverse = (p * (log_p - log_q)).sum(), (q * (log_q - log_p)).sum()
    mixed = interpolation * (p * (log_p - m.log())).sum() + (1 - interpolation) * (q * (log_q - m.log())).sum()
    expected = {0.0: forward, 1.0: reverse}.get(interpolation, mixed)
    found = scored_divergence_sum(own, listed, log_p, interpolation)
    assert float(found) == pytest.approx(float(expected), abs=1e-9)
    assert float(scored_divergence_sum(own, listed, log_q, interpolation)) == pytest.approx(0.0, abs=1e-9)


def test_fewer_tokens_listed_never_make_more_of_it() -> None:
    torch.manual_seed(2)
    own, log_p = 2 * torch.randn(6, 30), torch.log_softmax(2 * torch.randn(6, 30), dim=-1)
    for interpolation in (0.0, 0.5, 1.0):
        found = []
        for count in (1, 3, 10, 29):
            teacher, listed = log_p.topk(count)
            found.append(float(scored_divergence_sum(own, listed, teacher, interpolation)))
        assert found == sorted(found) and found[0] > 0


def test_probabilities_that_are_rounded_to_more_than_one_leave_the_least_rest() -> None:
    teacher = torch.tensor([[math.log(0.6), math.log(0.400001)]], dtype=torch.float64)
    own = torch.tensor([[0.0, 0.0, 50.0]], dtype=torch.float64, requires_grad=True)
    found = scored_divergence_sum(own, torch.tensor([[0, 1]]), teacher, 1.0)
    assert float(found.detach()) == pytest.approx(-math.log(LEAST_REST), rel=1e-3)  # it is nearly all rest
    assert torch.isfinite(torch.autograd.grad(found, own)[0]).all()


def test_bfloat16_is_computed_in_float32() -> None:
    one = torch.zeros(2, 3).bfloat16(), torch.zeros(2, 1, dtype=torch.long), torch.full((2, 1), -1.0)
    assert scored_divergence_sum(*one, 0.5).dtype == torch.float32


def test_every_token_of_an_attempt_counts() -> None:
    term, scores = OnPolicy(0.5, 1.0), Scores(1, array("i", [9, 4, 1]), array("f", [-1.0] * 3))
    attempt = Pair((), (9, 4, 1), scores=scores)
    counted = [Sample((5,), (8, 1), pair=attempt), Sample((), (8, 1), pair=attempt), Sample((5,), (8, 1))]
    assert [term.count(sample, encoder_decoder=False) for sample in counted] == [3, 2, 0]
