"""The trainer on real Ray Train: it teaches what the plain loop teaches, survives crashes, and says what went wrong.

Slow parts: every start of a Ray Train worker costs ten seconds and more on two cores (processes, imports). The
training with one worker starts one, the one with two workers and two crashes five, the ones that fail one and two.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray
import torch

from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.places import Places
from actors.training.epochs import ProbeOrder
from actors.training.job import TrainingJob
from actors.training.trainer import (
    Trainer,
    TrainingCrowded,
    TrainingFailed,
    TrainingRefused,
    check_space,
)
from reasoning.files.tables import write_table
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.rounds.directory import RoundFiles
from reasoning.rounds.epochs import drop
from reasoning.student.checkpoint import load_student
from reasoning.student.config import weights_of
from reasoning.student.probe import load_probe
from reasoning.training.fine_tuning import FineTuneReport, LossPoint, fine_tune
from tests.actors.training.jobs import examples_of, job_in
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.usefixtures("ray_cluster")


@ray.remote(num_cpus=0)
class Reporter:
    def __init__(self) -> None:
        self.points: list[LossPoint] = []

    def training_point(self, point: LossPoint) -> None:
        self.points.append(point)

    def waiting(self, who: str, what: str) -> None: ...

    def seen(self) -> list[LossPoint]:
        return self.points


@ray.remote(num_cpus=0)
class Patient:
    """A reporter whose workers wait until it is told that the examples are there."""

    def __init__(self) -> None:
        self.asked = self.steps = 0
        self.there = asyncio.Event()

    async def training_point(self, point: LossPoint) -> None:
        self.steps += 1

    async def waiting(self, who: str, what: str) -> None: ...

    async def told_to_train(self, run_name: str) -> None:
        self.asked += 1
        await self.there.wait()

    async def examples_are_there(self) -> None:
        self.there.set()

    async def figures(self) -> tuple[int, int]:
        """How many workers have asked, and how many steps were made."""
        return self.asked, self.steps


@pytest.fixture(scope="module")
def trainer(ray_cluster: None) -> Iterator[Any]:
    actor = ray.remote(Trainer).options(num_cpus=0).remote(patience_s=30.0)
    yield actor
    ray.kill(actor)


def _job(folder: Path, questions: int, *, workers: int = 1, **training: Any) -> TrainingJob:
    settings = TrainingSection(**({"batch_size": 8, "warmup_steps": 2} | training))
    return job_in(folder, questions, settings, Reporter.remote(), workers=workers)


def _taught_here(job: TrainingJob, questions: int, passes: int = 10**6) -> tuple[torch.Tensor, FineTuneReport]:
    """The weights after so many passes, or all, and the report of the whole training."""
    student = load_student(job.checkpoint_in)
    taught: list[torch.Tensor] = []
    report = fine_tune(
        student.model, student.tokenizer, examples_of(questions), job.training, job.objective, job.seed,
        dtype="float32", on_pass=lambda run: taught.append(_weights(run.model).clone()),
    )  # fmt: skip
    return taught[min(passes, len(taught)) - 1], report


def _weights(model: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _train_workers() -> list[int]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def _wait_for_pass(job: TrainingJob, epoch: int) -> None:
    _wait_until(lambda: any(point.epoch >= epoch for point in ray.get(job.reporter.seen.remote())))


def _wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert time.monotonic() < deadline, "the training does not get there"
        time.sleep(0.05)


def test_one_worker_teaches_what_the_plain_loop_teaches_and_a_done_job_is_not_done_again(
    trainer: Any, tmp_path: Path
) -> None:
    files = RoundFiles(tmp_path / "round-000")
    order = ProbeOrder("round-000", ("Q: 1+1?",), str(files.probe))
    job = replace(_job(tmp_path, 12, epochs=3), epochs_out=str(files.epochs), probe=order)
    report = ray.get(trainer.train.remote(job))
    weights, expected = _taught_here(job, 12)
    for epoch in (1, 2, 3):  # every epoch's student is kept, with what its sampler is to prove
        student = load_student(str(files.after(epoch).student))
        after = _taught_here(job, 12, passes=epoch)[0]
        torch.testing.assert_close(_weights(student.model), after, rtol=0, atol=1e-5)
        assert load_probe(files.after(epoch).probe).version == f"round-000/epoch-0{epoch}"
    taught = load_student(job.checkpoint_out)
    torch.testing.assert_close(_weights(taught.model), weights, rtol=0, atol=1e-5)
    assert report.steps == expected.steps == 9
    assert report.lm_loss_last == pytest.approx(expected.lm_loss_last, rel=1e-4)
    assert ray.get(job.reporter.seen.remote()) == list(report.losses)
    assert not (Path(job.storage) / job.run_name).exists()  # optimiser states are not left behind

    started = time.monotonic()
    assert ray.get(trainer.train.remote(job)) == report
    assert time.monotonic() - started < 3.0
    assert not _train_workers()


def test_a_taught_student_that_cannot_be_saved_is_not_taught_again(trainer: Any, tmp_path: Path) -> None:
    """A file stands where its folder should be (a full disk says the same). Two workers' starts: twenty seconds."""
    job = _job(tmp_path, 12, epochs=1)
    (tmp_path / "round-000").write_text("in the way", encoding="utf-8")
    with pytest.raises(
        TrainingFailed, match=r"is taught, but could not be saved .*start again: nothing is taught twice"
    ):
        ray.get(trainer.train.remote(job))
    points = len(ray.get(job.reporter.seen.remote()))
    (tmp_path / "round-000").unlink()
    report = ray.get(trainer.train.remote(job))
    assert report.steps == points == len(ray.get(job.reporter.seen.remote()))  # no step was made twice
    weights, _ = _taught_here(job, 12)
    torch.testing.assert_close(_weights(load_student(job.checkpoint_out).model), weights, rtol=0, atol=1e-5)
    assert not list(Path(job.storage).glob("*.unsaved.pt"))


