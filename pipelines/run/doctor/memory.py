"""How much of a GPU's memory a student takes, estimated from its configuration.

Owns: the estimate, for a trainer and for a sampler, and which keys of a recipe would lower a trainer's. It is rough,
and meant to tell a student that fits from one that never will, before anything is spent.

Training (`reasoning.training.fine_tuning`) holds 16 bytes a parameter: weights, gradients and AdamW's two moments, all
float32; as many in bfloat16, whose weights and gradients of 2 bytes have float32 copies. Moments of 8 bits take 2 bytes
instead of 8; under an adapter all but the weights are of the adapter alone. With them go the activations, about 34
bytes a token, layer and unit of width in bfloat16 (Korthikanti et al. 2022, arXiv 2205.05198, section 4.1, without what
attention kernels do not keep), or, computed again, one layer's and each layer's input; and the logits with their
gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reasoning.recipe.training import LoraSection, TrainingSection
from reasoning.student.config import config_file, read_config, text_config, weights_of
from reasoning.student.small_copy import HEADS, LAYERS
from reasoning.training.samples import MAX_LOGITS, MAX_PACKED_TOKENS

GIB = 2**30
_MOMENT_BYTES = {"adamw": 8, "adamw_8bit": 2}
_ACTIVATION_BYTES, _INPUT_BYTES = 34, 2
_WORTH = 0.95  # of the memory before: what saves less is not advised
_ACTIVATIONS = ("hidden_act", "hidden_activation", "feed_forward_proj")
_INNER = ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "decoder_ffn_dim")
_LEAST_CACHE = 1 * GIB  # for keys and values, and vLLM's own working memory


def parameters_at(source: str, config: Mapping[str, Any]) -> int:
    """How many parameters the student at `source` has: counted in its files, else estimated from its configuration; 0
    where neither can be read."""
    folder = Path(source).expanduser()
    return (weights_of(folder) if folder.is_dir() else 0) or estimated_parameters(config)


def config_at(source: str) -> dict[str, Any]:
    """The text part of a student's configuration; empty where it cannot be read."""
    try:
        return text_config(read_config(config_file(source)) or {})
    except (OSError, ValueError):
        return {}


def estimated_parameters(config: Mapping[str, Any]) -> int:
    """Of a transformer with these keys: embeddings, attention, feed-forward layers; norms and biases are left out."""
    width, layers, vocabulary = _size(config, "hidden_size", "n_embd", "d_model"), _layers(config), _vocabulary(config)
    heads = _size(config, *HEADS)
    if not (width and layers and vocabulary and heads):
        return 0
    head = _size(config, "head_dim", "d_kv") or width // heads
    key_heads = _size(config, "num_key_value_heads") or heads
    attention = 2 * width * head * (heads + key_heads)
    inner = _size(config, *_INNER) or 4 * width
    gated = str(next((config[name] for name in _ACTIVATIONS if config.get(name)), "")).lower()
    matrices = 3 if any(word in gated for word in ("silu", "swish", "gated", "glu", "pytorch_tanh")) else 2
    if config.get("model_type") == "starcoder2":  # has Gemma's activation without a gate
        matrices = 2
    feed_forward = matrices * width * (_size(config, "moe_intermediate_size") or inner) * (_experts(config) or 1)
    embeddings = vocabulary * width * (1 if config.get("tie_word_embeddings", True) else 2)
    each = _size(config, "hidden_size_per_layer_input") * _size(config, "vocab_size_per_layer_input")  # small Gemmas
    sides = 2 if config.get("is_encoder_decoder") else 1  # the other side's layers; cross-attention is left out
    return embeddings + layers * (each + sides * (attention + feed_forward))


