"""The embedded student's shape.

Owns: the one model configuration. Invariants: at least 1,000,000 parameters and at most 16 MB of float32 weights; head
size 32 (inference engines refuse smaller ones on CPU); input and output embeddings are separate tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaConfig

HEAD_DIM = 32
VOCABULARY = 1024
CONTEXT = 1024


def student_config(
    vocab_size: int, pad_token_id: int, eos_token_id: int, hidden: int = 128, layers: int = 4, intermediate: int = 512
) -> LlamaConfig:
    """A small Llama in float32. `hidden` is a multiple of `HEAD_DIM`. No start token: a prompt is its own ids."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=hidden // HEAD_DIM,
        num_key_value_heads=hidden // HEAD_DIM,
        head_dim=HEAD_DIM,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=eos_token_id,
        pad_token_id=pad_token_id,
        dtype="float32",
    )
