"""A student of any size is tried in small, with all that makes it what it is."""

from __future__ import annotations

from typing import Any

import pytest
import transformers

from reasoning.student.small_copy import MOST_PARAMETERS, first_layers, parameters, small_copies

# At their published sizes, which are their classes' own defaults where nothing is named.
PUBLISHED: list[tuple[str, dict[str, Any]]] = [
    ("LlamaConfig", {"vocab_size": 128256, "num_key_value_heads": 8, "intermediate_size": 14336}),
    ("Qwen2Config", {"vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12,
                     "num_key_value_heads": 2, "tie_word_embeddings": True}),
    ("Qwen3Config", {"hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128}),
    ("Gemma2Config", {}),
    ("Phi3Config", {}),
    ("GPTNeoConfig", {}),
    ("GPT2Config", {}),
    ("MixtralConfig", {}),
    ("T5Config", {}),
    ("BartConfig", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys"), PUBLISHED, ids=[name for name, _ in PUBLISHED])
def test_published_sizes_are_made_small(name: str, keys: dict[str, Any]) -> None:
    whole = getattr(transformers, name)(**keys)
    copy = next(small_copies(whole))
    assert parameters(copy) <= MOST_PARAMETERS
    assert copy.vocab_size == whole.vocab_size and copy.tie_word_embeddings == whole.tie_word_embeddings


def test_the_first_layers_have_one_of_each_kind() -> None:
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    whole = transformers.Gemma3TextConfig(num_hidden_layers=26, layer_types=(kinds * 5)[:26])
    short = first_layers(whole)
    assert short.num_hidden_layers == 6 and set(short.layer_types) == set(kinds)
    assert first_layers(transformers.LlamaConfig()).num_hidden_layers == 2
    assert first_layers(transformers.GPTNeoConfig()).attention_layers == ["global", "local"]


def test_what_cannot_be_made_small_is_not_made() -> None:
    """Its heads cannot be halved, and two layers at its own width are more than a trial takes."""
    odd = transformers.LlamaConfig(hidden_size=71 * 64, num_attention_heads=71, num_key_value_heads=71)
    assert list(small_copies(odd)) == []
