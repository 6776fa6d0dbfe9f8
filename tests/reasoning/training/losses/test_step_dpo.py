"""`step_dpo` is `dpo` of steps."""

from __future__ import annotations

from dataclasses import replace

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.dpo import Preference, dpo
from reasoning.training.losses.step_dpo import step_dpo
from reasoning.training.losses.term import Pairs


def test_it_prefers_steps() -> None:
    language, steps = step_dpo(ObjectiveSection(loss="step_dpo", beta=0.5))
    other, whole = dpo(ObjectiveSection(loss="dpo", beta=0.5))
    assert language == other
    assert isinstance(whole, Preference)
    assert steps == replace(whole, pairs=Pairs("step"))
