"""Families of students, each as its real configuration class at the size of a test: what docs/students.md lists.

Owns: the configurations, and what is expected of each family. Every row is tried in
`tests/reasoning/student/test_families.py`, `tests/reasoning/training/test_prompt_sharing.py` and
`tests/pipelines/run/checks/test_student_trial.py`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from reasoning.student.checkpoint import Student, save_student
from reasoning.student.loading import new_model
from tests.tiny_students import byte_tokenizer

VOCABULARY = 258
END, PAD = 256, 257


@dataclass(frozen=True)
class Family:
    """`shares`: whether its prompts are shared in training, at 512 tokens; `vllm`: whether vLLM has it."""

    name: str
    config: Callable[[], Any]
    shares: bool = True
    vllm: bool = True

    def student(self, seed: int = 0) -> Student:
        """With random weights, larger than usual, so that outputs differ visibly."""
        torch.manual_seed(seed)
        return Student(new_model(self.config()), byte_tokenizer())

    def saved(self, folder: Path) -> Path:
        student = self.student()
        save_student(student.model, student.tokenizer, folder)
        return folder


def llama_sizes(**changes: Any) -> dict[str, Any]:
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": None, "eos_token_id": END, "pad_token_id": PAD}
    more = {"vocab_size": VOCABULARY, "num_key_value_heads": 1, "max_position_embeddings": 512}
    return sizes | ids | more | {"initializer_range": 0.2} | changes


def _like_llama(name: str, /, **changes: Any) -> Callable[[], Any]:
    return lambda: getattr(transformers, name)(**llama_sizes(**changes))


def _own(name: str, /, **keys: Any) -> Callable[[], Any]:
    ids = {"vocab_size": VOCABULARY, "bos_token_id": END, "eos_token_id": END, "pad_token_id": PAD}
    return lambda: getattr(transformers, name)(**(ids | {"initializer_range": 0.2} | keys))


_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    **{"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16},
}
_GPT = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 512}
_T5 = {"d_model": 64, "d_kv": 32, "d_ff": 96, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": PAD}
_BART = {
    **{"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "init_std": 0.2},
    **{"decoder_attention_heads": 2, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": 512},
    **{"decoder_start_token_id": END, "forced_eos_token_id": END},
}
_EYED = importlib.util.find_spec("torchvision") is not None  # vLLM reads Qwen3.5 with it
_EYES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
_ROPE = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

FAMILIES = (
    Family("Llama", _like_llama("LlamaConfig")),
    Family(
        "Llama 3.2",
        _like_llama(
            "LlamaConfig", tie_word_embeddings=True, rope_parameters=_ROPE | {"original_max_position_embeddings": 128}
        ),
    ),
    Family("Qwen2", _like_llama("Qwen2Config", tie_word_embeddings=True)),
    Family("Qwen2.5", _like_llama("Qwen2Config", use_sliding_window=False, sliding_window=64, max_window_layers=1)),
    Family("Qwen3", _like_llama("Qwen3Config", head_dim=32, tie_word_embeddings=True)),
    Family(
        "Qwen3-MoE",
        _like_llama("Qwen3MoeConfig", head_dim=32, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64),
    ),
    Family("Qwen3.5 (text)", _like_llama("Qwen3_5TextConfig", head_dim=32, **_LINEAR), shares=False, vllm=_EYED),
    Family("Gemma", _like_llama("GemmaConfig", head_dim=32)),
    Family("Gemma 2", _like_llama("Gemma2Config", head_dim=32, sliding_window=1024, attn_logit_softcapping=5.0)),
    Family("Gemma 3 (text)", _like_llama("Gemma3TextConfig", head_dim=32, sliding_window=64), shares=False),
    Family(
        "Gemma 3 (4B and up)",
        lambda: transformers.Gemma3Config(
            text_config=llama_sizes(head_dim=32, sliding_window=1024),
            vision_config=_EYES | {"patch_size": 14},
            mm_tokens_per_image=4,
            image_token_index=255,
            boi_token_index=254,
            eoi_token_index=253,
            eos_token_id=END,
            pad_token_id=PAD,
        ),
        vllm=False,
    ),
    Family(
        "Mistral 3",
        lambda: transformers.Mistral3Config(
            text_config={"model_type": "mistral"} | llama_sizes(head_dim=32, sliding_window=None),
            vision_config={"model_type": "pixtral", "patch_size": 14} | _EYES,
            image_token_index=255,
            eos_token_id=END,
            pad_token_id=PAD,
        ),
        vllm=False,
    ),
    Family("Phi", _like_llama("PhiConfig", num_key_value_heads=2, intermediate_size=256)),
    Family("Phi-3", _like_llama("Phi3Config", num_key_value_heads=2, sliding_window=None)),
    Family("Mistral", _like_llama("MistralConfig", sliding_window=None)),
    Family("Mistral 0.1", _like_llama("MistralConfig", sliding_window=64), shares=False),
    Family("Mixtral", _like_llama("MixtralConfig", num_local_experts=4, num_experts_per_tok=2, sliding_window=None)),
    Family("OLMo 2", _like_llama("Olmo2Config")),
    Family("OLMo 3", _like_llama("Olmo3Config", sliding_window=64), shares=False),
    Family("SmolLM3", _like_llama("SmolLM3Config", no_rope_layers=[1, 0])),
    Family("Granite", _like_llama("GraniteConfig")),
    Family("Cohere", _like_llama("CohereConfig")),
    Family("StableLM", _like_llama("StableLmConfig", num_key_value_heads=2)),
    Family("StarCoder2", _like_llama("Starcoder2Config", sliding_window=None)),
    Family("LFM2", _like_llama("Lfm2Config", layer_types=["conv", "full_attention"], block_ff_dim=96), shares=False),
    Family(
        "Llama 4 (text)",
        _like_llama(
            "Llama4TextConfig", head_dim=32, attention_chunk_size=32, num_local_experts=2, intermediate_size_mlp=96
        ),
        shares=False,
    ),
    Family(
        "gpt-oss",
        _like_llama("GptOssConfig", head_dim=32, num_local_experts=4, num_experts_per_tok=2, sliding_window=64),
        shares=False,
    ),
    Family("GPT-2", _own("GPT2Config", **_GPT)),
    Family("GPT-J", _own("GPTJConfig", **_GPT, rotary_dim=16)),
    Family("GPT-NeoX", _like_llama("GPTNeoXConfig")),
    Family(
        "GPT-Neo",
        _own(
            "GPTNeoConfig", hidden_size=64, num_layers=2, num_heads=2, window_size=16, max_position_embeddings=512,
            attention_types=[[["global", "local"], 1]],
        ),
        shares=False,
        vllm=False,
    ),
    Family("OPT", _like_llama("OPTConfig", ffn_dim=96, word_embed_proj_dim=64, dropout=0.0)),
    Family("BLOOM", _own("BloomConfig", hidden_size=64, n_layer=2, n_head=2), shares=False),
    Family("Falcon", _own("FalconConfig", hidden_size=64, num_hidden_layers=2, num_attention_heads=2)),
    Family(
        "Falcon (ALiBi)",
        _own("FalconConfig", hidden_size=64, num_hidden_layers=2, num_attention_heads=2, alibi=True),
        shares=False,
    ),
    Family("MPT", _own("MptConfig", d_model=64, n_heads=2, n_layers=2, max_seq_len=512), shares=False, vllm=False),
    Family("Mamba", _own("MambaConfig", hidden_size=64, num_hidden_layers=2, state_size=4), shares=False),
    Family("T5", _own("T5Config", **_T5), shares=False, vllm=False),
    Family(
        "Flan-T5",
        _own("T5Config", **_T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        shares=False,
        vllm=False,
    ),
    Family("BART", _own("BartConfig", **_BART), shares=False, vllm=False),
    Family("Pegasus", _own("PegasusConfig", **_BART), shares=False, vllm=False),
)  # fmt: skip
# Those that an engine of vLLM is started with, in `tests/actors/sampler/test_vllm_families.py`.
SAMPLED_BY_VLLM = ("Llama 3.2", "Qwen3", "Gemma 2", "Mistral 0.1", "Mixtral", "GPT-2")
ENCODER_DECODERS = {"T5", "Flan-T5", "BART", "Pegasus"}

# Of each way in which a student may be unlike Llama one, tried in `make test`; the others are tried in `make test-all`.
OFTEN = frozenset(
    ("Llama", "Qwen2", "Qwen3", "Gemma 2", "Mistral 0.1", "Mixtral", "LFM2", "MPT", "GPT-2", "GPT-Neo", "T5", "BART")
)
ALL_FAMILIES = [
    pytest.param(family, id=family.name, marks=() if family.name in OFTEN else pytest.mark.slow) for family in FAMILIES
]

# No student: it remembers positions from one batch to the next, so that it cannot be sampled here.
QWEN_VL = Family(
    "Qwen2.5-VL",
    lambda: transformers.Qwen2_5_VLConfig(
        text_config=llama_sizes(rope_parameters={"rope_type": "default", "mrope_section": [4, 6, 6]}),
        vision_config={"hidden_size": 32, "out_hidden_size": 64, "depth": 1, "num_heads": 2, "intermediate_size": 48},
        eos_token_id=END,
        pad_token_id=PAD,
    ),
)
