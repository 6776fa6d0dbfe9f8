"""Everything that an estimate shows, as a table or as JSON.

Owns: the record, and how it compares with the cap on spending.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reasoning.estimate.samples import TeacherSample
from reasoning.estimate.sums import Estimate


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """What one trainer and one sampler hold of a GPU, in bytes. `training`: the key of the training that takes the
    most; `lighter`: keys that would lower it, in words."""

    trainer: int
    sampler: int
    training: str
    lighter: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """Everything that an estimate shows.

    Amounts are in dollars, None where a price is missing: `sample_cost` is the cost of the sample, `spent` what the run
    has spent so far, including the sample. `minutes` is the shortest time at the permitted rate, None when that is
    unknown. `unpriced` lists the recipe keys that lack a price. `memory` is None where the student's size is not known.
    """

    name: str
    directory: Path
    estimate: Estimate
    sampled: TeacherSample
    sample_cost: float | None
    spent: float
    max_cost: float | None
    minutes: float | None
    batch: bool
    unpriced: tuple[str, ...]
    notes: tuple[str, ...]
    memory: GpuMemory | None = None

    @property
    def in_all(self) -> float | None:
        """What the run will have spent at its end, as expected."""
        return None if self.estimate.to_pay is None else self.spent + self.estimate.to_pay

    @property
    def most_in_all(self) -> float | None:
        return None if self.estimate.most_to_pay is None else self.spent + self.estimate.most_to_pay

    @property
    def cap_is_too_low(self) -> bool:
        """The cap on spending is not above what is expected."""
        return (
            self.max_cost is not None and self.in_all is not None and self.in_all > 0 and self.max_cost <= self.in_all
        )
