"""Recipes for real use, as far as nothing is downloaded: they parse, and cost and fit what docs/students.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.run.doctor.memory import GIB, estimated_parameters, training_bytes
from reasoning.estimate.call_plan import missed, most_of, run_plan
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import Recipe, load_recipe, parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase
from reasoning.tasks.loading import spec_of
from reasoning.teacher.prices import dollars, price_of, shipped_prices
from tests.conftest import ROOT

PATHS = sorted((ROOT / "recipes" / "real").glob("*.yaml"))
TRAIN = 6973  # of GSM8K without 500 for validation; CommonsenseQA has more
TOKENS = (450, 300)  # of a call, prompt and completion, as the page assumes

# As published in their config.json.
QWEN3 = {
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "num_hidden_layers": 28,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen3-0.6B-Base": {**QWEN3, "hidden_size": 1024, "intermediate_size": 3072, "hidden_act": "silu"},
    "Qwen/Qwen3-1.7B-Base": {**QWEN3, "hidden_size": 2048, "intermediate_size": 6144, "hidden_act": "silu"},
    "Qwen/Qwen3-8B-Base": {
        **{**QWEN3, "num_attention_heads": 32, "num_hidden_layers": 36, "tie_word_embeddings": False},
        **{"hidden_size": 4096, "intermediate_size": 12288, "hidden_act": "silu"},
    },
    "HuggingFaceTB/SmolLM2-135M": {
        **{"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
        **{"intermediate_size": 1536, "vocab_size": 49152, "hidden_act": "silu"},
    },
}


def row(path: Path, recipe: Recipe) -> str:
    """What the page has to say of a recipe."""
    config = CONFIGS[recipe.student.model]
    parameters = estimated_parameters(config)
    memory = max(
        training_bytes(parameters, config, training, 1)
        for training in (recipe.learning.first_training, recipe.learning.training)
    )
    train = recipe.task.train or TRAIN
    plan = run_plan(recipe.learning, run_prompts(recipe), train, [], missed(recipe.learning, []))
    calls = int(most_of((planned, planned.calls.most) for planned in plan))
    price = price_of(recipe.teacher.model, shipped_prices()) if recipe.teacher.kind == "openai" else None
    money = f"${dollars(calls * price.cost(*TOKENS)):.2f}" if price else "your own GPUs"
    return f"| `{path.relative_to(ROOT)}` | {parameters / 1e6:,.0f} M | {memory / GIB:.0f} GiB | {calls:,} | {money} |"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recipe_for_real_use_costs_and_needs_what_the_page_says(path: Path) -> None:
    recipe = load_recipe(path)
    assert spec_of(recipe.task).name == recipe.task.name
    page = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")
    assert row(path, recipe) in page
    if recipe.teacher.max_cost is not None:
        said = re.search(r"\$([\d.]+)", row(path, recipe))
        assert said and float(said[1]) <= recipe.teacher.max_cost


def test_they_are_all_there_with_names_of_their_own() -> None:
    assert len({load_recipe(path).name for path in PATHS}) == len(PATHS) == 6


def tiny(path: Path) -> Recipe:
    """The recipe with the embedded student and the offline teacher in its places, and a handful of questions; how it
    learns is as it says, but for the size of its steps."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    step = {"epochs": 1, "batch_size": 4, "warmup_steps": 1}
    trainings = {name: said["learning"][name] | step for name in ("first_training", "training")}
    few = {"rounds": 1, "first_questions": 6, "exam": {**said["learning"]["exam"], "questions": 6}, **trainings}
    said |= {
        "task": {"name": "coin_flip", "source": "generated", "train": 24, "validation": 4, "test": 4},
        "student": {"max_new_tokens": 96},
        "teacher": {"kind": "offline"},
        "learning": said["learning"] | few,
        "cluster": {},
    }
    return parse_recipe(yaml.safe_dump(said), str(path))


@pytest.mark.training
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_round_of_it_runs_with_the_embedded_student_in_its_place(path: Path, tmp_path: Path) -> None:
    from reasoning.rounds.in_process import run_in_process

    records, _ = run_in_process(tiny(path), tmp_path)
    assert [(one.round, one.phase) for one in records][-1] == (1, Phase.EVALUATE)
    assert RunDirectory(tmp_path).round(1).student.is_dir()


@pytest.mark.training
@pytest.mark.parametrize("model", CONFIGS)
def test_their_students_have_as_many_parameters_on_the_meta_device(model: str) -> None:
    """Built from their configuration without memory or weights."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

    kind = Qwen3Config if "Qwen3" in model else LlamaConfig
    config = kind(**{"tie_word_embeddings": True, **CONFIGS[model]})
    with torch.device("meta"):
        student = AutoModelForCausalLM.from_config(config)
    counted = sum(parameter.numel() for parameter in student.parameters())
    assert counted == pytest.approx(estimated_parameters(CONFIGS[model]), rel=0.01)
