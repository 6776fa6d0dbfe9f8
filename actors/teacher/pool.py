"""The caller's side of a teacher: it spreads requests over workers, and survives the death of any of them.

Owns: what was asked and has no outcome yet, and the figures of the pool.

Invariants
- A request that is asked many times at once is sent once: the same request always goes to the same worker.
- Requests and outcomes travel in bulk, one round trip for everything that is ready.
- A worker that dies loses nothing: what it had not answered goes to the next one, and what it had is in the journal.
- A worker is given as much as it can have in flight, and the same again, so that it never runs dry; the rest waits
  here, where it costs least. Memory is bounded by what was asked and not answered; `stream` bounds that.
- Where each worker is an endpoint of its own (the Batch API), what one endpoint does not take goes to the others, and
  fails when none does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.journal.actor import JournalHandle, Spending
from actors.limits.actor import RateLimiterHandle
from actors.limits.rate_limits import LimiterStats
from actors.teacher.retries import backoff
from actors.teacher.worker_base import Unrecorded, WorkerHandle
from actors.watching.run import LimiterLook
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherRequest, TeacherSettings
from reasoning.teacher.refusals import joint_failure

if TYPE_CHECKING:
    from ray.actor import ActorHandle

_WORKER_TRIES = 8  # restarts take seconds; eight tries with doubling waits are about a minute
_REQUESTS_A_CALL = 64
_LEAST_GIVEN = 256
_RATE_WINDOW_S = 30.0
DRAIN_S = 20.0


class WorkersLost(Exception):
    """Worker after worker died under a request. `args`: what happened and where to look."""


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """What a pool has been asked since it was started. Tokens are those of replies that were paid for now."""

    asked: int = 0
    answered: int = 0
    from_journal: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def open(self) -> int:
        """Asked, and without an outcome yet."""
        return self.asked - self.answered - self.failed


@dataclass(frozen=True, slots=True)
class PoolProgress:
    """How a pool is doing: counts so far, sendings answered a second over the last half minute, what each limiter
    permits a second (None: it knows no limit), money, the endpoints that are paused, and the seconds that the open
    requests will take at the present rate (None: not known). Limiters are told apart by `id`: pools may share them."""

    counts: PoolCounts
    per_second: float
    permitted: Mapping[str, float | None]
    spending: Spending
    open_circuits: tuple[str, ...]
    eta_s: float | None
    limiters: Mapping[str, LimiterLook] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Asked:
    request: TeacherRequest
    outcome: asyncio.Future[Outcome]
    tries: int = 0
    failed_at: dict[int, TeacherFailure] = field(default_factory=dict)  # by the number of the worker


@dataclass(slots=True, eq=False)
class _WorkerQueue:
    """One worker, and what it was given and has not answered."""

    worker: WorkerHandle
    number: int
    waiting: deque[_Asked] = field(default_factory=deque)
    given: dict[str, _Asked] = field(default_factory=dict)
    serving: asyncio.Task[None] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class TeacherPool:
    """Not an actor itself. Used from one event loop."""

    def __init__(
        self,
        workers: Sequence[WorkerHandle],
        limiters: Sequence[RateLimiterHandle] = (),
        journal: JournalHandle | None = None,
        settings: TeacherSettings | None = None,
    ) -> None:
        """`workers` are handles of actors that ask one teacher; the rest is for the pool's figures."""
        if not workers:
            raise ValueError("a pool needs at least one worker")
        self._queues = [_WorkerQueue(worker, number) for number, worker in enumerate(workers)]
        self._limiters = list(limiters)
        self._journal = journal
        self._settings = settings
        self._most_given = _most_given(settings, len(self._queues))
        self._places = _places(settings, len(self._queues))
        self._asking: dict[str, _Asked] = {}
        self._ended_at: deque[float] = deque()
        self._began = time.monotonic()
        self._counts = PoolCounts()

    @property
    def counts(self) -> PoolCounts:
        return self._counts

    async def ask(self, request: TeacherRequest) -> Outcome:
        """The outcome of `request`. Raises `JournalError` when nothing may be sent because nothing can be recorded,
        and `WorkersLost` when workers keep dying."""
        self._count(asked=1)
        key = request.key
        asked = self._asking.get(key)
        if asked is None:
            asked = self._asking[key] = _Asked(request, asyncio.get_running_loop().create_future())
            asked.outcome.add_done_callback(lambda _: self._asking.pop(key))
            self._give(asked, int(key[:8], 16) % len(self._queues))  # the same request goes to the same worker
        result = await asyncio.shield(asked.outcome)
        self._account(result)
        return result

    async def stream(self, requests: Iterable[TeacherRequest], window: int = 2000) -> AsyncIterator[Outcome]:
        """The outcomes of `requests` as they come, in any order, with at most `window` open at a time: for more
        requests than fit into memory."""
        asking: set[asyncio.Task[Outcome]] = set()
        try:
            for request in requests:
                asking.add(asyncio.create_task(self.ask(request)))
                if len(asking) >= window:
                    done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        yield task.result()
            while asking:
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in asking:
                task.cancel()

    async def limiter_stats(self) -> list[LimiterStats]:
        """Of each endpoint, in the order of the settings."""
        return list(await asyncio.gather(*(limiter.stats.remote() for limiter in self._limiters)))

    async def progress(self) -> PoolProgress:
        limits = await self.limiter_stats()
        run = self._settings.run if self._settings else None
        spending = await self._journal.spending.remote(run) if self._journal is not None else Spending(0.0, 0.0)
        now = time.monotonic()
        while self._ended_at and self._ended_at[0] < now - _RATE_WINDOW_S:
            self._ended_at.popleft()
        rate = len(self._ended_at) / max(1e-3, min(_RATE_WINDOW_S, now - self._began))
        answered = self._counts.answered - self._counts.from_journal
        tokens = (self._counts.prompt_tokens + self._counts.completion_tokens) / answered if answered else 0.0
        ids = [str(limiter) for limiter in self._limiters]
        names = [endpoint.name for endpoint in self._settings.endpoints] if self._settings else []
        open_circuits = [
            f"{name}: {one.open_circuit.kind}" for name, one in zip(names, limits, strict=False) if one.open_circuit
        ]
        open = len(self._asking)
        return PoolProgress(
            counts=self.counts,
            per_second=rate,
            permitted={id: _permitted(one, tokens) for id, one in zip(ids, limits, strict=True)},
            spending=spending,
            open_circuits=tuple(open_circuits),
            eta_s=open / rate if open and rate else None,
            limiters={
                id: LimiterLook(one.waiting, one.in_flight, one.busy_s) for id, one in zip(ids, limits, strict=True)
            },
        )

    async def close(self, drain_s: float = DRAIN_S) -> None:
        """Stops the workers and limiters. What is in flight is paid for: it may end and be recorded, for `drain_s`."""
        draining = [queue.worker.drain.remote(drain_s) for queue in self._queues]
        for drained in draining:
            with contextlib.suppress(RayActorError, RayTaskError):
                await drained
        self.kill()

    def kill(self) -> None:
        """Stops the workers and limiters at once. What is in flight is lost, as in a crash; what is journaled stays."""
        for queue in self._queues:
            if queue.serving is not None:
                queue.serving.cancel()
        for actor in (*(queue.worker for queue in self._queues), *self._limiters):
            ray.kill(cast("ActorHandle[object]", actor))

    # Workers ----------------------------------------------------------------------------------------------------------

    def _give(self, asked: _Asked, number: int) -> None:
        queue = self._queues[number]
        queue.waiting.append(asked)
        queue.wake.set()
        if queue.serving is None:
            queue.serving = asyncio.create_task(self._serve(queue))

    async def _serve(self, queue: _WorkerQueue) -> None:
        """Hands over what waits and fetches what is ready, until there is neither."""
        while queue.waiting or queue.given:
            tasks = [asyncio.create_task(self._hand_over(queue)), asyncio.create_task(self._fetch(queue))]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            except asyncio.CancelledError:
                for task in tasks:
                    task.cancel()
                raise
            error = next((e for e in ended if isinstance(e, Exception)), None)
            if error is not None:
                await self._lost(queue, error)
        queue.serving = None

    async def _hand_over(self, queue: _WorkerQueue) -> None:
        while True:
            while queue.waiting and (free := self._most_given - len(queue.given)) > 0:
                going = [queue.waiting.popleft() for _ in range(min(_REQUESTS_A_CALL, free, len(queue.waiting)))]
                queue.given |= {asked.request.key: asked for asked in going}
                await queue.worker.submit.remote([asked.request for asked in going])
            queue.wake.clear()
            await queue.wake.wait()

    async def _fetch(self, queue: _WorkerQueue) -> None:
        """Ends when everything that was given is answered."""
        while queue.given or queue.waiting:
            for outcome in await queue.worker.collect.remote():
                asked = queue.given.pop(outcome.key, None)
                queue.wake.set()
                if asked is None or asked.outcome.done():
                    continue
                if isinstance(outcome, Unrecorded):
                    asked.outcome.set_exception(outcome.error)
                elif isinstance(outcome, TeacherFailure):
                    self._failed(asked, queue.number, outcome)
                else:
                    asked.outcome.set_result(outcome)

    def _failed(self, asked: _Asked, number: int, failure: TeacherFailure) -> None:
        """Ends a request, or gives it to an endpoint that has not failed it yet."""
        asked.failed_at[number] = failure
        elsewhere = self._another(asked, number)
        if elsewhere is not None and (failure.kind.refusal or failure.kind.endpoint_wide):
            self._give(asked, elsewhere)
        elif len(asked.failed_at) == 1:
            asked.outcome.set_result(failure)
        else:
            asked.outcome.set_result(joint_failure({self._places[at]: one for at, one in asked.failed_at.items()}))

    def _another(self, asked: _Asked, number: int) -> int | None:
        """The next endpoint after worker `number` that has not failed the request; None if all have."""
        others = ((number + step) % len(self._places) for step in range(1, len(self._places)))
        return next((other for other in others if other not in asked.failed_at), None)

    async def _lost(self, queue: _WorkerQueue, error: Exception) -> None:
        """The worker died, or the call failed: what it had not answered goes to the next one."""
        orphans = [*queue.given.values(), *queue.waiting]
        queue.given, queue.waiting = {}, deque()
        if not isinstance(error, RayActorError) or isinstance(error, RayTaskError):
            for asked in orphans:  # raised by the worker, not by its death
                _fail(asked, getattr(error, "cause", None) or error)
            return
        attempt = max((asked.tries for asked in orphans), default=0) + 1
        if attempt < _WORKER_TRIES:
            await asyncio.sleep(backoff(0.5, attempt))
        for asked in orphans:
            asked.tries += 1
            if asked.tries >= _WORKER_TRIES:
                _fail(
                    asked,
                    WorkersLost(
                        f"{_WORKER_TRIES} workers in a row died on one request to {asked.request.endpoint}; the last "
                        f"error: {error}. See the worker logs in Ray's session folder, then run the same command "
                        "again: it continues from the journal"
                    ),
                )
            else:
                another = self._another(asked, queue.number)
                self._give(asked, (queue.number + 1) % len(self._queues) if another is None else another)

    # Figures ----------------------------------------------------------------------------------------------------------

    def _account(self, result: Outcome) -> None:
        if isinstance(result, TeacherFailure):
            self._count(failed=1)
        elif result.from_journal:
            self._count(answered=1, from_journal=1)
        else:
            self._count(answered=1, prompt_tokens=result.prompt_tokens, completion_tokens=result.completion_tokens)
            self._ended_at.append(time.monotonic())

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._counts, name) + value for name, value in more.items()}
        self._counts = dataclasses.replace(self._counts, **changed)


