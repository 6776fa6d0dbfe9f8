"""Snapshots of a run become metrics that add up, whatever is looked at when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from actors.watching import table
from actors.watching.meters import Meters
from actors.watching.run import LimiterLook, RunMetrics, SamplerLook, journal_bytes, round_of
from actors.watching.table import Metric
from reasoning.rounds.progress import Progress, TeacherFigures
from reasoning.training.report import LossPoint


class Recorded(Meters):
    """Keeps what is recorded, instead of giving it to Ray."""

    def __init__(self) -> None:
        super().__init__(run="mine")
        self.sums: Counter[tuple[str, ...]] = Counter()
        self.values: dict[tuple[str, ...], float] = {}
        self.seen: list[tuple[str, ...]] = []

    def add(self, metric: Metric, value: float = 1, **tags: str) -> None:
        assert {"run", *tags} == set(metric.tags) and value >= 0
        self.sums[metric.name, *tags.values()] += value  # type: ignore[assignment]

    def set(self, metric: Metric, value: float | None, **tags: str) -> None:
        assert {"run", *tags} == set(metric.tags)
        if value is not None:
            self.values[metric.name, *tags.values()] = value

    def observe(self, metric: Metric, value: float, **tags: str) -> None:
        assert {"run", *tags} == set(metric.tags) and value >= 0
        self.seen.append((metric.name, *tags.values()))


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def a_round(progress: Progress, look: Callable[[], None]) -> None:
    progress.begin(1, "exam", 10)
    for number in range(10):
        progress.add(mistakes=number % 2, student_tokens_total=100)
        progress.add(done=1, graded=4, correct=3 if number % 2 else 4)
        look()
    progress.begin(1, "feedback", 5)
    progress.add(done=5)
    look()
    progress.begin(1, "train", 0)
    progress.show(done=7, total=7, tokens_per_s=123.0)
    progress.begin(1, "evaluate", 20)
    progress.add(done=20, graded=20, correct=11, student_tokens_total=50)
    progress.begin(2, "exam", 10)
    progress.add(done=3, graded=12, correct=12, mistakes=2)


@pytest.mark.parametrize("often", [True, False])
def test_counts_add_up_however_often_they_are_looked_at(recorded: Recorded, often: bool) -> None:
    metrics = RunMetrics("mine", recorded)
    progress = Progress(metrics.ended)
    a_round(progress, lambda: metrics.look(progress.snapshot) if often else None)
    metrics.ended(progress.snapshot)
    metrics.closed()
    sums = {name: value for name, value in recorded.sums.items() if value}
    assert sums == {
        (table.EXAM_QUESTIONS.name, "1"): 10,
        (table.EXAM_ATTEMPTS.name, "1", "right"): 35,
        (table.EXAM_ATTEMPTS.name, "1", "wrong"): 5,
        (table.MISTAKES.name, "1"): 5,
        (table.STUDENT_TOKENS.name,): 1050,
        (table.TRAINING_STEPS.name, "1"): 7,
        (table.EVALUATED.name, "1"): 20,
        (table.EXAM_QUESTIONS.name, "2"): 3,
        (table.EXAM_ATTEMPTS.name, "2", "right"): 12,
        (table.MISTAKES.name, "2"): 2,
    }
    phases = ["exam", "feedback", "train", "evaluate", "exam"]
    assert recorded.seen == [(table.PHASE_SECONDS.name, phase) for phase in phases]


def test_the_phase_is_one_of_all(recorded: Recorded) -> None:
    metrics = RunMetrics("mine", recorded)
    progress = Progress(metrics.ended)
    metrics.look(progress.snapshot)
    assert current(recorded) == ["starting"]
    progress.begin(3, "train", 8)
    progress.show(done=2)
    metrics.look(progress.snapshot)
    assert current(recorded) == ["train"] and recorded.values[table.ROUND.name,] == 3
    assert (recorded.values[table.PHASE_DONE.name,], recorded.values[table.PHASE_WORK.name,]) == (2, 8)
    metrics.closed()
    assert current(recorded) == []


def current(recorded: Recorded) -> list[str]:
    return [name[1] for name, value in recorded.values.items() if name[0] == table.PHASE.name and value]


def test_waiting_for_machines_is_timed(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, progress = RunMetrics("mine", recorded), Progress()
    monkeypatch.setattr("actors.watching.run.time.time", lambda: 1040.0)
    progress.show(waiting="1 GPU node", waiting_since=1000.0)
    metrics.look(progress.snapshot)
    assert recorded.values[table.WAITING_SECONDS.name,] == 40.0
    progress.show(waiting="")
    metrics.look(progress.snapshot)
    assert recorded.values[table.WAITING_SECONDS.name,] == 0.0


def test_a_training_step(recorded: Recorded) -> None:
    metrics, progress = RunMetrics("mine", recorded), Progress()
    progress.begin(2, "train", 0)
    metrics.look(progress.snapshot)
    metrics.trained(LossPoint(4, 0, 1.5, None, 1.75, 1e-4, 900.0, 12))
    assert recorded.values[table.LOSS.name, "2"] == 1.75 and recorded.values[table.LM_LOSS.name, "2"] == 1.5
    assert (table.TRIPLET_LOSS.name, "2") not in recorded.values
    assert (table.REFLECTION_LOSS.name, "2") not in recorded.values
    metrics.trained(LossPoint(5, 0, 1.5, None, 1.75, 1e-4, 900.0, 12, reflection=0.25))
    assert recorded.values[table.REFLECTION_LOSS.name, "2"] == 0.25


def test_a_tracker_that_failed(recorded: Recorded) -> None:
    RunMetrics("mine", recorded).trackers({"tensorboard": False, "mlflow": True})
    assert [recorded.values[table.TRACKER_FAILED.name, name] for name in ("tensorboard", "mlflow")] == [0.0, 1.0]


def test_the_teachers_figures(recorded: Recorded) -> None:
    metrics = RunMetrics("mine", recorded)
    metrics.teachers(TeacherFigures(open=4, cost=1.25, reserved=0.5, open_circuits=("a: quota",)))
    assert recorded.values[table.SETTLED.name,] == 1.25 and recorded.values[table.LEFT_ALONE.name,] == 1
    assert (table.CAP.name,) not in recorded.values  # there is none


def test_the_busiest_limiter(recorded: Recorded) -> None:
    metrics = RunMetrics("mine", recorded)
    metrics.limiters({"a": LimiterLook(1, 5, 10.0), "b": LimiterLook(2, 6, 0.0)}, now=100.0)
    assert (table.LIMITER_BUSY.name,) not in recorded.values
    metrics.limiters({"a": LimiterLook(1, 5, 0.1), "b": LimiterLook(2, 7, 0.5)}, now=102.0)  # a was restarted
    assert recorded.values[table.LIMITER_BUSY.name,] == 0.25
    assert recorded.values[table.LIMITER_WAITING.name,] == 3 and recorded.values[table.LIMITER_IN_FLIGHT.name,] == 12


def test_samplers(recorded: Recorded) -> None:
    metrics = RunMetrics("mine", recorded)
    metrics.samplers([SamplerLook("mine/round-003", 7, 0, 1.5, 0.9), SamplerLook("", 0, 2, None)])
    assert recorded.values[table.SAMPLER_PREFIX.name, "0"] == 0.9
    assert recorded.values[table.SAMPLER_ROUND.name, "0"] == 3 and recorded.values[table.SAMPLER_STALE.name, "0"] == 0
    assert (
        recorded.values[table.SAMPLER_STALE.name, "1"] == 1 and recorded.values[table.SAMPLER_REVIVALS.name, "1"] == 2
    )
    assert (table.SAMPLER_ROUND.name, "1") not in recorded.values


@pytest.mark.parametrize(
    ("version", "round"),
    [("base", -1), ("mine/round-000", 0), ("round-7/round-012/epoch-02", 12), ("", None), ("mine", None)],
)
def test_the_round_of_a_version(version: str, round: float | None) -> None:
    assert round_of(version) == round


def test_the_journal_s_size(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    assert journal_bytes(journal) is None
    journal.write_bytes(b"123")
    (tmp_path / "journal.sqlite-wal").write_bytes(b"45")
    assert journal_bytes(journal) == 5


def test_outside_of_ray_nothing_is_measured() -> None:
    """A metric of Ray's starts Ray's own threads as soon as it is made."""
    meters, progress = Meters(run="mine"), Progress()
    metrics = RunMetrics("mine", meters)
    a_round(progress, lambda: metrics.look(progress.snapshot))
    metrics.closed()
    assert not meters.made and not ray.is_initialized()
