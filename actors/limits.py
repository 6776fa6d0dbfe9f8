"""How fast an endpoint may be asked: the rules, as a pure state machine with the clock passed in.

Owns: the requests-per-minute bucket, the window of requests in flight, pauses, and the table of leases.

Invariants
- In any half-open minute at most `requests_per_minute` requests are permitted (rounded up when it is a fraction).
- Leases held never outnumber `max_in_flight`, nor does a new one start above the present window.
- While the endpoint has asked for quiet (Retry-After), nobody is permitted to send.
- A lease always ends: released, or expired when its holder has died. A second end of the same lease does nothing.
- One burst of refusals halves the window once: a refusal of a request that was permitted before the last halving
  says nothing about the window since. Without this rule 64 refusals of one moment would shut the window altogether.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

_BURST_SHARE = 50  # one fiftieth of a minute's requests may start at once
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_CLOCK_GRAIN_S = 1e-6  # floats of a large clock differ by about this much; a shorter wait is no wait


class Outcome(StrEnum):
    """How a leased request ended, as far as the limits are concerned."""

    DONE = "done"  # the endpoint served it
    RATE_LIMITED = "rate_limited"
    FAILED = "failed"  # any other end: says nothing about the limits
    UNUSED = "unused"  # never sent: the permission is handed back


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint permits. `lease_timeout_s`: after that long a lease's holder is taken for dead."""

    requests_per_minute: float | None
    max_in_flight: int
    lease_timeout_s: float

    def __post_init__(self) -> None:
        if self.requests_per_minute is not None and not self.requests_per_minute > 0:
            raise ValueError(f"requests_per_minute must be above 0 or None, not {self.requests_per_minute}")
        if self.max_in_flight < 1 or not self.lease_timeout_s > 0:
            raise ValueError(f"max_in_flight and lease_timeout_s must be above 0: {self}")

    @property
    def burst(self) -> int:
        """Requests that may start at the same instant."""
        return max(1, int((self.requests_per_minute or 0) / _BURST_SHARE))

    @property
    def interval_s(self) -> float:
        """Seconds between two requests in the steady state.

        A bucket of size b refilled every i seconds permits at most b - 1 + ceil(60 / i) in a half-open minute, so
        i = 60 / (R + 1 - b) never passes R.
        """
        if self.requests_per_minute is None:
            return 0.0
        return 60.0 / (self.requests_per_minute + 1 - self.burst)


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """`window` is the number of requests that may be in flight at present; `waiting` is known to the actor only."""

    in_flight: int
    window: float
    paused_for_s: float
    granted: int
    rate_limited: int
    expired: int
    waiting: int = 0


class LimiterState:
    """Who may send, and when. Every method takes `now`, seconds on any clock that never goes back."""

    def __init__(self, limits: Limits, now: float, first_lease: int = 1) -> None:
        """Leases are numbered from `first_lease`. The bucket starts with one request in it, not full: a limiter that
        was restarted cannot know what its predecessor has just permitted."""
        self._limits = limits
        self._full_at = now + (limits.burst - 1) * limits.interval_s  # when the bucket will be full again
        self._window = float(limits.max_in_flight)
        self._leases: dict[int, float] = {}  # number -> granted at; in order of granting
        self._next_lease = first_lease
        self._quiet_until = -math.inf
        self._halved_at = -math.inf
        self._refusals_in_a_row = 0
        self._granted = self._rate_limited = self._expired = 0

    def grant(self, now: float, wanted: int = 1) -> tuple[int, ...]:
        """Up to `wanted` leases: as many as may start now, perhaps none."""
        self.expire(now)
        granted: list[int] = []
        while len(granted) < wanted and self.ready_in(now) <= 0:
            self._full_at = max(self._full_at, now) + self._limits.interval_s
            self._leases[self._next_lease] = now
            granted.append(self._next_lease)
            self._next_lease += 1
        self._granted += len(granted)
        return tuple(granted)

    def ready_in(self, now: float) -> float:
        """Seconds until a request may start if nothing happens before, 0 when it may now. A release can make it
        sooner; a refusal, which pauses everybody, later."""
        bucket_at = self._full_at - (self._limits.burst - 1) * self._limits.interval_s
        at = max(bucket_at, self._quiet_until)
        if len(self._leases) >= max(1, int(self._window)):
            oldest = next(iter(self._leases.values()))
            at = max(at, oldest + self._limits.lease_timeout_s)
        wait = at - now
        return wait if wait > _CLOCK_GRAIN_S else 0.0

    def paused_for(self, now: float) -> float:
        """Seconds for which the endpoint wants quiet."""
        return max(0.0, self._quiet_until - now)

    def release(self, lease: int, outcome: Outcome, now: float, retry_after_s: float | None = None) -> None:
        """Ends a lease and learns from its outcome. `retry_after_s` is what the endpoint asked for, if anything."""
        granted_at = self._leases.pop(lease, None)
        told_to_wait = retry_after_s is not None and retry_after_s > 0  # "after 0 s" with a refusal is no advice
        if retry_after_s is not None and told_to_wait:
            self._quiet_until = max(self._quiet_until, now + retry_after_s)
        if outcome is Outcome.RATE_LIMITED:
            self._rate_limited += 1
        if granted_at is None:
            return
        if outcome is Outcome.RATE_LIMITED and granted_at > self._halved_at:
            self._halve(now, pause=not told_to_wait)
        elif outcome is Outcome.DONE:
            self._refusals_in_a_row = 0
            self._window = min(float(self._limits.max_in_flight), self._window + 1.0 / self._window)
        elif outcome is Outcome.UNUSED:
            self._granted -= 1
            if lease == self._next_lease - 1:  # a refund after later permissions could let one too many into a minute
                self._full_at -= self._limits.interval_s

    def _halve(self, now: float, pause: bool) -> None:
        self._window = max(1.0, self._window / 2)
        self._halved_at = now
        if pause:  # the endpoint does not say for how long: double from refusal to refusal
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._refusals_in_a_row, 10))
            self._quiet_until = max(self._quiet_until, now + pause_s)
        self._refusals_in_a_row += 1

    def expire(self, now: float) -> tuple[int, ...]:
        """Ends the leases whose holders are taken for dead, and names them."""
        dead: list[int] = []
        for lease, granted_at in self._leases.items():
            if granted_at + self._limits.lease_timeout_s > now + _CLOCK_GRAIN_S:
                break
            dead.append(lease)
        for lease in dead:
            del self._leases[lease]
        self._expired += len(dead)
        return tuple(dead)

    def stats(self, now: float) -> LimiterStats:
        return LimiterStats(
            in_flight=len(self._leases),
            window=self._window,
            paused_for_s=self.paused_for(now),
            granted=self._granted,
            rate_limited=self._rate_limited,
            expired=self._expired,
        )


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds an endpoint asks to wait, or None: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date.

    `headers` is looked up in lower case; `now` is Unix time. What cannot be read counts as not sent.
    """
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        return seconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) and value >= 0 else None
