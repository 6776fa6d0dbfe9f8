"""The loss `on_policy`: the student is drawn, along its own attempts, to what a teacher with logits would say next.

At every token of an attempt, D(teacher, student) = w KL(teacher || M) + (1 - w) KL(student || M) with the mixture M =
w teacher + (1 - w) student, the generalized Jensen-Shannon divergence; w is `interpolation`. Its ends are the plain
divergences, KL(teacher || student) for 0 and KL(student || teacher), the reverse one, for 1. The mean over the tokens
of a batch's attempts. No gradient goes through how the attempts were drawn.

Of the teacher only some tokens are known, its most likely ones and the one that the student took. Both distributions
are therefore compared over these tokens and one bucket for all others, which has the rest of the mass; a rest below
`LEAST_REST` counts as that, since the teacher's probabilities come rounded. This is the divergence of the
distributions so coarsened, and never more than that of the whole ones. A token that the student has no logit for
belongs to the rest.

Source: On-Policy Distillation of Language Models (GKD), arXiv 2306.13649.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Needs, Pairs, StudentOutput, Term
from reasoning.training.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor

LEAST_REST = 1e-6
TOKENS_AT_ONCE = 512  # whose distributions are in memory together, in float32
_NOTHING = -80.0  # the log-probability, on both sides, of a place without a token: e^-80, and no difference


@dataclass(frozen=True, slots=True)
class OnPolicy:
    """The mean of the divergence over the tokens of a batch's attempts."""

    weight: float
    interpolation: float
    name: str = "reflection"

    @property
    def needs(self) -> Needs:
        return Needs(pairs=Pairs("attempt", "scored_tokens"))

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        return sample.attempt_tokens

    def sum(self, output: StudentOutput) -> Tensor:
        if output.next_tokens is None or output.listed is None or output.teacher is None:
            return output.cross_entropy.new_zeros(())
        return scored_divergence_sum(output.next_tokens, output.listed, output.teacher, self.interpolation)


def on_policy(objective: ObjectiveSection) -> tuple[Term, ...]:
    language = LanguageModel(0.0, counts_prompt=False, weight=objective.language_weight)
    return language, OnPolicy(objective.contrastive_weight, objective.interpolation)


def scored_divergence_sum(logits_NV: Tensor, listed_NL: Tensor, teacher_NL: Tensor, interpolation: float) -> Tensor:
    """Sum over N tokens of D, from the student's logits, the ids of the tokens that the teacher lists (negative:
    none) and the log-probabilities that it gives them."""
    import torch
    from torch.utils.checkpoint import checkpoint

    parts = zip(*(whole.split(TOKENS_AT_ONCE) for whole in (logits_NV, listed_NL, teacher_NL)), strict=True)
    sums = [checkpoint(_divergence, *part, interpolation, use_reentrant=False) for part in parts]
    return torch.stack(sums).sum()


def _divergence(logits_CV: Tensor, listed_CL: Tensor, teacher_CL: Tensor, interpolation: float) -> Tensor:
    import torch

    from reasoning.training.losses.precision import at_least_float32

    own_CV = at_least_float32(logits_CV).log_softmax(dim=-1)
    vocabulary = own_CV.shape[1]
    known_CL = (listed_CL >= 0) & (listed_CL < vocabulary)
    places_CL = torch.where(known_CL, listed_CL, vocabulary)
    is_listed_CV = known_CL.new_zeros(len(own_CV), vocabulary + 1).scatter(1, places_CL, True)[:, :vocabulary]
    teacher_CL = teacher_CL.to(own_CV.dtype)
    least = math.log(LEAST_REST)
    rest_C1 = own_CV.masked_fill(is_listed_CV, -torch.inf).logsumexp(dim=1, keepdim=True).clamp(min=least)
    mass_C1 = teacher_CL.exp().masked_fill(~known_CL, 0.0).sum(dim=1, keepdim=True)
    teacher_rest_C1 = (1.0 - mass_C1).clamp(min=LEAST_REST).log()
    taken_CL = own_CV.gather(1, places_CL.clamp(max=vocabulary - 1))
    student = torch.cat([taken_CL.masked_fill(~known_CL, _NOTHING), rest_C1], dim=1)
    teacher = torch.cat([teacher_CL.masked_fill(~known_CL, _NOTHING), teacher_rest_C1], dim=1)
    if interpolation == 0.0:
        return _kl(teacher, student)
    if interpolation == 1.0:
        return _kl(student, teacher)
    mixture = torch.logaddexp(teacher + math.log(interpolation), student + math.log1p(-interpolation))
    return interpolation * _kl(teacher, mixture) + (1.0 - interpolation) * _kl(student, mixture)


def _kl(these: Tensor, those: Tensor) -> Tensor:
    return (these.exp() * (these - those)).sum()
