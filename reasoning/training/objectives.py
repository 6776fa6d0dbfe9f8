"""What a student is trained to do: imitate rationales, and tell them from its own mistakes.

Owns: the module that turns a group of samples into the loss to train on, and which students may share prompts.

Invariants
- Values and gradients equal those of the plain computation: every sequence alone, no shared prompt, no padding.
- Gradients flow through everything, the shared prompt included, unless `prompt_gradient` is off: then the triplet
  loss's do not flow through what the student makes of the prompt (a decoder's keys and values, an encoder's states), as
  in paper A's code. The language-model loss's always do.

Source: paper A, learning from feedback and from self-reflection; METHOD.md, losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses import MIN_COUNT, predicted_tokens, total_loss, triplet_losses
from reasoning.training.readers import make_reader
from reasoning.training.samples import Sample


class Objective(nn.Module):
    """A student and its loss: one module, so that data-parallel training wraps every forward pass at once.

    `shares_prompt` is of decoders: each prompt is read once for its completions, which not every student allows (see
    `can_share_prompts`). The numbers are the same, but only a student that does can do without `prompt_gradient`."""

    def __init__(self, student: Any, objective: ObjectiveSection, pad: int, *, shares_prompt: bool) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        self.reader = make_reader(student, objective, pad, shares_prompt=shares_prompt)

    def predicted_tokens(self, batch: Sequence[Sample]) -> int:
        """What the language-model loss of `batch` is divided by."""
        return predicted_tokens(batch, self.objective, encoder_decoder=self.student.config.is_encoder_decoder)

    def forward(self, samples: tuple[Sample, ...], tokens: int, triplets: int) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of `samples` as their part of a batch with `tokens` predicted tokens and `triplets` triplets in all.

        Returns (to back-propagate, language-model loss, triplet loss), the last two detached: summed over the batch's
        parts they are the batch's losses. With `triplets` 0 or no contrastive weight no triplet is computed."""
        reading = self.reader.read(samples, triplets=triplets > 0 and self.objective.contrastive_weight > 0)
        language = reading.language / max(tokens, MIN_COUNT)
        contrast = language.new_zeros(())
        if reading.vectors:
            anchor_RD, positive_RD, negative_RD = reading.vectors
            losses_R = triplet_losses(anchor_RD, positive_RD, negative_RD, self.objective.margin)
            contrast = losses_R.sum() / max(triplets, MIN_COUNT)
        return total_loss(language, contrast, self.objective), language.detach(), contrast.detach()


def can_share_prompts(student: Any, max_tokens: int, *, prompt_gradient: bool = True) -> bool:
    """Whether `student`, a decoder, computes the same with shared prompts as without: tried on a few samples.

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
    section = ObjectiveSection(
        loss="full", contrastive_weight=1.0, margin=2.0, representation="mean", prompt_gradient=prompt_gradient
    )
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
