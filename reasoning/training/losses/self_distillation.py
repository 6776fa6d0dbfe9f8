"""The loss `self_distillation`: the student that has been shown a right answer supervises the one that has not.

Both read the student's own wrong attempt. The one that supervises reads before it the same question with the right
answer; at every token of the attempt the other is drawn to what it would say next: the mean over those tokens of
KL(shown || not shown), over the whole vocabulary. The supervisor is the student as it is at this step; no gradient goes
through it.

Source: after step-aligned critique, arXiv 2606.11173, and self-distillation, arXiv 2601.18734.
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

TOKENS_AT_ONCE = 512  # whose distributions are in memory together, in float32


@dataclass(frozen=True, slots=True)
class SelfDistillation:
    """The mean of the divergence over the tokens of a batch's attempts."""

    weight: float
    name: str = "reflection"

    @property
    def needs(self) -> Needs:
        return Needs(pairs=Pairs("whole", "next_tokens"))

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        return sample.attempt_tokens

    def sum(self, output: StudentOutput) -> Tensor:
        if output.next_tokens is None or output.shown_next_tokens is None:
            return output.cross_entropy.new_zeros(())
        return divergence_sum(output.next_tokens, output.shown_next_tokens)


def self_distillation(objective: ObjectiveSection) -> tuple[Term, ...]:
    language = LanguageModel(0.0, counts_prompt=False, weight=objective.language_weight)
    return language, SelfDistillation(objective.contrastive_weight)


def divergence_sum(logits_NV: Tensor, shown_NV: Tensor) -> Tensor:
    """Sum over N tokens of KL(shown || own), from logits."""
    import torch
    from torch.utils.checkpoint import checkpoint

    parts = zip(logits_NV.split(TOKENS_AT_ONCE), shown_NV.split(TOKENS_AT_ONCE), strict=True)
    return torch.stack([checkpoint(_divergence, own, shown, use_reentrant=False) for own, shown in parts]).sum()


def _divergence(own_CV: Tensor, shown_CV: Tensor) -> Tensor:
    from torch.nn import functional

    from reasoning.training.losses.precision import at_least_float32

    own, shown = (at_least_float32(logits).log_softmax(dim=-1) for logits in (own_CV, shown_CV))
    return functional.kl_div(own, shown, reduction="sum", log_target=True)
