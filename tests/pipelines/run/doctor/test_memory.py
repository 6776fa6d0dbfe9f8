"""Estimates of parameters against students of known size, and what they take of a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.run.doctor.memory import (
    GIB,
    adapter_parameters,
    config_at,
    estimated_parameters,
    lighter,
    parameters_at,
    sampling_bytes,
    training_bytes,
    weight_bytes,
)
from reasoning.recipe.training import LoraSection, TrainingSection

# As published in their config.json, and how many parameters their model cards give.
LLAMA = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
KNOWN: list[tuple[str, dict[str, Any], float]] = [
    (
        "Llama 3.1 8B",
        {**LLAMA, "intermediate_size": 14336, "vocab_size": 128256, "hidden_act": "silu", "tie_word_embeddings": False},
        8.03e9,
    ),
    (
        "Qwen2.5 0.5B",
        {
            **{"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2},
            **{"intermediate_size": 4864, "vocab_size": 151936, "hidden_act": "silu", "tie_word_embeddings": True},
        },
        0.494e9,
    ),
    (
        "GPT-2",
        {"n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "activation_function": "gelu_new"},
        0.124e9,
    ),
    (
        "Gemma 3 1B",
        {
            **{"hidden_size": 1152, "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1},
            **{"intermediate_size": 6912, "vocab_size": 262144, "hidden_activation": "gelu_pytorch_tanh"},
            **{"head_dim": 256},
        },
        1.0e9,
    ),
    (
        "StarCoder2 3B",
        {
            **{"hidden_size": 3072, "num_hidden_layers": 30, "num_attention_heads": 24, "num_key_value_heads": 2},
            **{"intermediate_size": 12288, "vocab_size": 49152, "hidden_act": "gelu_pytorch_tanh"},
            **{"model_type": "starcoder2"},
        },
        3.03e9,
    ),
    (
        "ERNIE 4.5 21B-A3B",
        {
            **{"hidden_size": 2560, "num_hidden_layers": 28, "num_attention_heads": 20, "num_key_value_heads": 4},
            **{"intermediate_size": 12288, "moe_intermediate_size": 1536, "moe_num_experts": 64},
            **{"vocab_size": 103424, "hidden_act": "silu"},
        },
        21.9e9,
    ),
    (
        "MPT 7B",
        {"d_model": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": 50432},
        6.65e9,
    ),
    (
        "T5 small",
        {
            **{"d_model": 512, "num_layers": 6, "num_heads": 8, "d_kv": 64, "d_ff": 2048, "vocab_size": 32128},
            **{"feed_forward_proj": "relu", "is_encoder_decoder": True},
        },
        0.0605e9,
    ),
]


@pytest.mark.parametrize(("config", "parameters"), [known[1:] for known in KNOWN], ids=[known[0] for known in KNOWN])
def test_parameters_are_estimated_from_a_configuration(config: dict[str, Any], parameters: float) -> None:
    assert estimated_parameters(config) == pytest.approx(parameters, rel=0.15)


def test_a_configuration_that_says_nothing() -> None:
    assert estimated_parameters({}) == 0 and estimated_parameters({"hidden_size": "large"}) == 0
    assert config_at("/no/such/folder") == {}


def test_a_local_student_is_counted(embedded_student: Path) -> None:
    config = config_at(str(embedded_student))
    counted = parameters_at(str(embedded_student), config)
    assert 1e6 < counted < 1e7
    assert estimated_parameters(config) == pytest.approx(counted, rel=0.05)


def test_what_training_holds_of_a_gpu() -> None:
    config = KNOWN[0][1]
    small = training_bytes(8_030_000_000, config, TrainingSection(batch_size=1, max_tokens=128), 1)
    large = training_bytes(8_030_000_000, config, TrainingSection(batch_size=64, max_tokens=2048), 1)
    shared = training_bytes(8_030_000_000, config, TrainingSection(batch_size=64, max_tokens=128), 64)
    assert 119 < small / GIB < 125 < large / GIB < 300 and shared == small


@pytest.mark.parametrize(
    ("dtype", "config", "each"),
    [("float32", {}, 4), ("bfloat16", {}, 2), ("auto", {"dtype": "bfloat16"}, 2), ("auto", {}, 4)],
)
def test_what_sampling_holds_of_a_gpu(dtype: str, config: dict[str, Any], each: int) -> None:
    assert sampling_bytes(GIB, dtype, config) == (each + 1) * GIB


LLAMA_8B = KNOWN[0][1]
LORA = LoraSection(rank=16)


def test_an_adapter_has_as_many_parameters_as_published() -> None:
    """PEFT says 41,943,040 of Llama 3.1 8B at rank 16, all linear layers."""
    assert adapter_parameters(LLAMA_8B, LORA) == 41_943_040
    mixture = LLAMA_8B | {"num_local_experts": 8}
    assert adapter_parameters(mixture, LORA) == 13_631_488  # of its attention alone


@pytest.mark.parametrize(
    ("keys", "gib"),
    [
        ({}, 120),
        ({"precision": "bfloat16"}, 120),  # of which 30 are float32 copies
        ({"optimizer": "adamw_8bit"}, 75),
        ({"precision": "bfloat16", "optimizer": "adamw_8bit"}, 75),
        ({"lora": LORA}, 30.5),
        ({"lora": LORA, "precision": "bfloat16"}, 15.6),
    ],
)
def test_what_an_8b_student_and_its_optimizer_hold(keys: dict[str, Any], gib: float) -> None:
    assert weight_bytes(8_030_000_000, LLAMA_8B, TrainingSection(**keys)) / GIB == pytest.approx(gib, rel=0.01)


def test_a_divided_student_takes_a_share_and_what_is_whole_at_a_time() -> None:
    """8 GPUs hold an eighth of 120 GiB each, and two layers and the embeddings with their gradients: 11 GiB."""
    whole, divided = (TrainingSection(batch_size=8, max_tokens=128, sharding=how) for how in ("none", "fsdp"))
    of_one, of_eight = (training_bytes(8_030_000_000, LLAMA_8B, one, 8) for one in (whole, divided))
    assert (of_one - of_eight) / GIB == pytest.approx(120 * 7 / 8 - 11, abs=1)
    assert training_bytes(8_030_000_000, LLAMA_8B, divided, 1) == training_bytes(8_030_000_000, LLAMA_8B, whole, 1)
    assert dict(lighter(8_030_000_000, LLAMA_8B, whole, 8))["sharding: fsdp"] == of_eight
    assert "sharding: fsdp" not in dict(lighter(8_030_000_000, LLAMA_8B, whole, 1))  # there is nobody to share with
    eight_bit = TrainingSection(optimizer="adamw_8bit")
    assert "sharding: fsdp" not in dict(lighter(8_030_000_000, LLAMA_8B, eight_bit, 8))
    assert "optimizer: adamw_8bit" not in dict(lighter(8_030_000_000, LLAMA_8B, divided, 8))


def test_keys_that_would_help_are_named_where_they_do() -> None:
    whole = TrainingSection(max_tokens=2048)
    found = dict(lighter(8_030_000_000, LLAMA_8B, whole, 1))
    assert found["lora: {} with precision: bfloat16 and gradient_checkpointing: true"] / GIB < 24
    assert found["gradient_checkpointing: true"] < training_bytes(8_030_000_000, LLAMA_8B, whole, 1)
    already = TrainingSection(gradient_checkpointing=True, lora=LORA, precision="bfloat16")
    assert not any(
        "gradient_checkpointing" in said or "lora" in said for said, _ in lighter(10**9, LLAMA_8B, already, 1)
    )
