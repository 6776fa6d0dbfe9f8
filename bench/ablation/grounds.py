"""On what the arms are compared: a task, a student that learns it, and the sizes that suit both.

Owns: what is alike in all arms of a ground. `coin-flips` is the embedded student's; the others are for a pretrained
student of some size (`python -m pipelines.demo.smollm2` makes one), whose sizes keep a cell within half an hour on one
core: its answers cannot be guessed, and nobody is near the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Ground:
    """`once` passes over what is learnt at once, `in_rounds` in each of a loop's trainings (round 0's and `rounds`
    more), `of_labels` over labels alone. `dollars`: budgets at which arms can be told apart."""

    name: str
    task: Mapping[str, Any]
    student: Mapping[str, Any]
    training: Mapping[str, Any]
    once: int
    in_rounds: int
    of_labels: int
    rounds: int
    exam: Mapping[str, int]
    dollars: tuple[float, ...]

    @property
    def student_name(self) -> str:
        """The model that learns; "" for the embedded one."""
        return str(self.student.get("model", ""))

    def taught_to(self, student: str | None) -> Ground:
        """The same with another student: a folder in Hugging Face format, a GGUF file or a hub id."""
        return self if student is None else replace(self, student={**self.student, "model": student})


_SMOLLM2 = {
    "model": "models/SmolLM2-135M-Instruct.Q4_1.gguf",
    "dtype": "bfloat16",  # on CPUs that have it twice as fast; weights stay float32
    "max_model_len": 512,
    "max_new_tokens": 96,
}
_OF_PRETRAINED: Mapping[str, Any] = {
    "student": _SMOLLM2,
    "training": {"batch_size": 16, "learning_rate": 2.0e-4, "schedule": "cosine", "warmup_steps": 10},
    "once": 3,
    "in_rounds": 2,
    "of_labels": 2,
    "rounds": 1,
    "exam": {"questions": 160, "samples": 2},  # most are missed, and half of the budget is for them
}

GROUNDS = {
    ground.name: ground
    for ground in (
        Ground(
            "coin-flips",
            {"name": "coin_flip", "train": 1200, "validation": 50, "test": 300},
            {"max_new_tokens": 128},
            {"batch_size": 16, "learning_rate": 1.0e-3, "schedule": "cosine", "warmup_steps": 10},
            once=20,
            in_rounds=10,
            of_labels=6,
            rounds=2,
            exam={"questions": 150, "samples": 4},
            dollars=(0.01, 0.02, 0.04),
        ),
        Ground(
            "last-letters",
            {"name": "last_letter_concatenation", "source": "generated", "train": 1000, "validation": 10, "test": 150},
            dollars=(0.08,),
            **_OF_PRETRAINED,
        ),
        Ground(
            "arithmetic",
            {"name": "arithmetic", "train": 1000, "validation": 10, "test": 150},
            dollars=(0.08,),
            **_OF_PRETRAINED,
        ),
    )
}
