"""Samplers that sleep while a training works on their GPUs, as the classroom has them do it; and all ways back.

The GPUs are books of who holds how much, the trainer one that needs half of each."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors import classroom as classroom_module
from actors.classroom import ClusterClassroom
from actors.sampler import pool as pool_module
from actors.sampler import settling, sleeping, sync
from actors.sampler.pool import SamplerPool
from actors.sampler.turns import too_little
from actors.storage.keeping import Home
from actors.training.job import TrainingJob
from actors.training.trainer import TrainingCrowded
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.progress import Progress
from reasoning.student.probe import Probe
from reasoning.student.sampling import GpuMemory, Sampling
from reasoning.tasks.loading import TaskData
from tests.actors.in_process import in_process
from tests.actors.sampler.sleeping import PROBE, TOTAL, FakeGpu, Sleeper
from tests.conftest import ROOT

GIB = 2**30
RECIPE = "name: r\ncluster: {placement: shared, sampler_gpus: 1, trainer_gpus: 1, samplers: 2, trainers: 2, turns: %s}"


@pytest.mark.parametrize(
    ("free", "said"),
    [((78, 70), ""), ((64,), ""), ((78, 40), "40.0 of 80.0 GiB of a GPU came free"), ((), "no sampler is left")],
)
def test_a_gpu_with_too_little_free_is_named(free: tuple[int, ...], said: str) -> None:
    found = too_little([GpuMemory(one * GIB, 80 * GIB) for one in free])
    assert found.startswith(said) and bool(found) is bool(said)
    assert too_little([GpuMemory(0, 0)])


class Books:
    """The GPUs, the samplers on them (`lives`: of each pool), and a trainer that takes half of each.

    `crowds`: so many trainings beside samplers end for lack of memory."""

    def __init__(self, folder: Path, faults: dict[int, set[str]], crowds: int = 0) -> None:
        self.gpus = [FakeGpu(folder / f"gpu-{number}") for number in range(2)]
        self.faults, self.crowds = faults, crowds
        self.lives: list[list[Sleeper]] = []
        self.trained: list[TrainingJob] = []
        self.given_back = 0

    def make(self, recipe: object, sleeps: bool) -> SamplerPool:
        self.lives.append([Sleeper(gpu.folder, self.faults.get(n, ())) for n, gpu in enumerate(self.gpus)])
        places: Any = self if sleeps else None
        return SamplerPool([in_process(one) for one in self.lives[-1]], places=places)

    group = "the places"

    def lacking(self) -> int:
        return 0

    def give_back(self) -> None:
        self.given_back += 1

    async def train(self, job: TrainingJob) -> str:
        self.trained.append(job)
        if job.beside is not None and self.crowds:
            self.crowds -= 1
            raise TrainingCrowded("torch.OutOfMemoryError: CUDA out of memory")
        for gpu in self.gpus:
            gpu.hold("trainer", TOTAL // 2)  # a GPU that has not so much ends the test
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.1, lambda: [gpu.leave("trainer") for gpu in self.gpus])  # a while later
        return "report"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(*_: object) -> Probe:
        return PROBE

    monkeypatch.setattr(sync, "_probe", probe)
    monkeypatch.setattr(settling, "LOOK_S", 0.01)


def classroom_with(books: Books, folder: Path, monkeypatch: pytest.MonkeyPatch, turns: str) -> ClusterClassroom:
    monkeypatch.setattr(classroom_module, "make_samplers", books.make)
    recipe, nobody = parse_recipe(RECIPE % turns, "r.yaml"), in_process(None)
    return ClusterClassroom(
        recipe, RunDirectory(folder), TaskData((), (), ()), run_prompts(recipe), Progress(), teacher=nobody,
        first_teacher=nobody, trainer=in_process(books), reporter=nobody, keeper=Home(folder).keeper(),
        recorded=lambda _: None,
    )  # fmt: skip


def rounds(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    faults: dict[int, set[str]],
    crowds: int = 0,
    turns: str = "sleep",
    sleep_s: float = 5.0,
) -> tuple[Books, list[str]]:
    """Two rounds of exam, training and evaluation; what was said of waiting before the samplers were awake again."""
    books = Books(folder / "gpus", faults, crowds)
    classroom = classroom_with(books, folder / "run", monkeypatch, turns)
    monkeypatch.setattr(pool_module.SamplerPool.sleep, "__defaults__", (sleep_s,))
    said: list[str] = []
    wait = classroom.progress.wait
    classroom.progress.wait = lambda who, what: (said.append(what), wait(who, what))[1]  # type: ignore[method-assign]

    async def scenario() -> None:
        for round in (0, 1):
            ask = await classroom.student_at(round - 1)
            before = classroom.checkpoint(round - 1)
            assert (await ask("?", Sampling()))[0].text == f"? by {before}"
            await classroom.make_way()
            assert await classroom.fine_tune(round) == "report"
            ask = await classroom.student_at(round)
            assert (await ask("?", Sampling()))[0].text == f"? by {classroom.checkpoint(round)}"
        await classroom.stop_samplers()

    run(scenario())
    assert all(gpu.free() == TOTAL for gpu in books.gpus), "memory was left behind"
    assert classroom.progress.snapshot.waiting == ""
    return books, [one for one in said if one]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario, 60)

    asyncio.run(bounded())


@pytest.mark.usefixtures("quick")
def test_samplers_sleep_through_each_training_and_wake_with_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, said = rounds(tmp_path, monkeypatch, {})
    assert [(one.engines, one.sleeps) for pool in books.lives for one in pool] == [(1, 2), (1, 2)]
    assert [job.beside for job in books.trained] == ["the places"] * 2 and books.given_back == 1
    told = ["the samplers to give up their GPUs' memory", "the samplers to wake up"]
    assert said == ["the student's engine to start", *told, *told]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ["refuses", "hangs", "keeps"])
def test_one_that_does_not_sleep_has_all_end_and_the_run_restarts_from_then_on(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sleeper, "shutdown", shut_down_at_once)
    books, _ = rounds(tmp_path, monkeypatch, {1: {fault}}, sleep_s=0.3)
    assert len(books.lives) == 3 and [job.beside for job in books.trained] == [None, None]
    assert books.given_back == 1 and all(one.engines == 1 for pool in books.lives for one in pool)


async def shut_down_at_once(self: Sleeper) -> None:
    """What the end of its process does to an engine, whatever it was at."""
    await self._stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ["not wake", "garbage"])
def test_one_that_does_not_wake_to_the_right_weights_starts_a_new_engine(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, _ = rounds(tmp_path, monkeypatch, {1: {fault}})
    assert [(one.engines, one.sleeps) for one in books.lives[0]] == [(1, 2), (3, 2)] and len(books.lives) == 1


@pytest.mark.usefixtures("quick")
def test_a_training_that_ends_beside_sleepers_goes_on_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, _ = rounds(tmp_path, monkeypatch, {}, crowds=1)
    assert [job.beside for job in books.trained] == ["the places", None, None]
    assert books.trained[0].run_name == books.trained[1].run_name and len(books.lives) == 3


@pytest.mark.usefixtures("quick")
def test_the_recipe_can_have_them_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books, _ = rounds(tmp_path, monkeypatch, {0: {"hangs"}}, turns="restart")
    assert len(books.lives) == 3 and all(one.sleeps == 0 for pool in books.lives for one in pool)
    assert [job.beside for job in books.trained] == [None, None]


@pytest.mark.usefixtures("quick")
def test_a_trainers_memory_is_waited_for_before_samplers_wake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without that the first memory that a sampler takes is not there."""
    monkeypatch.setattr(sleeping, "ROOM_S", 0.0)
    books, _ = rounds(tmp_path, monkeypatch, {})
    assert [one.engines for one in books.lives[0]] != [1, 1]


