"""How fast an endpoint may be asked: the rules, as a pure state machine with the clock passed in.

Owns: the buckets of requests and tokens a minute, the window of requests in flight, pauses, the circuit breaker, what
is learnt from an endpoint's headers, and the table of leases.

Invariants
- In any half-open minute at most `requests_per_minute` requests are permitted (rounded up when it is a fraction).
- Leases held never outnumber `max_in_flight`, nor does a new one start above the present window.
- While the endpoint has asked for quiet (Retry-After), no request is permitted.
- A lease always ends: released, or expired when its holder has died. A second end of the same lease does nothing.
- One burst of refusals halves the window once: a refusal of a request that was permitted before the last halving
  says nothing about the window since. Without this rule 64 refusals of one moment would shut the window altogether.
- A limit of the settings is never exceeded because a header permits more.

The window opens as TCP's does: by one for each request served (slow start) until the first refusal, then by one for
each window served (additive increase); a refusal halves it (multiplicative decrease).

Tokens are reserved before their number is known: an estimate, the worst case times what requests have needed of theirs
so far. It is reconciled when the request ends. (Money, which must never pass its cap, is reserved at the worst case:
`actors.journal.actor`.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from actors.limits.buckets import Bucket
from actors.limits.circuit_breaker import CircuitBreaker, OpenCircuit
from actors.limits.headers import NOTHING, Allowance, Observed

FIRST_WINDOW = 16  # requests in flight at the start; slow start doubles it with every round trip
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_CLOCK_GRAIN_S = 1e-6  # floats of a large clock differ by about this much; shorter waits are ignored
_SHARE_WEIGHT = 0.05  # of one request in the running mean of what is needed of the worst case
_TOKEN_UNIT = 1e-3  # tokens are not counted one by one


class LeaseOutcome(StrEnum):
    """How a leased request ended, as far as the limits are concerned."""

    DONE = "done"  # the endpoint served it, or refused it for its content: it lives
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"  # for what is in it: its own fault, or something that every request has
    SETTING_REFUSED = "setting_refused"  # for a parameter that every request has
    FAILED = "failed"  # no answer, or the endpoint's own fault
    BROKEN = "broken"  # every other request will fail too until the user acts
    UNUSED = "unused"  # never sent: the permission is handed back


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint permits, as far as it is known beforehand. `lease_timeout_s`: after that long a lease's holder
    is taken for dead."""

    requests_per_minute: float | None
    max_in_flight: int
    lease_timeout_s: float
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0 or None, not {value}")
        if self.max_in_flight < 1 or not self.lease_timeout_s > 0:
            raise ValueError(f"max_in_flight and lease_timeout_s must be above 0: {self}")


@dataclass(frozen=True, slots=True)
class Release:
    """The end of a lease. `tokens`: what it used, None when that is not known. `retry_after_s` and `observed` are what
    the endpoint said, `kind` and `message` those of a failure."""

    lease: int
    outcome: LeaseOutcome
    tokens: int | None = None
    retry_after_s: float | None = None
    observed: Observed = NOTHING
    kind: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """`window` is the number of requests that may be in flight at present, the limits a minute are those in force
    (None: none known); `waiting` and `busy_s` (the time spent in the limiter itself) are known to the actor only."""

    in_flight: int
    window: float
    paused_for_s: float
    granted: int
    rate_limited: int
    expired: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    open_circuit: OpenCircuit | None = None
    waiting: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class _Held:
    granted_at: float
    worst_tokens: int
    reserved: float
    granted_before: int
    taken_before: float


