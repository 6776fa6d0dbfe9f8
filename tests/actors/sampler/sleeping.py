"""Samplers and a trainer on GPUs that are files: who holds how much of which, in one process or in many."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Collection
from pathlib import Path

from actors.sampler.sleeping import SleepingReplica
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, GpuMemory, Sampling

TOTAL = 80 * 2**30
ENGINE, REST = int(0.85 * TOTAL), 2 * 2**30  # what an engine holds awake, and asleep
START_S = 0.3  # longer than an ended trainer keeps its memory
PROBE = Probe("v", "float32", (), (), (), ())
_numbers = itertools.count()


class FakeGpu:
    """The GPU that is `folder`: a file for each who holds memory of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def free(self) -> int:
        held = 0
        for file in self.folder.iterdir():
            held += int(file.read_text() or 0)
        return TOTAL - held

    def hold(self, who: str, bytes_: int) -> None:
        """Raises `MemoryError` where there is not so much."""
        own = self.folder / who
        before = int(own.read_text() or 0) if own.exists() else 0
        if bytes_ > self.free() + before:
            raise MemoryError(f"{bytes_} of {self.free()} bytes")
        own.write_text(str(bytes_))

    def leave(self, who: str) -> None:
        (self.folder / who).unlink(missing_ok=True)


class Sleeper(SleepingReplica):
    """A sampler whose engine is a line in the books of its GPU, and answers with the weights it holds.

    `faults`: "refuses", "hangs" or "dies" when it is to sleep, "keeps" most of its memory then; does "not wake", or
    wakes to "garbage"."""

    def __init__(self, gpu: Path, faults: Collection[str] = ()) -> None:
        super().__init__(EngineSettings(model="m", gpus=1.0, sleeps=True))
        self.gpu, self.faults = FakeGpu(gpu), faults
        self.engine, self.engines, self.held, self.sleeps = "", 0, "", 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def _start(self) -> None:
        await asyncio.sleep(START_S)
        self.engine = f"engine-{os.getpid()}-{next(_numbers)}"
        self.gpu.hold(self.engine, ENGINE)
        self.engines += 1
        self.held = "base"

    def _at_once(self) -> int:
        return 4

    async def _load(self, version: str, checkpoint: str) -> None:
        self.held = checkpoint

    async def _prove(self, probe: Probe) -> ProbeReport:
        return ProbeReport(self.held != "garbage", "other tokens")

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        assert self.held, "asked while it sleeps"
        await self.go_on.wait()
        return [Completion(f"{prompt} by {self.held}", True, 1)]

    async def _sleep(self) -> None:
        if "refuses" in self.faults:
            raise AssertionError("Memory usage increased after sleeping.")
        if "hangs" in self.faults:
            await asyncio.sleep(3600)
        if "dies" in self.faults:
            os._exit(1)
        self.sleeps += 1
        self.held = ""
        self.gpu.hold(self.engine, ENGINE // 2 if "keeps" in self.faults else REST)

    async def _gpu_memory(self) -> GpuMemory:
        return GpuMemory(self.gpu.free(), TOTAL)

    async def _wake(self, version: str, checkpoint: str) -> None:
        self.gpu.hold(self.engine, ENGINE)
        if "not wake" in self.faults:
            raise RuntimeError("CUDA Error: out of memory at cumem_allocator.cpp")
        self.held = "garbage" if "garbage" in self.faults else checkpoint

    async def _renew(self, checkpoint: str) -> None:
        self.gpu.leave(self.engine)
        await self._start()
        self.held = checkpoint

    async def _stop(self) -> None:
        self.gpu.leave(self.engine)

    def _is_death(self, error: Exception) -> bool:
        return False
