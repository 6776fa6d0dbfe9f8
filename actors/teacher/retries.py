"""Whether a request that failed is tried again, and after how long.

Owns: the number of attempts, the patience with "too many requests", and the backoff. Pure, with the clock passed in.

Invariants
- "Too many requests" is not a failed attempt: it uses up patience, not attempts.
- A failure that the same request would meet again at the same endpoint (filtered content, a bad request) is final at
  once; whether another endpoint is asked is the worker's to say.
"""

from __future__ import annotations

import random

from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherSettings

LONGEST_BACKOFF_S = 30.0


class Retries:
    """The failures of one request so far."""

    def __init__(self, settings: TeacherSettings, backoff_s: float) -> None:
        """`backoff_s` is the wait after the first failed attempt; it doubles with each."""
        self._settings = settings
        self._backoff_s = backoff_s
        self._attempts = 0
        self._refused_since: float | None = None  # "too many requests"

    def wait_after(self, failure: TeacherFailure, now: float, *, alone: bool) -> float | None:
        """Seconds to wait before the next try; None when `failure` is final. `alone` says that the teacher has one
        endpoint: what is wrong with an endpoint as a whole (its key, its quota) is then final."""
        if failure.kind.endpoint_wide:
            return None if alone else 0.0
        if not failure.kind.transient:
            return None
        if failure.kind is FailureKind.RATE_LIMITED:  # the limiter makes every request wait, so this one need not
            self._refused_since = now if self._refused_since is None else self._refused_since
            return None if now - self._refused_since >= self._settings.rate_limit_patience_s else 0.0
        self._refused_since = None
        self._attempts += 1
        return None if self._attempts >= self._settings.attempts else backoff(self._backoff_s, self._attempts)


def backoff(first_s: float, attempt: int) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): doubling, of which the upper half by chance, so
    that requests that failed together do not come back together."""
    return min(LONGEST_BACKOFF_S, first_s * 2.0 ** min(attempt - 1, 20)) * random.uniform(0.5, 1.0)
