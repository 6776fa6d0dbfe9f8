"""The keys of an objective: which go together, and what they are of a run's identity."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reasoning.recipe.learning import LearningSection
from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection, TrainingSection


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"loss": "completion", "beta": 0.2}, "beta needs loss: dpo or step_dpo"),
        ({"loss": "self_distillation", "beta": 0.2}, "beta needs loss: dpo or step_dpo"),
        ({"loss": "dpo", "beta": 0.0}, "greater than 0"),
        ({"loss": "weighted", "language_weight": 0.5}, "language_weight needs loss: dpo, step_dpo, self_distillation"),
        ({"loss": "dpo", "language_weight": -1.0}, "greater than or equal to 0"),
        ({"loss": "dpo", "contrastive_weight": 0.0}, "is loss: completion"),
        ({"loss": "step_dpo", "representation": "mean"}, "representation is of the triplet loss"),
        ({"loss": "self_distillation", "margin": 0.5}, "margin is of the triplet loss"),
        ({"loss": "dpo", "prompt_gradient": False}, "prompt_gradient is of the triplet loss"),
        ({"loss": "dpo", "prompt_weight": 0.5}, "prompt_weight needs loss: weighted"),
        ({"loss": "dpo", "interpolation": 1.0}, "interpolation needs loss: on_policy"),
        ({"top_k": 5}, "top_k needs loss: on_policy"),
        ({"loss": "on_policy", "margin": 0.5}, "margin is of the triplet loss"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ObjectiveSection(**keys)


@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_losses_of_mistakes_need_them(loss: Any) -> None:
    if loss == "on_policy":  # which learns from every attempt
        assert LearningSection(objective=ObjectiveSection(loss=loss), self_reflection=False)
        return
    with pytest.raises(ValidationError, match=f"{loss} learns from mistakes: leave self_reflection on"):
        LearningSection(objective=ObjectiveSection(loss=loss), self_reflection=False)


def test_how_a_student_is_divided_is_no_part_of_what_it_learns() -> None:
    """A run that did not fit goes on with it, and the identity of one written before is what it was."""
    plain, divided = TrainingSection(), TrainingSection(sharding="fsdp", gradient_checkpointing=True)
    assert divided.identity() == plain.identity()
    assert "sharding" not in plain.model_dump() and divided.model_dump()["sharding"] == "fsdp"
    with pytest.raises(ValidationError, match=r"sharding: fsdp divides AdamW's moments.*take one of the two"):
        TrainingSection(sharding="fsdp", optimizer="adamw_8bit")


def test_an_objective_written_before_is_what_it_was() -> None:
    """Identities of runs and trainings are hashes of this."""
    assert ObjectiveSection().model_dump(mode="json") == {
        "loss": "weighted",
        "prompt_weight": 0.1,
        "contrastive_weight": 0.5,
        "margin": 1.0,
        "representation": "last",
        "prompt_gradient": True,
    }
    changed = ObjectiveSection(loss="dpo", beta=0.3, language_weight=0.5)
    assert ObjectiveSection.model_validate(changed.model_dump(mode="json")) == changed
