"""The loss `full` is what `transformers` computes from labels: the mean over all predicted tokens."""

from __future__ import annotations

import math

import pytest

from reasoning.recipe.training import ObjectiveSection
from tests.reasoning.training.losses.plain_losses import VOCABULARY, batch_loss, loss_from_labels, tiny_model
from tests.tiny_t5 import tiny_t5


@pytest.mark.parametrize("kind", ["llama", "t5", "flan-t5"])
def test_it_is_the_loss_that_transformers_computes_from_labels(kind: str) -> None:
    model = tiny_model() if kind == "llama" else tiny_t5(VOCABULARY, tied=kind == "t5").double()
    total, named = batch_loss(model, ObjectiveSection(loss="full", contrastive_weight=0.0))
    assert math.isclose(total.item(), loss_from_labels(model, hides_prompt=False), abs_tol=1e-6)
    assert named == {"lm": total.item()}
