"""Asking the teacher: workers that send, and the pool that spreads requests over them.

Owns: the order of steps of one request, its retries, and the starting of the actors that it needs.

Invariants
- The journal is looked up before anything is sent, told before each sending, and has the reply before anyone uses it.
- Nothing is sent without a lease, and every lease is released with what the attempt taught about the limits.
- A request ends exactly once, in a reply or a typed failure; only a broken journal raises.
- "Too many requests" is no failed attempt: the request waits its turn again, for as long as the settings' patience.
- The same request asked many times at once is sent once: the pool leads it to one worker, which lets them share.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.endpoint import (
    AuthenticationRefused,
    Endpoint,
    EndpointError,
    EndpointUnreachable,
    Sent,
    UnknownModel,
    probe_endpoint,
    read_api_key,
)
from actors.journal import AlreadyAnswered, Journal, JournalStats
from actors.limits import LimiterStats, Outcome
from actors.rate_limiter import RateLimiter, RateLimitPause
from reasoning.teacher_calls import EndpointSettings, FailureKind, TeacherFailure, TeacherReply, TeacherRequest

__all__ = [
    "AuthenticationRefused",
    "EndpointError",
    "EndpointUnreachable",
    "PoolCounts",
    "TeacherPool",
    "TeacherWorker",
    "UnknownModel",
    "WorkersLost",
    "close_journal",
    "probe_endpoint",
    "start_journal",
    "start_pool",
]

_LONGEST_BACKOFF_S = 30.0
_CONCURRENT_CALLS = 10_000  # requests that may wait in one actor at a time
_WORKER_TRIES = 8  # restarts take seconds; eight tries with doubling waits are about a minute


class WorkersLost(Exception):
    """Worker after worker died under a request. `args`: what happened and where to look."""


class TeacherWorker:
    """Asks one endpoint. Run as an actor with many concurrent calls; `journal` and `limiter` are actor handles."""

    def __init__(self, settings: EndpointSettings, journal: Any, limiter: Any, backoff_s: float = 0.5) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings)
        self._journal = journal
        self._limiter = limiter
        self._backoff_s = backoff_s
        # Never more in the limiter's queue than could be in flight: the rest waits here, where it costs nothing.
        self._turns = asyncio.Semaphore(settings.max_in_flight)
        self._asking: dict[str, asyncio.Task[TeacherReply | TeacherFailure]] = {}

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        """The outcome of `request`, from the journal or from the endpoint. Raises `JournalError`."""
        if request.endpoint != self._settings.name:
            raise ValueError(f"a request for endpoint {request.endpoint} reached a worker of {self._settings.name}")
        key = request.key
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._answer(request, key))
            task.add_done_callback(lambda _: self._asking.pop(key))
        return await asyncio.shield(task)  # one asker that goes away must not cancel it for the others

    async def _answer(self, request: TeacherRequest, key: str) -> TeacherReply | TeacherFailure:
        recorded: TeacherReply | TeacherFailure | None = await self._journal.lookup.remote(key)
        if recorded is not None:
            return recorded
        sends = attempts = 0
        first_refused_at: float | None = None
        while True:
            try:
                sent = await self._send(request, key)
            except RateLimitPause as pause:
                return await self._fail(TeacherFailure(key, FailureKind.RATE_LIMITED, _words(pause), sends))
            except AlreadyAnswered:  # by another worker, since the look-up
                answered: TeacherReply = await self._journal.lookup.remote(key)
                return answered
            sends += 1
            if isinstance(sent.result, TeacherReply):
                await self._journal.finish.remote(sent.result)
                return sent.result
            failure = await self._fail(dataclasses.replace(sent.result, attempts=sends))
            if not failure.kind.transient:
                return failure
            if failure.kind is FailureKind.RATE_LIMITED:  # the limiter makes everybody wait: no wait of one's own
                now = time.monotonic()
                first_refused_at = now if first_refused_at is None else first_refused_at
                if now - first_refused_at >= self._settings.rate_limit_patience_s:
                    return failure
                continue
            attempts += 1
            if attempts >= self._settings.attempts:
                return failure
            await asyncio.sleep(backoff(self._backoff_s, attempts))

    async def _send(self, request: TeacherRequest, key: str) -> Sent:
        """One sending under a lease, which is released whatever happens. Nobody waits for the release."""
        async with self._turns:
            (lease,) = await self._limiter.acquire.remote(1, self._settings.rate_limit_patience_s)
            outcome, retry_after_s = Outcome.UNUSED, None
            try:
                await self._journal.start.remote(key, request, uuid.uuid4().hex)
                outcome = Outcome.FAILED
                sent = await self._endpoint.send(request)
                outcome, retry_after_s = sent.outcome, sent.retry_after_s
                return sent
            finally:
                self._limiter.release.remote(lease.id, outcome, retry_after_s)

    async def _fail(self, failure: TeacherFailure) -> TeacherFailure:
        if failure.attempts:
            await self._journal.fail.remote(failure)
        return failure


def backoff(first_s: float, attempt: int) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): doubling, of which the upper half by chance, so
    that requests that failed together do not come back together."""
    return min(_LONGEST_BACKOFF_S, first_s * 2.0 ** min(attempt - 1, 20)) * random.uniform(0.5, 1.0)


