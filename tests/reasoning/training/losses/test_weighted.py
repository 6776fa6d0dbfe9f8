"""The loss `weighted`: prompts count by their weight, and stay in the denominator whatever they weigh."""

from __future__ import annotations

import math

import pytest

from reasoning.recipe.training import ObjectiveSection
from tests.reasoning.training.losses.plain_losses import BATCH, batch_loss, loss_from_labels, tiny_model


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_prompt_counts_by_its_weight(weight: float) -> None:
    model = tiny_model()
    _, named = batch_loss(model, ObjectiveSection(prompt_weight=weight))
    completions = sum(len(sample.anchor) for sample in BATCH)
    predicted = sum(sample.length - 1 for sample in BATCH)
    all_tokens = loss_from_labels(model, hides_prompt=False) * predicted
    of_completions = loss_from_labels(model, hides_prompt=True) * completions
    expected = (weight * (all_tokens - of_completions) + of_completions) / predicted
    assert math.isclose(named["lm"], expected, abs_tol=1e-6)


def test_the_triplet_term_is_added_by_its_weight() -> None:
    model = tiny_model()
    for weight in (0.5, 2.0):
        total, named = batch_loss(model, ObjectiveSection(contrastive_weight=weight))
        assert named["triplet"] > 0
        assert math.isclose(total.item(), named["lm"] + weight * named["triplet"], abs_tol=1e-9)
