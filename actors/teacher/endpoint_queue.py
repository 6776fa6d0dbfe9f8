"""One endpoint as a worker sees it: the requests that wait for a lease there, and the ones that hold one.

Owns: the queue in front of one limiter. Invariants
- A request leaves the queue with a lease, or with the reason why there is none now; it is never lost in it.
- One call to the limiter is under way at a time, for as many requests as wait (up to a bound): they share the cost of
  the round trip, and the limiter sees each worker once.
- Every lease is released, with what its request taught about the limits. Nobody waits for the release.
- Where there is a cap, one request goes alone until a reply has shown what requests cost here (`trial`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from actors.endpoint.attempt import Endpoint, Sent
from actors.limits.actor import RateLimiterHandle
from actors.limits.circuit_breaker import OpenCircuit
from actors.limits.rate_limits import LeaseOutcome, Release
from actors.teacher.coalesced_calls import CoalescedCalls
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherRequest

logger = logging.getLogger(__name__)

_LEASES_A_CALL = 64
_BOUNDED_WAIT_S = 0.25  # with several endpoints, no request queues at one for longer without trying the others
_CROWDED_S = 0.05
_LONGEST_OPEN_S = 60.0
_MOST_TRIALS = 3  # that end without a count: a failing endpoint does not make requests go one by one
_LEAST_OPEN_S = 0.2  # while one request tries an endpoint out, the others look again so often


@dataclass(slots=True, eq=False)
class _Wanted:
    worst_tokens: int
    lease: asyncio.Future[int | None]


class EndpointQueue:
    """`limiter` is an actor handle. `alone`: there is no other endpoint to look around for."""

    def __init__(self, endpoint: Endpoint, limiter: RateLimiterHandle, patience_s: float, alone: bool) -> None:
        self.endpoint = endpoint
        self.fingerprint = endpoint.settings.fingerprint
        self._limiter = limiter
        self._patience_s = patience_s
        self._wait_s = math.inf if alone else _BOUNDED_WAIT_S
        self._longest = None if alone else 2 * _LEASES_A_CALL
        self._queue: deque[_Wanted] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._circuit: OpenCircuit | None = None
        self._open_until = -math.inf
        self._open_since: float | None = None
        self._crowded_until = -math.inf
        self._releases: CoalescedCalls[Release, None] = CoalescedCalls(self._release_all)
        self._trials_left = _MOST_TRIALS
        self._trial = asyncio.Lock()

    @property
    def name(self) -> str:
        return self.endpoint.settings.name

    @contextlib.asynccontextmanager
    async def trial(self, capped: bool) -> AsyncIterator[None]:
        """Where money is `capped`, alone until it is known what a request costs here."""
        if not capped or not self._trials_left:
            yield
            return
        async with self._trial:
            if self._trials_left:
                yield
                return
        yield

    def accepts(self, now: float) -> bool:
        """Whether a request may queue here: `now` is monotonic time."""
        has_room = self._longest is None or (len(self._queue) < self._longest and now >= self._crowded_until)
        return has_room and now >= self._open_until

    def open_circuit(self, now: float) -> OpenCircuit | None:
        """Why the endpoint is paused, as far as this worker knows."""
        return self._circuit if now < self._open_until else None

    @property
    def last_circuit(self) -> OpenCircuit | None:
        """Why the endpoint was last paused, if it has served nothing here since; the pause itself may be over."""
        return self._circuit if self._open_since is not None else None

    def open_for(self, now: float) -> float:
        """Seconds since this worker first found the circuit open; it has served nothing here since. (There may have
        been leases: one request at a time tries an endpoint out.)"""
        return now - self._open_since if self._open_since is not None else 0.0

    async def lease(self, worst_tokens: int) -> int | None:
        """Waits for a lease. None: there is none now, look around; `open_circuit` says whether it may be asked."""
        wanted = _Wanted(worst_tokens, asyncio.get_running_loop().create_future())
        self._queue.append(wanted)
        if self._pump is None:
            self._pump = asyncio.create_task(self._run())
        try:
            return await wanted.lease
        except asyncio.CancelledError:
            lease = wanted.lease.result() if wanted.lease.done() and not wanted.lease.cancelled() else None
            if lease is not None:
                self.release(Release(lease, LeaseOutcome.UNUSED))
            raise

    async def send(self, request: TeacherRequest, lease: int) -> Sent:
        """One sending under `lease`, which is released whatever happens."""
        ended = Release(
            lease, LeaseOutcome.FAILED, kind=FailureKind.TRANSPORT.value, message="the sending was given up"
        )
        try:
            sent = await self.endpoint.send(request)
            counted = sent.usage is not None and sent.usage.tokens > 0
            self._trials_left = 0 if counted else max(0, self._trials_left - 1)
            ended = _release_of(lease, sent)
            if sent.outcome not in (LeaseOutcome.FAILED, LeaseOutcome.BROKEN):
                self._open_since = None
            return sent
        finally:
            self.release(ended)

    def release(self, release: Release) -> None:
        self._releases.post(release)

    async def released(self) -> None:
        """Waits until the limiter knows of every lease that has ended."""
        await self._releases.idle()

    async def _release_all(self, releases: list[Release]) -> None:
        await self._limiter.release.remote(releases)

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._queue:
                await self._serve_the_first()
        finally:
            self._pump = None

    async def _serve_the_first(self) -> None:
        first = [wanted for wanted in list(self._queue)[:_LEASES_A_CALL] if not wanted.lease.cancelled()]
        if not first:
            self._queue.popleft()
            return
        try:
            grant = await self._limiter.acquire.remote(
                tuple(wanted.worst_tokens for wanted in first), self._patience_s, self._wait_s
            )
        except Exception as error:  # noqa: BLE001 - the limiter is gone: the callers that wait must see it
            self._empty(error)
            return
        if grant.leases:
            for lease in grant.leases:
                self._hand_out(lease)
            return
        now = time.monotonic()
        circuit = grant.open_circuit or self._paused(grant.paused_s)
        if circuit is not None:
            if self._open_since is None:
                logger.warning("%s is left alone for %.0f s: %s", self.name, circuit.retry_in_s, circuit.kind)
            self._circuit = circuit
            self._open_since = now if self._open_since is None else self._open_since
            self._open_until = now + max(_LEAST_OPEN_S, min(circuit.retry_in_s, _LONGEST_OPEN_S))
        else:
            self._crowded_until = now + _CROWDED_S
        self._empty(None)

    def _paused(self, paused_s: float | None) -> OpenCircuit | None:
        """A pause longer than the patience counts as an endpoint that fails every request."""
        if paused_s is None:
            return None
        message = (
            f"the endpoint asks for a pause of {paused_s:.0f} s, longer than the {self._patience_s:.0f} s that a "
            "request waits (rate_limit_patience_s); run again later"
        )
        return OpenCircuit(FailureKind.RATE_LIMITED.value, message, paused_s, broken=True)

    def _hand_out(self, lease: int) -> None:
        while self._queue:
            wanted = self._queue.popleft()
            if not wanted.lease.done():
                wanted.lease.set_result(lease)
                return
        self.release(Release(lease, LeaseOutcome.UNUSED))

    def _empty(self, answer: Exception | None) -> None:
        while self._queue:
            wanted = self._queue.popleft()
            if wanted.lease.done():
                continue
            if isinstance(answer, Exception):
                wanted.lease.set_exception(answer)
            else:
                wanted.lease.set_result(answer)


def _release_of(lease: int, sent: Sent) -> Release:
    failure = sent.result if isinstance(sent.result, TeacherFailure) else None
    return Release(
        lease,
        sent.outcome,
        tokens=sent.usage.tokens if sent.usage is not None else None,
        retry_after_s=sent.retry_after_s,
        observed=sent.observed,
        kind=failure.kind.value if failure else "",
        message=failure.message if failure else "",
    )
