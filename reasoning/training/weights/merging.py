"""What a model with adapter layers is saved as: a plain model, and its adapter.

Owns: the merged weights, and the adapter's folder (PEFT's format), which lies inside the student's.

Invariants
- Merged weights have the names of the model without an adapter: nothing needs PEFT to load them.
- The model in memory is left as it is: adding and taking away again would round its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoning.training.weights.combining import PREFIX, WEIGHTS_FILE

if TYPE_CHECKING:
    from torch import Tensor

ADAPTER_FOLDER = "adapter"  # inside a student's folder
NAME = "default"  # of the one adapter that a model has


@dataclass(frozen=True, slots=True)
class SavedWeights:
    """What a student's folder gets: its weights, an adapter merged into them, and those of the adapter."""

    weights: dict[str, Tensor]
    adapter: dict[str, Tensor]


def saved_weights(model: Any) -> SavedWeights:
    """Those of `model` as it is in memory."""
    return SavedWeights(merged_weights(model), adapter_weights(model))


def has_adapter(model: Any) -> bool:
    """Whether `model` has adapter layers."""
    return bool(getattr(model, "peft_config", None))


def merged_weights(model: Any) -> dict[str, Tensor]:
    """The weights of `model`, by the names that it has without its adapter, with the adapter added to them: computed
    in float32, in the format of each weight. Without an adapter, its weights."""
    weights: dict[str, Tensor] = model.state_dict()
    for prefix, layer in _adapter_layers(model):
        for name in [name for name in weights if name.startswith(f"{prefix}.")]:
            weight = weights.pop(name)
            if name == f"{prefix}.base_layer.weight":
                delta = layer.get_delta_weight(NAME).detach()
                weight = (weight.float() + delta.float()).to(weight.dtype)
            if name.startswith(f"{prefix}.base_layer."):
                weights[name.replace(".base_layer.", ".", 1)] = weight
    return weights


def adapter_weights(model: Any) -> dict[str, Tensor]:
    """The weights of the adapter of `model`, float32, by their names in PEFT's format; none without one."""
    return {
        f"{PREFIX}{prefix}.{side}.weight": getattr(layer, side)[NAME].weight.detach().float()
        for prefix, layer in _adapter_layers(model)
        for side in ("lora_A", "lora_B")
    }


def save_adapter(model: Any, folder: Path, weights: dict[str, Tensor]) -> None:
    """Writes the adapter of `model` with these `weights` to the new `folder`, in PEFT's format."""
    from safetensors.torch import save_file

    folder.mkdir()
    plain = {name: weight.cpu().contiguous() for name, weight in weights.items()}
    save_file(plain, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    model.peft_config[NAME].save_pretrained(str(folder))


def _adapter_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Each layer with an adapter, and its name without the one."""
    if not has_adapter(model):
        return
    from peft.tuners.lora import LoraLayer

    yield from ((name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer))
