"""Which back end a recipe's student is sampled with, and how its engine is set up. Nothing is started here."""

from __future__ import annotations

import json
from pathlib import Path

from actors.sampler.start import back_end, engine_settings
from reasoning.recipe.tailored import parse_recipe
from reasoning.student.engine import engine_options

KEYS = """
seed: 5
student: {dtype: bfloat16, max_model_len: 384}
cluster: {kv_cache_gib: 0.5, gpu_memory_utilization: 0.3, enforce_eager: %s, sampler_gpus: %d}
"""


def student(folder: Path, **config: object) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def test_the_back_end_follows_the_recipe_and_the_student(tmp_path: Path) -> None:
    def name(model: str, sampler: str) -> str:
        text = f"student: {{model: '{model}'}}\ncluster: {{sampler: {sampler}}}"
        return back_end(parse_recipe(text, "mine.yaml")).__name__

    apart = student(tmp_path / "t5", model_type="t5", is_encoder_decoder=True)
    decoder = student(tmp_path / "llama", model_type="llama")
    assert name(apart, "auto") == name(apart, "transformers") == "TransformersSampler"
    assert name(decoder, "auto") == name(decoder, "vllm") == "VllmSampler"
    assert name(decoder, "transformers") == "TransformersSampler"


def test_a_recipes_engine_keys_reach_the_samplers_engine() -> None:
    on_cpu = engine_options(engine_settings(parse_recipe(KEYS % ("false", 0), "r")))
    shared = {"dtype": "bfloat16", "max_model_len": 384, "enforce_eager": False, "seed": 5}
    assert shared.items() <= on_cpu.items()
    assert on_cpu["kv_cache_memory_bytes"] == 2**29 and "gpu_memory_utilization" not in on_cpu
    on_gpus = engine_options(engine_settings(parse_recipe(KEYS % ("true", 2), "r")))
    wanted = {"enforce_eager": True, "gpu_memory_utilization": 0.3, "tensor_parallel_size": 2}
    assert wanted.items() <= on_gpus.items() and "kv_cache_memory_bytes" not in on_gpus
