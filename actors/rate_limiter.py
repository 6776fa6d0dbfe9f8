"""The actor that says when a request may be sent: one per endpoint and key, asked by every worker.

Owns: the queue of those who wait, and the clock. The rules are `actors.limits.LimiterState`.

Invariants
- First come, first served: nobody is overtaken, so nobody starves.
- Limits are counted here and nowhere else, so that they hold however many workers there are.
- Nothing polls: the queue moves when somebody asks, when somebody releases, and at the moment the rules name.

Run as an actor whose concurrent calls outnumber the waiting ones (or no release gets in any more); as a plain object
inside one event loop it behaves the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from actors.limits import LimiterState, LimiterStats, Limits, Outcome
from reasoning.teacher_calls import EndpointSettings

# A request holds its lease for at most its timeout; this is for what the journal and scheduling add.
_LEASE_MARGIN_S = 60.0


class RateLimitPause(Exception):
    """The endpoint wants quiet for longer than the asker is ready to wait. `args`: what happened, in words."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Permission to send one request. It must be released; unreleased, it expires."""

    id: int


@dataclass(frozen=True, slots=True)
class _Waiter:
    wanted: int
    patience_s: float
    granted: asyncio.Future[tuple[Lease, ...]]


class RateLimiter:
    """Hands out leases within the limits of one endpoint."""

    def __init__(self, settings: EndpointSettings, clock: Callable[[], float] = time.monotonic) -> None:
        limits = Limits(settings.requests_per_minute, settings.max_in_flight, settings.timeout_s + _LEASE_MARGIN_S)
        self._clock = clock
        # Numbered from the time of the start: a restarted limiter must not take a lease of its predecessor for its own.
        self._state = LimiterState(limits, clock(), first_lease=time.time_ns())
        self._waiting: deque[_Waiter] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def acquire(self, n: int = 1, patience_s: float = math.inf) -> tuple[Lease, ...]:
        """Waits for its turn, then returns between one and `n` leases: as many as may start at that moment.

        `patience_s` bounds how long a pause that the endpoint asked for is waited out (queueing behind others is never
        cut short). Raises `RateLimitPause` when the pause is longer.
        """
        if n < 1:
            raise ValueError(f"at least one lease must be asked for, not {n}")
        waiter = _Waiter(n, patience_s, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._move()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                for lease in waiter.granted.result():  # granted in the very moment the asker went away
                    self._state.release(lease.id, Outcome.UNUSED, self._clock())
                self._move()
            raise

    async def release(self, lease_id: int, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Ends a lease, with how its request ended. Unknown or expired leases are no error."""
        self._state.release(lease_id, outcome, self._clock(), retry_after_s)
        self._move()

    async def stats(self) -> LimiterStats:
        now = self._clock()
        self._state.expire(now)
        return dataclasses.replace(self._state.stats(now), waiting=len(self._waiting))

    def _move(self) -> None:
        """Serves the head of the queue for as long as the rules permit, and sets the alarm for when they next may."""
        now = self._clock()
        self._state.expire(now)
        self._turn_away_the_impatient(now)
        while self._waiting:
            head = self._waiting[0]
            if not head.granted.done():
                leases = self._state.grant(now, head.wanted)
                if not leases:
                    break
                head.granted.set_result(tuple(Lease(lease) for lease in leases))
            self._waiting.popleft()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._waiting:
            self._alarm = asyncio.get_running_loop().call_later(self._state.ready_in(now), self._move)

    def _turn_away_the_impatient(self, now: float) -> None:
        pause_s = self._state.paused_for(now)
        if pause_s <= 0 or all(waiter.patience_s >= pause_s for waiter in self._waiting):
            return
        staying: deque[_Waiter] = deque()
        for waiter in self._waiting:
            if waiter.patience_s >= pause_s:
                staying.append(waiter)
            elif not waiter.granted.done():
                waiter.granted.set_exception(
                    RateLimitPause(
                        f"the endpoint asks for a pause of {pause_s:.0f} s, longer than the {waiter.patience_s:.0f} s "
                        "that a request waits (rate_limit_patience_s); run again later"
                    )
                )
        self._waiting = staying
