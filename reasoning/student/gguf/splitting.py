"""How a byte-level tokenizer of a GGUF file splits text before its merges: `tokenizer.ggml.pre`.

Owns: which names are known, and the splitting of those that `transformers` reads as GPT-2's without a word. The names
and their rules are llama.cpp's (`llama-vocab.cpp`).
"""

from __future__ import annotations

from typing import Any

_AS_GPT_2 = {"default", "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "roberta-bpe", "trillion", "gigachat"}
# Each digit by itself, and otherwise as GPT-2.
_SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}


def splits_text(name: str) -> bool:
    """Whether the splitting of this name is known, here or to `transformers`."""
    # The table has no documented face: without it an unknown name is read as GPT-2's, in silence.
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    return name in _AS_GPT_2 | _SINGLE_DIGITS or name in GGUF_PRE_TOKENIZER_SPLITS


def set_splitting(backend: Any, name: str) -> None:
    """Has the tokenizer `backend` split text as the splitting of this name does."""
    from tokenizers import pre_tokenizers

    if name in _SINGLE_DIGITS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