class LimiterState:
    """Who may send, and when. Every method takes `now`, seconds on any clock that never goes back."""

    def __init__(self, limits: Limits, now: float, first_lease: int = 1) -> None:
        """Leases are numbered from `first_lease`."""
        self._limits = limits
        self._requests = Bucket(limits.requests_per_minute, now, level=1.0) if limits.requests_per_minute else None
        self._tokens = self._token_bucket(limits.tokens_per_minute, now) if limits.tokens_per_minute else None
        self._breaker = CircuitBreaker()
        self._window = float(min(limits.max_in_flight, FIRST_WINDOW))
        self._slow_start_until = math.inf
        self._leases: dict[int, _Held] = {}  # in order of granting
        self._next_lease = first_lease
        self._quiet_until = -math.inf
        self._halved_at = -math.inf
        self._refusals_in_a_row = 0
        self._share = 1.0  # of its worst case, that a request is expected to use
        self._taken = 0.0  # tokens, all that were ever taken
        self._granted = self._rate_limited = self._expired = 0

    def grant(self, now: float, worst_tokens: Sequence[int] = (0,)) -> tuple[int, ...]:
        """Leases for as many of these requests, from the first on, as may start now: perhaps none. `worst_tokens` is
        the most that each can use."""
        self.expire(now)
        granted: list[int] = []
        for worst in worst_tokens:
            if self.ready_in(now, worst) > 0:
                break
            reserved = worst * self._share
            held = _Held(now, worst, reserved, self._granted, self._taken)
            if self._requests is not None:
                self._requests.take(now, 1)
            self._take_tokens(now, reserved)
            self._breaker.sent()
            self._leases[self._next_lease] = held
            granted.append(self._next_lease)
            self._next_lease += 1
            self._granted += 1
        return tuple(granted)

    def ready_in(self, now: float, worst_tokens: int = 0) -> float:
        """Seconds until such a request may start if nothing happens before, 0 when it may now. A release can make it
        sooner; a refusal, which pauses everybody, later."""
        wait = max(self._quiet_until - now, self._breaker.ready_in(now))
        if self._requests is not None:
            wait = max(wait, self._requests.ready_in(now, 1))
        if self._tokens is not None:
            wait = max(wait, self._tokens.ready_in(now, worst_tokens * self._share))
        if self._leases and (len(self._leases) >= max(1, int(self._window)) or wait == math.inf):
            oldest = next(iter(self._leases.values()))
            expires_in = oldest.granted_at + self._limits.lease_timeout_s - now
            wait = expires_in if wait == math.inf else max(wait, expires_in)
        return wait if wait > _CLOCK_GRAIN_S else 0.0

    def paused_for(self, now: float) -> float:
        """Seconds for which the endpoint wants quiet."""
        return max(0.0, self._quiet_until - now)

    def open_circuit(self, now: float) -> OpenCircuit | None:
        """Why the endpoint is paused; None when it is not."""
        return self._breaker.why(now)

    def release(self, release: Release, now: float) -> None:
        """Ends a lease and learns from its outcome."""
        held = self._leases.pop(release.lease, None)
        after = release.retry_after_s
        told_to_wait = after is not None and after > 0  # "after 0 s" with a refusal says nothing
        if after is not None and told_to_wait:
            self._quiet_until = max(self._quiet_until, now + after)
        if release.outcome is LeaseOutcome.RATE_LIMITED:
            self._rate_limited += 1
        if held is None:
            return
        self._learn_limits(now, held, release.observed)
        self._reconcile(now, release, held)
        match release.outcome:
            case LeaseOutcome.RATE_LIMITED:
                self._breaker.succeeded(now, held.granted_at)  # it lives
                if held.granted_at > self._halved_at:
                    self._halve(now, pause=not told_to_wait)
            case LeaseOutcome.REFUSED | LeaseOutcome.SETTING_REFUSED:
                self._refusals_in_a_row = 0
                of_a_setting = release.outcome is LeaseOutcome.SETTING_REFUSED
                self._breaker.refused(now, held.granted_at, release.message, of_a_setting)
            case LeaseOutcome.DONE:
                self._breaker.served(now, held.granted_at)
                self._refusals_in_a_row = 0
                more = 1.0 if self._window < self._slow_start_until else 1.0 / self._window
                self._window = min(float(self._limits.max_in_flight), self._window + more)
            case LeaseOutcome.UNUSED:
                self._breaker.unused(held.granted_at)
                self._granted -= 1
                # A refund after later permissions could let one too many into a minute.
                if self._requests is not None and release.lease == self._next_lease - 1:
                    self._requests.take(now, -1)
            case LeaseOutcome.FAILED | LeaseOutcome.BROKEN:
                broken = release.outcome is LeaseOutcome.BROKEN
                self._breaker.failed(now, held.granted_at, release.kind, release.message, broken)

    def expire(self, now: float) -> tuple[int, ...]:
        """Ends the leases whose holders are taken for dead, and names them."""
        dead: dict[int, float] = {}
        for lease, held in self._leases.items():
            if held.granted_at + self._limits.lease_timeout_s > now + _CLOCK_GRAIN_S:
                break
            dead[lease] = held.granted_at
        for lease, granted_at in dead.items():
            del self._leases[lease]
            self._breaker.unused(granted_at)
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
            requests_per_minute=self._requests.per_minute if self._requests else None,
            tokens_per_minute=self._tokens.per_minute if self._tokens else None,
            open_circuit=self.open_circuit(now),
        )

    def _halve(self, now: float, pause: bool) -> None:
        # Half of what was in flight: a window that the pace never filled says nothing about what the endpoint bears.
        self._window = max(1.0, min(self._window, len(self._leases) + 1.0) / 2)
        self._slow_start_until = self._window
        self._halved_at = now
        if pause:  # the endpoint does not say for how long: double from refusal to refusal
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._refusals_in_a_row, 10))
            self._quiet_until = max(self._quiet_until, now + pause_s)
        self._refusals_in_a_row += 1

    def _reconcile(self, now: float, release: Release, held: _Held) -> None:
        """Puts what a request used in the place of what was reserved for it."""
        if release.outcome in (LeaseOutcome.UNUSED, LeaseOutcome.RATE_LIMITED):
            self._take_tokens(now, -held.reserved)
        elif release.tokens is not None:
            self._take_tokens(now, release.tokens - held.reserved)
            if held.worst_tokens > 0 and release.tokens > 0:  # what failed says nothing of what replies need
                needed = min(1.0, release.tokens / held.worst_tokens)
                self._share += _SHARE_WEIGHT * (needed - self._share)

    def _take_tokens(self, now: float, amount: float) -> None:
        self._taken += amount
        if self._tokens is not None:
            self._tokens.take(now, amount)

    def _learn_limits(self, now: float, held: _Held, observed: Observed) -> None:
        """Takes over limits that nobody set, and never more than was set; and counts as gone what is gone already,
        because others use the same key."""
        if observed is NOTHING:
            return
        age_s = now - held.granted_at
        if (limit := _per_minute(observed.requests, self._limits.requests_per_minute)) is not None:
            if self._requests is None:
                self._requests = Bucket(limit, now)
            elif limit != self._requests.per_minute:
                self._requests.set_limit(now, limit)
            if observed.requests.remaining is not None:
                since = self._granted - held.granted_before - 1
                self._requests.cap(now, observed.requests.remaining + age_s * self._requests.rate - since)
        if (limit := _per_minute(observed.tokens, self._limits.tokens_per_minute)) is not None:
            if self._tokens is None:
                self._tokens = self._token_bucket(limit, now)
            elif limit != self._tokens.per_minute:
                self._tokens.set_limit(now, limit)
            if observed.tokens.remaining is not None:
                used_since = self._taken - held.taken_before - held.reserved
                self._tokens.cap(now, observed.tokens.remaining + age_s * self._tokens.rate - used_since)

    @staticmethod
    def _token_bucket(per_minute: float, now: float) -> Bucket:
        return Bucket(per_minute, now, unit=_TOKEN_UNIT, level=per_minute)  # as much as a burst may be


def _per_minute(told: Allowance, configured: float | None) -> float | None:
    """The limit a minute that follows from what an endpoint says and what was set; None: it says nothing of one."""
    if told.per_minute is None:
        return None
    return min(told.per_minute, configured) if configured is not None else told.per_minute
