"""The rules that every sampler keeps, whatever its engine: shown with an engine that only remembers what it loaded."""

from __future__ import annotations

import asyncio

import pytest

from actors.sampler import replica as replica_module
from actors.sampler.replica import SamplerReplica
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, Sampling, StaleWeights, SyncFailed

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
