"""Which student of a run is served, and that it is set up as it was sampled. Nothing is started here."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from pipelines.serving.graduate import curl_line, graduate_of, serving_of
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.student.engine import engine_options
from reasoning.tasks.loading import spec_of

RECIPE = """
name: mine
student: {prompt: reasoning, dtype: bfloat16, max_model_len: 384}
cluster: {kv_cache_gib: 0.5, gpu_memory_utilization: 0.3, enforce_eager: %s, sampler_gpus: %d, sampler_cpus: 3}
"""


def finished_run(folder: Path, enforce_eager: str = "false", gpus: int = 0) -> RunDirectory:
    """A run of two rounds, the first of them the better one, with students of a configuration alone."""
    directory = RunDirectory(folder / "mine")
    directory.claim(parse_recipe(RECIPE % (enforce_eager, gpus), "r.yaml"))
    for round, accuracy in enumerate((0.5, 0.25)):
        directory.append(PhaseRecord(round, Phase.EVALUATE, 1.0, {"validation_accuracy": accuracy}))
        directory.round(round).student.mkdir(parents=True)
        (directory.round(round).student / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    return directory


def test_the_best_round_is_served_unless_another_is_named(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    assert graduate_of(directory, None).round == 0
    assert graduate_of(directory, 1).checkpoint == directory.round(1).student
    with pytest.raises(RunDirectoryError, match=r"round 2 is not finished; finished rounds: \[0, 1\]"):
        graduate_of(directory, 2)


def test_a_student_is_served_as_it_was_sampled(tmp_path: Path) -> None:
    from actors.sampler.start import engine_settings

    directory = finished_run(tmp_path)
    serving = serving_of(directory, graduate_of(directory, None), replicas=2)
    assert (serving.model_name, serving.replicas, serving.cpus, serving.gpus) == ("mine", 2, 3.0, 0.0)
    assert serving.prompt == directory.form().prompt("{question}")
    assert serving.frame == directory.form().frame
    assert serving.decoding()["generation_config"] == "vllm"  # not what the checkpoint suggests
    assert serving.decoding()["override_generation_config"] == {"temperature": 0.0}
    assert serving.answers is not None and serving.version.startswith("mine/round-000/")
    spec = spec_of(directory.recipe().task)
    assert (serving.answers.task, serving.answers.kind) == (spec.name, spec.answer_kind)
    assert serving.answers.max_new_tokens == spec.max_new_tokens
    assert serving.answers.form(serving.frame).prompt("x") == directory.form().prompt("x")
    served, sampled = engine_options(serving.engine()), engine_options(engine_settings(directory.recipe()))
    assert {key for key in served if served[key] != sampled[key]} == {"model"}
    assert served["model"] == str(directory.round(0).student)
    assert served["max_model_len"] == 384 and served["kv_cache_memory_bytes"] == 2**29
    assert served["dtype"] == "bfloat16" and served["enforce_eager"] is False


def test_a_student_that_was_sampled_on_gpus_is_served_on_gpus_unless_told_otherwise(tmp_path: Path) -> None:
    directory = finished_run(tmp_path, enforce_eager="null", gpus=2)
    graduate = graduate_of(directory, None)
    served = engine_options(serving_of(directory, graduate).engine())
    assert served["tensor_parallel_size"] == 2 and served["gpu_memory_utilization"] == 0.3
    assert served["enforce_eager"] is False
    moved = serving_of(directory, graduate, gpus=0.0, name="other")
    assert moved.model_name == "other" and engine_options(moved.engine())["enforce_eager"] is True


def test_the_curl_line_survives_a_shell(tmp_path: Path) -> None:
    words = shlex.split(curl_line("http://127.0.0.1:8000/v1", "mine", "Whose?\nIt's \"Ann's\"."))
    assert words[2] == "http://127.0.0.1:8000/v1/completions"
    assert json.loads(words[-1])["prompt"] == "Whose?\nIt's \"Ann's\"."
