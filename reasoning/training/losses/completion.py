"""The loss `completion`: the completion, its first token and its end of sequence included, and the triplet term.

Divided by the count of the completion's tokens, so what `transformers` computes with labels of -100 on the prompt
(paper B). Paper A's `nograd` is this without the first token, which the last position of the prompt predicts.
"""

from __future__ import annotations

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Term
from reasoning.training.losses.triplet import triplet


def completion(objective: ObjectiveSection) -> tuple[Term, ...]:
    return LanguageModel(0.0, counts_prompt=False), *triplet(objective)
