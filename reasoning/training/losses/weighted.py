"""The loss `weighted`: every token, the prompt's at `prompt_weight` (paper A), and the triplet term.

Divided by the count of predicted tokens, prompts included.
"""

from __future__ import annotations

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Term
from reasoning.training.losses.triplet import triplet


def weighted(objective: ObjectiveSection) -> tuple[Term, ...]:
    return LanguageModel(objective.prompt_weight, counts_prompt=True), *triplet(objective)
