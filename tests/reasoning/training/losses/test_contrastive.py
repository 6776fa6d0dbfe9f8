"""The loss `contrastive`: triplets alone are trained, the rationales only measured."""

from __future__ import annotations

import math

import torch

from reasoning.recipe.training import ObjectiveSection
from tests.reasoning.training.losses.plain_losses import batch_loss, loss_from_labels, tiny_model


def test_the_language_model_loss_is_measured_and_not_trained() -> None:
    model = tiny_model()
    total, named = batch_loss(model, ObjectiveSection(loss="contrastive", contrastive_weight=2.0))
    assert math.isclose(total.item(), 2.0 * named["triplet"], abs_tol=1e-9)
    assert math.isclose(named["lm"], loss_from_labels(model, hides_prompt=True), abs_tol=1e-6)
    (unused,) = torch.autograd.grad(total, [model.get_output_embeddings().weight], allow_unused=True)
    assert unused is None or not unused.any()
