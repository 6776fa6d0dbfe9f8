"""Low-rank adapters to train in the place of all weights (LoRA), through PEFT.

Owns: how a student gets one, and which students or layers cannot have one. What becomes of it is `merging`'s and
`combining`'s.

Invariants
- A new adapter changes nothing: the student answers as before until it has learnt.
- The same seed makes the same adapter, and nobody else's random numbers are used up.
- Adapters are float32, whatever the student's weights are: they are what the optimizer moves.
- An adapter is a layer's. The experts of a mixture are stacked weights and no layers: PEFT wraps them whole, and holds
  them twice while they learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from reasoning.recipe.training import LoraSection


class AdapterRefused(ValueError):
    """A student that cannot have the adapter that was asked for. The message says why and what to change."""


def add_adapter(model: Any, lora: LoraSection, seed: int) -> None:
    """Puts adapter layers into `model`, in place, and leaves them alone to be trained. Raises `AdapterRefused`."""
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer
    from transformers.pytorch_utils import Conv1D

    if getattr(model, "peft_config", None):
        raise AdapterRefused(
            "the student in memory has an adapter already: load it from its folder, where it is merged"
        )
    require_targets(model, lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) if lora.targets is not None else _linear_layers(model),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in model.modules()),
        base_model_name_or_path=getattr(model, "name_or_path", None) or None,
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")  # refused below
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(config, model)
        except (ValueError, TypeError) as error:
            raise AdapterRefused(f"lora: {_first_line(error)}. {_cure(model, lora)}") from error
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    embeddings = [one for one in (model.get_input_embeddings(), model.get_output_embeddings()) if one is not None]
    if config.target_parameters:
        what = (
            f"lora.targets: {', '.join(lora.targets or ())} would be {', '.join(sorted(config.target_parameters))} of"
        )
        raise AdapterRefused(f"{what} all experts too, which get no adapter. Name the layers of its attention alone")
    wrong = [name for name, layer in layers.items() if layer in embeddings]
    if wrong:
        what = f"lora.targets: {wrong[0]} is an embedding, which a student's files hold once for both ends"
        raise AdapterRefused(f"{what}. {_cure(model, lora)}")
    for parameter in model.parameters():
        if parameter.requires_grad:  # the adapters' alone
            parameter.data = parameter.data.float()


def _linear_layers(model: Any) -> list[str]:
    """The names of all linear layers but the output embedding, routers, what the kernels of state spaces (Mamba) read
    by itself, and what PEFT would take for experts."""
    from peft import LoraConfig
    from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
    from transformers.pytorch_utils import Conv1D

    spaces = [name for name, layer in model.named_modules() if hasattr(layer, "conv1d") and hasattr(layer, "D")]
    apart = {f"{name}.out_proj" for name in spaces}
    names = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear | Conv1D)
        and layer is not model.get_output_embeddings()
        and name not in apart
        and not type(layer).__name__.endswith("Router")  # gives a pair (Llama 4)
    ]
    config = LoraConfig(target_modules=names)
    convert_peft_config_for_transformers(config, model, None)
    return sorted(config.target_modules or ())


def require_targets(model: Any, lora: LoraSection) -> None:
    """Raises `AdapterRefused` where one of `lora.targets` is no layer of `model`, whose weights are not looked at."""
    unknown = unknown_targets(lora.targets or (), (name for name, _ in model.named_modules()))
    if unknown:
        raise AdapterRefused(f"lora.targets: {unknown[0]} is no layer of this student. {_cure(model, lora)}")


def unknown_targets(targets: Sequence[str], names: Iterable[str]) -> list[str]:
    """Those of `targets` by which none of the layers is called, as PEFT has it: by its whole name, or by the end of it
    after a dot."""
    endings = {name[start:] for name in names for start in _starts(name)}
    return [target for target in targets if target not in endings]


def _starts(name: str) -> list[int]:
    return [0, *(place + 1 for place, letter in enumerate(name) if letter == ".")]


def _cure(model: Any, lora: LoraSection) -> str:
    from transformers.pytorch_utils import Conv1D

    if lora.targets is None:
        return "Leave lora out, or name lora.targets"
    layers = [
        name.rsplit(".", 1)[-1]
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear | Conv1D) and layer is not model.get_output_embeddings()
    ]
    return f"This model ({model.config.model_type}) has {', '.join(sorted({*layers})[:12])}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
