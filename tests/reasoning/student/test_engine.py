"""How vLLM is set up: on CPUs and on GPUs, and what a user has set stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reasoning.student.engine import EngineSettings, checkpoint_dtype, engine_options, prepare_process


@pytest.mark.parametrize(
    ("gpus", "told", "eager"),
    [(0, None, True), (1, None, False), (0.5, None, False), (0, False, False), (1, True, True)],
)
def test_cuda_graphs_are_used_on_gpus_unless_told_otherwise(gpus: float, told: bool | None, eager: bool) -> None:
    settings = EngineSettings(model="org/name", dtype="float32", gpus=gpus, enforce_eager=told)
    assert engine_options(settings)["enforce_eager"] is eager


def test_auto_is_the_number_type_of_the_checkpoint(embedded_student: Path) -> None:
    assert checkpoint_dtype(str(embedded_student)) == "float32"
    assert engine_options(EngineSettings(model=str(embedded_student)))["dtype"] == "float32"


def test_a_part_of_a_gpu_is_one_gpu_to_the_engine() -> None:
    sizes = [
        engine_options(EngineSettings(model="m", dtype="float32", gpus=gpus))["tensor_parallel_size"]
        for gpus in (0.5, 1, 4)
    ]
    assert sizes == [1, 1, 4]


def test_a_context_that_the_memory_does_not_hold_is_cut_unless_one_is_named(embedded_student: Path) -> None:
    model = str(embedded_student)
    assert engine_options(EngineSettings(model=model))["max_model_len"] == -1  # vLLM's word for: what fits
    assert engine_options(EngineSettings(model=model, max_model_len=384))["max_model_len"] == 384


def test_a_variable_that_the_user_has_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"VLLM_LOGGING_LEVEL": "DEBUG"})
    prepare_process(EngineSettings(model="m", gpus=1))
    assert os.environ == {"VLLM_LOGGING_LEVEL": "DEBUG", "VLLM_NO_USAGE_STATS": "1"}
    prepare_process(EngineSettings(model="m"))
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
