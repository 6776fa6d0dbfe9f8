"""The learning rate over a training's steps. Owns: the warm-up and the schedules."""

from __future__ import annotations

import math

from reasoning.recipe.training import TrainingSection


def learning_rate(step: int, steps: int, training: TrainingSection) -> float:
    """The rate of `step` (from 0) of `steps`: linear warm-up that ends at the peak, then the schedule, which ends at
    zero just after the last step. Warm-up takes all steps when there are fewer than it wants."""
    warmup = min(training.warmup_steps, steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    match training.schedule:
        case "constant":
            return training.learning_rate
        case "linear":
            return training.learning_rate * (1.0 - done)
        case "cosine":
            return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
