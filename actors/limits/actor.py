"""The actor that says when a request may be sent: one per endpoint, key and model, asked by every worker.

Owns: the queue of those who wait, and the clock. The rules are `actors.limits.rate_limits.LimiterState`.

Invariants
- First come, first served: no request is overtaken, so none starves.
- Limits are counted here and nowhere else, so that they hold however many workers there are.
- Nothing polls: the queue moves on a request for a lease, on a release, and at the moment the rules name.
- Many leases travel in one call, and many releases: a busy worker makes one round trip for everything that waits in it.

Run as an actor whose concurrent calls outnumber the waiting ones (or no release gets in any more); as a plain object
inside one event loop it behaves the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from actors.limits.circuit_breaker import OpenCircuit
from actors.limits.rate_limits import LeaseOutcome, LimiterState, LimiterStats, Limits, Release
from actors.ray_api.handles import RemoteMethod
from reasoning.teacher.calls import EndpointSettings

# A request holds its lease for at most its timeout; this is for what the journal and scheduling add.
_LEASE_MARGIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to an `acquire`: leases for the first of the requests it was asked for; or, when waiting is
    pointless, why there is none: the endpoint is paused (`open_circuit`), or wants quiet for `paused_s`, longer than
    the caller waits. All empty: the caller's time is over."""

    leases: tuple[int, ...] = ()
    open_circuit: OpenCircuit | None = None
    paused_s: float | None = None


@dataclass(slots=True, eq=False)
class _Waiter:
    worst_tokens: Sequence[int]
    patience_s: float
    granted: asyncio.Future[Grant]


class RateLimiter:
    """Hands out leases within the limits of one endpoint."""

    def __init__(self, settings: EndpointSettings, clock: Callable[[], float] = time.monotonic) -> None:
        limits = Limits(
            settings.requests_per_minute,
            settings.max_in_flight,
            settings.timeout_s + _LEASE_MARGIN_S,
            settings.tokens_per_minute,
        )
        self._clock = clock
        # Numbered from the time of the start: a restarted limiter must not take a lease of its predecessor for its own.
        self._state = LimiterState(limits, clock(), first_lease=time.time_ns())
        self._waiting: deque[_Waiter] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._busy_s = 0.0

    async def acquire(
        self, worst_tokens: Sequence[int] = (0,), patience_s: float = math.inf, wait_s: float = math.inf
    ) -> Grant:
        """Waits for its turn, then returns leases for as many of these requests as may start at that moment, from the
        first on. `worst_tokens` is the most that each can use.

        `patience_s` bounds how long a pause that the endpoint asked for is waited out; `wait_s` bounds the whole wait,
        behind others too."""
        if not worst_tokens:
            raise ValueError("at least one lease must be asked for")
        waiter = _Waiter(worst_tokens, patience_s, asyncio.get_running_loop().create_future())
        with self._timed():
            self._waiting.append(waiter)
            self._move()
        try:
            return await asyncio.wait_for(waiter.granted, None if wait_s == math.inf else wait_s)
        except TimeoutError:
            self._forget(waiter)
            return Grant()
        except asyncio.CancelledError:
            self._forget(waiter)
            raise

    async def release(self, releases: Sequence[Release]) -> None:
        """Ends leases, with how their requests ended. Unknown or expired leases raise no error."""
        with self._timed():
            now = self._clock()
            for release in releases:
                self._state.release(release, now)
            self._move()

    async def stats(self) -> LimiterStats:
        now = self._clock()
        self._state.expire(now)
        return dataclasses.replace(self._state.stats(now), waiting=len(self._waiting), busy_s=self._busy_s)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._busy_s += time.perf_counter() - began

    def _forget(self, waiter: _Waiter) -> None:
        """`waiter` went away; what it was granted in that very moment is handed back."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        granted = waiter.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            for lease in granted.result().leases:
                self._state.release(Release(lease, LeaseOutcome.UNUSED), self._clock())
        self._move()

    def _move(self) -> None:
        """Serves the head of the queue for as long as the rules permit, and sets the alarm for when they next may."""
        now = self._clock()
        self._state.expire(now)
        self._turn_away(now)
        while self._waiting:
            head = self._waiting[0]
            if not head.granted.done():
                leases = self._state.grant(now, head.worst_tokens)
                if not leases:
                    break
                head.granted.set_result(Grant(leases))
            self._waiting.popleft()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._waiting:
            in_s = self._state.ready_in(now, self._waiting[0].worst_tokens[0])
            self._alarm = asyncio.get_running_loop().call_later(in_s, self._move)

    def _turn_away(self, now: float) -> None:
        """Answers the requests for which waiting is pointless: all while the endpoint is paused, except the one that
        may probe it; those with too little patience while it wants quiet."""
        pause_s, open_circuit = self._state.paused_for(now), self._state.open_circuit(now)
        if not self._waiting or (pause_s <= 0 and open_circuit is None):
            return
        if open_circuit is not None and self._state.ready_in(now) > 0:
            for waiter in self._waiting:
                _answer(waiter, Grant(open_circuit=open_circuit))
            self._waiting.clear()
            return
        staying: deque[_Waiter] = deque()
        for waiter in self._waiting:
            if waiter.patience_s >= pause_s:
                staying.append(waiter)
            else:
                _answer(waiter, Grant(paused_s=pause_s))
        self._waiting = staying


class RateLimiterHandle(Protocol):
    """The handle of a `RateLimiter` that is an actor."""

    acquire: RemoteMethod[[Sequence[int], float, float], Grant]
    release: RemoteMethod[[Sequence[Release]], None]
    stats: RemoteMethod[[], LimiterStats]


def _answer(waiter: _Waiter, grant: Grant) -> None:
    if not waiter.granted.done():
        waiter.granted.set_result(grant)
