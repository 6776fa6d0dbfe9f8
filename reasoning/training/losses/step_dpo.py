"""The loss `step_dpo`: as `dpo`, of the first wrong step of a student's answer and the right one in its place.

Both follow the student's own words up to there, and end with the step: what is preferred is a step and not an answer.
Where the step is, is found by `reasoning.training.mistakes.partings`.

Source: Step-DPO, arXiv 2406.18629.
"""

from __future__ import annotations

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.dpo import preferring
from reasoning.training.losses.term import Pairs, Term


def step_dpo(objective: ObjectiveSection) -> tuple[Term, ...]:
    return preferring(objective, Pairs("step"))
