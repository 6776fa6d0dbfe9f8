"""What a training reports: its losses step by step, and a summary.

Owns: two records. They travel to processes that must not import torch, so nothing here does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One step. Losses are of the whole batch over all workers; `triplet` is None when the batch had no triplet.
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
