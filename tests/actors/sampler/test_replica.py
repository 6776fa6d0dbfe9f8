"""The rules that every sampler keeps, whatever its engine: shown with an engine that only remembers what it loaded, and
one whose GPU is a book of who holds how much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.sampler import replica as replica_module
from actors.sampler import settling, sleeping
from actors.sampler.outbox import Answer, Question
from actors.sampler.replica import SamplerReplica
from actors.sampler.settling import has_room, settled
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, Completion, GpuMemory, Sampling, StaleWeights, SyncFailed
from tests.actors.sampler.sleeping import REST, TOTAL, Sleeper

PROBE = Probe("v", "float32", (), (), (), ())


class Remembering(SamplerReplica):
    """An engine that answers with the checkpoint it holds, as soon as `go_on` is set."""

    def __init__(self) -> None:
        super().__init__(EngineSettings(model="m"))
        self.starts, self.loads, self.held = 0, 0, ""
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def _start(self) -> None:
        self.starts += 1

    async def _load(self, version: str, checkpoint: str) -> None:
        if checkpoint == "torn":
            raise OSError("no weights there")
        self.loads += 1
        self.held = checkpoint

    async def _prove(self, probe: Probe) -> ProbeReport:
        return ProbeReport(self.held != "wrong", "other tokens")

    def _at_once(self) -> int:
        return 7

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        held = self.held
        await self.go_on.wait()
        assert held == self.held, "swapped under a running request"
        return [Completion(self.held, True, 1)]

    async def _stop(self) -> None:
        self.held = ""

    def _is_death(self, error: Exception) -> bool:
        return False


def test_a_version_is_held_only_after_it_was_proven() -> None:
    async def scenario() -> None:
        replica = Remembering()
        with pytest.raises(SyncFailed, match="not been started"):
            await replica.sync("a", "A", PROBE)
        await replica.start()
        await replica.start()
        with pytest.raises(StaleWeights):
            await replica.answer("", "?", Sampling())
        await replica.sync("a", "A", PROBE)
        for checkpoint, why in (
            ("wrong", "the probe failed after the weight swap: other tokens"),
            ("torn", "no weights there"),
        ):
            with pytest.raises(SyncFailed, match=why):
                await replica.sync("b", checkpoint, PROBE)
            assert await replica.version() == ""
            with pytest.raises(StaleWeights):
                await replica.answer("a", "?", Sampling())
        await replica.sync("a", "A", PROBE)
        assert (await replica.answer("a", "?", Sampling()))[0].text == "A"
        assert replica.starts == 1

    asyncio.run(scenario())


def test_what_is_held_is_not_loaded_again() -> None:
    async def scenario() -> None:
        replica = Remembering()
        await replica.start()
        report = await replica.sync("a", "A", PROBE)
        assert await replica.sync("a", "A", PROBE) is report and replica.loads == 1
        await replica.sync("b", "A", PROBE)
        assert replica.loads == 2

    asyncio.run(scenario())


def test_weights_are_swapped_when_no_request_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        replica = Remembering()
        await replica.start()
        await replica.sync("a", "A", PROBE)
        replica.go_on.clear()
        running = asyncio.ensure_future(replica.answer("a", "?", Sampling()))
        await asyncio.sleep(0)
        swap = asyncio.ensure_future(replica.sync("b", "B", PROBE))
        await asyncio.sleep(0.1)
        assert not swap.done() and replica.held == "A"
        replica.go_on.set()
        assert (await running)[0].text == "A"
        assert (await swap).ok and replica.held == "B"
        replica.go_on.clear()
        endless = asyncio.ensure_future(replica.answer("b", "?", Sampling()))
        await asyncio.sleep(0)
        monkeypatch.setattr(replica_module, "DRAIN_S", 0.1)
        with pytest.raises(SyncFailed, match="1 requests were still running"):
            await replica.sync("c", "C", PROBE)
        assert replica.held == "B"
        endless.cancel()

    asyncio.run(scenario())


def test_a_replica_that_was_shut_down_answers_nothing() -> None:
    async def scenario() -> None:
        replica = Remembering()
        await replica.start()
        await replica.sync("a", "A", PROBE)
        await replica.shutdown()
        await replica.shutdown()
        with pytest.raises(StaleWeights):
            await replica.answer("a", "?", Sampling())

    asyncio.run(scenario())


def test_a_back_end_that_does_not_sleep_says_so_and_works_on() -> None:
    async def scenario() -> None:
        replica = Remembering()
        await replica.start()
        with pytest.raises(CannotSleep, match="this back end does not sleep"):
            await replica.sleep()
        await replica.sync("a", "A", PROBE)
        assert (await replica.answer("a", "?", Sampling()))[0].text == "A" and replica.starts == 1

    asyncio.run(scenario())


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LOOK_S", 0.01)


@pytest.fixture
def sleeper(tmp_path: Path, quick_looks: None) -> Sleeper:
    return Sleeper(tmp_path / "gpu")


async def asked(sleeper: Sleeper) -> asyncio.Future[list[Answer]]:
    """Its answer to question 1, of weights "A", as soon as `go_on` is set again."""
    await sleeper.start()
    await sleeper.sync("a", "A", PROBE)
    sleeper.go_on.clear()
    running = asyncio.ensure_future(sleeper.exchange([Question(1, "a", "?", Sampling())]))
    await asyncio.sleep(0.01)
    return running


def test_a_replica_that_sleeps_is_stale_until_it_has_woken_and_was_proven(sleeper: Sleeper) -> None:
    async def scenario() -> None:
        with pytest.raises(CannotSleep, match="not been started"):
            await sleeper.sleep()
        await sleeper.start()
        await sleeper.sync("a", "A", PROBE)
        look = await sleeper.sleep()
        assert (look.free, look.total) == (TOTAL - REST, TOTAL) == ((await sleeper.sleep()).free, TOTAL)
        assert await sleeper.version() == "" and await sleeper.start() == 4 and sleeper.sleeps == 1
        with pytest.raises(StaleWeights):
            await sleeper.answer("a", "?", Sampling())
        await sleeper.sync("a", "A", PROBE)  # the weights that it had are gone
        assert (await sleeper.answer("a", "?", Sampling()))[0].text == "? by A"
        assert sleeper.engines == 1 and sleeper.gpu.free() < look.free
        await sleeper.sleep()
        await sleeper.shutdown()
        assert sleeper.gpu.free() == TOTAL

    asyncio.run(scenario())


def test_what_is_asked_is_answered_before_a_replica_sleeps(sleeper: Sleeper) -> None:
    async def scenario() -> None:
        running = await asked(sleeper)
        sleeping = asyncio.ensure_future(sleeper.sleep())
        await asyncio.sleep(0.1)
        assert not sleeping.done() and sleeper.held == "A"
        late = asyncio.ensure_future(sleeper.exchange([Question(2, "a", "?", Sampling())]))
        await asyncio.sleep(0.01)
        sleeper.go_on.set()
        answers = {answer.number: answer for call in (running, late) for answer in await call}
        assert answers[1].completions[0].text == "? by A" and isinstance(answers[2].refusal, StaleWeights)
        await sleeping

    asyncio.run(scenario())


def test_what_does_not_end_is_refused_as_stale_and_disturbs_nobody_later(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleeping, "DRAIN_S", 0.1)
    monkeypatch.setattr(sleeping, "ABORT_S", 0.2)

    async def scenario() -> None:
        running = await asked(sleeper)
        await sleeper.sleep()
        (answer,) = await running
        assert answer.number == 1 and isinstance(answer.refusal, StaleWeights)
        sleeper.go_on.set()
        await sleeper.sync("b", "B", PROBE)
        (answer,) = await sleeper.exchange([Question(2, "b", "?", Sampling())])
        assert answer.number == 2 and answer.completions[0].text == "? by B"
        sleeper.go_on.clear()
        endless = asyncio.ensure_future(sleeper.answer("b", "?", Sampling()))
        await asyncio.sleep(0.01)
        with pytest.raises(CannotSleep, match="1 requests do not end"):
            await sleeper.sleep()
        endless.cancel()

    asyncio.run(scenario())


def test_a_replica_that_does_not_wake_in_time_starts_a_new_engine(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleeping, "WAKE_S", 0.05)

    async def hang(*_: object) -> None:
        await asyncio.sleep(3600)

    async def scenario() -> None:
        await sleeper.start()
        await sleeper.sleep()
        monkeypatch.setattr(sleeper, "_wake", hang)
        assert (await sleeper.sync("a", "A", PROBE)).ok
        assert sleeper.engines == 2 and (await sleeper.answer("a", "?", Sampling()))[0].text == "? by A"

    asyncio.run(scenario())


def test_weights_that_a_new_engine_does_not_compute_with_either_are_not_taken_on(sleeper: Sleeper) -> None:
    async def scenario() -> None:
        await sleeper.start()
        await sleeper.sleep()
        with pytest.raises(SyncFailed, match="the probe failed after the weight swap"):
            await sleeper.sync("a", "garbage", PROBE)
        assert sleeper.engines == 2 and await sleeper.version() == ""

    asyncio.run(scenario())


GIB = 2**30


class Reading:
    """What is free at each look, in GiB; the last for ever."""

    def __init__(self, *free: float) -> None:
        self.free, self.looks = iter(free), 0
        self.last = 0.0

    async def __call__(self) -> GpuMemory:
        self.looks += 1
        self.last = next(self.free, self.last)
        return GpuMemory(int(self.last * GIB), 80 * GIB)


def endless() -> Iterator[float]:
    free = 0.0
    while True:
        free += 1
        yield free


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize(
    ("free", "found", "looks"),
    [((10, 40, 70, 78), 78, 5), ((78,), 78, 2), ((70, 70.01, 78), 70.01, 2), ((70, 60), 60, 2)],
)
def test_memory_has_settled_when_no_more_comes_free(free: tuple[float, ...], found: float, looks: int) -> None:
    """A few megabytes come and go; that another takes some is no reason to wait."""
    reading = Reading(*free)
    assert asyncio.run(settled(reading, 5.0)).free == int(found * GIB)
    assert reading.looks == looks


@pytest.mark.usefixtures("quick_looks")
def test_memory_that_never_settles_is_waited_for_no_longer_than_the_bound() -> None:
    began = time.monotonic()
    asyncio.run(settled(Reading(*(next(numbers) for numbers in [endless()] * 1000)), 0.1))
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick_looks")
def test_room_is_waited_for_until_it_is_there_or_the_bound_has_passed() -> None:
    reading = Reading(10, 40, 77.99)
    assert asyncio.run(has_room(reading, 78 * GIB, 5.0)) and reading.looks == 3
    assert not asyncio.run(has_room(Reading(10), 78 * GIB, 0.05))
    assert asyncio.run(has_room(Reading(0), 0, 0.0))
