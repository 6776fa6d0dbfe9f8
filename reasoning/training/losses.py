"""The method's losses as formulas: what is done with a student's logits and hidden states.

Owns: the language-model loss of every mode and its denominator, the triplet loss, a completion's representation.

Invariants
- A loss is a sum over the samples at hand, to be divided by a count over the whole batch, so what workers and
  micro-batches add up to does not depend on how many there are.
- Losses are computed in float32 at least, whatever the student computes in.
- Padding is never a target. (In paper A's mode `hf` it is: labels are padded with the padding token.)

The modes (`objective.loss`) and what each is divided by:

  weighted     every token, the prompt's at `prompt_weight` (paper A); the count of predicted tokens, prompts included
  full         every token alike (paper A's `hf`); the same count, so the mean cross entropy
  completion   the completion, its first token and its end of sequence included; the count of its tokens, so what
               `transformers` computes with labels of -100 on the prompt (paper B). Paper A's `nograd` is this without
               the first token, which the last position of the prompt predicts
  contrastive  not trained (paper A's `no`); measured as `completion` is

An encoder-decoder predicts the completion alone, since its encoder, which reads the prompt, predicts nothing: every
mode is as `completion`, and `prompt_weight` applies to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.samples import Sample

MIN_COUNT = 1e-6  # paper A's clamp of an empty mean
NOT_A_TARGET = -100

Loss = TypeVar("Loss", float, Tensor)


def prompt_weight(objective: ObjectiveSection) -> float:
    """What a token of the prompt counts for in the language-model loss, against 1 for one of the completion."""
    return {"weighted": objective.prompt_weight, "full": 1.0}.get(objective.loss, 0.0)


def predicted_tokens(samples: Sequence[Sample], objective: ObjectiveSection, *, encoder_decoder: bool = False) -> int:
    """What a batch's language-model loss is divided by. The token that begins a decoder's sequence is not predicted."""
    if encoder_decoder:
        return sum(len(sample.anchor) for sample in samples)
    if objective.loss in ("weighted", "full"):
        return sum(sample.length - 1 for sample in samples)
    return sum(len(sample.anchor) - (not sample.prompt) for sample in samples)


def total_loss(language: Loss, contrast: Loss, objective: ObjectiveSection) -> Loss:
    """What is trained: language-model loss + `contrastive_weight` * triplet loss, or the latter alone."""
    weighted = objective.contrastive_weight * contrast
    return weighted if objective.loss == "contrastive" else language + weighted


def cross_entropy_sum(logits_BTV: Tensor, targets_BT: Tensor, weights_BT: Tensor | None = None) -> Tensor:
    """Sum over the targets that are not `NOT_A_TARGET` of weight (1 by default) * cross entropy."""
    losses = functional.cross_entropy(
        at_least_float32(logits_BTV).flatten(0, 1),
        targets_BT.flatten(),
        ignore_index=NOT_A_TARGET,
        reduction="sum" if weights_BT is None else "none",
    )
    return losses if weights_BT is None else (losses * weights_BT.flatten().to(losses.dtype)).sum()


def triplet_losses(anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, margin: float) -> Tensor:
    """max(0, -cos(anchor, positive) + cos(anchor, negative) + margin) of each row, shape (B,)."""
    pull_B = functional.cosine_similarity(anchor_BD, positive_BD, dim=-1)
    push_B = functional.cosine_similarity(anchor_BD, negative_BD, dim=-1)
    return torch.clamp(push_B - pull_B + margin, min=0.0)


def representation(hidden_BTD: Tensor, completion_BT: Tensor, kind: Literal["last", "mean"]) -> Tensor:
    """A completion as one vector, (B, D): the hidden state at the last column where `completion_BT` is true (for a
    decoder its end of sequence), or the mean over all of them, never the prompt's (paper A's `pool` leaves it out too).
    A row without any gives a vector to be ignored."""
    hidden_BTD = at_least_float32(hidden_BTD)
    if kind == "mean":
        weights_BT = completion_BT.to(hidden_BTD.dtype)
        return torch.einsum("btd,bt->bd", hidden_BTD, weights_BT) / weights_BT.sum(1, keepdim=True).clamp(min=MIN_COUNT)
    columns_T = torch.arange(completion_BT.shape[1], device=completion_BT.device)
    last_B = torch.where(completion_BT, columns_T, 0).amax(dim=1)
    return hidden_BTD.gather(1, last_B[:, None, None].expand(-1, 1, hidden_BTD.shape[2]))[:, 0]


def at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