PLACED = """
import asyncio, functools, sys, time
from pathlib import Path
import ray, ray.train.torch
from ray.train.torch import TorchConfig
from actors.ray_api.nodes import LOCAL
from actors.sampler import start
from actors.training import trainer
from actors.training.job import TrainingJob
from reasoning.recipe.tailored import parse_recipe
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.student.sampling import Sampling
from tests.actors.sampler.sleeping import PROBE, TOTAL, FakeGpu, Sleeper

folder = Path(sys.argv[1])
of_ray, gloo = trainer._torch_trainer, TorchConfig(backend="gloo")  # where Ray has GPUs, it takes NCCL
trainer._torch_trainer = lambda places: functools.partial(of_ray(places), torch_config=gloo)
quiet = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
ray.init(address="local", num_cpus=6, num_gpus=4, labels=LOCAL, **quiet)
keys = "samplers: 2, sampler_gpus: 1, trainers: 2, trainer_gpus: 1, trainer_cpus: 2"
recipe = parse_recipe(f"name: r\\ncluster: {{placement: shared, {keys}}}", "r.yaml")

class There(Sleeper):
    def __init__(self, settings):
        assert settings.sleeps
        (number,) = ray.get_gpu_ids()
        super().__init__(folder / f"gpu-{number}")

def program(config):
    import torch
    rank, (number,) = torch.distributed.get_rank(), ray.get_gpu_ids()
    gpu = FakeGpu(folder / f"gpu-{number}")
    gpu.hold("trainer", TOTAL // 2)
    (folder / f"worker-{rank}").write_text(str(number))
    torch.distributed.barrier()
    gpu.leave("trainer")
    if config["fails"]:
        raise RuntimeError("CUDA out of memory")

def job(group):
    sections = TrainingSection(), ObjectiveSection()
    files = "r", str(folder / "train"), "in", "ex", "out"
    return TrainingJob(*files, *sections, 7, workers=2, cpus=2.0, gpus=1.0, beside=group)

class Foreign:
    def gpu(self):
        return ray.get_gpu_ids()[0]

def of_others(gpus):
    return ray.remote(Foreign).options(num_cpus=0, num_gpus=gpus).remote()

def gpus_seen():
    return sorted(one.name for one in folder.glob("gpu-*"))

async def main():
    start.back_end = lambda recipe: There
    pool = start.make_samplers(recipe, sleeps=True)
    await pool.sync("v1", "one", PROBE)
    sampled, others = gpus_seen(), [of_others(0.75), of_others(1)]
    apart = {f"gpu-{ray.get(one.gpu.remote(), timeout=60)}" for one in others}
    third = of_others(0.5)  # as much as a trainer's part
    print("nobody else", len(apart) == 2 and not apart & set(sampled), ray.wait([third.gpu.remote()], timeout=2)[0])
    ray.kill(third)
    await pool.sleep()
    trainer.run_program(program, {"fails": False}, job(pool.places.group))
    trained = sorted("gpu-" + (folder / f"worker-{rank}").read_text() for rank in range(2))
    print("one each", sampled == trained, len(set(trained)))
    ray.kill(pool._members[0].handle, no_restart=False)  # while it sleeps
    trainer.worker = lambda config: program({"fails": True})
    try:
        trainer.Trainer()._fit_beside(job(pool.places.group), "identity")
    except trainer.TrainingCrowded as error:
        print("crowded", "CUDA out of memory" in str(error))
    reports = await pool.sync("v2", "two", PROBE)
    said = {(await pool.answer("v2", "?", Sampling()))[0].text for _ in range(4)}
    print("awake", len(reports), said, gpus_seen() == sampled, pool._lacking())
    await pool.shutdown()
    until = time.monotonic() + 60
    while ray.available_resources().get("GPU", 0) < 2.2 and time.monotonic() < until:
        time.sleep(0.2)
    print("given back", ray.available_resources()["GPU"], ray.available_resources()["CPU"])

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_each_sampler_shares_its_gpu_with_one_trainer_and_nobody_else(tmp_path: Path) -> None:
    """On a Ray whose GPUs are numbers, with Ray Train's own workers, one sampler killed while it sleeps: a minute, for
    a dozen starts of processes."""
    command = [sys.executable, "-c", PLACED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.stdout.splitlines() == [
        "nobody else True []",
        "one each True 2",
        "crowded True",
        "awake 2 {'? by two'} True 0",
        "given back 2.25 6.0",
    ], done.stdout + done.stderr[-4000:]
