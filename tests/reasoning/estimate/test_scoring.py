"""What a teacher with logits has left to read, beside what it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning.estimate.scoring import scoring_note
from reasoning.recipe.learning import LearningSection
from reasoning.rounds.phase_order import Phase, PhaseRecord

pytestmark = pytest.mark.quick


def learning(loss: str = "on_policy", **more: Any) -> LearningSection:
    return LearningSection.model_validate(
        {"rounds": 2, "exam": {"questions": 100, "samples": 4}, "objective": {"loss": loss}, **more}
    )


def done(*phases: tuple[int, Phase], attempts: int = 360) -> list[PhaseRecord]:
    return [
        PhaseRecord(round, phase, 1.0, {"attempts": attempts} if phase is Phase.EXAM else {}) for round, phase in phases
    ]


ROUND_0 = [(0, Phase.FEEDBACK), (0, Phase.SELECT), (0, Phase.TRAIN), (0, Phase.EVALUATE)]


@pytest.mark.parametrize(
    ("train", "phases", "said"),
    [
        (1000, [], "In rounds 1 to 2 the teacher also reads"),
        (1000, [], " 800 requests at most"),
        (50, [], " 400 requests at most"),  # fewer questions than an exam could ask
        (1000, [*ROUND_0, (1, Phase.EXAM)], " 760 requests at most"),  # one exam is over
        (1000, [*ROUND_0, (1, Phase.EXAM), (1, Phase.FEEDBACK)], "In round 2 the teacher also reads"),
    ],
)
def test_what_is_left_to_score_is_told(train: int, phases: list[tuple[int, Phase]], said: str) -> None:
    (note,) = scoring_note(learning(), train, done(*phases))
    assert said in note


def test_nothing_is_told_where_nothing_is_scored() -> None:
    assert scoring_note(learning("dpo"), 1000, []) == ()
    assert scoring_note(learning(rounds=0), 1000, []) == ()
    assert scoring_note(learning(rounds=0), 1000, done(*ROUND_0)) == ()
