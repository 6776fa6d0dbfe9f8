"""A student that is divided among workers learns what an undivided one learns, and is saved whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.fsdp import FSDPModule

from reasoning.recipe.training import LoraSection, ObjectiveSection
from reasoning.student.checkpoint import Student, load_student, save_student
from reasoning.training.distributed.sharding import layers_of, whole_weights
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.prompt_sharing import set_to
from reasoning.training.readers import Reading
from reasoning.training.samples import draw_pass
from tests.reasoning.training.losses.plain_losses import READINGS
from tests.reasoning.training.test_fine_tuning import _examples, _training
from tests.tiny_students import tiny_student
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training


def _tied() -> Student:
    return tiny_student(tied=True)


# What is trained, by what objective, in what way, and how a decoder is read (None: as it can be).
CASES: dict[str, tuple[Any, ObjectiveSection, dict[str, Any], str | None]] = {
    "weighted": (tiny_student, ObjectiveSection(), {}, None),
    "tied": (_tied, ObjectiveSection(), {}, None),
    "full": (tiny_student, ObjectiveSection(loss="full", prompt_gradient=False), {}, None),
    "completion": (tiny_student, ObjectiveSection(loss="completion", representation="mean"), {}, None),
    "contrastive": (tiny_student, ObjectiveSection(loss="contrastive"), {}, None),
    "contrastive-cached": (tiny_student, ObjectiveSection(loss="contrastive", prompt_gradient=False), {}, None),
    "divergence": (tiny_student, ObjectiveSection(representation="divergence"), {}, None),
    "dpo": (tiny_student, ObjectiveSection(loss="dpo"), {}, None),
    "step_dpo": (tiny_student, ObjectiveSection(loss="step_dpo"), {}, None),
    "self_distillation": (tiny_student, ObjectiveSection(loss="self_distillation", language_weight=0.0), {}, None),
    **{f"read {how}": (tiny_student, ObjectiveSection(), {}, how) for how in READINGS},
    "t5": (lambda: tiny_t5_student(tied=True), ObjectiveSection(), {}, None),
    "t5-contrastive": (tiny_t5_student, ObjectiveSection(loss="contrastive", prompt_gradient=False), {}, None),
    "t5-dpo": (tiny_t5_student, ObjectiveSection(loss="dpo", language_weight=0.0), {}, None),
    "lora": (tiny_student, ObjectiveSection(), {"lora": LoraSection(rank=4), "learning_rate": 1e-2}, None),
    "checkpointed": (_tied, ObjectiveSection(), {"gradient_checkpointing": True}, None),
    "bfloat16": (tiny_student, ObjectiveSection(), {"precision": "bfloat16"}, None),
    "bfloat16-lora": (_tied, ObjectiveSection(), {"precision": "bfloat16", "lora": LoraSection(rank=4)}, None),
}


def _learn(name: str, rank: int = 0, world_size: int = 1) -> dict[str, Any]:
    """The losses and gradients of a first step in pieces, and the weights after a pass."""
    make, objective, changes, how = CASES[name]
    student = make()
    if how is not None:
        reading: Reading = READINGS[how]
        assert set_to(student.model, reading)
        patch = pytest.MonkeyPatch()
        patch.setattr("reasoning.training.fine_tuning.how_to_read", lambda *_, **__: reading)
    training = _training(epochs=1, batch_size=5, sharding="fsdp", **changes)
    run = FineTuning(
        student.model, student.tokenizer, _examples(6), training, objective, 3, rank, world_size, "float32"
    )
    run.max_padded, run.max_packed, run.min_padded = 90, 90, 40  # in pieces
    if world_size > 1:
        shards = [weight for weight in run.model.parameters() if weight.numel() > 1]
        assert all(weight.to_local().numel() < weight.numel() for weight in shards)
        assert sum(isinstance(part, FSDPModule) for part in run.losses.modules()) >= 3  # two layers and what is around
    found: dict[str, Any] = {}

    def keep() -> None:
        named = ((key, weight.grad) for key, weight in run.model.named_parameters() if weight.grad is not None)
        found["gradients"] = {key: _whole(gradient) for key, gradient in named}

    step, run.optimizer.step = run.optimizer.step, keep  # type: ignore[method-assign]
    batch = draw_pass(run.data.examples, 5, 3, 0)[0]
    found["losses"] = run.learn(batch, 1e-3)[1]
    run.optimizer.step = step  # type: ignore[method-assign]
    run.learn_pass(0, None)
    found["weights"] = {key: _whole(weight.detach()) for key, weight in run.model.named_parameters()}
    if how is not None:
        patch.undo()
    return found


SAVED: dict[str, dict[str, Any]] = {"plain": {}, "adapted": {"lora": LoraSection(rank=4), "learning_rate": 1e-2}}


def _run_of(student: Student, changes: dict[str, Any], rank: int = 0, world_size: int = 1) -> FineTuning:
    training = _training(epochs=1, sharding="fsdp", **changes)
    return FineTuning(
        student.model, student.tokenizer, _examples(6), training, ObjectiveSection(), 3, rank, world_size, "float32"
    )


def _whole(tensor: Any) -> torch.Tensor:
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).clone()


def _worker(rank: int, world_size: int, folder: str, names: list[str]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    for name in names:
        found = _learn(name, rank, world_size)
        if rank == 0:
            torch.save(found, f"{folder}/{name}.pt")
    for name, changes in SAVED.items():
        run = _run_of(_tied(), changes, rank, world_size)
        run.learn_pass(0, None)
        whole = whole_weights(run.model, keep=rank == 0)
        assert bool(whole.weights) == (rank == 0)
        if rank == 0:
            save_student(run.model, _tied().tokenizer, Path(folder) / name, whole=whole)
    torch.distributed.destroy_process_group()


FEW = ("tied", "contrastive-cached", "dpo", "t5", "lora", "bfloat16-lora")  # every way through the code but one


@pytest.mark.parametrize("names", [FEW, pytest.param([n for n in CASES if n not in FEW], marks=pytest.mark.slow)])
def test_a_divided_student_learns_what_an_undivided_one_learns(names: list[str], tmp_path: Path) -> None:
    """Every loss, however the student is read: values, gradients and what is learnt; and what is saved. Fifteen seconds
    the few, half a minute the others: two processes import torch and transformers."""
    torch.multiprocessing.spawn(_worker, args=(2, str(tmp_path), list(names)), nprocs=2)
    for name in names:
        found, wanted = torch.load(tmp_path / f"{name}.pt"), _learn(name)
        rough = name.startswith("bfloat16")  # sums of other parts, rounded to eight bits
        torch.testing.assert_close(found["losses"], wanted["losses"], rtol=2e-2 if rough else 1e-6, atol=1e-6)
        assert found["gradients"].keys() == wanted["gradients"].keys(), name
        for key, gradient in wanted["gradients"].items():
            tolerance = {"rtol": 5e-2, "atol": 2e-2} if rough else {"rtol": 1e-5, "atol": 1e-5}
            torch.testing.assert_close(found["gradients"][key], gradient, **tolerance)
        for key, weight in wanted["weights"].items():
            torch.testing.assert_close(found["weights"][key], weight, rtol=0, atol=2e-2 if rough else 2e-5)
    for name, changes in SAVED.items():
        alone = _tied()
        run = _run_of(alone, changes)
        run.learn_pass(0, None)
        save_student(alone.model, alone.tokenizer, tmp_path / "alone" / name)
        same, other = (load_student(str(folder)) for folder in (tmp_path / name, tmp_path / "alone" / name))
        torch.testing.assert_close(
            dict(same.model.named_parameters()), dict(other.model.named_parameters()), rtol=0, atol=1e-4
        )
        files = [
            sorted((f.name, f.stat().st_size) for f in (tmp_path / inside / name).rglob("*.safetensors"))
            for inside in ("", "alone")
        ]
        assert files[0] == files[1]  # tied embeddings once, the adapter beside


def test_layers_are_what_a_device_is_given_whole() -> None:
    assert [type(layer).__name__ for layer in layers_of(tiny_student().model)] == ["LlamaDecoderLayer"] * 2
    assert {type(layer).__name__ for layer in layers_of(tiny_t5_student().model)} == {"T5Block"}
    assert layers_of(torch.nn.Linear(2, 2)) == []
