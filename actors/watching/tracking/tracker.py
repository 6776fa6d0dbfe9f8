"""How a run is told to trackers of experiments: TensorBoard, Weights & Biases, MLflow.

Owns: which numbers are told, under which names, and the one thread that tells them.

Invariants
- A run never waits for a tracker and is never ended by one: what fails is said once in the log, and that tracker is
  told no more.
- No secret reaches a tracker, or the log by way of one: numbers are told, and what identifies a run, which holds none.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from actors.watching.tracking.sink import STEPS, Axis, Sink, TrackedRun
from reasoning.recipe.cluster import TrackingSection
from reasoning.recipe.tailored import RunRecipe
from reasoning.records import stable_id
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.training.report import LossPoint

logger = logging.getLogger(__name__)

LAST_S = 20.0  # what is told at the end has this long to arrive
_Told = tuple[Axis, int, dict[str, float]]


class Tracker:
    """Tells what happens to the sinks that `openers` open, by name, in a thread of its own."""

    def __init__(self, openers: Mapping[str, Callable[[], Sink]], secrets: Iterable[str] = ()) -> None:
        self._openers = dict(openers)
        self._secrets = [value for name in secrets if len(value := os.environ.get(name, "")) > 3]
        self._failed: set[str] = set()
        self._steps: dict[str, int] = {}  # that are done, by label, before the training under way
        self._queue: queue.SimpleQueue[_Told | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._tell, name="tracker", daemon=True) if openers else None
        if self._thread is not None:
            self._thread.start()

    def resumed(self, records: Iterable[PhaseRecord]) -> None:
        """The run goes on after `records`, which were told when they were made. (A degree of Fine-tune-CoT trains once,
        so nothing has to be counted under its label.)"""
        for record in records:
            self._count(record, "")

    def trained(self, point: LossPoint, label: str = "") -> None:
        """Takes one step of a training."""
        values = {
            "loss": point.total,
            "lm_loss": point.lm,
            "triplet_loss": point.triplet,
            "reflection_loss": point.reflection,
            "learning_rate": point.learning_rate,
            "tokens_per_s": point.tokens_per_s,
        }
        told = {f"{STEPS}/{name}": value for name, value in values.items() if value is not None}
        self._put(Axis.TRAINING_STEP, self._steps.get(label, 0) + point.step + 1, told, label)

    def recorded(self, record: PhaseRecord, label: str = "", dollars: float | None = None) -> None:
        """Takes a finished phase: all its numbers, its seconds, and the `dollars` that the teacher has cost so far."""
        numbers = {name: value for name, value in record.metrics.items() if isinstance(value, int | float)}
        told = {f"{record.phase}/{name}": float(value) for name, value in numbers.items()}
        told[f"{record.phase}/seconds"] = record.seconds
        if record.phase is Phase.TRAIN and numbers.get("training_seconds"):
            told["train/tokens_per_s"] = numbers.get("tokens", 0) / numbers["training_seconds"]
        if dollars is not None:
            told["teacher/dollars"] = dollars
        self._put(Axis.ROUND, record.round, told, label)
        self._count(record, label)

    def failed(self) -> dict[str, bool]:
        """Of each tracker, by name, whether it failed and is switched off."""
        return {name: name in self._failed for name in self._openers}

    def close(self) -> None:
        """Tells what is left, as far as it arrives in `LAST_S`. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._queue.put(None)
        thread.join(LAST_S)
        if thread.is_alive():
            logger.warning("tracking: what was told last did not arrive within %.0f s", LAST_S)

    def _count(self, record: PhaseRecord, label: str) -> None:
        if record.phase is Phase.TRAIN:
            self._steps[label] = self._steps.get(label, 0) + int(record.metrics.get("steps", 0))

    def _put(self, axis: Axis, step: int, values: Mapping[str, float], label: str) -> None:
        if self._thread is None:
            return
        before = f"{label.replace(' ', '_')}/" if label else ""
        told = {f"{before}{name}": value for name, value in values.items() if math.isfinite(value)}
        self._queue.put((axis, step, told))

    def _tell(self) -> None:
        sinks: dict[str, Sink] = {}
        for name, opener in self._openers.items():
            self._try(sinks, name, lambda name=name, opener=opener: sinks.update({name: opener()}))  # type: ignore[misc]
        while (told := self._queue.get()) is not None:
            for name, sink in list(sinks.items()):
                self._try(sinks, name, lambda sink=sink, told=told: sink.log(*told))  # type: ignore[misc]
        for name, sink in list(sinks.items()):
            self._try(sinks, name, sink.close)

    def _try(self, sinks: dict[str, Sink], name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 (each library has its own; none may end the run)
            sinks.pop(name, None)
            self._failed.add(name)
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            for secret in self._secrets:
                said = said.replace(secret, "***")
            logger.warning("tracking.%s is switched off for the rest of this run, which goes on: %s", name, said)


def tracker_of(recipe: RunRecipe, folder: Path) -> Tracker:
    """The tracker of the run of `recipe` in `folder`, with the sinks that its `tracking` names."""
    section, openers = recipe.tracking, {}
    run = TrackedRun(recipe.name, stable_id(recipe.name, recipe.fingerprint()), folder, about(recipe))
    if section.tensorboard:
        openers["tensorboard"] = lambda: _event_files(folder)
    if section.wandb is not None:
        openers["wandb"] = lambda: _wandb(section, run)
    if section.mlflow is not None:
        openers["mlflow"] = lambda: _mlflow(section, run)
    return Tracker(openers, recipe.secret_names())


def about(recipe: RunRecipe) -> dict[str, str]:
    """What identifies the run, as flat text: `student.model`, `task.name` and their like. Addresses, headers and bodies
    of requests are left out."""
    wanted = {
        "seed": recipe.seed,
        "task.name": recipe.task.name,
        "student.model": recipe.student.model,
        "student.prompt": recipe.student.prompt,
        "student.dtype": recipe.student.dtype,
        "teacher.kind": recipe.teacher.kind,
        "teacher.model": recipe.teacher.model,
        "fingerprint": recipe.fingerprint(),
    }
    return {name: str(value) for name, value in wanted.items() if value is not None}


def _event_files(folder: Path) -> Sink:
    from actors.watching.tracking.event_files import FOLDER, EventFiles

    return EventFiles(folder / FOLDER)


def _wandb(section: TrackingSection, run: TrackedRun) -> Sink:
    from actors.watching.tracking.weights_and_biases import WeightsAndBiases

    assert section.wandb is not None
    return WeightsAndBiases(section.wandb, run)


def _mlflow(section: TrackingSection, run: TrackedRun) -> Sink:
    from actors.watching.tracking.mlflow_run import MlflowRun

    assert section.mlflow is not None
    return MlflowRun(section.mlflow, run)
