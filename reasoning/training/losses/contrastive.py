"""The loss `contrastive`: the triplet term alone (paper A's `no`).

The language-model term is not trained, but measured as `completion` is.
"""

from __future__ import annotations

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Term
from reasoning.training.losses.triplet import triplet


def contrastive(objective: ObjectiveSection) -> tuple[Term, ...]:
    return LanguageModel(0.0, counts_prompt=False, weight=0.0), *triplet(objective)
