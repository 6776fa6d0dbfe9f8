"""A worker of the teacher pool: it asks the endpoints of one teacher, one request at a time each, many at once.

Owns: the order of steps of one request, and the choice of its endpoint. Whether and when a failed one is tried again is
decided in `actors.teacher.retries`.

Invariants
- The journal is looked up before anything is sent, told before each sending, and has the reply before anyone uses it.
- Nothing is sent without a lease, nor without the money for its worst case.
- "Too many requests" is not a failed attempt: the request waits its turn again, for as long as the settings'
  patience. Nor is waiting for an endpoint that is down.
- An endpoint that fails every request alike (wrong key, spent quota) is left to the others; when all do, requests fail.
- What one endpoint refuses of a request (its length, content or form) the others are asked, each once, and so is an
  endpoint that its attempts have not led to. Only when all have failed it does it fail, with the words of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from collections.abc import Mapping

from actors.endpoint.attempt import Endpoint
from actors.endpoint.usage import booked, worst_tokens
from actors.journal.actor import Ended, JournalHandle, Sending, StartRefusal, sending_id
from actors.limits.actor import RateLimiterHandle
from actors.limits.circuit_breaker import OpenCircuit
from actors.limits.rate_limits import LeaseOutcome, Release
from actors.teacher.coalesced_calls import CoalescedCalls
from actors.teacher.endpoint_queue import EndpointQueue
from actors.teacher.metrics import TeacherMetrics
from actors.teacher.retries import Retries
from actors.teacher.routing import WeightedTurns
from actors.teacher.wait_group import WaitGroup
from actors.teacher.worker_base import WorkerBase, no_money
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import NANO
from reasoning.teacher.refusals import joint_failure

_LOOK_AGAIN_S = 0.05
_ASK_AGAIN_S = 0.25
# What is in flight has settled its cost after its timeout and this, which is for the journal and scheduling.
_SETTLING_MARGIN_S = 60.0


class TeacherWorker(WorkerBase):
    """Asks one teacher. `journal` and `limiters`, one for each endpoint, are actor handles."""

    def __init__(
        self, settings: TeacherSettings, journal: JournalHandle, *limiters: RateLimiterHandle, backoff_s: float = 0.5
    ) -> None:
        super().__init__(settings, journal)
        self._settings = settings
        self._backoff_s = backoff_s
        alone = len(settings.endpoints) == 1
        self._queues = [
            EndpointQueue(Endpoint(endpoint), limiter, settings.rate_limit_patience_s, alone)
            for endpoint, limiter in zip(settings.endpoints, limiters, strict=True)
        ]
        self._turns = WeightedTurns([endpoint.weight for endpoint in settings.endpoints])
        self._start: CoalescedCalls[Sending, Outcome | StartRefusal | None] = CoalescedCalls(
            lambda some: journal.start.remote(some)
        )
        self._end: CoalescedCalls[Ended, None] = CoalescedCalls(lambda some: journal.end.remote(some))
        self._metrics = TeacherMetrics(settings.name, settings.run)
        self._choosing = asyncio.Lock()
        self._unrecorded = WaitGroup()  # what was announced and is not recorded yet

    async def answer(self, request: TeacherRequest, key: str) -> Outcome:
        return await _Attempts(self, request, key).until_it_ends()

    async def close(self) -> None:
        for queue in self._queues:
            await queue.endpoint.close()

    async def _wait_until_recorded(self, grace_s: float) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._unrecorded.wait()
                await asyncio.gather(*(queue.released() for queue in self._queues))
        return self._unrecorded.count


class _Attempts:
    """What has happened to one request so far."""

    def __init__(self, worker: TeacherWorker, request: TeacherRequest, key: str) -> None:
        self._worker = worker
        self._settings = worker._settings
        self._request = request
        self._key = key
        self._prompt_tokens, self._completion_tokens = worst_tokens(request)
        self._began = time.monotonic()
        self._sends = 0
        self._retries = Retries(self._settings, worker._backoff_s)
        self._short_since: float | None = None  # of money
        self._last: TeacherFailure | None = None
        self._failed_at: dict[str, TeacherFailure] = {}  # by the endpoint's name, its last
        self._given_up: dict[str, TeacherFailure] = {}  # of those endpoints that are not asked again

    async def until_it_ends(self) -> Outcome:
        while True:
            queue = await self._choose_queue()
            if isinstance(queue, TeacherFailure):
                return queue
            async with queue.trial(self._settings.max_cost is not None):
                began = time.monotonic()
                lease = await queue.lease(self._prompt_tokens + self._completion_tokens)
                self._worker._metrics.waited(queue.name, time.monotonic() - began)
                result = await self._send(queue, lease) if lease is not None else None
            outcome = result
            if isinstance(result, TeacherFailure) and result is self._last:  # of this sending, not of the journal
                outcome = await self._after(result, queue)
            if outcome is not None:
                return outcome

    async def _choose_queue(self) -> EndpointQueue | TeacherFailure:
        """The endpoint whose turn it is, of those that have not been given up; a failure when there is none to wait
        for."""
        queues = [queue for queue in self._worker._queues if queue.name not in self._given_up]
        # One request looks for an endpoint on behalf of all. One that may not go everywhere must not keep them waiting.
        async with self._worker._choosing if not self._given_up else contextlib.nullcontext():
            while True:
                if self._worker._draining.is_set():
                    await asyncio.Event().wait()  # nothing new is begun; the process is about to end
                now = time.monotonic()
                down = {queue.name: last for queue in queues if (last := queue.last_circuit) is not None}
                waited_s = min([now - self._began, *(queue.open_for(now) for queue in queues)])
                if len(down) == len(queues) and waited_s >= self._settings.rate_limit_patience_s:
                    return self._unserved(down)  # also between two pauses: a late loop may never look within one
                chosen = self._worker._turns.next([q in queues and q.accepts(now) for q in self._worker._queues])
                if chosen is not None:
                    return self._worker._queues[chosen]
                why = {queue.name: found for queue in queues if (found := queue.open_circuit(now)) is not None}
                if len(why) == len(queues) and all(one.broken for one in why.values()):
                    return self._unserved(why)
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _send(self, queue: EndpointQueue, lease: int) -> Outcome | None:
        """Announces, sends and records one sending. None: the request is to be asked again."""
        if self._worker._draining.is_set():
            queue.release(Release(lease, LeaseOutcome.UNUSED))
            return None
        with self._worker._unrecorded.task():
            sending = self._sending(queue)
            refusal = await self._announce(sending, queue, lease)
            result = await self._send_announced(sending, queue, lease) if refusal is None else None
        if refusal is not None:
            return await self._not_started(refusal)
        return result

    async def _announce(self, sending: Sending, queue: EndpointQueue, lease: int) -> Outcome | StartRefusal | None:
        """None: it may be sent. Otherwise the lease is handed back."""
        refusal: Outcome | StartRefusal | None = StartRefusal.IN_FLIGHT
        try:
            refusal = await self._worker._start(sending)
        finally:
            if refusal is not None:
                queue.release(Release(lease, LeaseOutcome.UNUSED))
        return refusal

    async def _send_announced(self, sending: Sending, queue: EndpointQueue, lease: int) -> Outcome:
        """One sending, recorded before its outcome is returned."""
        began = time.monotonic()
        sent = await queue.send(self._request, lease)
        self._sends += 1
        self._short_since = None
        result = sent.result
        if isinstance(result, TeacherFailure):
            result = self._last = dataclasses.replace(result, attempts=self._sends)
        usage = sent.usage
        cost = booked(usage, queue.endpoint.settings.price, sending.worst_cost)
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        typical = usage is None or usage.certain
        await self._worker._end(Ended(sending.id, result, *tokens, cost, typical, queue.fingerprint))
        spent = sending.worst_cost if cost is None else cost
        self._worker._metrics.sent(queue.name, result, usage, spent, time.monotonic() - began)
        return result

    async def _not_started(self, refusal: Outcome | StartRefusal) -> Outcome | None:
        if not isinstance(refusal, StartRefusal):
            return refusal  # answered by another worker or run since the look-up
        if refusal is StartRefusal.IN_FLIGHT:  # by another living run: its outcome will be in the journal
            await asyncio.sleep(_ASK_AGAIN_S * random.uniform(1, 2))
            return await self._worker.look_up(self._key)
        now = time.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        settles_s = max(queue.endpoint.settings.timeout_s for queue in self._worker._queues) + _SETTLING_MARGIN_S
        if refusal is StartRefusal.NO_MONEY or now - self._short_since > settles_s:
            return no_money(self._settings, self._key, self._sends)
        await asyncio.sleep(_ASK_AGAIN_S * random.uniform(0.5, 1.5))
        return None

    async def _after(self, failure: TeacherFailure, queue: EndpointQueue) -> Outcome | None:
        """What a failed sending leads to: the request's end, or another try, here or elsewhere."""
        self._failed_at[queue.name] = failure
        if failure.kind.refusal:
            self._given_up[queue.name] = failure
            return joint_failure(self._given_up) if len(self._given_up) == len(self._worker._queues) else None
        alone = len(self._worker._queues) == 1
        wait_s = self._retries.wait_after(failure, time.monotonic(), alone=alone)
        if wait_s is None:
            self._given_up |= self._failed_at
            asked_all = len(self._failed_at) == len(self._worker._queues)
            if failure.kind is FailureKind.RATE_LIMITED or asked_all:
                return joint_failure({**self._given_up, queue.name: failure})
            return None  # the endpoints that its turns have not led to yet
        if wait_s:
            await asyncio.sleep(wait_s)
        return None

    def _sending(self, queue: EndpointQueue) -> Sending:
        endpoint = queue.endpoint.settings
        price, cap = endpoint.price, self._settings.max_cost
        return Sending(
            id=sending_id(),
            key=self._key,
            request=self._request,
            run=self._settings.run,
            endpoint=endpoint.name,
            worst_cost=price.cost(self._prompt_tokens, self._completion_tokens) if price else 0,
            cap=int(cap * NANO) if cap is not None else None,
            places=self._worker.places,
        )

    def _unserved(self, why: Mapping[str, OpenCircuit]) -> TeacherFailure:
        """No endpoint is left to wait for: the last failure, or what some refused and what is wrong with the rest."""
        paused = {name: self._never_sent(FailureKind(one.kind), one.message) for name, one in why.items()}
        if self._given_up:
            return joint_failure({**self._given_up, **paused})
        return self._last or next(iter(paused.values()))

    def _never_sent(self, kind: FailureKind, message: str) -> TeacherFailure:
        return TeacherFailure(self._key, kind, message, self._sends)
