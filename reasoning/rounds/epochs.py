"""Accuracy by epoch: what a student could do after each pass of one training, and which pass is the best.

Owns: the record of one epoch, its file, the choice; whose the epochs on the disk are, and which of their weights go.
Light: reports read it too.

Invariants
- The best epoch is the one with the highest validation accuracy, the earliest of equals. Test accuracy decides nothing
  here. (Paper B takes the best of its 20 epochs by test accuracy.)
- Accuracies of one training are counts over the same questions.
- Weights are dropped of an epoch whose evaluation is on the disk, and which another has beaten.
- What lies in the place of a training's epochs is that training's, whatever was there before (`claim_epochs`).
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
from reasoning.recipe.training import TrainingSection
from reasoning.rounds.directory import RoundFiles

MEANWHILE = 3


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


def students_at_once(training: TrainingSection, *, meanwhile: bool) -> int:
    """How many epochs' students lie on the disk at once, beside the round's own. Those that are examined `meanwhile`:
    the best one so far, the one that is examined, the one that was just made, and more only where the exams are slower
    than the training."""
    if training.epoch != "best":
        return 0
    return min(training.epochs, MEANWHILE) if meanwhile else training.epochs


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


def beaten(accuracies: Sequence[EpochAccuracy]) -> int | None:
    """Which epoch's student is not needed any more now that the last of `accuracies` is known; None after the first."""
    if len(accuracies) < 2:
        return None
    before, best = best_epoch(accuracies[:-1]), best_epoch(accuracies)
    return accuracies[-1].epoch if best == before else before.epoch


def has_others_epochs(files: RoundFiles, identity: str) -> bool:
    """Whether what lies there is not of the training with `identity`. Students alone, of no training that says so, may
    be those of an earlier version that was killed."""
    if files.epochs_claim.is_file():
        return files.epochs_claim.read_text(encoding="utf-8") != identity
    return any(files.epochs.glob(f"*/{files.evaluation.name}"))


def claim_epochs(files: RoundFiles, identity: str) -> None:
    """Makes the place of the epochs that of the training with `identity`, before it begins: what another has left there
    goes, answers too."""
    if has_others_epochs(files, identity):
        for entry in set(files.epochs.iterdir()) - {files.epochs_claim}:  # which goes last: with it, all is done
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with new_file(files.epochs_claim) as part:
        part.write_text(identity, encoding="utf-8")


def drop(files: RoundFiles, epoch: int) -> None:
    """Deletes the weights of an epoch, and then their probe. Its evaluation stays."""
    shutil.rmtree(files.after(epoch).student, ignore_errors=True)
    files.after(epoch).probe.unlink(missing_ok=True)


def promote(files: RoundFiles, best: int, epochs: int) -> None:
    """Makes the best epoch's student the round's (which is the last epoch's until then) and drops the others' weights.

    Done again after a crash at any point, it ends the same: the best one's folder is moved, never copied."""
    chosen = files.after(best)
    if best != epochs and chosen.student.exists():
        shutil.rmtree(files.student, ignore_errors=True)
        files.probe.unlink(missing_ok=True)
        chosen.student.rename(files.student)
    for epoch in range(1, epochs + 1):
        drop(files, epoch)
    files.epochs_claim.unlink(missing_ok=True)  # trained anew, their weights would be missing
