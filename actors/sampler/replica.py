"""One replica of the student as its callers meet it: which weights it holds, and when it may answer with them.

Owns: a replica's version, its staleness, and the order of a swap, alike for every engine. What an engine is, a
subclass says.

Invariants
- A replica answers only with the version it was asked for; `StaleWeights` otherwise. Version "" answers nothing.
- A version is taken on only after the probe has shown that the engine computes with its weights. A replica that was
  restarted, or whose swap failed, is stale until synced.
- Weights are never swapped under a running request, nor is a replica put to sleep under one.
- A replica that sleeps is stale. The sync that follows wakes it; where that fails, or the probe does then, it starts a
  new engine and is proven anew.
- A dead engine takes its actor with it, so that `max_restarts` gives a living one.
- An answer that is made reaches whoever exchanges next; when it does is `actors.sampler.outbox`'s to say.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn, Protocol

from actors.ray_api.handles import RemoteMethod
from actors.sampler.outbox import Answer, Outbox, Question
from actors.sampler.settling import has_room, settled
from actors.storage.places import forget_lost_beside, student_here
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import (
    CannotSleep,
    Completion,
    GpuMemory,
    PromptRefused,
    Sampling,
    StaleWeights,
    SyncFailed,
)

logger = logging.getLogger(__name__)

DRAIN_S = 30.0  # how long a sync waits for running requests; the coordinator syncs between phases, so none are expected
ABORT_S = 5.0  # how long requests that are given up may take to end
SETTLE_S = 20.0  # how long memory that is given up may take to come free
ROOM_S = 60.0  # the same of memory that a trainer had
WAKE_S = 900.0  # with weights of many gigabytes from a slow disk


class SamplerReplica(ABC):
    """One replica. The caller makes a subclass an actor: `ray.remote(Subclass).options(...).remote(settings)`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._started = False
        self._version = ""
        self._synced: tuple[str, str, ProbeReport] | None = None  # version, checkpoint, what the probe showed
        self._asleep: GpuMemory | None = None  # what was free once it slept
        self._running = 0
        self._outbox = Outbox()
        self._answering: set[asyncio.Task[None]] = set()
        self._lifecycle = asyncio.Lock()

    async def start(self) -> int:
        """Starts the engine; the replica is stale until its first sync. Returns how many completions it makes at once.
        Idempotent. Raises what the engine says that does not start; of one that is killed while it starts, the actor
        ends as of one that is killed later."""
        async with self._lifecycle:
            if not self._started:
                try:
                    await self._start()
                except Exception as error:
                    if self._is_death(error):
                        _exit(error)
                    raise
                self._started = True
            self._outbox.at_once = self._at_once()
            return self._outbox.at_once

    async def version(self) -> str:
        """The version of the weights held, "" when stale."""
        return self._version

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        """Takes on the weights in `checkpoint` as `version`, proven by `probe`. Raises `SyncFailed`; the replica is
        stale then. Syncing again to what it holds does nothing. A folder holds one version only: the engine may have
        read an earlier content of it."""
        async with self._lifecycle:
            if not self._started:
                raise SyncFailed(version, checkpoint, "the sampler has not been started")
            if self._synced is not None and self._synced[:2] == (version, checkpoint):
                return self._synced[2]
            self._version, self._synced = "", None
            try:
                if not await self._quiet(DRAIN_S):
                    still = f"{self._running} requests were still running after {DRAIN_S:.0f} s"
                    raise SyncFailed(version, checkpoint, still)
                folder = await asyncio.to_thread(student_here, checkpoint)
                report = await self._woken(version, folder, probe)
                if report is None:
                    await self._load(version, folder)
                    report = await self._prove(probe)
                await asyncio.to_thread(forget_lost_beside, checkpoint)
            except SyncFailed:
                raise
            except Exception as error:
                if self._is_death(error):
                    _exit(error)
                raise SyncFailed(version, checkpoint, f"{type(error).__name__}: {error}") from error
            if not report.ok:
                raise SyncFailed(version, checkpoint, f"the probe failed after the weight swap: {report.reason}")
            self._version, self._synced = version, (version, checkpoint, report)
            logger.info("holds the weights %s, proven", version)
            return report

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
                    _exit(error)
                raise CannotSleep(f"{type(error).__name__}: {error}") from error
            logger.info("asleep; %.1f of %.1f GiB are free", self._asleep.free / 2**30, self._asleep.total / 2**30)
            return self._asleep

    async def exchange(self, questions: Sequence[Question]) -> list[Answer]:
        """Begins `questions`, and returns answers that are finished, to these or to those of earlier calls. None of
        them when none is to come, or when later calls wait as well. Raises what the engine raises."""
        for question in questions:
            self._outbox.expect(question.sampling.samples)
            task = asyncio.create_task(self._work_on(question))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        return await self._outbox.fetch()

    async def _work_on(self, question: Question) -> None:
        began, completions = time.monotonic(), question.sampling.samples
        try:
            said = await self.answer(question.version, question.prompt, question.sampling)
        except (StaleWeights, PromptRefused) as refusal:
            self._outbox.put(Answer(question.number, refusal=refusal), completions, time.monotonic() - began)
        except asyncio.CancelledError:
            if self._started:  # given up by `sleep`
                self._outbox.put(Answer(question.number, refusal=StaleWeights(question.version, "")), completions, 0.0)
                raise
            self._outbox.fail(RuntimeError("the engine was stopped while it answered"), completions)
            raise
        except Exception as error:  # noqa: BLE001  (whatever an engine raises: the callers are told)
            self._outbox.fail(error, completions)
        else:
            self._outbox.put(Answer(question.number, said), completions, time.monotonic() - began)

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        """`sampling.samples` completions of `prompt` by weights `version`. Raises `StaleWeights`, `PromptRefused`."""
        if version != self._version or not version:
            raise StaleWeights(version, self._version)
        self._running += 1
        try:
            return await self._complete(prompt, sampling)
        except Exception as error:
            if self._is_death(error):
                _exit(error)
            raise
        finally:
            self._running -= 1

    async def prefix_hits(self) -> float | None:
        """The share of prompts' tokens that the engine's prefix cache had, with the weights that it holds; None where
        there is no cache, or was no prompt yet."""
        return None

    async def shutdown(self) -> None:
        """Stops the engine, after which the actor may be killed. Idempotent."""
        async with self._lifecycle:
            self._version, self._synced = "", None
            if self._started:
                self._started, self._asleep = False, None
                await self._stop()

    async def _quiet(self, bound_s: float) -> bool:
        """Whether no request runs any more, at the latest after `bound_s`."""
        until = time.monotonic() + bound_s
        while self._running and time.monotonic() < until:  # noqa: ASYNC110  (they are only counted)
            await asyncio.sleep(0.05)
        return not self._running

    async def _give_up_requests(self) -> None:
        """Has running requests end. Raises `CannotSleep`."""
        if await self._quiet(DRAIN_S):
            return
        for task in self._answering:
            task.cancel()
        if not await self._quiet(ABORT_S):
            raise CannotSleep(f"{self._running} requests do not end")

    async def _woken(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport | None:
        """Wakes with the weights in `checkpoint`, or starts a new engine with them, and what the probe showed then.
        None where it does not sleep."""
        if self._asleep is None:
            return None
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
    async def _start(self) -> None:
        """Starts the engine."""

    @abstractmethod
    def _at_once(self) -> int:
        """How many completions the started engine makes at once."""

    @abstractmethod
    async def _load(self, version: str, checkpoint: str) -> None:
        """Takes on the weights in `checkpoint`, and forgets whatever was computed with the ones before."""

    @abstractmethod
    async def _prove(self, probe: Probe) -> ProbeReport:
        """Judges the engine's own answers to the probe's prompts."""

    @abstractmethod
    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        """Answers with the weights it holds. Raises `PromptRefused`."""

    async def _sleep(self) -> None:
        """Gives the GPU's memory up. Raises `CannotSleep`."""
        raise CannotSleep("this back end does not sleep")

    async def _gpu_memory(self) -> GpuMemory:
        """What is free of the engine's GPU. Only of an engine that sleeps."""
        raise NotImplementedError

    async def _wake(self, version: str, checkpoint: str) -> None:
        """Takes memory again, and on the weights in `checkpoint`, and forgets what was computed before."""
        raise NotImplementedError

    async def _renew(self, checkpoint: str) -> None:
        """Ends the engine and starts one with the weights in `checkpoint`."""
        raise NotImplementedError

    @abstractmethod
    async def _stop(self) -> None:
        """Stops the engine and every process of its own."""

    @abstractmethod
    def _is_death(self, error: Exception) -> bool:
        """Whether after `error` this process can answer nothing any more."""


class ReplicaHandle(Protocol):
    """The handle of a `SamplerReplica` that is an actor. Its methods raise `RayActorError` when the process is gone."""

    start: RemoteMethod[[], int]
    version: RemoteMethod[[], str]
    sync: RemoteMethod[[str, str, Probe], ProbeReport]
    answer: RemoteMethod[[str, str, Sampling], list[Completion]]
    sleep: RemoteMethod[[], GpuMemory]
    exchange: RemoteMethod[[Sequence[Question]], list[Answer]]
    prefix_hits: RemoteMethod[[], float | None]
    shutdown: RemoteMethod[[], None]


def _exit(error: BaseException) -> NoReturn:
    """Ends the process: an actor whose engine is dead would meet every retry with the same corpse (ray#60145)."""
    logger.critical("the engine is dead (%s); ending this actor so that it is restarted", error)
    logging.shutdown()
    os._exit(1)
