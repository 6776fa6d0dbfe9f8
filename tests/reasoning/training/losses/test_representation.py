"""A completion's vector is made of its own columns, and of all of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.representation import REPRESENTATIONS, representation

HIDDEN = torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
COMPLETION = torch.tensor([[False, True, True, False]])


@pytest.mark.parametrize(("kind", "vector"), [("last", [3.0, 6.0]), ("mean", [2.0, 4.0]), ("rationale", [2.0, 4.0])])
def test_it_is_the_last_column_or_the_mean(kind: str, vector: list[float]) -> None:
    assert representation(HIDDEN, COMPLETION, kind).tolist() == [vector]
    assert representation(HIDDEN.bfloat16(), COMPLETION, kind).dtype == torch.float32


def test_the_recipe_names_those_of_the_table() -> None:
    assert set(get_args(ObjectiveSection.model_fields["representation"].annotation)) == set(REPRESENTATIONS)


@pytest.mark.parametrize("kind", REPRESENTATIONS)
def test_a_representation_of_nothing_is_finite(kind: Any) -> None:
    vectors = representation(torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), kind)
    assert vectors.shape == (2, 4)
    assert torch.isfinite(vectors).all()