def test_a_disk_without_room_is_said_before_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job(tmp_path, 4)
    assert weights_of(tmp_path / "base") == sum(p.numel() for p in tiny_student().model.parameters())
    check_space(job)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(TrainingRefused, match=r"GiB are free\. Free some space"):
        check_space(job)
    copies = 4 * weights_of(tmp_path / "base")
    every = replace(job, training=TrainingSection(epochs=20, epoch="best"), epochs_out=str(tmp_path / "epochs"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=8 * copies))
    check_space(replace(every, examined_meanwhile=True))  # the student, three epochs' and a state
    with pytest.raises(TrainingRefused, match=r"GiB are free\. Free some space"):
        check_space(every)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed while it waits"])
def test_a_worker_that_comes_up_early_begins_with_the_examples_that_are_there_when_it_is_told(
    trainer: Any, tmp_path: Path, killed: bool
) -> None:
    """Ten seconds for each worker that starts, of which there are one and two."""
    reporter: Any = Patient.remote()
    job = replace(_job(tmp_path, 12, epochs=2), reporter=reporter)
    write_table(Path(job.examples), examples_of(3), Example)  # of an earlier start of the run, say
    ray.get([trainer.prepare.remote(job), trainer.prepare.remote(job)])  # the second starts nothing more
    _wait_until(lambda: ray.get(reporter.figures.remote()) == (1, 0))
    if killed:
        os.kill(_train_workers()[0], signal.SIGKILL)
    write_table(Path(job.examples), examples_of(12), Example)
    ray.get(reporter.examples_are_there.remote())
    report = ray.get(trainer.train.remote(job))
    weights, expected = _taught_here(job, 12)
    torch.testing.assert_close(_weights(load_student(job.checkpoint_out).model), weights, rtol=0, atol=1e-5)
    assert report.steps == expected.steps == 6
    assert ray.get(reporter.figures.remote()) == (1, 6)  # who is started again knows that it may begin

    ray.get(trainer.prepare.remote(job))  # a run that is started again may not know that it is done
    assert ray.get(trainer.train.remote(job)) == report
    _wait_until(lambda: not _train_workers())


