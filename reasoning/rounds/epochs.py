"""Accuracy by epoch: what a student could do after each pass of one training, and which pass is the best.

Owns: the record of one epoch, its file, the choice. Light: reports read it too.

Invariants
- The best epoch is the one with the highest validation accuracy, the earliest of equals. Test accuracy decides nothing
  here. (Paper B takes the best of its 20 epochs by test accuracy.)
- Accuracies of one training are counts over the same questions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines
from reasoning.grading.intervals import Interval, wilson
from reasoning.rounds.directory import RoundFiles


@dataclass(frozen=True, slots=True)
class EpochAccuracy:
    """How many of the held-out questions the student answered rightly (greedily) after `epoch` (from 1)."""

    epoch: int
    validation_questions: int
    validation_correct: int
    test_questions: int
    test_correct: int

    def correct(self, split: str) -> tuple[int, int]:
        """Right answers and questions of `split`, "validation" or "test"."""
        if split == "validation":
            return self.validation_correct, self.validation_questions
        return self.test_correct, self.test_questions

    def accuracy(self, split: str) -> float:
        """The share of right answers, 0 where there is no question."""
        right, questions = self.correct(split)
        return right / questions if questions else 0.0

    def interval(self, split: str) -> Interval:
        """The accuracy's 95 % interval (Wilson)."""
        return wilson(*self.correct(split))


def best_epoch(accuracies: Sequence[EpochAccuracy]) -> EpochAccuracy:
    """The epoch whose student stays. Raises `ValueError` when there is none."""
    return max(accuracies, key=lambda one: (one.accuracy("validation"), -one.epoch))


def write_epochs(file: Path, accuracies: Sequence[EpochAccuracy]) -> None:
    """Writes one line an epoch, in order, the file whole or not at all."""
    with new_file(file) as part:
        part.write_text("".join(json.dumps(asdict(one)) + "\n" for one in accuracies), encoding="utf-8")


def read_epochs(file: Path) -> list[EpochAccuracy]:
    """What `write_epochs` wrote; nothing where there is no such file, as when only the last epoch was evaluated."""
    if not file.is_file():
        return []
    return [EpochAccuracy(**line.value()) for line in json_lines(file)]


def promote(files: RoundFiles, best: int, epochs: int) -> None:
    """Makes the best epoch's student the round's (which is the last epoch's until then) and drops the others' weights.

    Done again after a crash at any point, it ends the same: the best one's folder is moved, never copied."""
    chosen = files.after(best)
    if best != epochs and chosen.student.exists():
        shutil.rmtree(files.student, ignore_errors=True)
        files.probe.unlink(missing_ok=True)
        chosen.student.rename(files.student)
    for epoch in range(1, epochs + 1):
        shutil.rmtree(files.after(epoch).student, ignore_errors=True)
        files.after(epoch).probe.unlink(missing_ok=True)
