"""A tiny Llama written as a GGUF file by the library that llama.cpp's own converter writes with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def gguf_tokens() -> list[str]:
    """The bytes, two special tokens, and one token that a merge makes."""
    from tokenizers import pre_tokenizers

    return [*sorted(pre_tokenizers.ByteLevel.alphabet()), "</s>", "<pad>", "Ġa"]


def tiny_gguf_llama(**changes: Any) -> Any:
    """The model that `write_gguf` writes."""
    from tests.tiny_students import tiny_llama

    return tiny_llama(len(gguf_tokens()), **({"pad_token_id": 257} | changes))


def write_gguf(
    file: Path,
    model: Any,
    *,
    kind: str = "F32",
    tokens: Sequence[str] | None = None,
    fields: dict[str, Any] | None = None,
    tensors: dict[str, Any] | None = None,
    without: Sequence[str] = (),
) -> Path:
    """Writes `model`, a Llama, with matrices of `kind`. `fields` and `tensors` are added, and those whose names begin
    as one of `without` are left out."""
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    config, tokens = model.config, gguf_tokens() if tokens is None else list(tokens)
    heads, key_heads = config.num_attention_heads, config.num_key_value_heads
    writer = GGUFWriter(None, "llama")
    said: dict[str, Any] = {
        "general.type": "model",
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": key_heads,
        "llama.rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "llama.rope.dimension_count": config.hidden_size // heads,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "llama.vocab_size": config.vocab_size,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in ("</s>", "<pad>") else 1 for token in tokens],
        "tokenizer.ggml.merges": ["Ġ a"],
        "tokenizer.ggml.eos_token_id": 256,
        "tokenizer.ggml.padding_token_id": 257,
        "tokenizer.ggml.add_bos_token": False,
        **(fields or {}),
    }
    for name, value in said.items():
        if not name.startswith(tuple(without)) or not without:
            _add(writer, name, value)
    state = {name: weight.float().numpy() for name, weight in model.state_dict().items()}
    layers = {
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    weights = {"token_embd": state["model.embed_tokens.weight"], "output_norm": state["model.norm.weight"]}
    if not config.tie_word_embeddings:
        weights["output"] = state["lm_head.weight"]
    for layer in range(config.num_hidden_layers):
        for short, name in layers.items():
            weight = state[f"model.layers.{layer}.{name}.weight"]
            if short in ("attn_q", "attn_k"):  # llama.cpp turns pairs of halves into pairs of neighbours
                parts = heads if short == "attn_q" else key_heads
                weight = weight.reshape(parts, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
            weights[f"blk.{layer}.{short}"] = weight
    for name, weight in {f"{name}.weight": weight for name, weight in weights.items()}.items():
        if without and name.startswith(tuple(without)):
            continue
        if weight.ndim == 1 or kind == "F32":
            writer.add_tensor(name, weight.copy())
        else:
            as_kind = GGMLQuantizationType[kind]
            writer.add_tensor(name, quantize(weight, as_kind), raw_dtype=as_kind)
    for name, weight in (tensors or {}).items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file(file)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _add(writer: Any, name: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(name, value)
    elif isinstance(value, int):
        writer.add_uint32(name, value)
    elif isinstance(value, float):
        writer.add_float32(name, value)
    elif isinstance(value, str):
        writer.add_string(name, value)
    else:
        writer.add_array(name, value)
