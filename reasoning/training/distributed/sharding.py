"""A student whose weights, gradients and moments are divided among workers (FSDP2, `fully_shard`).

Owns: how a student is divided, and how its weights come together again.

Invariants
- A layer's weights are whole while it computes and at no other time; the embeddings and the output head, which have no
  layer around them, are whole from the forward pass to the backward pass.
- Every worker takes part in each gathering: who gathers or computes calls this on all of them, in the same order.
- The numbers are those of the undivided student: gradients are summed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reasoning.training.weights.merging import SavedWeights, saved_weights


def shard(module: nn.Module, student: Any, device: torch.device, *methods: str) -> None:
    """Divides the weights of `student`, which is inside `module`, among all workers, in place, and moves them to
    `device` layer by layer. They are whole in `module`'s forward pass, and in those `methods` of it."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for layer in layers_of(student):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(module, mesh=mesh, mp_policy=policy)
    for method in methods:
        register_fsdp_forward_method(module, method)


def layers_of(student: Any) -> list[nn.Module]:
    """The layers of a `transformers` model, which it names itself: what a device is given whole. None where it names
    none, and the student is then gathered at once."""
    names = set(getattr(student, "_no_split_modules", None) or ())
    layers = [layer for layer in student.modules() if type(layer).__name__ in names]
    inner = {id(part) for layer in layers for part in layer.modules() if part is not layer}
    return [layer for layer in layers if id(layer) not in inner]


def put_away(module: Any) -> None:
    """Lets go of what a pass without a backward pass left whole."""
    module.reshard()


def whole_weights(student: Any, *, keep: bool) -> SavedWeights:
    """What the folder of a divided student gets, on the CPU, where `keep`; nothing elsewhere. One tensor at a time is
    gathered, so that nobody holds the student twice."""
    found = saved_weights(student)
    ties: dict[str, str] = student.all_tied_weights_keys
    for name in ties:
        found.weights.pop(name, None)
    weights = _gathered(found.weights, keep=keep)
    tied = {name: weights[source] for name, source in ties.items() if source in weights}
    return SavedWeights(weights | tied, _gathered(found.adapter, keep=keep))


def _gathered(weights: dict[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """`weights`, which is emptied, undivided."""
    from torch.distributed.tensor import DTensor

    kept: dict[str, Tensor] = {}
    for name in list(weights):
        weight = weights.pop(name)
        whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if keep:
            kept[name] = whole.detach().cpu()
    return kept
