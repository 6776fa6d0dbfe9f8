"""The attention of a packed row, in the place of a student's own.

Owns: the attention called `packed`, which `transformers` knows by its public registries.

Invariants
- Called with anything but a packed row it is `sdpa`: a student that was set to it samples and saves as before.
- The layout travels with the row through the student's layers, so a layer that is computed again in a backward pass
  (gradient checkpointing) finds the same one.
- Each block goes through `sdpa`, with the scaling, heads and dropout that the layer asks for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reasoning.training.packed.packing import Gathered, PackedRow

PACKED = "packed"
REPLACED = "sdpa"  # whose numbers it gives


def attend_packed(student: Any) -> bool:
    """Sets `student` to this attention; False where its own is another than `sdpa`, or cannot be set."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    config = student.config.get_text_config(decoder=True)
    if config._attn_implementation == PACKED:
        return True
    if config._attn_implementation != REPLACED:
        return False
    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, sdpa_mask)
    student.set_attn_implementation(PACKED)
    return bool(config._attn_implementation == PACKED)


def attend_as_before(student: Any) -> None:
    """Sets `student` back."""
    if student.config.get_text_config(decoder=True)._attn_implementation == PACKED:
        student.set_attn_implementation(REPLACED)


def packed_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """What `transformers` calls in each layer: (1, heads, T, size) each to (1, T, heads, size)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if not isinstance(attention_mask, PackedRow):
        made: Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0]
        return made, None
    layout = attention_mask.attention
    states = (states[0].transpose(0, 1) for states in (query, key, value))  # (T, heads, size) each
    queries, keys, values = (_blocks(one, places) for one, places in zip(states, layout.gathered, strict=True))
    outputs = []
    for block, query_BHQD, key_BHKD, value_BHKD in zip(layout.blocks, queries, keys, values, strict=True):
        is_causal = block.seen_B1QK is None
        output_BQHD, _ = sdpa_attention_forward(
            module, query_BHQD, key_BHKD, value_BHKD, block.seen_B1QK, **options | {"is_causal": is_causal}
        )
        outputs.append(output_BQHD.flatten(0, 1))
    return torch.cat(outputs).index_select(0, layout.places_T)[None], None


def _blocks(states_THD: Tensor, places: Gathered) -> list[Tensor]:
    """The states of each block, (B, heads, K, size): all that take a gradient in one gather, and so in one sum of
    gradients; then those that take none."""
    taken = states_THD.index_select(0, places.trained_N).split(places.trained_sizes)
    blocks = [one.unflatten(0, (rows, -1)) for one, rows in zip(taken, places.rows, strict=True)]
    if places.cut_N is not None:
        cut = states_THD.detach().index_select(0, places.cut_N).split(places.cut_sizes)
        before = [one.unflatten(0, (rows, -1)) for one, rows in zip(cut, places.rows, strict=True)]
        blocks = [torch.cat(parts, dim=1) for parts in zip(before, blocks, strict=True)]
    return [block.transpose(1, 2) for block in blocks]
