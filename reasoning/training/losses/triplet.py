"""The triplet term: a right rationale lies nearer to another right one than to the student's own mistake.

Source: paper A, learning from self-reflection; METHOD.md, losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.term import Needs, Representations, StudentOutput
from reasoning.training.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Triplet:
    """The mean of `triplet_losses` over the triplets of a batch."""

    weight: float
    margin: float
    representations: Representations
    name: str = "triplet"

    @property
    def needs(self) -> Needs:
        return Needs(representations=self.representations)

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        return int(sample.is_triplet)

    def sum(self, output: StudentOutput) -> Tensor:
        if not output.representations:
            return output.cross_entropy.new_zeros(())
        anchor_RD, positive_RD, negative_RD = output.representations
        return triplet_losses(anchor_RD, positive_RD, negative_RD, self.margin).sum()


def triplet(objective: ObjectiveSection) -> tuple[Triplet, ...]:
    """The term, where the recipe gives it a weight."""
    if objective.contrastive_weight == 0.0:
        return ()
    representations = Representations(objective.representation, objective.prompt_gradient)
    return (Triplet(objective.contrastive_weight, objective.margin, representations),)


def triplet_losses(anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, margin: float) -> Tensor:
    """max(0, -cos(anchor, positive) + cos(anchor, negative) + margin) of each row, shape (B,)."""
    import torch
    from torch.nn import functional

    pull_B = functional.cosine_similarity(anchor_BD, positive_BD, dim=-1)
    push_B = functional.cosine_similarity(anchor_BD, negative_BD, dim=-1)
    return torch.clamp(push_B - pull_B + margin, min=0.0)
