"""What a tracker of experiments is given: numbers by name, at a step of one of two axes.

Owns: the contract of a sink, the names of the axes and of what lies on them, and what a run is called there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Axis(StrEnum):
    """What a step counts: training steps over all rounds (from 1), or rounds (from 0)."""

    TRAINING_STEP = "training_step"
    ROUND = "round"


STEPS = "steps"  # the first part of the names that lie on the axis of training steps


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A run as a tracker knows it: `id` is the same when it is resumed and no other run's, `about` is what identifies
    it, as flat text."""

    name: str
    id: str
    folder: Path
    about: Mapping[str, str]


class Sink(Protocol):
    """One tracker, used by one thread. Methods may block and may raise whatever its library does."""

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        """Takes `values` at `step`. A run that was resumed may give a step twice."""

    def close(self, *, finished: bool = True) -> None:
        """Everything that was logged is kept or sent, and whether the run came to its end."""
