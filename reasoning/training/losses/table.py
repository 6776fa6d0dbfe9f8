"""The table of losses: which terms a loss of the recipe trains a student with.

Owns: the names, and what follows for all losses alike (their total, which examples they can learn from). No torch when
imported. The recipe repeats the names, since it stands below: `reasoning.recipe.training.ObjectiveSection.loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.completion import completion
from reasoning.training.losses.contrastive import contrastive
from reasoning.training.losses.dpo import dpo
from reasoning.training.losses.full import full
from reasoning.training.losses.on_policy import on_policy
from reasoning.training.losses.self_distillation import self_distillation
from reasoning.training.losses.step_dpo import step_dpo
from reasoning.training.losses.term import Term
from reasoning.training.losses.weighted import weighted

if TYPE_CHECKING:
    from torch import Tensor

Value = TypeVar("Value", "float", "Tensor")

LOSSES: Mapping[str, Callable[[ObjectiveSection], tuple[Term, ...]]] = {
    "weighted": weighted,
    "full": full,
    "completion": completion,
    "contrastive": contrastive,
    "dpo": dpo,
    "step_dpo": step_dpo,
    "self_distillation": self_distillation,
    "on_policy": on_policy,
}


def terms_of(objective: ObjectiveSection) -> tuple[Term, ...]:
    """The terms of `objective`, in the order in which they are added up; their names are distinct."""
    return LOSSES[objective.loss](objective)


def total(terms: Sequence[Term], values: Sequence[Value]) -> Value:
    """What is trained: the weighted sum of the terms' `values`, one each, without those that are only measured."""
    first, *others = [
        value if term.weight == 1.0 else term.weight * value
        for term, value in zip(terms, values, strict=True)
        if term.weight > 0.0
    ]
    for value in others:
        first = first + value
    return first


def learns_from_mistakes_alone(terms: Sequence[Term]) -> bool:
    """Whether a question without a mistake, to compare with right answers, teaches nothing."""
    return all(
        term.needs.representations is not None or term.needs.pairs is not None for term in terms if term.weight > 0.0
    )
