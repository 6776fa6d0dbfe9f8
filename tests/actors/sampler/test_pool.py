"""The pool spreads requests over its samplers, and loses none when a sampler dies. Replicas here have no engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.ray_api.internals import actor_state
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.places import Places
from actors.sampler import member as member_module
from actors.sampler.outbox import Answer, Question
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle, SamplerReplica
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import (
    CannotSleep,
    Completion,
    PromptRefused,
    SamplersLost,
    Sampling,
    StaleWeights,
    SyncFailed,
)
from tests.actors.in_process import in_process
from tests.actors.sampler.sleeping import REST, TOTAL, Sleeper

GREEDY = Sampling(max_new_tokens=24)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def ask(pool: SamplerPool, version: str, prompts: list[str], sampling: Sampling) -> list[list[Completion]]:
    return list(await asyncio.gather(*(pool.answer(version, prompt, sampling) for prompt in prompts)))


class Parrot(SamplerReplica):
    """A sampler without an engine: it answers with its process, and dies when told to."""

    def __init__(self, at_once: int = 100) -> None:
        super().__init__(EngineSettings(model="none"))
        self.at_once = at_once

    async def _start(self) -> None: ...

    async def _stop(self) -> None: ...

    async def _load(self, version: str, checkpoint: str) -> None: ...

    async def _prove(self, probe: Probe) -> ProbeReport:
        return ProbeReport(True, "")

    def _at_once(self) -> int:
        return self.at_once

    def _is_death(self, error: Exception) -> bool:
        return False

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        if prompt == "too long":
            raise PromptRefused("longer than the context")
        if prompt == "die" and not self.has_died_before(sampling.stop):
            os._exit(1)
        return [Completion(str(os.getpid()), True, 1)]

    @staticmethod
    def has_died_before(stop: tuple[str, ...]) -> bool:
        """`stop` names the file that remembers a death, and asks with a second word to die always."""
        memory = Path(stop[0])
        if memory.exists():
            return True
        if len(stop) == 1:
            memory.touch()
        return False


@pytest.fixture
def parrots(ray_cluster: None) -> Iterator[list[ReplicaHandle]]:
    import ray

    handles = [ray.remote(Parrot).options(num_cpus=0.1, max_restarts=1, max_concurrency=100).remote() for _ in range(2)]
    yield handles
    for handle in handles:
        ray.kill(handle)


NOTHING = Probe("v1", "float32", (), (), (), ())


def test_pool_spreads_requests_and_repeats_those_of_a_dead_replica(
    parrots: list[ReplicaHandle], tmp_path: Path
) -> None:
    async def exam() -> None:
        pool = SamplerPool(parrots)
        with pytest.raises(StaleWeights):
            await pool.answer("v1", "hello", GREEDY)
        assert [report.ok for report in await pool.sync("v1", "", NOTHING)] == [True, True]
        pids = [one.text for (one,) in await ask(pool, "v1", ["hello"] * 20, GREEDY)]
        assert sorted(map(pids.count, set(pids))) == [10, 10]
        with pytest.raises(StaleWeights, match="'v1'"):
            await pool.answer("v2", "hello", GREEDY)
        with pytest.raises(PromptRefused, match="longer than the context"):
            await pool.answer("v1", "too long", GREEDY)
        dying = Sampling(stop=(str(tmp_path / "died"),))
        company = asyncio.gather(ask(pool, "v1", ["hello"] * 20, GREEDY), pool.answer("v1", "die", dying))
        beside, _ = await company
        assert (tmp_path / "died").exists() and len(beside) == 20
        assert len(await ask(pool, "v1", ["hello"] * 20, GREEDY)) == 20
        await pool.shutdown()

    run(exam())


def test_a_pool_that_is_shut_down_gives_its_machines_back_at_once(parrots: list[ReplicaHandle]) -> None:
    """Whoever still holds a handle: a trainer that shares the machines waits for them."""

    async def exam() -> None:
        pool = SamplerPool(parrots)
        await pool.sync("v1", "", NOTHING)
        await pool.shutdown()
        for handle in parrots:
            actor: Any = handle
            for _ in range(100):
                if actor_state(actor._actor_id.hex()).name == "DEAD":
                    break
                await asyncio.sleep(0.1)
            assert actor_state(actor._actor_id.hex()).name == "DEAD"

    run(exam())


def test_a_fault_that_comes_back_every_time_ends_the_run_and_says_so(
    parrots: list[ReplicaHandle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crashes are counted by the pool: these actors would be restarted once."""
    monkeypatch.setattr(member_module, "LOOK_S", 0.1)

    async def exam() -> None:
        pool = SamplerPool(parrots)
        await pool.sync("v1", "", NOTHING)
        with pytest.raises(SamplersLost, match="its process crashed and is not restarted"):
            await pool.answer("v1", "die", Sampling(stop=(str(tmp_path / "never"), "always")))
        await pool.shutdown()

    run(exam())


