"""The language-model term: the cross entropy of the tokens that the student predicts.

Owns: its denominator. The formula is `cross_entropy`'s; the readers sum it.

An encoder-decoder predicts the completion alone, since its encoder, which reads the prompt, predicts nothing: every
loss is then as `completion`, and a prompt's weight applies to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoning.training.losses.term import Needs, StudentOutput, TokenWeights
from reasoning.training.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Weighted cross entropies: a token of the prompt counts `prompt_weight`, one of the completion 1.

    The sum is divided by the number of predicted tokens: those of prompt and completion where `counts_prompt` (whatever
    the prompt weighs), else the completion's. The token that begins a decoder's sequence is not predicted."""

    prompt_weight: float
    counts_prompt: bool
    weight: float = 1.0
    name: str = "lm"

    @property
    def needs(self) -> Needs:
        return Needs(cross_entropy=TokenWeights(self.prompt_weight, trained=self.weight > 0.0))

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        if encoder_decoder:
            return len(sample.anchor)
        if self.counts_prompt:
            return sample.length - 1
        return len(sample.anchor) - (not sample.prompt)

    def sum(self, output: StudentOutput) -> Tensor:
        return output.cross_entropy
