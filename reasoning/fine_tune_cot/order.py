"""The order of a Fine-tune-CoT run: what is collected, and which phase of which degree comes next. Pure.

Owns: the rule that says what is next, and which degree's student is the run's graduate.

Invariants
- Rationales are collected before any degree learns from them, and only as many as are not collected yet.
- A degree runs through the phases of round 0 (`reasoning.rounds.phase_order`): each is whole or is done again.
- Degrees do not depend on each other: each starts from the base student, in ascending order.
- Validation accuracy chooses the graduate, never test accuracy. The baseline, which learns labels alone, is what the
  others are compared with: it graduates only where it is alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning.recipe.fine_tune_cot import LABELS_ALONE
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord, PhaseStep, evaluations, next_step


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask the teacher for `samples` rationales of every training question, of which some may be there already."""

    samples: int


@dataclass(frozen=True, slots=True)
class DegreeStep:
    """One phase of one degree, still to be done."""

    degree: int
    phase: Phase


def next_work(
    collected: int, wanted: int, done: Mapping[int, Sequence[PhaseRecord]]
) -> Collect | DegreeStep | Finished:
    """What comes next when `collected` rationales per question are there and `wanted` are to be, and `done` has the
    finished phases of each degree that is to be made. Raises `OutOfOrder` when a degree's cannot have come about."""
    if collected < wanted:
        return Collect(wanted)
    for degree in sorted(done):
        step = next_step(done[degree], rounds=0)
        if isinstance(step, PhaseStep):
            return DegreeStep(degree, step.phase)
    made = ", ".join(str(degree) for degree in sorted(done))
    return Finished(f"degree {made} is done" if len(done) == 1 else f"degrees {made} are done")


def best_degree(done: Mapping[int, Sequence[PhaseRecord]]) -> int | None:
    """The degree with the highest validation accuracy (the smallest of equals); None before the first evaluation."""
    accuracy = {
        degree: float(record.metrics["validation_accuracy"])
        for degree, records in done.items()
        for record in evaluations(records)
    }
    compared = [degree for degree in accuracy if degree != LABELS_ALONE] or list(accuracy)
    return max(compared, key=lambda degree: (accuracy[degree], -degree), default=None)
