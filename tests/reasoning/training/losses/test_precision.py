"""Half precision is widened, wider ones stay."""

from __future__ import annotations

import pytest
import torch

from reasoning.training.losses.precision import at_least_float32


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