@pytest.mark.slow
def test_two_workers_survive_a_killed_worker_and_a_killed_trainer(tmp_path: Path) -> None:
    """One run, its student divided: worker killed in pass 2, trainer killed in pass 4, the job given to a new trainer,
    now with one worker. Epochs that lost meanwhile stay away. A minute on two idle cores, which start two trainers and
    five workers."""
    files = RoundFiles(tmp_path / "round-000")
    order = ProbeOrder("round-000", ("Q: 1+1?",), str(files.probe))
    job = replace(_job(tmp_path, 100, workers=2, epochs=6, sharding="fsdp"), checkpoint_s=1.0, probe=order)
    job = replace(job, epochs_out=str(files.epochs))
    first, again = (ray.remote(Trainer).options(num_cpus=0).remote(patience_s=30.0) for _ in range(2))
    training = first.train.remote(job)
    _wait_for_pass(job, 2)
    files.after(1).evaluation.write_bytes(b"answers")
    drop(files, 1)
    os.kill(_train_workers()[0], signal.SIGKILL)
    _wait_for_pass(job, 4)
    written = [files.after(epoch).student.stat().st_mtime_ns for epoch in (2, 3)]
    ray.kill(first)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(training)
    assert not Path(job.checkpoint_out).exists()

    report = ray.get(again.train.remote(replace(job, workers=1)))
    ray.kill(again)
    weights, expected = _taught_here(job, 100)
    torch.testing.assert_close(_weights(load_student(job.checkpoint_out).model), weights, rtol=0, atol=1e-3)
    assert [files.after(epoch).student.exists() for epoch in range(1, 7)] == [False, *[True] * 5]
    assert [files.after(epoch).probe.exists() for epoch in range(1, 7)] == [False, *[True] * 5]
    assert [files.after(epoch).student.stat().st_mtime_ns for epoch in (2, 3)] == written
    after = _taught_here(job, 100, passes=4)[0]
    torch.testing.assert_close(_weights(load_student(str(files.after(4).student)).model), after, rtol=0, atol=1e-3)
    assert report.steps == expected.steps == 150
    assert [point.step for point in report.losses] == list(range(150))
    sent = [point.step for point in ray.get(job.reporter.seen.remote())]
    assert sent.count(0) == 1  # resumed twice, never from the start
    assert len(sent) > 150


def test_an_error_of_the_training_is_told_and_not_tried_again(trainer: Any, tmp_path: Path) -> None:
    job = _job(tmp_path, 3, max_tokens=5)
    with pytest.raises(TrainingFailed, match=r"none of 3 examples .* fits 5 tokens .*raise training.max_tokens"):
        ray.get(trainer.train.remote(job))
    assert not Path(job.checkpoint_out).exists()


@pytest.mark.slow
def test_a_student_that_cannot_be_read_is_told_by_the_worker_that_could_not(trainer: Any, tmp_path: Path) -> None:
    job = _job(tmp_path, 3, workers=2)
    (Path(job.checkpoint_in) / "config.json").unlink()
    with pytest.raises(TrainingFailed, match=r"worker 0: .*base: no student there"):
        ray.get(trainer.train.remote(job))


def test_what_the_cluster_lacks_is_refused_at_once(trainer: Any, tmp_path: Path) -> None:
    job = _job(tmp_path, 1)
    with pytest.raises(TrainingRefused, match=r"2 trainers of 1 CPU, 1 GPU each do not fit .*\n.*needed +each"):
        ray.get(trainer.train.remote(replace(job, workers=2, gpus=1.0)))
    with pytest.raises(TrainingRefused, match=r"99 trainers .*cluster.trainers"):
        ray.get(trainer.train.remote(replace(job, workers=99)))


def test_a_training_beside_samplers_does_not_wait_for_a_place_that_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.training.trainer.NODE_LOSS_S", 1.0)
    places = Places(Need("sampler", 1, {"CPU": 99.0}))
    with pytest.raises(TrainingCrowded, match="run-round-000: a machine was lost"):
        trainer = Trainer()
        trainer.train(replace(_job(tmp_path, 4), gpus=1.0, beside=places.group))
    places.give_back()
    trainer._thread.shutdown(wait=True)  # what waited for the place has ended


def test_a_job_without_examples_is_refused(trainer: Any, tmp_path: Path) -> None:
    job = replace(_job(tmp_path, 1), examples=str(tmp_path / "none.parquet"))
    with pytest.raises(TrainingRefused, match="no table of examples at this path"):
        ray.get(trainer.train.remote(job))


def test_a_student_of_another_job_is_not_taken_for_this_one(tmp_path: Path) -> None:
    job = _job(tmp_path, 3)
    other = replace(job, seed=8)
    assert job.identity() == replace(job, reporter=None, workers=2).identity()
    assert job.identity() != other.identity()
    write_table(Path(job.examples), examples_of(4), Example)
    assert job.identity() != replace(other, seed=7, objective=ObjectiveSection(margin=0.5)).identity()
