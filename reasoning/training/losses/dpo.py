"""The loss `dpo`: the completion, and a preference for a right answer over the student's own wrong one.

- log sigmoid(beta * ((log p(right) - log q(right)) - (log p(wrong) - log q(wrong)))), p the student that is trained, q
the student before this training; the mean over the pairs of a batch.

Source: Direct Preference Optimization, arXiv 2305.18290.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Needs, Pairs, StudentOutput, Term
from reasoning.training.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Preference:
    """The mean of `preference_losses` over the pairs of a batch."""

    weight: float
    beta: float
    pairs: Pairs
    name: str = "reflection"

    @property
    def needs(self) -> Needs:
        return Needs(pairs=self.pairs)

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        return int(sample.pair is not None)

    def sum(self, output: StudentOutput) -> Tensor:
        if output.log_probabilities is None or output.reference is None:
            return output.cross_entropy.new_zeros(())
        return preference_losses(output.log_probabilities, output.reference, self.beta).sum()


def dpo(objective: ObjectiveSection) -> tuple[Term, ...]:
    return preferring(objective, Pairs("whole"))


def preferring(objective: ObjectiveSection, pairs: Pairs) -> tuple[Term, ...]:
    """The terms of a loss that prefers the right one of such `pairs`."""
    language = LanguageModel(0.0, counts_prompt=False, weight=objective.language_weight)
    return language, Preference(objective.contrastive_weight, objective.beta, pairs)


def preference_losses(log_probabilities_P2: Tensor, reference_P2: Tensor, beta: float) -> Tensor:
    """The loss of each pair, shape (P,), from the log-probabilities of right and wrong."""
    from torch.nn import functional

    gained_P2 = log_probabilities_P2 - reference_P2
    return -functional.logsigmoid(beta * (gained_P2[:, 0] - gained_P2[:, 1]))
