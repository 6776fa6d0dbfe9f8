"""The pattern that our step is measured against computes our losses, so that both do the same work."""

from __future__ import annotations

import math

import pytest
import torch

from bench.training.reference_pattern import _contrastive_loss, _language_loss
from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.table import terms_of
from reasoning.training.objectives import Objective
from tests.reasoning.training.losses.plain_losses import APART, BATCH, tiny_model

pytestmark = pytest.mark.training


def test_it_computes_the_losses_of_the_method() -> None:
    model, section = tiny_model().float().eval(), ObjectiveSection(prompt_gradient=False)
    objective = Objective(model, terms_of(section), 0, APART)
    ours = objective(tuple(BATCH), objective.counts(BATCH))[1].tolist()
    device = torch.device("cpu")
    theirs = [
        _language_loss(model, BATCH, section.prompt_weight, device).item(),
        _contrastive_loss(model, BATCH, section.margin, device).item(),
    ]
    assert all(math.isclose(mine, other, abs_tol=1e-4) for mine, other in zip(ours, theirs, strict=True))
