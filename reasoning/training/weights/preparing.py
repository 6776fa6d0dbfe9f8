"""What a student is before it is trained: the format of its weights, its adapter, what it keeps of a forward pass.

Owns: the order in which these are set."""

from __future__ import annotations

from typing import Any

from reasoning.recipe.training import TrainingSection
from reasoning.training.report import TrainingError
from reasoning.training.weights.adding import add_adapter


def prepare(model: Any, training: TrainingSection, seed: int) -> None:
    """Makes of `model`, in place, what is trained. Raises `TrainingError`, `AdapterRefused`."""
    if training.precision == "bfloat16":
        import torch

        for weight in model.parameters():  # not buffers: positions' frequencies stay exact
            weight.data = weight.data.to(torch.bfloat16)
    if training.lora is not None:
        add_adapter(model, training.lora, seed)
    if training.gradient_checkpointing:
        if not getattr(model, "supports_gradient_checkpointing", False):
            what = f"gradient_checkpointing: true: models like this one ({model.config.model_type}) do not support it"
            raise TrainingError(f"{what}: leave it out")
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
