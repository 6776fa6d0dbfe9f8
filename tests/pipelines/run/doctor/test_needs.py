"""What recipes ask of the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run.doctor.needs import names_of, needs_of
from reasoning.recipe.tailored import parse_recipe


def test_a_recipe_on_a_laptop(tmp_path: Path) -> None:
    needs = needs_of(parse_recipe(f"storage: {{path: '{tmp_path}'}}\nlearning: {{rounds: 3}}", "mine.yaml"))
    assert (needs.storage, needs.gpus, needs.readable, needs.rounds) == (str(tmp_path), False, (), 4)
    assert needs.vllm_on_cpu and needs.round_bytes > 4e6 and needs.trainer_gpu_bytes is None


def test_a_recipe_on_gpus(embedded_student: Path) -> None:
    text = f"student: {{model: '{embedded_student}'}}\ncluster: {{sampler_gpus: 1, trainer_gpus: 1}}"
    needs = needs_of(parse_recipe(text, "mine.yaml"))
    assert needs.gpus and not needs.vllm_on_cpu and needs.readable == (str(embedded_student),)
    assert needs.trainer_gpu_bytes and needs.sampler_gpu_bytes
    half = needs_of(parse_recipe(text + "\nlearning: {rounds: 0, first_training: {precision: bfloat16}}", "mine.yaml"))
    assert half.round_bytes == needs.round_bytes // 2
    assert all(said.startswith("learning.first_training.") for said, _ in needs.trainer_keys)
    unknown = needs_of(parse_recipe(text, "mine.yaml"), student_known=False)
    assert unknown.trainer_gpu_bytes is None and unknown.round_bytes == 0


def test_the_fewest_trainers_are_what_must_fit(embedded_student: Path) -> None:
    text = (
        f"student: {{model: '{embedded_student}'}}\nlearning: {{rounds: 0, first_training: {{sharding: fsdp}}}}\n"
        "cluster: {trainer_gpus: 1, %s}"
    )
    four, two, elastic = (
        needs_of(parse_recipe(text % keys, "mine.yaml"))
        for keys in ("trainers: 4", "trainers: 2", "trainers: 4, fewest_trainers: 2")
    )
    assert four.trainer_gpu_bytes and two.trainer_gpu_bytes and two.trainer_gpu_bytes > four.trainer_gpu_bytes
    assert elastic.trainer_gpu_bytes == two.trainer_gpu_bytes
    named = [said.partition(" (")[0] for said, _ in elastic.trainer_keys]
    assert named[:2] == ["cluster.fewest_trainers: 3", "cluster.fewest_trainers: 4"]
    assert elastic.trainer_keys[1][1] == four.trainer_gpu_bytes


@pytest.mark.parametrize(
    ("placement", "epoch", "students"),
    [("dedicated", "best", 3), ("shared", "best", 20), ("dedicated", "last", 0), ("shared", "last", 0)],
)
def test_how_many_epochs_students_a_training_keeps(placement: str, epoch: str, students: int) -> None:
    text = f"learning: {{training: {{epochs: 20, epoch: {epoch}}}}}\ncluster: {{placement: {placement}}}"
    needs = needs_of(parse_recipe(text, "mine.yaml"))
    assert needs.state_bytes == (3 + students) * needs.round_bytes


@pytest.mark.parametrize(
    ("cluster", "share"),
    [
        ("{sampler_gpus: 1}", 0.85),
        ("{sampler_gpus: 0.5, samplers: 2}", 1.7),
        ("{sampler_gpus: 0.5}", 0.85),
        ("{sampler_gpus: 0.25, samplers: 8, gpu_memory_utilization: 0.2}", 0.8),
        ("{sampler_gpus: 0.5, samplers: 2, sampler: transformers}", 0.0),
        ("{}", 0.0),
    ],
)
def test_what_samplers_take_of_one_gpu(cluster: str, share: float) -> None:
    assert needs_of(parse_recipe(f"cluster: {cluster}", "mine.yaml")).sampler_share == pytest.approx(share)


def test_files_grow_with_what_is_in_flight() -> None:
    teacher = "teacher: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1', max_in_flight: 5000}"
    assert needs_of(parse_recipe(teacher, "mine.yaml")).files > 10_000


def test_some_names_stand_for_all() -> None:
    assert names_of(["a"]) == "a" and names_of(list("abcde")) == "a, b, c and 2 more"
