"""The loss `full`: every token alike (paper A's `hf`), so the mean cross entropy, and the triplet term."""

from __future__ import annotations

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Term
from reasoning.training.losses.triplet import triplet


def full(objective: ObjectiveSection) -> tuple[Term, ...]:
    return LanguageModel(1.0, counts_prompt=True), *triplet(objective)
