"""Encoder-decoders small enough to train in a test: a T5 with random weights, and a tokenizer that ends every text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tiny_students import byte_tokenizer

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student


def tiny_t5(vocabulary: int, *, seed: int = 0, tied: bool = True, dropout: float = 0.0, **changes: Any) -> Any:
    """Two layers of width 32 on either side: T5's first form, or untied that of Flan-T5 (gated-gelu)."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 2,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 16,
        "dropout_rate": dropout,
        "feed_forward_proj": "relu" if tied else "gated-gelu",
        "tie_word_embeddings": tied,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
    }
    return T5ForConditionalGeneration(T5Config(**(settings | changes)))


def tiny_t5_student(**changes: Any) -> Student:
    """Over bytes. As T5's own, its tokenizer puts the end of sequence after every text, and nothing before."""
    from tokenizers.processors import TemplateProcessing

    from reasoning.student.checkpoint import Student

    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {tokenizer.eos_token}", special_tokens=[(tokenizer.eos_token, tokenizer.eos_token_id)]
    )
    pad = tokenizer.pad_token_id
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": pad, "decoder_start_token_id": pad}
    return Student(tiny_t5(len(tokenizer), **(ids | changes)), tokenizer)
