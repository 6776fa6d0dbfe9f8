"""What the project uses of `transformers` beyond its documented interface.

Owns: every such use, each with the reason. `tests/reasoning/training/test_transformers_internals.py` says which of them
an upgrade has moved.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def detached_cache(cache: Any, rows_R: Tensor, columns: int) -> Any:
    """Some rows and the first columns of a `Cache`, without the way back to what computed them.

    The documented methods of a cache select, repeat and crop in place; none detaches, and the cache that is cut here
    is still part of a graph. So keys and values, (B, heads, T, D) each, are taken from `cache.layers`, and a
    `DynamicCache` is made of them."""
    from transformers import DynamicCache

    kept = [(layer.keys.detach(), layer.values.detach()) for layer in cache.layers]
    return DynamicCache([(keys[rows_R, :, :columns], values[rows_R, :, :columns]) for keys, values in kept])


def loads_as_student(model_type: str, *, encoder_decoder: bool) -> bool:
    """Whether `AutoModelForCausalLM`, or for an encoder-decoder `AutoModelForSeq2SeqLM`, knows `model_type`.

    Their documented way to say so is to load weights, or to fail; the names that they look up are in these tables."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    known = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES if encoder_decoder else MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return model_type in known


def has_code_of(model_type: str) -> bool:
    """Whether `transformers` comes with models of `model_type`, told by its folders: no import, so no torch."""
    package = importlib.util.find_spec("transformers")
    folders = (package.submodule_search_locations or []) if package else []
    name = model_type.replace("-", "_")
    return bool(name) and any((Path(folder) / "models" / name).is_dir() for folder in folders)


def runs_in_vllm_as_it_is(architecture: str) -> bool:
    """Whether the class of this name lets vLLM replace its attention, and so runs there without vLLM knowing it."""
    import transformers

    return bool(getattr(getattr(transformers, architecture, None), "_supports_attention_backend", False))
