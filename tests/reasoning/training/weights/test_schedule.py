"""The learning rate rises, and falls as its schedule says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.recipe.training import TrainingSection
from reasoning.training.weights.schedule import learning_rate


@given(
    st.integers(1, 300), st.integers(0, 50), st.sampled_from(["constant", "linear", "cosine"])
)  # fmt: skip
def test_the_rate_rises_to_its_peak_and_never_above(steps: int, warmup: int, schedule: Any) -> None:
    training = TrainingSection(learning_rate=0.5, warmup_steps=warmup, schedule=schedule)
    rates = [learning_rate(step, steps, training) for step in range(steps)]
    rise = min(warmup, steps)
    assert all(0 < rate <= 0.5 for rate in rates)
    assert rates[:rise] == sorted(rates[:rise])
    assert rates[rise:] == sorted(rates[rise:], reverse=True)
    assert math.isclose(max(rates), 0.5)


@pytest.mark.parametrize(("schedule", "half_way"), [("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)])
def test_schedules_are_what_they_are_called(schedule: Any, half_way: float) -> None:
    training = TrainingSection(learning_rate=1.0, warmup_steps=10, schedule=schedule)
    assert learning_rate(4, 110, training) == 0.5
    assert math.isclose(learning_rate(60, 110, training), half_way)
