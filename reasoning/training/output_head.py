"""A student's way from hidden states to logits, apart from the rest of it.

Owns: what lies between the last hidden states and the logits, and the trial whether that is all.

Invariants
- A student that does more to its logits than is known here is not read this way: its logits are then whole, which costs
  memory and is always right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reasoning.training.losses.precision import at_least_float32

TOLERANCE = 1e-3  # of the norm: the same operations are computed either way, in any format


class OutputHead:
    """Logits of hidden states: the output embedding (with its bias, an adapter, whatever module it is), scaled (Granite
    divides, Cohere multiplies) and capped (Gemma 2) as the configuration says."""

    def __init__(self, student: Any) -> None:
        config = student.config.get_text_config(decoder=True)
        self.embedding: nn.Module = student.get_output_embeddings()
        self.scale = float(getattr(config, "logit_scale", None) or 1.0) / (
            getattr(config, "logits_scaling", None) or 1.0
        )
        self.cap: float | None = getattr(config, "final_logit_softcapping", None)
        self.vocabulary = int(config.vocab_size)

    def __call__(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.embedding(hidden)
        if self.scale != 1.0:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    def weights(self) -> Sequence[Tensor]:
        return [weight for weight in self.embedding.parameters() if weight.requires_grad]


def decoder_of(student: Any) -> Any:
    """The part of `student` that ends with the hidden states."""
    return student.get_decoder()


def has_output_head(student: Any) -> bool:
    """Whether `student`, a decoder, makes its logits as `OutputHead` does: values and gradients, tried."""
    was_training = student.training
    student.eval()
    try:
        return _same_logits(student)
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, NotImplementedError):
        return False  # a student without such a part
    finally:
        student.train(was_training)


def _same_logits(student: Any) -> bool:
    head = OutputHead(student)
    ids = torch.arange(1, 9, device=next(student.parameters()).device)[None] % head.vocabulary
    whole = student(input_ids=ids, use_cache=False).logits
    ours = head(decoder_of(student)(input_ids=ids, use_cache=False).last_hidden_state)
    if ours.shape != whole.shape or not _near(ours, whole):
        return False
    weights = head.weights()
    if not weights:
        return True
    scores = [torch.logsumexp(at_least_float32(logits), -1).sum() for logits in (ours, whole)]
    gradients = [torch.autograd.grad(score, weights) for score in scores]
    return all(_near(mine, theirs) for mine, theirs in zip(*gradients, strict=True))


def _near(mine: Tensor, theirs: Tensor) -> bool:
    return bool((mine - theirs).detach().norm() <= TOLERANCE * theirs.detach().norm())