def permitted_per_second(looks: Iterable[PoolProgress]) -> float | None:
    """What all the limiters of these pools permit a second together; None where one of them knows no limit."""
    each = {id: permitted for look in looks for id, permitted in look.permitted.items()}
    known = [permitted for permitted in each.values() if permitted is not None]
    return sum(known) if known and len(known) == len(each) else None


def _permitted(limits: LimiterStats, tokens: float) -> float | None:
    """Requests a second of so many tokens each (0: not known)."""
    by_requests = [limits.requests_per_minute] if limits.requests_per_minute is not None else []
    by_tokens = [limits.tokens_per_minute / tokens] if limits.tokens_per_minute is not None and tokens else []
    return min((*by_requests, *by_tokens), default=math.inf) / 60.0 if by_requests or by_tokens else None


def _places(settings: TeacherSettings | None, workers: int) -> list[str]:
    """The endpoints' names where each worker is one of them; none where every worker asks them all."""
    if settings is None or len(settings.endpoints) != workers or settings.endpoints[0].batch is None:
        return []
    return [endpoint.name for endpoint in settings.endpoints]


def _most_given(settings: TeacherSettings | None, workers: int) -> int:
    """How many requests one of `workers` has at a time."""
    if settings is None:
        return _LEAST_GIVEN
    sizes = [one.batch.max_requests if one.batch else one.max_in_flight for one in settings.endpoints]
    return max(_LEAST_GIVEN, 2 * sum(sizes) // workers)


def _fail(asked: _Asked, error: Exception) -> None:
    if not asked.outcome.done():
        asked.outcome.set_exception(error)
        asked.outcome.exception()  # if no caller waits any more, asyncio must not log it as never retrieved
