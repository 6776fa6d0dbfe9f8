"""What a training reports: its losses step by step, and a summary.

Owns: two records, and their text in a student's folder; and the error of one that came to nothing. They travel to
processes that must not import torch, so nothing here does.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


class TrainingError(RuntimeError):
    """A training that cannot start or go on. The message says why and what to change in the recipe."""


def diverged(what: str, step: int, rate: float) -> TrainingError:
    """The error of a training in which `what` is no number, at this `step` (from 0) and learning rate."""
    if step == 0:
        return TrainingError(
            f"{what}, not a number, before anything was learnt: the student itself gives none. Look for such weights "
            "in it (student.model), take another checkpoint, or set student.dtype to float32"
        )
    return TrainingError(
        f"{what}, not a number: the training has diverged. Lower learning_rate (it was {rate:.2g}) or max_grad_norm, "
        "or give it more warmup_steps"
    )


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One step. Losses are of the whole batch over all workers; `triplet` is None when the batch had no triplet, and
    `reflection`, the loss of pairs (dpo, step_dpo, self_distillation), when it had no pair.
    `lm` is measured even where `total` leaves it out (loss: contrastive).

    `epoch` counts from 0; `tokens_per_s` are tokens of prompts and anchors, padding and triplets not counted; `steps`
    is how many the whole training has."""

    step: int
    epoch: int
    lm: float
    triplet: float | None
    total: float
    learning_rate: float
    tokens_per_s: float
    steps: int
    reflection: float | None = None


@dataclass(frozen=True, slots=True)
class FineTuneReport:
    """What a training did. `tokens` are those of prompts and anchors over all passes; `seconds` is this process's
    time (after a resumption: since then); `dropped` completions and `dropped_examples` did not fit `max_tokens`."""

    steps: int
    tokens: int
    seconds: float
    lm_loss_first: float
    lm_loss_last: float
    triplet_last: float | None
    losses: tuple[LossPoint, ...]
    dropped: int
    dropped_examples: int = 0

    def to_json(self, identity: str) -> str:
        """Its text, as the report of the job with `identity`."""
        return json.dumps({"identity": identity, **asdict(self)})

    @staticmethod
    def from_json(text: str | None, identity: str) -> FineTuneReport | None:
        """The report in `text`; None when there is none, or another job's."""
        content = json.loads(text) if text is not None else {}
        if content.pop("identity", None) != identity:
            return None
        losses = tuple(LossPoint(**point) for point in content.pop("losses"))
        return FineTuneReport(losses=losses, **content)
