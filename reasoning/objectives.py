"""What a student is trained to do: imitate rationales, and tell them from its own mistakes.

Owns: the language-model loss, the triplet loss of self-reflection, and the module that computes both in one pass.

Invariants
- Values and gradients equal those of the plain computation: every sequence alone, no shared prompt, no padding.
- The losses are sums over this worker's rows divided by counts over the whole batch, so what workers and micro-batches
  add up to does not depend on how many there are.
- Gradients flow through everything, the shared prompt included. (Paper A's code cuts the prompt's gradient in the
  triplet loss to save memory; the loss is the same.)
- Losses are computed in float32 at least, whatever the model computes in.

Source: paper A, learning from feedback and from self-reflection; METHOD.md, losses.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from reasoning.batches import Sample
from reasoning.collation import Rows, Segment, collate
from reasoning.recipe import ObjectiveSection

MIN_COUNT = 1e-6  # paper A's clamp of an empty mean

_NOT_A_TARGET = -100


def language_model_loss(logits_BTV: Tensor, tokens_BT: Tensor, segments_BT: Tensor, prompt_weight: float) -> Tensor:
    """Sum of w * cross entropy over the predicted tokens of prompt and anchor: w is `prompt_weight` in the prompt, 1
    after it. A row's first token is predicted by nothing. To be divided by `predicted_tokens` of the whole batch."""
    segments_BT = segments_BT[:, 1:]
    targets_BT = tokens_BT[:, 1:].masked_fill(segments_BT == Segment.PADDING, _NOT_A_TARGET)
    losses = functional.cross_entropy(
        _at_least_float32(logits_BTV[:, :-1]).flatten(0, 1), targets_BT.flatten(), ignore_index=_NOT_A_TARGET,
        reduction="none",
    )  # fmt: skip
    weights_BT = torch.where(segments_BT == Segment.PROMPT, prompt_weight, 1.0).to(losses.dtype)
    return (losses * weights_BT.flatten()).sum()


def predicted_tokens(samples: list[Sample] | tuple[Sample, ...]) -> int:
    """The denominator of the language-model loss: the sum of (length - 1), prompts included (METHOD.md)."""
    return sum(sample.length - 1 for sample in samples)


def triplet_losses(anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, margin: float) -> Tensor:
    """max(0, -cos(anchor, positive) + cos(anchor, negative) + margin) of each row, shape (B,)."""
    pull_B = functional.cosine_similarity(anchor_BD, positive_BD, dim=-1)
    push_B = functional.cosine_similarity(anchor_BD, negative_BD, dim=-1)
    return torch.clamp(push_B - pull_B + margin, min=0.0)


def representation(hidden_BTD: Tensor, segment_BT: Tensor, kind: Literal["last", "mean"]) -> Tensor:
    """A completion as one vector, (B, D): the hidden state at the last column where `segment_BT` is true (its
    end-of-sequence token), or the mean over all of them. A row without any gives a vector to be ignored."""
    hidden_BTD = _at_least_float32(hidden_BTD)
    if kind == "mean":
        weights_BT = segment_BT.to(hidden_BTD.dtype)
        return torch.einsum("btd,bt->bd", hidden_BTD, weights_BT) / weights_BT.sum(1, keepdim=True).clamp(min=MIN_COUNT)
    columns_T = torch.arange(segment_BT.shape[1], device=segment_BT.device)
    last_B = torch.where(segment_BT, columns_T, 0).amax(dim=1)
    return hidden_BTD.gather(1, last_B[:, None, None].expand(-1, 1, hidden_BTD.shape[2]))[:, 0]


