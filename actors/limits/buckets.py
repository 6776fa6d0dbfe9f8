"""A token bucket for a limit per minute, as pure arithmetic with the clock passed in.

Owns: how fast what is permitted comes back, and how much of it may be taken at once.

Invariants
- In any half-open minute no more is taken than the limit, as long as no single amount is larger than 2 % of it, and
  what is given back was taken in the same minute.
- An amount larger than the burst is let through when the bucket is full, and paid off afterwards: no request starves.
"""

from __future__ import annotations

_BURST_SHARE = 100  # one hundredth of a minute's amount may be taken at once
_MARGIN = 0.01  # of the limit: what is permitted evenly does not arrive evenly, and a refusal costs everybody a pause
_RATE_OF_AMOUNTS = 0.97  # of the limit: amounts are estimates, and come in lumps
_GRAIN = 1e-6


class Bucket:
    """`per_minute` amounts, of which `unit` is the smallest that is ever taken (1 for requests)."""

    def __init__(self, per_minute: float, now: float, unit: float = 1.0, level: float = 0.0) -> None:
        """The bucket starts with `level` in it, not full: one that was restarted cannot know what its predecessor has
        just permitted."""
        self._unit = unit
        self._level = level
        self._at = now
        self.per_minute = per_minute

    @property
    def burst(self) -> float:
        """What may be taken at the same instant."""
        share = self.per_minute / _BURST_SHARE
        return max(self._unit, float(int(share)) if self._unit == 1.0 else share)

    @property
    def rate(self) -> float:
        """What comes back in a second. A bucket of size b and rate r gives less than b + 60 r in a half-open minute: in
        whole units that stays within a limit L for 60 r = L + unit - b, and L is the limit less the margin."""
        if self._unit != 1.0:
            return _RATE_OF_AMOUNTS * self.per_minute / 60.0
        return (self.per_minute - int(_MARGIN * self.per_minute) + self._unit - self.burst) / 60.0

    def level(self, now: float) -> float:
        """What may be taken now; below 0, what is still to be paid off."""
        return min(self.burst, self._level + max(0.0, now - self._at) * self.rate)

    def ready_in(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be taken, 0 when it may now."""
        missing = min(amount, self.burst) - self.level(now)
        return missing / self.rate if missing > _GRAIN else 0.0

    def take(self, now: float, amount: float) -> None:
        """Takes `amount`, or with a negative one gives it back."""
        self._level = min(self.burst, self.level(now) - amount)
        self._at = now

    def cap(self, now: float, level: float) -> None:
        """There is no more than `level` in it: somebody who knows better said so."""
        self._level = min(self.level(now), level)
        self._at = now

    def set_limit(self, now: float, per_minute: float) -> None:
        self._settle(now)
        self.per_minute = per_minute
        self._level = min(self._level, self.burst)

    def _settle(self, now: float) -> None:
        """Counts what has come back so far at the old rate."""
        self._level, self._at = self.level(now), now
