"""One replica of the student as its callers meet it: which weights it holds, and when it may answer with them.

Owns: a replica's version, its staleness, and the order of a swap, alike for every engine. What an engine is, a
subclass says.

Invariants
- A replica answers only with the version it was asked for; `StaleWeights` otherwise. Version "" answers nothing.
- A version is taken on only after the probe has shown that the engine computes with its weights. A replica that was
  restarted, or whose swap failed, is stale until synced.
- Weights are never swapped under a running request.
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


class SamplerReplica(ABC):
    """One replica. The caller makes a subclass an actor: `ray.remote(Subclass).options(...).remote(settings)`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._started = False
        self._version = ""
        self._synced: tuple[str, str, ProbeReport] | None = None  # version, checkpoint, what the probe showed
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
                        end_with_its_engine(error)
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
                report = await self._take_on(version, folder, probe)
                await asyncio.to_thread(forget_lost_beside, checkpoint)
            except SyncFailed:
                raise
            except Exception as error:
                if self._is_death(error):
                    end_with_its_engine(error)
                raise SyncFailed(version, checkpoint, f"{type(error).__name__}: {error}") from error
            if not report.ok:
                raise SyncFailed(version, checkpoint, f"the probe failed after the weight swap: {report.reason}")
            self._version, self._synced = version, (version, checkpoint, report)
            logger.info("holds the weights %s, proven", version)
            return report

    async def sleep(self) -> GpuMemory:
        """Gives the GPU's memory up until the next `sync`, and returns what is free of it then: see
        `actors.sampler.sleeping`. Raises `CannotSleep`."""
        raise CannotSleep("this back end does not sleep")

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
            if self._started:  # given up, for the replica to sleep
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
                end_with_its_engine(error)
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
                self._started = False
                await self._stop()

    async def _quiet(self, bound_s: float) -> bool:
        """Whether no request runs any more, at the latest after `bound_s`."""
        until = time.monotonic() + bound_s
        while self._running and time.monotonic() < until:  # noqa: ASYNC110  (they are only counted)
            await asyncio.sleep(0.05)
        return not self._running

    async def _take_on(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        """Takes on the weights in `checkpoint`, and what the probe showed then."""
        await self._load(version, checkpoint)
        return await self._prove(probe)

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


def end_with_its_engine(error: BaseException) -> NoReturn:
    """Ends the process: an actor whose engine is dead would meet every retry with the same corpse (ray#60145)."""
    logger.critical("the engine is dead (%s); ending this actor so that it is restarted", error)
    logging.shutdown()
    os._exit(1)
