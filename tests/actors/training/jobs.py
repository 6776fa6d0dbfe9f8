"""Examples and the training that two nodes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.training.job import TrainingJob
from reasoning.files.tables import write_table
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import save_student
from tests.tiny_students import tiny_student

QUESTIONS = 100
TRAINING = TrainingSection(batch_size=8, warmup_steps=2, epochs=8)


def examples_of(questions: int) -> list[Example]:
    """Two rationales a question, and a mistake for every other."""
    return [
        Example(
            f"p{i}", f"Q: {i}+1?", (f" {i}+1={i + 1}\nAnswer: {i + 1}", f" {i + 1}.\nAnswer: {i + 1}"),
            (f" {i}+1={i + 3}\nAnswer: {i + 3}",) if i % 2 else (),
        )
        for i in range(questions)
    ]  # fmt: skip


def job_in(folder: Path, questions: int, training: TrainingSection, reporter: Any, **keys: Any) -> TrainingJob:
    """A training of the tiny student, whose files are in `folder`."""
    student = tiny_student()
    save_student(student.model, student.tokenizer, folder / "base")
    write_table(folder / "examples.parquet", examples_of(questions), Example)
    return TrainingJob(
        run_name="run-round-000",
        storage=str(folder / "training"),
        checkpoint_in=str(folder / "base"),
        examples=str(folder / "examples.parquet"),
        checkpoint_out=str(folder / "round-000" / "student"),
        training=training,
        objective=ObjectiveSection(),
        seed=7,
        reporter=reporter,
        **keys,
    )


def elastic_job(folder: Path, reporter: Any) -> TrainingJob:
    """Two workers, of which one is enough."""
    return job_in(folder, QUESTIONS, TRAINING, reporter, workers=2, fewest=1, checkpoint_s=1.0)