class Counting(Parrot):
    """A sampler whose engine makes eight completions at once; it knows the most that it was ever asked for."""

    def __init__(self) -> None:
        super().__init__(at_once=8)
        self.making = self.most = 0
        self.free = asyncio.Semaphore(8)

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        if prompt == "too long":
            raise PromptRefused("longer than the context")
        self.making += sampling.samples
        self.most = max(self.most, self.making)
        await asyncio.sleep(0.001)
        self.making -= sampling.samples
        return [Completion(prompt, True, 1)] * sampling.samples


def test_a_sampler_is_asked_for_what_fills_its_queue_and_no_more() -> None:
    """Whatever a thousand callers want at once: twelve of eight completions, four of them waiting there."""
    samplers = [Counting(), Counting()]

    async def exam() -> None:
        pool = SamplerPool([in_process(one) for one in samplers])
        await pool.sync("v1", "", NOTHING)
        two = Sampling(samples=2, temperature=0.7)
        answers = await ask(pool, "v1", [str(number) for number in range(200)], two)
        assert [one.text for one, _ in answers] == [str(number) for number in range(200)]
        assert [one.most for one in samplers] == [12, 12]
        large = Sampling(samples=30, temperature=0.7)  # more than the queue holds: alone
        assert len(await pool.answer("v1", "large", large)) == 30
        assert sum(look.requests for look in pool.looks()) == 0

    run(exam())


def test_the_last_questions_wait_for_whichever_sampler_has_nothing_to_do() -> None:
    """Four engines that make eight at a time, and questions for two turns of each: none is left without a second."""

    class Timed(Counting):
        answered = 0

        async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
            async with self.free:
                await asyncio.sleep(0.05)
            self.answered += 1
            return [Completion(prompt, True, 1)]

    samplers = [Timed() for _ in range(4)]

    async def exam() -> None:
        pool = SamplerPool([in_process(one) for one in samplers])
        await pool.sync("v1", "", NOTHING)
        await ask(pool, "v1", [str(number) for number in range(64)], GREEDY)
        assert all(13 <= one.answered <= 19 for one in samplers), [one.answered for one in samplers]

    run(exam())


def test_questions_travel_in_company_and_one_that_is_refused_harms_no_other() -> None:
    sampler, calls = Counting(), []

    class Counted:
        """The handle of `sampler`, which writes down how many questions each call took."""

        def __getattr__(self, name: str) -> Any:
            return getattr(in_process(sampler), name)

        @property
        def exchange(self) -> Any:
            return self

        def remote(self, questions: Sequence[Question]) -> Awaitable[list[Answer]]:
            calls.append(len(questions))
            return asyncio.ensure_future(sampler.exchange(questions))

    async def exam() -> None:
        pool = SamplerPool([Counted()])
        await pool.sync("v1", "", NOTHING)
        prompts = [*map(str, range(40)), "too long", *map(str, range(41, 80))]
        asking = (pool.answer("v1", prompt, Sampling(2, 0.7)) for prompt in prompts)
        said = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(said.pop(40), PromptRefused)
        assert [one[0].text for one in said] == [prompt for prompt in prompts if prompt != "too long"]
        assert sum(calls) == 80 and calls[0] == 6 and len(calls) < 40

    run(exam())


def test_a_fault_of_the_engine_reaches_whoever_asked() -> None:
    class Broken(Counting):
        async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
            raise ZeroDivisionError("in the engine")

    async def exam() -> None:
        pool = SamplerPool([in_process(Broken())])
        await pool.sync("v1", "", NOTHING)
        with pytest.raises(ZeroDivisionError, match="in the engine"):
            await asyncio.wait_for(pool.answer("v1", "?", GREEDY), 5)
        assert pool.looks()[0].requests == 0

    run(exam())


