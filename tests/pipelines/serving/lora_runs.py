"""Finished runs whose students `lora` taught: adapters drawn at random, large enough that each answers otherwise.

Whoever imports this module need not need a model: torch and transformers are loaded by the first call."""

from __future__ import annotations

from pathlib import Path

from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord

RECIPE = """
name: {name}
task: {{name: {task}, source: generated, train: 40, validation: 20, test: 20}}
student: {{max_new_tokens: 24, prompt: reasoning}}
learning: {{rounds: 2, first_training: {{lora: {{rank: {rank}}}}}, training: {{lora: {{rank: {rank}}}}}}}
cluster: {{kv_cache_gib: 0.25, sampler_cpus: 0.5}}
"""


def claimed_run(folder: Path, name: str, rank: int, task: str = "coin_flip") -> RunDirectory:
    """A run of two finished rounds, the first of them the better one, without their students."""
    directory = RunDirectory(folder / name)
    directory.claim(parse_recipe(RECIPE.format(name=name, rank=rank, task=task), name))
    for round, accuracy in enumerate((0.5, 0.25)):
        directory.append(PhaseRecord(round, Phase.EVALUATE, 1.0, {"validation_accuracy": accuracy}))
    return directory


def taught_run(folder: Path, name: str, rank: int, seed: int, task: str = "coin_flip") -> RunDirectory:
    """The same with students, as a training writes them: each round's is the one before with its adapter merged in."""
    import torch

    from reasoning.recipe.training import LoraSection
    from reasoning.student.checkpoint import load_student, save_student
    from reasoning.training.weights.adding import add_adapter

    directory, source = claimed_run(folder, name, rank, task), str(EMBEDDED_STUDENT)
    for round in range(2):
        student = load_student(source)
        add_adapter(student.model, LoraSection(rank=rank), seed + round)
        torch.manual_seed(seed + round)
        for weight in student.model.parameters():
            if weight.requires_grad:
                weight.data.normal_(0.0, 0.05)
        save_student(student.model, student.tokenizer, directory.round(round).student)
        source = str(directory.round(round).student)
    return directory
