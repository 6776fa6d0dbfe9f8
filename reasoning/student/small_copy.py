"""A student's family at the size of a trial: its first layers, narrower where they are wide, with random weights.

Owns: which keys of a configuration are layers, widths and heads.

Invariant: everything else (the kinds of layers, their windows, head size, vocabulary, ties) is the student's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reasoning.student.loading import model_class

MOST_PARAMETERS = 100_000_000  # of a copy that is trained in seconds
WIDE_PARAMETERS = 300_000_000  # of one that takes some of them, and five gigabytes
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers")
MORE_LAYERS = ("num_decoder_layers", "depth")
WIDTHS = (
    *("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "intermediate_size", "n_inner", "ffn_dim", "d_ff"),
    *("moe_intermediate_size", "shared_expert_intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim"),
    *("intermediate_size_mlp", "block_ff_dim", "ffn_hidden_size"),
)
HEADS = (
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"),
    *("encoder_attention_heads", "decoder_attention_heads"),
)
KEY_HEADS = ("num_key_value_heads", "num_kv_heads")


_IMPOSSIBLE = (ValueError, TypeError, RuntimeError, KeyError, AttributeError, ZeroDivisionError, AssertionError)


def first_layers(config: Any) -> Any:
    """`config` with its first two layers, or as many as it takes to have one of each kind."""
    return type(config).from_dict(_cut(config.to_dict()))


def small_copies(config: Any) -> Iterator[Any]:
    """Configurations to try a student of `config` with, the cheapest first: `first_layers` narrowed to at most
    `MOST_PARAMETERS`, then at their own widths where a machine may hold that. None where neither can be made."""
    try:
        short = first_layers(config)
        wide = parameters(short)
    except _IMPOSSIBLE:
        return
    factor, size = 2, wide
    while size > MOST_PARAMETERS and factor <= 64:
        try:
            narrow = type(short).from_dict(_narrowed(short.to_dict(), factor))
            size = parameters(narrow)
        except _IMPOSSIBLE:
            break
        if size <= MOST_PARAMETERS:
            yield narrow
        factor *= 2
    if wide <= WIDE_PARAMETERS:
        yield short


def parameters(config: Any) -> int:
    """How many parameters a model of `config` has, told without making them."""
    return sum(weight.numel() for weight in bare_model(config).parameters())


def bare_model(config: Any) -> Any:
    """A model of `config` whose weights have shapes, and no memory."""
    import torch

    with torch.device("meta"):
        return model_class(config).from_config(config, trust_remote_code=False)


def _cut(keys: dict[str, Any]) -> dict[str, Any]:
    kinds = keys.get("layer_types") or keys.get("attention_layers") or []
    depth = max([2, *(kinds.index(kind) + 1 for kind in set(kinds))])
    whole = next((keys[name] for name in LAYERS if isinstance(keys.get(name), int)), None)
    cut: dict[str, Any] = {}
    for name, value in keys.items():
        if name in (*LAYERS, *MORE_LAYERS) and isinstance(value, int):
            cut[name] = min(value, depth)
        elif isinstance(value, dict) and name not in ("rope_parameters", "rope_scaling"):
            cut[name] = _cut(value)
        elif isinstance(value, list) and len(value) == whole:  # one entry a layer
            cut[name] = value[:depth]
        else:
            cut[name] = value
    if "attention_types" in keys and kinds:  # GPT-Neo writes its layers a second way
        cut["attention_types"] = [[kinds[:depth], 1]]
    return cut


def _narrowed(keys: dict[str, Any], factor: int) -> dict[str, Any]:
    narrow: dict[str, Any] = {}
    for name, value in keys.items():
        if isinstance(value, dict) and name not in ("rope_parameters", "rope_scaling"):
            narrow[name] = _narrowed(value, factor)
        elif name in (*WIDTHS, *HEADS) and isinstance(value, int):
            if value % factor:
                raise ValueError(f"{name} of {value} cannot be divided by {factor}")
            narrow[name] = value // factor
        elif name in KEY_HEADS and isinstance(value, int):
            narrow[name] = value // factor if value % factor == 0 else 1
        else:
            narrow[name] = value
    return narrow
