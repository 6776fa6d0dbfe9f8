"""A circuit breaker: an endpoint that is down gets a pause, then is tried again with one request at a time.

Owns: the state closed -> open -> half-open -> closed, as a pure state machine with the clock passed in.

Invariants
- Failures in a row open it, and only those of requests that were permitted since it last changed: a hundred requests
  that were in flight when the endpoint went down are one outage, not a hundred.
- Open for longer from trial to trial, up to a minute; one success closes it.
- Half-open, one request is out at a time. There is no way from open to closed without a success.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reasoning.teacher.calls import FailureKind

FAILURES_IN_A_ROW = 10
_SETTINGS_IN_A_ROW = 3  # one refusal of a parameter may be a single request's
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_BROKEN_PAUSE_S = 60.0  # a wrong key or an empty account: the user has to act


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """Why nothing is sent to an endpoint now. `kind` is that of the failure (a `FailureKind`'s value), `message` its
    words, `retry_in_s` when it is tried again. `broken`: it fails every request until the user acts."""

    kind: str
    message: str
    retry_in_s: float
    broken: bool


class CircuitBreaker:
    def __init__(self, failures_in_a_row: int = FAILURES_IN_A_ROW) -> None:
        self._limit = failures_in_a_row
        self._failures = 0
        self._openings = 0
        self._open_until = -math.inf
        self._changed_at = -math.inf
        self._trial_out = False
        self._served = False
        self._refused = 0
        self._why: tuple[str, str, bool] = ("", "", False)

    @property
    def is_closed(self) -> bool:
        """Requests may be sent as far as the breaker is concerned."""
        return self._openings == 0

    def ready_in(self, now: float) -> float:
        """Seconds until a request may be sent, infinite while the one trial is out."""
        if self.is_closed:
            return 0.0
        return math.inf if self._trial_out else max(0.0, self._open_until - now)

    def why(self, now: float) -> OpenCircuit | None:
        """Why it is not closed; None when it is."""
        kind, message, broken = self._why
        return None if self.is_closed else OpenCircuit(kind, message, max(0.0, self._open_until - now), broken)

    def sent(self) -> None:
        """A request was permitted: when not closed, that is the trial."""
        self._trial_out = not self.is_closed

    def succeeded(self, now: float, sent_at: float) -> None:
        if not self.is_closed:
            if sent_at < self._changed_at:
                return  # it is older than what opened the breaker
            self._changed_at = now
        self._failures = self._openings = 0
        self._trial_out = False

    def served(self, now: float, sent_at: float) -> None:
        """What was sent at `sent_at` was answered: what is refused from now on is refused for its own sake."""
        self._served = True
        self.succeeded(now, sent_at)

    def refused(self, now: float, sent_at: float, message: str, of_a_setting: bool = False) -> None:
        """A request was refused for what is in it. Where that befalls the first ones in a row, it befalls all;
        `of_a_setting`, for a parameter that every request has, after a few."""
        if self._served:
            self.succeeded(now, sent_at)
        elif sent_at >= self._changed_at:
            self._refused += 1
            if self._refused < (min(_SETTINGS_IN_A_ROW, self._limit) if of_a_setting else self._limit):
                self.succeeded(now, sent_at)
                return
            why = f"the first {self._refused} requests were all refused, and none was answered; the last one: {message}"
            self.failed(now, sent_at, FailureKind.UNSUPPORTED.value, why, broken=True)

    def unused(self, sent_at: float) -> None:
        """What was permitted at `sent_at` was not sent after all, or its holder died: perhaps the trial."""
        if sent_at >= self._changed_at:
            self._trial_out = False

    def failed(self, now: float, sent_at: float, kind: str, message: str, broken: bool) -> None:
        if sent_at < self._changed_at:
            return
        self._failures += 1
        if not (self._trial_out or broken or self._failures >= self._limit):
            return
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._openings, 10))
        self._open_until = now + max(pause_s, _BROKEN_PAUSE_S if broken else 0.0)
        self._why = (kind, message, broken)
        self._openings += 1
        self._failures = 0
        self._trial_out = False
        self._changed_at = now
