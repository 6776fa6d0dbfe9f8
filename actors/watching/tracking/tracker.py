"""How a run is told to trackers of experiments: TensorBoard, Weights & Biases, MLflow.

Owns: which numbers are told, under which names, and the threads that tell them.

Invariants
- A run never waits for a tracker and is never ended by one: what fails is said once in the log, and that tracker is
  told no more. Nor does a tracker wait for another: a server that is down takes its library minutes to give up.
- A run there is that of one directory: the same recipe in another one is another run.
- No secret reaches a tracker, or the log by way of one: numbers are told, and what identifies a run, which holds none.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from actors.watching.tracking.sink import STEPS, Axis, Sink, TrackedRun
from reasoning.files.durable import new_file
from reasoning.recipe.cluster import TrackingSection
from reasoning.recipe.tailored import RunRecipe
from reasoning.records import stable_id
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.training.report import LossPoint

logger = logging.getLogger(__name__)

LAST_S = 20.0  # what is told at the end has this long to arrive
ID_FILE = "tracking.txt"  # in a run's directory: what the run is called by trackers on servers
_Told = tuple[Axis, int, dict[str, float]]


class Tracker:
    """Tells what happens to the sinks that `openers` open, by name, each in a thread of its own."""

    def __init__(self, openers: Mapping[str, Callable[[], Sink]], secrets: Iterable[str] = ()) -> None:
        hidden = [value for name in secrets if len(value := os.environ.get(name, "")) > 3]
        self._steps: dict[str, int] = {}  # that are done, by label, before the training under way
        self._tellers = {name: _Teller(name, opener, hidden) for name, opener in openers.items()}
        self._closed = False

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
        return {name: teller.failed for name, teller in self._tellers.items()}

    def close(self, *, finished: bool = True) -> None:
        """Tells what is left, as far as it arrives in `LAST_S`, and whether the run came to its end. A second call does
        nothing."""
        if self._closed:
            return
        self._closed = True
        until = time.monotonic() + LAST_S
        for teller in self._tellers.values():
            teller.end(finished=finished)
        for teller in self._tellers.values():
            teller.wait(until)

    def _count(self, record: PhaseRecord, label: str) -> None:
        if record.phase is Phase.TRAIN:
            self._steps[label] = self._steps.get(label, 0) + int(record.metrics.get("steps", 0))

    def _put(self, axis: Axis, step: int, values: Mapping[str, float], label: str) -> None:
        if self._closed:
            return
        before = f"{label.replace(' ', '_')}/" if label else ""
        told = {f"{before}{name}": value for name, value in values.items() if math.isfinite(value)}
        for teller in self._tellers.values():
            teller.tell((axis, step, told))


class _Teller:
    """Tells one sink, which `opener` opens."""

    def __init__(self, name: str, opener: Callable[[], Sink], secrets: Iterable[str]) -> None:
        self._name, self._opener, self._secrets = name, opener, secrets
        self._queue: queue.SimpleQueue[_Told | bool] = queue.SimpleQueue()  # last, whether the run came to its end
        self.failed = False
        self._thread = threading.Thread(target=self._run, name=f"tracker-{name}", daemon=True)
        self._thread.start()

    def tell(self, told: _Told) -> None:
        if not self.failed:
            self._queue.put(told)

    def end(self, *, finished: bool) -> None:
        self._queue.put(finished)

    def wait(self, until: float) -> None:
        """Until everything has arrived, or the monotonic clock says `until`."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            logger.warning("tracking.%s: what was told last did not arrive within %.0f s", self._name, LAST_S)

    def _run(self) -> None:
        try:
            sink = self._opener()
            while not isinstance(told := self._queue.get(), bool):
                sink.log(*told)
            sink.close(finished=told)
        except Exception as error:  # noqa: BLE001 (each library has its own; none may end the run)
            self.failed = True
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            for secret in self._secrets:
                said = said.replace(secret, "***")
            logger.warning("tracking.%s is switched off for the rest of this run, which goes on: %s", self._name, said)


def tracker_of(recipe: RunRecipe, folder: Path) -> Tracker:
    """The tracker of the run of `recipe` in `folder`, with the sinks that its `tracking` names."""
    section, openers = recipe.tracking, {}
    if section.tensorboard:
        openers["tensorboard"] = lambda: _event_files(folder)
    if section.wandb is not None or section.mlflow is not None:
        run = TrackedRun(recipe.name, _id_of(recipe, folder), folder, about(recipe))
    if section.wandb is not None:
        openers["wandb"] = lambda: _wandb(section, run)
    if section.mlflow is not None:
        openers["mlflow"] = lambda: _mlflow(section, run)
    return Tracker(openers, recipe.secret_names())


def _id_of(recipe: RunRecipe, folder: Path) -> str:
    """What trackers know the run in `folder` by: an id that is made with the run and kept there."""
    file = folder / ID_FILE
    if file.is_file():
        return file.read_text(encoding="utf-8").strip()
    began = any(folder.rglob("rounds.jsonl"))  # under an earlier version, which had an id for every recipe
    id = stable_id(recipe.name, recipe.fingerprint()) if began else uuid.uuid4().hex[:16]
    with contextlib.suppress(OSError), new_file(file) as part:
        part.write_text(id, encoding="utf-8")
    return id


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
