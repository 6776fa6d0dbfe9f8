"""A worker of the teacher pool: it asks the endpoints of one teacher, one request at a time each, many at once.

Owns: the order of steps of one request, its retries, and the choice of its endpoint.

Invariants
- The journal is looked up before anything is sent, told before each sending, and has the reply before anyone uses it.
- Nothing is sent without a lease, nor without the money for its worst case.
- "Too many requests" is no failed attempt: the request waits its turn again, for as long as the settings' patience. Nor
  is waiting for an endpoint that is down.
- An endpoint that fails every request alike (wrong key, spent quota) is left to the others; when all do, requests fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from typing import Any

from actors.endpoint.attempt import Endpoint, Sent
from actors.endpoint.replies import worst_tokens
from actors.journal.actor import Ended, Refusal, Sending, sending_id
from actors.limits.rules import Outcome as LeaseOutcome
from actors.limits.rules import Release
from actors.teacher.asker import Asker, Outcome
from actors.teacher.batching import Batched
from actors.teacher.lane import Lane
from actors.teacher.metrics import TeacherMetrics
from actors.teacher.routing import WeightedTurns
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import NANO

_LONGEST_BACKOFF_S = 30.0
_LOOK_AGAIN_S = 0.05
_ASK_AGAIN_S = 0.25
_SETTLING_MARGIN_S = (
    60.0  # what is in flight has settled its cost after its timeout, and this for journal and scheduling
)


class TeacherWorker(Asker):
    """Asks one teacher. `journal` and `limiters`, one for each endpoint, are actor handles."""

    def __init__(self, settings: TeacherSettings, journal: Any, *limiters: Any, backoff_s: float = 0.5) -> None:
        super().__init__(settings.name, journal)
        self._settings = settings
        self._backoff_s = backoff_s
        alone = len(settings.endpoints) == 1
        self._lanes = [
            Lane(Endpoint(endpoint), limiter, settings.rate_limit_patience_s, alone)
            for endpoint, limiter in zip(settings.endpoints, limiters, strict=True)
        ]
        self._turns = WeightedTurns([endpoint.weight for endpoint in settings.endpoints])
        self._start: Batched[Sending, Outcome | Refusal | None] = Batched(lambda some: journal.start.remote(some))
        self._end: Batched[Ended, None] = Batched(lambda some: journal.end.remote(some))
        self._metrics = TeacherMetrics(settings.name)
        self._looking = asyncio.Lock()
        self._unrecorded = 0
        self._all_recorded = asyncio.Event()
        self._all_recorded.set()

    async def answer(self, request: TeacherRequest, key: str) -> Outcome:
        return await _Attempts(self, request, key).until_it_ends()

    def in_the_air(self, more: int) -> None:
        """Counts what was announced and is not recorded yet."""
        self._unrecorded += more
        if self._unrecorded:
            self._all_recorded.clear()
        else:
            self._all_recorded.set()

    async def _wait_for_flights(self, grace_s: float) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._all_recorded.wait()
                await asyncio.gather(*(lane.released() for lane in self._lanes))
        return self._unrecorded


class _Attempts:
    """What has happened to one request so far."""

    def __init__(self, worker: TeacherWorker, request: TeacherRequest, key: str) -> None:
        self._worker = worker
        self._settings = worker._settings
        self._request = request
        self._key = key
        self._prompt_tokens, self._completion_tokens = worst_tokens(request)
        self._began = time.monotonic()
        self._sends = self._attempts = 0
        self._refused_since: float | None = None  # "too many requests"
        self._short_since: float | None = None  # of money
        self._last: TeacherFailure | None = None

    async def until_it_ends(self) -> Outcome:
        while True:
            lane = await self._open_lane()
            if isinstance(lane, TeacherFailure):
                return lane
            lease = await lane.lease(self._prompt_tokens + self._completion_tokens)
            outcome = await self._send(lane, lease) if lease is not None else None
            if outcome is not None:
                return outcome

    async def _open_lane(self) -> Lane | TeacherFailure:
        """The endpoint whose turn it is; a failure when there is none to wait for."""
        lanes = self._worker._lanes
        async with self._worker._looking:  # the first in the queue looks around for all
            while True:
                if self._worker._draining.is_set():
                    await asyncio.Event().wait()  # nothing new is begun; the process is about to end
                now = time.monotonic()
                chosen = self._worker._turns.next([lane.is_open(now) for lane in lanes])
                if chosen is not None:
                    return lanes[chosen]
                why = [closed for lane in lanes if (closed := lane.closed(now)) is not None]
                if len(why) == len(lanes):
                    waited_s = min(now - self._began, *(lane.closed_for(now) for lane in lanes))
                    if all(one.broken for one in why) or waited_s >= self._settings.rate_limit_patience_s:
                        return self._last or self._never_sent(FailureKind(why[0].kind), why[0].message)
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _send(self, lane: Lane, lease: int) -> Outcome | None:
        """Announces, sends and records one sending. None: the request is to be asked again."""
        if self._worker._draining.is_set():
            lane.release(Release(lease, LeaseOutcome.UNUSED))
            return None
        self._worker.in_the_air(+1)
        try:
            sending = self._sending(lane)
            refusal = await self._announce(sending, lane, lease)
            result = await self._send_announced(sending, lane, lease) if refusal is None else None
        finally:
            self._worker.in_the_air(-1)
        if refusal is not None:
            return await self._not_started(refusal)
        return await self._after(result) if isinstance(result, TeacherFailure) else result

    async def _announce(self, sending: Sending, lane: Lane, lease: int) -> Outcome | Refusal | None:
        """None: it may be sent. Otherwise the lease is handed back."""
        refusal: Outcome | Refusal | None = Refusal.IN_FLIGHT
        try:
            refusal = await self._worker._start(sending)
        finally:
            if refusal is not None:
                lane.release(Release(lease, LeaseOutcome.UNUSED))
        return refusal

    async def _send_announced(self, sending: Sending, lane: Lane, lease: int) -> Outcome:
        """One sending, recorded before anybody learns of it."""
        began = time.monotonic()
        sent = await lane.send(self._request, lease)
        self._sends += 1
        self._short_since = None
        result = sent.result
        if isinstance(result, TeacherFailure):
            result = self._last = dataclasses.replace(result, attempts=self._sends)
        cost, usage = self._cost(lane, sent), sent.usage
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        await self._worker._end(Ended(sending.id, result, *tokens, cost))
        spent = sending.worst_cost if cost is None else cost
        self._worker._metrics.sent(lane.name, result, usage, spent, time.monotonic() - began)
        return result

    async def _not_started(self, refusal: Outcome | Refusal) -> Outcome | None:
        if not isinstance(refusal, Refusal):
            return refusal  # answered by another worker or run since the look-up
        if refusal is Refusal.IN_FLIGHT:  # by another living run: its outcome will be in the journal
            await asyncio.sleep(_ASK_AGAIN_S * random.uniform(1, 2))
            return await self._worker.look_up(self._key)
        now = time.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        settles_s = max(lane.endpoint.settings.timeout_s for lane in self._worker._lanes) + _SETTLING_MARGIN_S
        if refusal is Refusal.NO_MONEY or now - self._short_since > settles_s:
            return self._never_sent(
                FailureKind.BUDGET,
                f"the cap of ${self._settings.max_cost:g} could be passed: raise teacher.max_cost and start the same "
                "command again; it goes on from here",
            )
        await asyncio.sleep(_ASK_AGAIN_S * random.uniform(0.5, 1.5))
        return None

    async def _after(self, failure: TeacherFailure) -> Outcome | None:
        """What a failed sending leads to: the request's end, or another try."""
        if failure.kind.endpoint_wide:
            return None if len(self._worker._lanes) > 1 else failure
        if not failure.kind.transient:
            return failure
        if failure.kind is FailureKind.RATE_LIMITED:  # the limiter makes everybody wait: no wait of one's own
            return failure if self._out_of_patience() else None
        self._refused_since = None
        self._attempts += 1
        if self._attempts >= self._settings.attempts:
            return failure
        await asyncio.sleep(backoff(self._worker._backoff_s, self._attempts))
        return None

    def _sending(self, lane: Lane) -> Sending:
        endpoint = lane.endpoint.settings
        price, cap = endpoint.price, self._settings.max_cost
        return Sending(
            id=sending_id(),
            key=self._key,
            request=self._request,
            run=self._settings.run,
            endpoint=endpoint.name,
            worst_cost=price.cost(self._prompt_tokens, self._completion_tokens) if price else 0,
            cap=int(cap * NANO) if cap is not None else None,
        )

    def _cost(self, lane: Lane, sent: Sent) -> int | None:
        price = lane.endpoint.settings.price
        if price is None:
            return 0
        return price.cost(sent.usage.prompt_tokens, sent.usage.completion_tokens) if sent.usage is not None else None

    def _out_of_patience(self) -> bool:
        now = time.monotonic()
        self._refused_since = now if self._refused_since is None else self._refused_since
        return now - self._refused_since >= self._settings.rate_limit_patience_s

    def _never_sent(self, kind: FailureKind, message: str) -> TeacherFailure:
        return TeacherFailure(self._key, kind, message, self._sends)


def backoff(first_s: float, attempt: int) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): doubling, of which the upper half by chance, so
    that requests that failed together do not come back together."""
    return min(_LONGEST_BACKOFF_S, first_s * 2.0 ** min(attempt - 1, 20)) * random.uniform(0.5, 1.0)
