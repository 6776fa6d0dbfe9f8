"""The pool spreads requests over its samplers, and loses none when a sampler dies. Replicas here have no engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.sampler import pool as pool_module
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, SamplersLost, Sampling, StaleWeights

GREEDY = Sampling(max_new_tokens=24)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def ask(pool: SamplerPool, version: str, prompts: list[str], sampling: Sampling) -> list[list[Completion]]:
    return list(await asyncio.gather(*(pool.answer(version, prompt, sampling) for prompt in prompts)))


class Parrot:
    """An actor with a sampler's methods and no engine: it answers with its process, and dies when told to."""

    def __init__(self) -> None:
        self.held = ""

    async def start(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        self.held = version
        return ProbeReport(True, "")

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        if version != self.held:
            raise StaleWeights(version, self.held)
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
        await pool.answer("v1", "die", Sampling(stop=(str(tmp_path / "died"),)))
        assert (tmp_path / "died").exists()
        assert len(await ask(pool, "v1", ["hello"] * 20, GREEDY)) == 20
        await pool.shutdown()

    run(exam())


def test_pool_says_when_every_replica_is_lost(
    parrots: list[ReplicaHandle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "REVIVAL_PAUSES_S", (0.1, 0.1))

    async def exam() -> None:
        pool = SamplerPool(parrots)
        await pool.sync("v1", "", NOTHING)
        with pytest.raises(SamplersLost):
            await pool.answer("v1", "die", Sampling(stop=(str(tmp_path / "never"), "always")))

    run(exam())
