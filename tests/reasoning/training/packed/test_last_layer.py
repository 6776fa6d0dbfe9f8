"""What nobody reads of the last layer is not computed, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.table import terms_of
from reasoning.training.objectives import Objective
from reasoning.training.packed.last_layer import leave_out_nothing, leave_out_unread, leaves_out_unread
from reasoning.training.prompt_sharing import can_pack, set_to
from tests.reasoning.training.losses.plain_losses import BATCH, READINGS, gradients, tiny_model
from tests.tiny_students import tiny_llama

pytestmark = pytest.mark.training

LEAVES_OUT = READINGS["packed, unread left out"]


def _tokens_of_feed_forwards(model: Any, section: ObjectiveSection) -> list[int]:
    """How many tokens each layer's feed-forward is given for `BATCH`."""
    given: list[int] = []
    assert set_to(model, LEAVES_OUT)
    for layer in model.model.layers:
        layer.mlp.register_forward_pre_hook(lambda _, hidden: given.append(hidden[0].shape[1]))
    objective = Objective(model.eval(), terms_of(section), 0, LEAVES_OUT)
    objective(tuple(BATCH), objective.counts(BATCH))
    return given


@pytest.mark.parametrize(
    ("section", "read"),
    [
        (ObjectiveSection(), 22 + 4),  # prompts and anchors, and the ends of two positives and two negatives
        (ObjectiveSection(loss="completion"), 12 + 4 + 4),  # of prompts the last
        (ObjectiveSection(representation="mean"), 35),  # everything
        (ObjectiveSection(loss="completion", contrastive_weight=0.0), 12 + 4),
    ],
    ids=["weighted", "completion", "mean", "completion alone"],
)
def test_the_last_layer_is_given_what_is_read(section: ObjectiveSection, read: int) -> None:
    *whole, last = _tokens_of_feed_forwards(tiny_model(), section)
    assert set(whole) == {sum(sample.length for sample in BATCH) + (13 if section.contrastive_weight else 0)}
    assert last == read


def test_without_a_packed_row_and_once_set_back_it_is_the_student_it_was() -> None:
    model = tiny_llama(40).eval()
    ids = torch.tensor([[5, 6, 7]])
    before = model(input_ids=ids).logits
    assert leave_out_unread(model) and leave_out_unread(model)
    assert torch.equal(model(input_ids=ids).logits, before)
    leave_out_nothing(model)
    leave_out_nothing(model)
    assert not leaves_out_unread(model)
    assert not model.model.layers[-1]._forward_pre_hooks and not model.model.layers[-1].mlp._forward_hooks


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])  # of which torch calls no hook
def test_a_layer_that_fails_leaves_nothing_behind(error: type[BaseException]) -> None:
    model = tiny_model().eval()
    assert set_to(model, LEAVES_OUT)
    objective = Objective(model, terms_of(ObjectiveSection()), 0, LEAVES_OUT)
    expected = gradients(model, objective(tuple(BATCH), objective.counts(BATCH))[0])

    def fails(*_: Any) -> None:
        raise error

    broken = model.model.layers[-1].mlp.register_forward_pre_hook(fails)
    with pytest.raises(error):
        objective(tuple(BATCH), objective.counts(BATCH))
    broken.remove()
    ids = torch.tensor([[5, 6, 7]])
    assert model(input_ids=ids).logits.shape[1] == 3
    for mine, theirs in zip(
        gradients(model, objective(tuple(BATCH), objective.counts(BATCH))[0]), expected, strict=True
    ):
        torch.testing.assert_close(mine, theirs)


class _Mixing(nn.Module):
    """A feed-forward that is none: a token's result depends on the others'."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden_BTD: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.inner(hidden_BTD + hidden_BTD.cumsum(1))
        return mixed


class _Pair(_Mixing):
    def forward(self, hidden_BTD: torch.Tensor) -> Any:
        return self.inner(hidden_BTD)[..., None]


@pytest.mark.parametrize("kind", [_Mixing, _Pair])
def test_a_student_whose_last_layer_is_of_another_kind_computes_it_whole(kind: type[_Mixing]) -> None:
    model = tiny_llama(40)
    model.model.layers[-1].mlp = kind(model.model.layers[-1].mlp)
    can_pack(model, 64)
    assert not leaves_out_unread(model)
