"""Which optimizer a training has: AdamW, its moments in 32 or 8 bits.

Owns: the choice, and which weights are decayed.

Invariants
- Biases and norms (every tensor with one dimension) are not decayed.
- Weights in half precision are moved through float32 copies (`master_weights`); what is not trained has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reasoning.recipe.training import TrainingSection
from reasoning.training.weights.eight_bit import eight_bit_problem
from reasoning.training.weights.master_weights import MasterWeights, Optimizer


class OptimizerRefused(ValueError):
    """An optimizer that this machine does not have. The message says what to install or to change."""


def make_optimizer(model: nn.Module, training: TrainingSection) -> Optimizer:
    """The optimizer of those weights of `model` that are trained. Raises `OptimizerRefused`."""
    trained: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
    make = _adamw_8bit(trained) if training.optimizer == "adamw_8bit" else _adamw
    if any(p.dtype != torch.float32 for p in trained):
        return MasterWeights(trained, lambda masters: make(_groups(masters, training), training.learning_rate))
    return make(_groups(trained, training), training.learning_rate)


def _groups(trained: list[Tensor], training: TrainingSection) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _adamw(groups: list[dict[str, Any]], rate: float) -> Optimizer:
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def _adamw_8bit(trained: list[Tensor]) -> Callable[[list[dict[str, Any]], float], Optimizer]:
    problem = eight_bit_problem(gpu=all(p.device.type == "cuda" for p in trained))
    if problem:
        raise OptimizerRefused(f"optimizer adamw_8bit: {problem}")
    import bitsandbytes

    def make(groups: list[dict[str, Any]], rate: float) -> Optimizer:
        made: Optimizer = bitsandbytes.optim.AdamW8bit([group for group in groups if group["params"]], lr=rate)
        return made

    return make