def test_weights_that_are_dropped_while_a_sampler_loads_them_are_not_missed_once_others_are_wanted() -> None:
    class Late(Counting):
        def __init__(self) -> None:
            super().__init__()
            self.loads, self.dropped = asyncio.Event(), asyncio.Event()

        async def _load(self, version: str, checkpoint: str) -> None:
            if version == "v1":
                self.loads.set()
                await self.dropped.wait()
                raise FileNotFoundError(checkpoint)

    async def exam() -> None:
        late = Late()
        pool = SamplerPool([in_process(late)])
        first = asyncio.create_task(pool.sync("v1", "gone", NOTHING))
        await asyncio.wait_for(late.loads.wait(), 5)
        second = asyncio.create_task(pool.sync("v2", "there", NOTHING))
        await asyncio.sleep(0)
        late.dropped.set()
        await asyncio.wait_for(second, 10)
        assert await late.version() == "v2" and len(await ask(pool, "v2", ["hello"], GREEDY)) == 1
        await first
        with pytest.raises(SyncFailed, match="gone"):  # weights that are wanted are missed
            await pool.sync("v1", "gone", NOTHING)
        await pool.shutdown()

    run(exam())


def test_a_pool_that_sleeps_answers_nobody_until_it_is_synced(tmp_path: Path) -> None:
    async def exam() -> None:
        pool = SamplerPool([in_process(Sleeper(tmp_path / f"gpu-{number}")) for number in range(2)])
        await pool.sync("v1", "one", NOTHING)
        assert [look.free for look in await pool.sleep()] == [TOTAL - REST] * 2
        with pytest.raises(StaleWeights, match="'v1'"):
            await pool.answer("v1", "?", GREEDY)
        assert [look.version for look in pool.looks()] == ["", ""] and not pool.waits_for()
        await pool.sync("v1", "one", NOTHING)
        assert (await pool.answer("v1", "?", GREEDY))[0].text == "? by one"
        await pool.shutdown()

    run(exam())


@pytest.mark.parametrize(
    ("fault", "why"), [("refuses", "Memory usage increased"), ("hangs", "not all samplers were asleep within")]
)
def test_a_pool_says_why_one_of_it_does_not_sleep(fault: str, why: str, tmp_path: Path) -> None:
    async def exam() -> None:
        pool = SamplerPool([in_process(Sleeper(tmp_path / "a")), in_process(Sleeper(tmp_path / "b", {fault}))])
        await pool.start()
        with pytest.raises(CannotSleep, match=why):
            await pool.sleep(bound_s=1.0)

    run(exam())


@pytest.mark.slow
def test_the_samplers_that_have_a_machine_work_while_others_wait_for_theirs(
    ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six replicas where four fit: the pool says what two wait for, gives them up after its patience, and works on.
    Forty seconds, for a busy machine may take half of them to start four processes."""
    import ray

    monkeypatch.setattr(member_module, "LOOK_S", 0.2)
    need = Need("sampler", 6, {"CPU": 1.0})

    async def until(there: Callable[[], bool]) -> None:
        while not there():  # noqa: ASYNC110  (another process has the event)
            await asyncio.sleep(0.2)

    async def exam() -> None:
        remote = ray.remote(Parrot).options(num_cpus=1, max_restarts=-1, max_concurrency=100)
        pool = SamplerPool([remote.remote() for _ in range(6)], need, patience_s=30.0)
        await pool.start()
        await pool.sync("v1", "", NOTHING)
        assert len(await ask(pool, "v1", ["hello"] * 20, GREEDY)) == 20
        two = "nodes for 2 samplers (1 CPU each)"
        await asyncio.wait_for(until(lambda: pool.waits_for() == two), 25)
        await asyncio.wait_for(until(lambda: pool.waits_for() == ""), 60)
        pids = [one.text for (one,) in await ask(pool, "v1", ["hello"] * 20, GREEDY)]
        assert len(set(pids)) == 4
        await pool.shutdown()

    run(exam())


@pytest.mark.parametrize("held", [False, True])
def test_patience_with_no_machine_at_all_ends_with_a_true_message(
    held: bool, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is a place held for the sampler that never comes."""
    import ray

    monkeypatch.setattr(member_module, "LOOK_S", 0.1)

    async def exam() -> None:
        need = Need("sampler", 1, {"CPU": 99.0})
        places = Places(need) if held else None
        where = {"num_cpus": 99} if places is None else {"num_cpus": 1, "scheduling_strategy": places.at(0)}
        handle = ray.remote(Parrot).options(max_restarts=-1, **where).remote()
        pool = SamplerPool([handle], need, patience_s=0.5, places=places)
        with pytest.raises(SamplersLost, match=r"waited .* nodes for 1 sampler \(99 CPUs each\).*There now: 4 CPUs"):
            await pool.start()
        await pool.shutdown()

    run(exam())