def _words(error: Exception) -> str:
    """An actor's exception arrives with its remote traceback as text; its cause says it in one line."""
    return str(getattr(error, "cause", None) or error)


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """What a pool has been asked since it was started. Tokens are those of replies that were paid for now."""

    asked: int = 0
    answered: int = 0
    from_journal: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class TeacherPool:
    """The caller's side: spreads requests over workers and outlives the death of any of them. No actor itself; used
    from one event loop."""

    def __init__(self, workers: Sequence[Any], limiter: Any = None) -> None:
        """`workers` are actor handles of `TeacherWorker`s of one endpoint, `limiter` is theirs (for its figures)."""
        if not workers:
            raise ValueError("a pool needs at least one worker")
        self._workers = list(workers)
        self._limiter = limiter
        self.counts = PoolCounts()

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        """The outcome of `request`. Raises `JournalError` when nothing may be sent because nothing can be recorded,
        and `WorkersLost` when workers keep dying."""
        self._count(asked=1)
        result = await self._ask_a_worker(request)
        if isinstance(result, TeacherFailure):
            self._count(failed=1)
        elif result.from_journal:
            self._count(answered=1, from_journal=1)
        else:
            self._count(answered=1, prompt_tokens=result.prompt_tokens, completion_tokens=result.completion_tokens)
        return result

    async def _ask_a_worker(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        first = int(request.key[:8], 16)  # the same request meets itself in the same worker
        last: RayActorError | None = None
        for attempt in range(_WORKER_TRIES):
            worker = self._workers[(first + attempt) % len(self._workers)]
            try:
                result: TeacherReply | TeacherFailure = await worker.ask.remote(request)
                return result
            except RayTaskError:  # raised by the worker, not by its death, even when it tells of another actor's
                raise
            except RayActorError as error:
                last = error
                await asyncio.sleep(backoff(0.5, attempt + 1))
        raise WorkersLost(
            f"{_WORKER_TRIES} workers in a row died under one request to {request.endpoint}; the last one: {last}. "
            "See the worker logs in Ray's session folder; the same command again goes on from the journal"
        ) from last

    async def limiter_stats(self) -> LimiterStats:
        stats: LimiterStats = await self._limiter.stats.remote()
        return stats

    def close(self) -> None:
        """Stops the workers and the limiter. What is in flight is lost, as in a crash; what is journaled is not."""
        for actor in (*self._workers, self._limiter):
            if actor is not None:
                ray.kill(actor)

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self.counts, name) + value for name, value in more.items()}
        self.counts = dataclasses.replace(self.counts, **changed)


def start_journal(path: Path) -> Any:
    """Starts the journal actor on this machine, where `path` is. Raises `JournalError` when it cannot be opened."""
    Journal(path).close()  # here first: an actor that dies in its constructor tells less, and later
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Every method of both may be repeated, so that losing the process in the middle of a call loses nothing.
    return (
        ray.remote(Journal)
        .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)
        .remote(path.absolute())
    )


async def close_journal(journal: Any) -> JournalStats:
    """Ends the journal actor in good order, with its last counts."""
    stats: JournalStats = await journal.stats.remote()
    await journal.close.remote()
    ray.kill(journal)
    return stats


def start_pool(settings: EndpointSettings, journal: Any, workers: int = 2) -> TeacherPool:
    """Starts the limiter and the workers of one endpoint. Raises `AuthenticationRefused` when its key is missing."""
    read_api_key(settings)
    many = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": _CONCURRENT_CALLS}
    limiter = ray.remote(RateLimiter).options(**many, max_task_retries=-1).remote(settings)
    asking = [ray.remote(TeacherWorker).options(**many).remote(settings, journal, limiter) for _ in range(workers)]
    return TeacherPool(asking, limiter)
