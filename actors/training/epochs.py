"""The students after each epoch of a training, where the best of them is to be found out.

Owns: which of them are still to be written, their probes, and the room they take.

Invariants
- An epoch's student is written once. One that is there may be examined, and one that was examined may be gone; a
  training that went back to an earlier state makes it again, equal up to rounding, and does not write it.
- Its probe is written after it, and says that it is whole.
- The probe is made at once, by the first worker, while the others wait for it: a student that is examined beside the
  training is proven by it. It takes what memory the gradients leave free, and the CPU where that is too little.

torch stays in Ray Train's workers: importing this module is light.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.storage.places import (
    forget_lost_beside,
    hand_over,
    is_file_there,
    is_student_there,
    landing,
    student_here,
)
from actors.training.ranks import from_all
from reasoning.files.addresses import below
from reasoning.recipe.training import TrainingSection
from reasoning.rounds.directory import RoundFiles
from reasoning.rounds.epochs import students_at_once

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student
    from reasoning.student.probe import Probe
    from reasoning.training.weights.merging import SavedWeights

logger = logging.getLogger(__name__)


def epoch_version(version: str, epoch: int) -> str:
    """The name of the weights after `epoch` (from 1) of the training that ends in `version`."""
    return f"{version}/epoch-{epoch:02d}"


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """A probe of the new checkpoint wanted with it: its version, its prompts, and the file it is written to. The worker
    has the libraries loaded, so that here it costs a second and in a process of its own ten."""

    version: str
    prompts: tuple[str, ...]
    file: str


class EpochStudents:
    """The students after the epochs of a `training`, below `out`, each with a probe as `order` says of the whole;
    `meanwhile`: whether they are examined while the training goes on."""

    def __init__(self, out: str, training: TrainingSection, order: ProbeOrder | None, *, meanwhile: bool) -> None:
        self._out, self._training, self._order, self._meanwhile = out, training, order, meanwhile
        self._here = RoundFiles(landing(out).parent)

    def keep(self, epoch: int, student: Student, rank: int, whole: Callable[[], SavedWeights | None]) -> None:
        """Writes the student that has learnt for so many epochs, unless that was done, and then its probe. Every worker
        calls it; `whole` gives the weights of one that is divided among them. Raises `StorageError`, `OSError`."""
        from reasoning.student.checkpoint import save_student

        if any(from_all(rank == 0 and not self._was_written(epoch))):
            weights = whole()
            if rank == 0:
                save_student(student.model, student.tokenizer, self._here.after(epoch).student, whole=weights)
                hand_over(self._place(epoch, "student"))
        if rank == 0:
            if self._order is not None and not self._was_proven(epoch):
                self._prove(epoch, self._order)
            forget_lost_beside(self._place(epoch, "student"))

    def left(self) -> int:
        """How many students lie on this node's disk at once that are not there yet."""
        files = [self._here.after(epoch) for epoch in range(1, self._training.epochs + 1)]
        to_come = sum(not one.student.exists() and not one.evaluation.exists() for one in files)
        return min(to_come, students_at_once(self._training, meanwhile=self._meanwhile))

    def _was_written(self, epoch: int) -> bool:
        # In this order: answers are there before the weights go.
        return is_student_there(self._place(epoch, "student")) or self._was_examined(epoch)

    def _was_proven(self, epoch: int) -> bool:
        return is_file_there(self._place(epoch, "probe.json")) or self._was_examined(epoch)

    def _was_examined(self, epoch: int) -> bool:
        return is_file_there(self._place(epoch, "evaluation.parquet"))

    def _prove(self, epoch: int, order: ProbeOrder) -> None:
        from reasoning.student.probe import save_probe

        source = student_here(self._place(epoch, "student"))
        save_probe(
            _probe_beside(source, epoch_version(order.version, epoch), order.prompts), self._here.after(epoch).probe
        )
        hand_over(self._place(epoch, "probe.json"))

    def _place(self, epoch: int, name: str) -> str:
        return below(self._out, self._here.after(epoch).folder.name, name)


def _probe_beside(checkpoint: str, version: str, prompts: tuple[str, ...]) -> Probe:
    """`make_probe` beside a training that holds its memory."""
    import torch

    from reasoning.student.probe import make_probe

    torch.cuda.empty_cache()  # what a step's activations took
    try:
        return make_probe(checkpoint, version, prompts)
    except torch.OutOfMemoryError:
        logger.warning("%s is proven on the CPU: its GPU has no memory left for it beside the training", version)
    torch.cuda.empty_cache()
    return make_probe(checkpoint, version, prompts, device="cpu")
