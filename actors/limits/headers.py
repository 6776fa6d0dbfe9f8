"""What an endpoint says about its limits in the headers of a response.

Owns: reading them; nothing is decided here. What cannot be read counts as not sent.

Forms: `retry-after-ms`, `Retry-After` in seconds or as an HTTP date; `x-ratelimit-{limit,remaining,reset}-{requests,
tokens}` as OpenAI and most compatible providers send them, the reset as a duration ("6m0s", "120ms") or in seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says of one of its limits: how much it permits, how much of it is left, and in how many seconds
    it will be whole again. None: it does not say."""

    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """The limits that one response tells of."""

    requests: Allowance = Allowance()
    tokens: Allowance = Allowance()


NOTHING = Observed()


def read_limits(headers: Mapping[str, str]) -> Observed:
    """`headers` is looked up in lower case."""

    def allowance(of: str) -> Allowance:
        limit = _number(headers.get(f"x-ratelimit-limit-{of}"))
        remaining = _number(headers.get(f"x-ratelimit-remaining-{of}"))
        if limit is None and remaining is None:
            return NOTHING.requests
        return Allowance(limit or None, remaining, read_duration(headers.get(f"x-ratelimit-reset-{of}")))

    found = Observed(allowance("requests"), allowance("tokens"))
    return NOTHING if found == NOTHING else found


def read_duration(text: str | None) -> float | None:
    """Seconds in "1h2m3.5s", "120ms" or "17"."""
    if text is None or not text.strip():
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, rest, milliseconds = (float(part) if part else 0.0 for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest + milliseconds / 1000.0
    return total if math.isfinite(total) else None


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds an endpoint asks to wait, or None. `now` is Unix time."""
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