def training_bytes(parameters: int, config: Mapping[str, Any], training: TrainingSection, trainers: int) -> int:
    """What one trainer's GPU holds at its fullest. Trainers share a batch; the student too, with `sharding: fsdp`."""
    width, layers, vocabulary = _size(config, "hidden_size", "n_embd", "d_model"), _layers(config), _vocabulary(config)
    longest = min(training.max_tokens, _size(config, "max_position_embeddings", "n_positions") or training.max_tokens)
    tokens = min(MAX_PACKED_TOKENS["cuda"], longest * max(1, training.batch_size // trainers))
    logits = min(tokens * vocabulary, MAX_LOGITS)
    each = _ACTIVATION_BYTES * width * layers
    if training.gradient_checkpointing:
        each = _ACTIVATION_BYTES * width + _INPUT_BYTES * width * layers
    weights = weight_bytes(parameters, config, training)
    if training.sharding == "fsdp" and trainers > 1:
        weights = weights // trainers + whole_bytes(parameters, config, training)
    return weights + tokens * each + 8 * logits


def whole_bytes(parameters: int, config: Mapping[str, Any], training: TrainingSection) -> int:
    """What a trainer of a divided student holds undivided at a time: the embeddings and two layers, the one that
    computes and the one that comes next, with their gradients."""
    width, layers, vocabulary = _size(config, "hidden_size", "n_embd", "d_model"), _layers(config), _vocabulary(config)
    embeddings = min(parameters, vocabulary * width * (1 if config.get("tie_word_embeddings", True) else 2))
    held = 2 if training.precision == "bfloat16" else 4
    return 2 * held * (embeddings + 2 * (parameters - embeddings) // max(1, layers))


def weight_bytes(parameters: int, config: Mapping[str, Any], training: TrainingSection) -> int:
    """Weights, gradients, float32 copies and moments of a training."""
    held, moments = (2 if training.precision == "bfloat16" else 4), _MOMENT_BYTES[training.optimizer]
    if training.lora is not None:  # float32 adapters
        return held * parameters + (4 + 4 + moments) * adapter_parameters(config, training.lora)
    copies = 4 if held == 2 else 0
    return (held + held + copies + moments) * parameters


def adapter_parameters(config: Mapping[str, Any], lora: LoraSection) -> int:
    """How many parameters adapters of all linear layers have, which experts are not; fewer where `lora.targets` names
    some."""
    width, layers = _size(config, "hidden_size", "n_embd", "d_model"), _layers(config)
    heads = _size(config, *HEADS) or 1
    head = _size(config, "head_dim", "d_kv") or width // heads
    keys = head * (_size(config, "num_key_value_heads") or heads)
    inner = _size(config, *_INNER) or 4 * width
    attention = 2 * (width + head * heads) + 2 * (width + keys)
    return lora.rank * layers * (attention + (0 if _experts(config) > 1 else 3 * (width + inner)))


def lighter(
    parameters: int, config: Mapping[str, Any], training: TrainingSection, trainers: int
) -> Iterator[tuple[str, int]]:
    """Changes of a training's keys that lower what one trainer's GPU holds, and to how much, the mildest first."""
    before = training_bytes(parameters, config, training, trainers)
    shorter = max(1, training.batch_size // 2)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("gradient_checkpointing: true", {"gradient_checkpointing": True}),
        *([("optimizer: adamw_8bit", {"optimizer": "adamw_8bit"})] if training.sharding == "none" else []),
        *([("sharding: fsdp", {"sharding": "fsdp"})] if trainers > 1 and training.optimizer == "adamw" else []),
        (f"batch_size: {shorter}", {"batch_size": shorter}),
        ("lora: {}", {"lora": training.lora or LoraSection()}),
        ("lora: {} with precision: bfloat16", {"lora": training.lora or LoraSection(), "precision": "bfloat16"}),
        (
            "lora: {} with precision: bfloat16 and gradient_checkpointing: true",
            {"lora": training.lora or LoraSection(), "precision": "bfloat16", "gradient_checkpointing": True},
        ),
    ]
    for said, keys in changes:
        changed = training.model_copy(update=keys)
        after = training_bytes(parameters, config, changed, trainers)
        if changed != training and after < _WORTH * before:
            yield said, after


def sampling_bytes(parameters: int, dtype: str, config: Mapping[str, Any]) -> int:
    """The least that a sampler needs: weights, and room for a few answers."""
    named = str(dtype if dtype != "auto" else config.get("dtype") or config.get("torch_dtype") or "float32")
    return parameters * (4 if "32" in named else 2) + _LEAST_CACHE


def _layers(config: Mapping[str, Any]) -> int:
    return _size(config, *LAYERS)


def _experts(config: Mapping[str, Any]) -> int:
    return _size(config, "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def _vocabulary(config: Mapping[str, Any]) -> int:
    return _size(config, "vocab_size")


def _size(config: Mapping[str, Any], *names: str) -> int:
    """The first of these keys that is a positive number; 0 where none is."""
    return next((found for name in names if isinstance(found := config.get(name), int) and found > 0), 0)
