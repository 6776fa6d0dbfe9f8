"""The order of a run: which phase of which round comes next. A pure state machine, tested without Ray.

Owns: the phases, the record of a finished phase, the rules that say what is next and which round is best.

Invariants
- What comes next follows from the finished phases alone, so a run started again goes on after its last complete line.
- Round 0 has no exam: it learns from the teacher's plain rationales. Every later round sits one.
- A round without anything to learn from ends the run: the student of the round before stays.
- Test accuracy is never read here. Stopping and the best round are decided by validation accuracy only.
- The transition that must not exist: a training that starts from anything but the previous round's checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Phase(StrEnum):
    EXAM = "exam"
    FEEDBACK = "feedback"
    SELECT = "select"
    TRAIN = "train"
    EVALUATE = "evaluate"


Metrics = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class PhaseStep:
    """One phase of one round, still to be done."""

    round: int
    phase: Phase


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One finished phase: a line of `rounds.jsonl`. `seconds` is wall time; `metrics` are numbers a report can plot."""

    round: int
    phase: Phase
    seconds: float
    metrics: Metrics

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @staticmethod
    def from_json(line: str) -> PhaseRecord:
        """Raises `ValueError` or `KeyError` when `line` is not a phase record."""
        content = json.loads(line)
        if not isinstance(content, dict) or not isinstance(content.get("metrics"), dict):
            raise ValueError("not a phase record")
        return PhaseRecord(
            int(content["round"]), Phase(content["phase"]), float(content["seconds"]), content["metrics"]
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """No step is left; `reason` says why in words."""

    reason: str


class OutOfOrder(ValueError):
    """The finished phases are not the beginning of any run: the file was edited or two runs wrote it."""


def phases_of(round: int) -> tuple[Phase, ...]:
    """The phases of `round` in order."""
    every = tuple(Phase)
    return every if round else every[1:]


def next_step(done: Sequence[PhaseRecord], rounds: int, patience: int | None = None) -> PhaseStep | Finished:
    """What comes after `done`, for a run of rounds 0..`rounds` that stops early after `patience` rounds without a
    better validation accuracy. Raises `OutOfOrder` when `done` cannot have come about."""
    expected = (PhaseStep(round, phase) for round in range(len(done) + 1) for phase in phases_of(round))
    for record, step in zip(done, expected, strict=False):
        if (record.round, record.phase) != (step.round, step.phase):
            raise OutOfOrder(
                f"round {record.round} {record.phase} is recorded where round {step.round} {step.phase} belongs"
            )
    if not done:
        return PhaseStep(0, phases_of(0)[0])
    last = done[-1]
    order = phases_of(last.round)
    missed = [_missed(r.metrics) for r in done if r.phase is Phase.EXAM and r.round == last.round]
    if last.phase is Phase.SELECT and last.metrics.get("examples") == 0:
        why = "its exam found no mistake" if missed == [0] else "nothing was said to what its exam found"
        return Finished(f"round {last.round} has nothing to learn from: {why}, and learning.rehearsal is too small")
    if last.phase != order[-1]:
        return PhaseStep(last.round, order[order.index(last.phase) + 1])
    if last.round >= rounds:
        return Finished(f"all {rounds + 1} rounds are done")
    if patience is not None and _stale_rounds(done) >= patience:
        return Finished(f"validation accuracy did not improve for {patience} rounds")
    if missed == [0]:
        return Finished("the last exam found no mistake")
    return PhaseStep(last.round + 1, Phase.EXAM)


def _missed(exam: Metrics) -> float | int | str | None:
    """How many questions of an exam were not always right: those whose attempts were cut off, too, which are no
    mistakes that a teacher is shown."""
    return exam.get("missed_questions", exam.get("mistakes"))


def evaluations(done: Sequence[PhaseRecord]) -> list[PhaseRecord]:
    """The evaluate records, one a round, in order."""
    return [record for record in done if record.phase is Phase.EVALUATE]


def best_round(done: Sequence[PhaseRecord]) -> int | None:
    """The round with the highest validation accuracy (the earliest of equals); None before the first evaluation."""
    finished = evaluations(done)
    if not finished:
        return None
    return max(finished, key=lambda r: (float(r.metrics["validation_accuracy"]), -r.round)).round


def _stale_rounds(done: Sequence[PhaseRecord]) -> int:
    best = best_round(done)
    return 0 if best is None else done[-1].round - best
