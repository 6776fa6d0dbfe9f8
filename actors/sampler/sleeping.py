"""A replica that can sleep: its process and its engine stay, and its GPU's memory is another's meanwhile.

Owns: falling asleep and waking, alike for every engine that can. How an engine does either, a subclass says.

Invariants
- A replica is not put to sleep under a running request.
- One that sleeps is stale. The sync that follows wakes it; where that fails, or the probe does then, it starts a new
  engine and is proven anew.
- Every wait has a bound.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod

from actors.sampler.replica import DRAIN_S, SamplerReplica, end_with_its_engine
from actors.sampler.settling import has_room, settled
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, GpuMemory

logger = logging.getLogger(__name__)

ABORT_S = 5.0  # how long requests that are given up may take to end
SETTLE_S = 20.0  # how long memory that is given up may take to come free
ROOM_S = 60.0  # the same of memory that a trainer had
WAKE_S = 900.0  # with weights of many gigabytes from a slow disk


class SleepingReplica(SamplerReplica):
    """A replica whose engine can give its GPU's memory up and take it again."""

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self._asleep: GpuMemory | None = None  # what was free once it slept

    async def sleep(self) -> GpuMemory:
        """Gives the GPU's memory up until the next `sync`, and returns what is free of it when that has settled. What
        was asked is answered before, or, where that takes long, given up: refused as stale. Asleep already, it looks
        again. Raises `CannotSleep`; it is stale then, and its engine is of no more use."""
        async with self._lifecycle:
            self._version, self._synced = "", None
            if not self._started:
                raise CannotSleep("it has not been started")
            try:
                if self._asleep is None:
                    await self._give_up_requests()
                    self._asleep = GpuMemory(0, 0)  # from here on it may be half asleep
                    await self._sleep()
                self._asleep = await settled(self._gpu_memory, SETTLE_S)
            except CannotSleep:
                self._asleep = None  # said before anything was done
                raise
            except Exception as error:
                if self._is_death(error):
                    end_with_its_engine(error)
                raise CannotSleep(f"{type(error).__name__}: {error}") from error
            logger.info("asleep; %.1f of %.1f GiB are free", self._asleep.free / 2**30, self._asleep.total / 2**30)
            return self._asleep

    async def shutdown(self) -> None:
        await super().shutdown()
        self._asleep = None

    async def _give_up_requests(self) -> None:
        """Has running requests end. Raises `CannotSleep`."""
        if await self._quiet(DRAIN_S):
            return
        for task in self._answering:
            task.cancel()
        if not await self._quiet(ABORT_S):
            raise CannotSleep(f"{self._running} requests do not end")

    async def _take_on(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        """Where it sleeps, it wakes with the weights in `checkpoint`, or starts a new engine with them."""
        if self._asleep is None:
            return await super()._take_on(version, checkpoint, probe)
        try:
            async with asyncio.timeout(WAKE_S):
                if not await has_room(self._gpu_memory, self._asleep.free, ROOM_S):
                    logger.warning("less of the GPU is free than when this sampler fell asleep; it wakes all the same")
                await self._wake(version, checkpoint)
                report = await self._prove(probe)
            problem = "" if report.ok else f"the probe failed: {report.reason}"
        except Exception as error:
            if self._is_death(error):
                raise
            problem = f"{type(error).__name__}: {error}"
        if problem:
            logger.warning("could not wake (%s); starting a new engine", problem)
            await self._renew(checkpoint)
            report = await self._prove(probe)
        self._asleep = None
        return report

    @abstractmethod
    async def _sleep(self) -> None:
        """Gives the GPU's memory up. Raises `CannotSleep` where nothing was done."""

    @abstractmethod
    async def _gpu_memory(self) -> GpuMemory:
        """What is free of the engine's GPU."""

    @abstractmethod
    async def _wake(self, version: str, checkpoint: str) -> None:
        """Takes memory again, and on the weights in `checkpoint`, and forgets what was computed before."""

    @abstractmethod
    async def _renew(self, checkpoint: str) -> None:
        """Ends the engine and starts one with the weights in `checkpoint`."""
