"""Which weights are decayed."""

from __future__ import annotations

import pytest

from reasoning.recipe.training import TrainingSection
from reasoning.training.weights.choice import make_optimizer
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


def test_norms_and_biases_are_not_decayed() -> None:
    model = tiny_student().model
    decayed, free = make_optimizer(model, TrainingSection(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    norms = [parameter for name, parameter in model.named_parameters() if "norm" in name]
    assert {id(p) for p in free["params"]} == {id(p) for p in norms}