class Objective(nn.Module):
    """A student and its loss: one module, so that data-parallel training wraps every forward pass at once.

    `shares_prompt` lays positive and negative beside their anchor, so that each prompt is read once; without it they
    are sequences of their own (see `can_share_prompts`). Both give the same numbers."""

    def __init__(self, student: Any, objective: ObjectiveSection, pad: int, *, shares_prompt: bool) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        self.pad = pad
        self.shares_prompt = shares_prompt
        self._keeps_logits = "logits_to_keep" in inspect.signature(student.forward).parameters

    def forward(self, samples: tuple[Sample, ...], tokens: int, triplets: int) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of `samples` as their part of a batch with `tokens` predicted tokens and `triplets` triplets in all.

        Returns (to back-propagate, language-model loss, triplet loss), the last two detached: summed over the batch's
        parts they are the batch's losses. With `triplets` 0 or no contrastive weight no triplet is computed."""
        wanted = triplets > 0 and self.objective.contrastive_weight > 0
        device = next(self.student.parameters()).device
        rows = collate(samples, self.pad, device, triplets=wanted and self.shares_prompt)
        logits_BTV, hidden_BTD = self._read(rows, hidden=wanted)
        width = rows.anchor_columns
        language = language_model_loss(
            logits_BTV, rows.tokens_BT[:, :width], rows.segments_BT[:, :width], self.objective.prompt_weight
        ) / max(tokens, MIN_COUNT)
        contrast = torch.zeros((), dtype=language.dtype, device=device)
        if wanted and any(sample.is_triplet for sample in samples):
            if self.shares_prompt:
                losses_B = self._triplets_of(rows, hidden_BTD)
            else:
                losses_B = self._triplets_apart(samples, rows, hidden_BTD)
            has_triplet_B = torch.tensor([sample.is_triplet for sample in samples]).to(device)
            contrast = torch.where(has_triplet_B, losses_B, 0.0).sum() / max(triplets, MIN_COUNT)
        loss = language + self.objective.contrastive_weight * contrast
        return loss, language.detach(), contrast.detach()

    def _triplets_of(self, rows: Rows, hidden_BTD: Tensor) -> Tensor:
        kind = self.objective.representation
        vectors = [
            representation(hidden_BTD, rows.segments_BT == segment, kind)
            for segment in (Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE)
        ]
        return triplet_losses(vectors[0], vectors[1], vectors[2], self.objective.margin)

    def _triplets_apart(self, samples: tuple[Sample, ...], anchors: Rows, hidden_BTD: Tensor) -> Tensor:
        kind = self.objective.representation
        vectors = [representation(hidden_BTD, anchors.segments_BT == Segment.ANCHOR, kind)]
        for completions in ([s.positive or s.anchor for s in samples], [s.negative or s.anchor for s in samples]):
            alone = [Sample(s.prompt, completion) for s, completion in zip(samples, completions, strict=True)]
            rows = collate(alone, self.pad, hidden_BTD.device, triplets=False)
            _, hidden_BTD = self._read(rows, hidden=True, logits=False)
            vectors.append(representation(hidden_BTD, rows.segments_BT == Segment.ANCHOR, kind))
        return triplet_losses(vectors[0], vectors[1], vectors[2], self.objective.margin)

    def _read(self, rows: Rows, *, hidden: bool, logits: bool = True) -> tuple[Tensor, Tensor]:
        """The student's logits on prompt and anchor, and its last layer's hidden states (empty unless `hidden`)."""
        options: dict[str, Any] = {}
        if rows.has_triplets:  # the completions beside the anchor are compared, not predicted
            options["logits_to_keep"] = torch.arange(rows.anchor_columns, device=rows.tokens_BT.device)
        elif not logits and self._keeps_logits:
            options["logits_to_keep"] = 1
        output = self.student(
            input_ids=rows.tokens_BT,
            attention_mask=rows.attention_mask(self.student.dtype),
            position_ids=rows.positions_BT,
            use_cache=False,
            output_hidden_states=hidden,
            **options,
        )
        return output.logits, output.hidden_states[-1] if hidden else output.logits[:0]


def can_share_prompts(student: Any, max_tokens: int) -> bool:
    """Whether `student` computes the same with shared prompts as without: tried on a small group of samples.

    Not so for models that keep a recurrent state, take positions from their mask, or know no mask of this form. A
    window of attention shorter than `max_tokens` is refused unseen, since the trial's samples are short."""
    window = getattr(student.config, "sliding_window", None)
    if window is not None and window < max_tokens:
        return False
    ids = [2 + i % max(1, student.config.vocab_size - 3) for i in range(24)]
    trial = (
        Sample(tuple(ids[:5]), tuple(ids[5:9]), tuple(ids[9:15]), tuple(ids[15:18])),
        Sample(tuple(ids[3:5]), tuple(ids[5:12]), tuple(ids[18:20]), tuple(ids[10:14])),
    )
    section = ObjectiveSection(prompt_weight=1.0, contrastive_weight=1.0, margin=2.0, representation="mean")
    was_training = student.training
    student.eval()
    try:
        with torch.no_grad():
            losses = [
                Objective(student, section, ids[0], shares_prompt=shared)(trial, 1, 1)[0] for shared in (True, False)
            ]
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, NotImplementedError):
        return False  # a model that refuses the form is read sequence by sequence
    finally:
        student.train(was_training)
    return bool(torch.isclose(losses[0], losses[1], rtol=1e-3, atol=1e-3))


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
