"""What happens in a run is told to its trackers, by step and by round; a tracker that fails costs the run nothing."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.watching.tracking.sink import Axis
from actors.watching.tracking.tracker import Tracker, about, tracker_of
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.training.report import LossPoint

TRAIN = PhaseRecord(0, Phase.TRAIN, 30.0, {"steps": 36, "tokens": 900, "training_seconds": 9.0, "lm_loss_last": 0.2})
EVALUATE = PhaseRecord(0, Phase.EVALUATE, 6.0, {"test_accuracy": 0.5, "validation_accuracy": 0.4})


def point(step: int, triplet: float | None = None) -> LossPoint:
    return LossPoint(step, 0, 1.5, triplet, 2.0, 1e-4, 300.0, 36)


class Told:
    """A tracker in memory."""

    def __init__(self, fails: str = "") -> None:
        self.told: list[tuple[str, int, dict[str, float]]] = []
        self.closed, self._fails = False, fails
        self.finished: bool | None = None

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        if self._fails:
            raise RuntimeError(self._fails)
        self.told.append((axis.value, step, dict(values)))

    def close(self, *, finished: bool = True) -> None:
        self.closed, self.finished = True, finished


def test_steps_go_on_over_rounds_and_over_starts_and_phases_are_told_by_round() -> None:
    sink = Told()
    tracker = Tracker({"memory": lambda: sink})
    tracker.resumed([TRAIN, EVALUATE])
    tracker.trained(point(0, triplet=0.1))
    tracker.recorded(PhaseRecord(1, Phase.TRAIN, 3.0, {"steps": 4, "tokens": 10, "training_seconds": 2.0}), "", 0.25)
    tracker.trained(point(0))
    tracker.close()
    first, train, second = sink.told
    assert first[:2] == ("training_step", 37) and first[2]["steps/triplet_loss"] == 0.1
    assert train[:2] == ("round", 1)
    assert train[2] == {
        "train/steps": 4.0, "train/tokens": 10.0, "train/training_seconds": 2.0, "train/seconds": 3.0,
        "train/tokens_per_s": 5.0, "teacher/dollars": 0.25,
    }  # fmt: skip
    assert second[:2] == ("training_step", 41) and "steps/triplet_loss" not in second[2]
    assert sink.closed and sink.finished


def test_degrees_are_told_apart_and_numbers_that_are_none_are_left_out() -> None:
    sink = Told()
    tracker = Tracker({"memory": lambda: sink})
    tracker.recorded(PhaseRecord(0, Phase.EVALUATE, 1.0, {"test_accuracy": float("nan"), "model": "m"}), "degree 4")
    tracker.close()
    assert sink.told == [("round", 0, {"degree_4/evaluate/seconds": 1.0})]


def test_a_tracker_that_fails_is_told_no_more_and_the_others_are(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "local-0123456789")
    warned: list[str] = []
    monkeypatch.setattr(
        logging.getLogger("actors.watching.tracking.tracker"), "warning", lambda text, *a: warned.append(text % a)
    )

    def absent() -> Told:
        raise ImportError("no module named mlflow")

    good, bad = Told(), Told(fails="401 for key local-0123456789")
    tracker = Tracker({"mlflow": absent, "wandb": lambda: bad, "good": lambda: good}, ["WANDB_API_KEY"])
    for step in range(3):
        tracker.trained(point(step))
    tracker.close()
    tracker.close()
    assert len(good.told) == 3 and good.closed and not bad.closed
    assert tracker.failed() == {"mlflow": True, "wandb": True, "good": False}
    mlflow, wandb = sorted(warned)
    assert "tracking.mlflow" in mlflow and "tracking.wandb" in wandb
    assert "local-0123456789" not in wandb and "***" in wandb


def test_a_tracker_whose_server_hangs_keeps_no_other_waiting(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.watching.tracking.tracker.LAST_S", 2.0)
    warned: list[str] = []
    monkeypatch.setattr(
        logging.getLogger("actors.watching.tracking.tracker"), "warning", lambda text, *a: warned.append(text % a)
    )
    answered = threading.Event()

    def hanging() -> Told:
        answered.wait()
        return Told()

    good = Told()
    tracker = Tracker({"mlflow": hanging, "good": lambda: good})
    tracker.trained(point(0))
    tracker.close(finished=False)
    answered.set()
    assert len(good.told) == 1 and good.closed and good.finished is False
    assert len(warned) == 1 and warned[0].startswith("tracking.mlflow: what was told last did not arrive")


def test_a_disk_that_takes_no_event_files_is_told_and_held_against_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tensorboardX.record_writer.RecordWriter.flush", full)
    warned: list[str] = []
    monkeypatch.setattr(
        logging.getLogger("actors.watching.tracking.tracker"), "warning", lambda text, *a: warned.append(text % a)
    )
    tracker = tracker_of(parse_recipe("name: mine", "mine.yaml"), tmp_path)
    for step in range(500):
        tracker.trained(point(step))
    tracker.close()
    assert tracker.failed() == {"tensorboard": True}
    assert len(warned) == 1 and "No space left on device" in warned[0]


def test_event_files_are_in_the_runs_folder_by_default(tmp_path: Path) -> None:
    tracker = tracker_of(parse_recipe("name: mine", "mine.yaml"), tmp_path)
    tracker.trained(point(0))
    tracker.recorded(EVALUATE, dollars=0.0)
    tracker.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    found = scalars(file)
    assert found["steps/loss"] == (1, 2.0) and found["evaluate/test_accuracy"] == (0, 0.5)
    assert found["steps/tokens_per_s"] == (1, 300.0) and found["evaluate/seconds"] == (0, 6.0)


def scalars(file: Path) -> dict[str, tuple[int, float]]:
    """The last step and value of each scalar of an event file, whose records are framed by their length."""
    from tensorboardX.proto.event_pb2 import Event

    content, at, found = file.read_bytes(), 0, {}
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + length])
        at += 12 + length + 4
        found |= {value.tag: (event.step, round(value.simple_value, 4)) for value in event.summary.value}
    return found


def test_nothing_is_written_where_nobody_is_to_be_told(tmp_path: Path) -> None:
    tracker = tracker_of(parse_recipe("tracking: {tensorboard: false}", "mine.yaml"), tmp_path)
    tracker.trained(point(0))
    tracker.close()
    assert not list(tmp_path.iterdir())


def test_what_identifies_a_run_holds_no_address_header_or_body() -> None:
    text = """
teacher:
  kind: openai
  model: m
  base_url: https://inner.example/v1
  headers: {X-Team: '${TEAM_TOKEN}'}
  extra_body: {user: someone}
"""
    told = about(parse_recipe(text, "mine.yaml"))
    assert told["teacher.model"] == "m"
    assert not [value for value in told.values() if "inner" in value or "TEAM" in value or "someone" in value]
