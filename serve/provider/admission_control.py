"""What a provider permits: requests and tokens a minute, requests at once, and a quota that ends.

Owns: the count of what was admitted, and what a refusal says. No I/O: `now` is passed in, seconds that never go back.
Invariants
- A `window` never admits more than its limit in any 60 seconds; a `bucket` never more than its limit plus what has
  flowed in since, and it starts full.
- A refused request takes nothing. An admitted one keeps what it took, whatever becomes of it, as with OpenAI.
- A quota is never passed, and once a request was refused for it, all are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from typing import Literal, Protocol

MINUTE_S = 60.0
Algorithm = Literal["bucket", "window"]
RetryAfter = Literal["none", "seconds", "date", "ms"]


class Cause(StrEnum):
    """Why a request was refused."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENT = "concurrent"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Rejection:
    """`wait_s`: when it would be admitted if nothing else came; infinite: never."""

    cause: Cause
    wait_s: float


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request counts: `counted_tokens` against the minute; requests, tokens and dollars against the quota."""

    counted_tokens: int
    requests: int
    tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """None: no limit. `quota_cost` in dollars."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent: int | None = None
    algorithm: Algorithm = "bucket"
    quota_requests: int | None = None
    quota_tokens: int | None = None
    quota_cost: float | None = None


class Meter(Protocol):
    """One limit a minute."""

    limit: int

    def wait_s(self, now: float, amount: int) -> float:
        """Seconds until `amount` fits; 0: now, infinite: it is more than the limit."""

    def take(self, now: float, amount: int) -> None:
        """Counts `amount`, which must fit."""

    def left(self, now: float) -> int:
        """What fits now."""

    def reset_s(self, now: float) -> float:
        """Seconds until everything fits again."""


class TokenBucket:
    """Holds `limit` at most, starts full, and fills continuously at `limit` a minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._level, self._at = float(limit), -math.inf

    def wait_s(self, now: float, amount: int) -> float:
        if amount > self.limit:
            return math.inf
        missing = amount - self._filled(now)
        return 0.0 if missing <= 1e-9 else missing * MINUTE_S / self.limit

    def take(self, now: float, amount: int) -> None:
        self._level, self._at = self._filled(now) - amount, now

    def left(self, now: float) -> int:
        return max(0, math.floor(self._filled(now) + 1e-9))

    def reset_s(self, now: float) -> float:
        return (self.limit - self._filled(now)) * MINUTE_S / self.limit

    def _filled(self, now: float) -> float:
        return min(float(self.limit), self._level + (now - self._at) * self.limit / MINUTE_S)


class SlidingWindow:
    """Admits at most `limit` in any 60 seconds; what was taken is given back exactly a minute later."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: deque[tuple[float, int]] = deque()
        self._used = 0

    def wait_s(self, now: float, amount: int) -> float:
        if amount > self.limit:
            return math.inf
        self._forget(now)
        over = self._used + amount - self.limit
        for at, taken in self._taken:
            if over <= 0:
                break
            over -= taken
            if over <= 0:
                return at + MINUTE_S - now
        return 0.0

    def take(self, now: float, amount: int) -> None:
        self._taken.append((now, amount))
        self._used += amount

    def left(self, now: float) -> int:
        self._forget(now)
        return self.limit - self._used

    def reset_s(self, now: float) -> float:
        self._forget(now)
        return self._taken[-1][0] + MINUTE_S - now if self._taken else 0.0

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] + MINUTE_S <= now:
            self._used -= self._taken.popleft()[1]


class AdmissionControl:
    """Admits or refuses. Whoever was admitted is in flight until `release`."""

    def __init__(self, limits: ProviderLimits) -> None:
        self.limits = limits
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """As new, but for those still in flight."""
        meter = TokenBucket if self.limits.algorithm == "bucket" else SlidingWindow
        requests, tokens = self.limits.requests_per_minute, self.limits.tokens_per_minute
        self._requests: Meter | None = None if requests is None else meter(requests)
        self._tokens: Meter | None = None if tokens is None else meter(tokens)
        self._spent_requests, self._spent_tokens, self._spent_cost = 0, 0, 0.0
        self._quota_ended = False

    def admit(self, now: float, charge: Callable[[], Charge]) -> Charge | Rejection:
        """The charge, counted, or a refusal. `charge` is called when nothing cheaper than it refuses."""
        if self._quota_ended:
            return Rejection(Cause.QUOTA, math.inf)
        if self.limits.max_concurrent is not None and self.in_flight >= self.limits.max_concurrent:
            return Rejection(Cause.CONCURRENT, 1.0)  # it is not known how long the others take
        if self._requests is not None and (wait_s := self._requests.wait_s(now, 1)) > 0:
            return Rejection(Cause.REQUESTS, wait_s)
        asked = charge()
        if self._tokens is not None and (wait_s := self._tokens.wait_s(now, asked.counted_tokens)) > 0:
            return Rejection(Cause.TOKENS, wait_s)
        if not self.spend(asked):
            return Rejection(Cause.QUOTA, math.inf)
        if self._requests is not None:
            self._requests.take(now, 1)
        if self._tokens is not None:
            self._tokens.take(now, asked.counted_tokens)
        self.in_flight += 1
        return asked

    def release(self) -> None:
        self.in_flight -= 1

    def spend(self, charge: Charge) -> bool:
        """Counts against the quota only, as a line of a batch does; False: the quota has ended, nothing was counted."""
        requests, tokens = self._spent_requests + charge.requests, self._spent_tokens + charge.tokens
        cost, limits = self._spent_cost + charge.cost, self.limits
        self._quota_ended = self._quota_ended or (
            (limits.quota_requests is not None and requests > limits.quota_requests)
            or (limits.quota_tokens is not None and tokens > limits.quota_tokens)
            or (limits.quota_cost is not None and cost > limits.quota_cost + 1e-12)
        )
        if not self._quota_ended:
            self._spent_requests, self._spent_tokens, self._spent_cost = requests, tokens, cost
        return not self._quota_ended

    def headers(self, now: float) -> dict[str, str]:
        """OpenAI's x-ratelimit headers, for the limits there are."""
        found = {}
        for name, meter in (("requests", self._requests), ("tokens", self._tokens)):
            if meter is not None:
                found[f"x-ratelimit-limit-{name}"] = str(meter.limit)
                found[f"x-ratelimit-remaining-{name}"] = str(meter.left(now))
                found[f"x-ratelimit-reset-{name}"] = duration(meter.reset_s(now))
        return found


def duration(seconds: float) -> str:
    """A time as OpenAI writes it, rounded up to milliseconds: `120ms`, `1.5s`, `6m0s`, `1h0m30s`."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(max(0, milliseconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def retry_headers(form: RetryAfter, wait_s: float, unix_now: float) -> dict[str, str]:
    """When to come back, never too early; nothing where waiting does not help."""
    if form == "none" or math.isinf(wait_s):
        return {}
    if form == "ms":
        return {"retry-after-ms": str(math.ceil(wait_s * 1000))}
    if form == "seconds":
        return {"retry-after": str(math.ceil(wait_s))}
    return {"retry-after": formatdate(math.ceil(unix_now + wait_s), usegmt=True)}
