"""Students small enough to train in a test: a Llama with random weights and a tokenizer of single bytes.

Whoever imports this module need not need a model: torch and transformers are loaded by the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from reasoning.student.checkpoint import Student


def byte_tokenizer(*, pad: bool = True) -> Any:
    """One token a byte, then `</s>` and, with `pad`, `<pad>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"eos_token": "</s>"} | ({"pad_token": "<pad>"} if pad else {})
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def tiny_llama(vocabulary: int, *, seed: int = 0, tied: bool = False, **changes: Any) -> LlamaForCausalLM:
    """Two layers of width 64, head size 32; larger initial weights than usual, so that outputs differ visibly."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": 256,
        "pad_token_id": None,
    }
    settings |= {"vocab_size": vocabulary, "tie_word_embeddings": tied} | changes
    return LlamaForCausalLM(LlamaConfig(**settings))


def tiny_student(*, seed: int = 0, pad: bool = True, tied: bool = False, dropout: float = 0.0) -> Student:
    from reasoning.student.checkpoint import Student

    tokenizer = byte_tokenizer(pad=pad)
    return Student(tiny_llama(len(tokenizer), seed=seed, tied=tied, attention_dropout=dropout), tokenizer)
