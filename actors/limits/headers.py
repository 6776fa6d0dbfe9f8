"""What an endpoint says about its limits in the headers of a response.

Owns: reading them; nothing is decided here. What cannot be read counts as not sent.

When to come back: `retry-after-ms`, `Retry-After` in seconds, as a duration ("38s", "2 minutes", "0:00:38", "PT38S") or
as a date (HTTP's or RFC 3339). A proxy may have joined several of them: the longest counts.

Limits, each with what is left of it and when it is whole again (a duration, seconds, a date, or Unix time in seconds or
milliseconds):

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}            OpenAI, Azure, Groq, Anthropic's OpenAI API
    x-ratelimit-{limit,remaining,reset}-{req,requests,tokens}-WINDOW Mistral, Cerebras; second, minute, hour, day, month
    x-ratelimitbysize-{limit,remaining}-WINDOW, ratelimitbysize-*    Mistral's older tokens
    anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}    Anthropic
    x-ratelimit-limit-tokens-{prompt,generated}                      Fireworks
    x-ratelimit-*, x-tokenlimit-*                                    Together: requests and tokens a second
    x-ratelimit-{limit,remaining}-WINDOW, ratelimit-*                Kong and other gateways: requests
    x-ratelimit-{limit,remaining,reset}, x-rate-limit-*, ratelimit-* OpenRouter and others
    ratelimit: limit=, remaining=, reset=; or "NAME";r=;t=           the IETF's drafts, with ratelimit-policy: q=;w=
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_WORDED = re.compile(
    r"(\d+(?:\.\d+)?)\s*(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)\b",
    re.IGNORECASE,
)
_WORD_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2}(?:\.\d+)?)")
_ISO = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", re.IGNORECASE)
_ITEM = re.compile(r"\b(limit|remaining|reset|q|w|r|t)\s*=\s*(\d+(?:\.\d+)?)")  # of the IETF's drafts
_WINDOWS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "month": 2_592_000.0}
_MINUTE_S = 61.0  # and what a clock is late
_EPOCH_S, _EPOCH_MS = 1e8, 1e11  # numbers above are points in time: no limit is whole again after three years


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says of one of its limits: how much it permits, how much of it is left, in how many seconds it
    will be whole again, and the seconds that the limit is for. None: it does not say."""

    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None
    window_s: float | None = None

    @property
    def is_of_a_minute(self) -> bool:
        """Whether the limit is one of a minute or less: what is whole again later is of an hour or a day."""
        if self.window_s is not None:
            return self.window_s <= _MINUTE_S
        return self.reset_s is None or self.reset_s <= _MINUTE_S

    @property
    def per_minute(self) -> float | None:
        """The limit a minute that this tells of; None: it tells of none."""
        if self.limit is None or not self.is_of_a_minute:
            return None
        return self.limit * 60.0 / self.window_s if self.window_s is not None else self.limit


@dataclass(frozen=True, slots=True)
class Observed:
    """The limits that one response tells of."""

    requests: Allowance = Allowance()
    tokens: Allowance = Allowance()

    @property
    def used_up_for_s(self) -> float | None:
        """Seconds until a limit of an hour, a day or a month, of which nothing is left, is whole again; None when none
        is used up. (A limit of a minute flows back all the time, and is paced by.)"""
        waits = [
            one.reset_s
            for one in (self.requests, self.tokens)
            if one.remaining is not None and one.remaining < 1 and one.reset_s and not one.is_of_a_minute
        ]
        return max(waits, default=None)


NOTHING = Observed()


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a limit is written: the header is `NAME.format("limit")`, `("remaining")`, `("reset")`."""

    name: str
    window_s: float | None = None


def _by_window(*names: str) -> tuple[_Spelling, ...]:
    """With a window in the name; those of a minute first, which is what the limiter paces by."""
    order = ("minute", "second", "hour", "day", "month")
    return tuple(_Spelling(f"{name}-{window}", _WINDOWS[window]) for window in order for name in names)


# The first one that a response has counts.
_REQUESTS = (
    *_by_window("x-ratelimit-{}-requests", "x-ratelimit-{}-req"),
    _Spelling("x-ratelimit-{}-requests"),
    _Spelling("anthropic-ratelimit-requests-{}", 60.0),
)
_TOKENS = (
    *_by_window("x-ratelimit-{}-tokens", "x-ratelimitbysize-{}"),
    _Spelling("x-ratelimit-{}-tokens"),
    _Spelling("anthropic-ratelimit-tokens-{}", 60.0),
    _Spelling("anthropic-ratelimit-input-tokens-{}", 60.0),
    _Spelling("ratelimitbysize-{}"),
    _Spelling("x-ratelimit-{}-tokens-prompt"),
    _Spelling("x-tokenlimit-{}", 1.0),
)
_BARE = (
    *(_Spelling(name) for name in ("x-ratelimit-{}", "x-rate-limit-{}", "ratelimit-{}")),
    *_by_window("x-ratelimit-{}", "ratelimit-{}"),
)


def read_limits(headers: Mapping[str, str], now: float = 0.0) -> Observed:
    """`headers` is looked up in lower case; `now` is Unix time."""
    requests = _first(headers, _REQUESTS, now)
    tokens = _first(headers, _TOKENS, now)
    if requests is None and (bare := _first(headers, _BARE, now) or _drafted(headers)) is not None:
        # Together counts by the second, tokens under a name of their own; OpenRouter by the minute or the day.
        a_second = "x-tokenlimit-limit" in headers or (bare.reset_s is not None and 0 < bare.reset_s <= 1.0)
        requests = Allowance(bare.limit, bare.remaining, bare.reset_s, 1.0 if a_second else bare.window_s)
    found = Observed(requests or NOTHING.requests, tokens or NOTHING.tokens)
    return NOTHING if found == NOTHING else found


def _first(headers: Mapping[str, str], spellings: Iterable[_Spelling], now: float) -> Allowance | None:
    for one in spellings:
        limit = _number(_plain(headers.get(one.name.format("limit"))))
        remaining = _number(_plain(headers.get(one.name.format("remaining"))))
        if limit is not None or remaining is not None:
            return Allowance(
                limit or None, remaining, wait_until(headers.get(one.name.format("reset")), now), one.window_s
            )
    return None


def _drafted(headers: Mapping[str, str]) -> Allowance | None:
    """The limit of one field, `ratelimit`, as the IETF's drafts write it."""
    said = {name: float(value) for name, value in _ITEM.findall(headers.get("ratelimit") or "")}
    policy = {name: float(value) for name, value in _ITEM.findall(headers.get("ratelimit-policy") or "")}
    limit, remaining = said.get("limit", policy.get("q")), said.get("remaining", said.get("r"))
    if limit is None and remaining is None:
        return None
    return Allowance(limit or None, remaining, said.get("reset", said.get("t")), policy.get("w"))


def _plain(text: str | None) -> str | None:
    """The number of "100", "1,000", "100;w=60" and "100, 100;w=60"."""
    return text.partition(";")[0].partition(", ")[0].strip().replace(",", "") if text is not None else None


def wait_until(text: str | None, now: float) -> float | None:
    """Seconds until `text`: a duration, a number of seconds, a date, or Unix time in seconds or milliseconds. `now` is
    Unix time."""
    wait = read_duration(text)
    if text is None or wait is None:
        at = _date(text) if text is not None else None
        return None if at is None else max(0.0, at - now)
    if _number(text) is None:
        return wait
    if wait > _EPOCH_MS:
        return max(0.0, wait / 1000.0 - now)
    return max(0.0, wait - now) if wait > _EPOCH_S else wait


def read_duration(text: str | None) -> float | None:
    """Seconds in "1h2m3.5s", "120ms" or "17"."""
    if text is None or not text.strip():
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return _worded(text.strip())
    days, hours, minutes, rest, milliseconds = (float(part) if part else 0.0 for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest + milliseconds / 1000.0
    return total if math.isfinite(total) else None


def _worded(text: str) -> float | None:
    """Seconds in "2 minutes", "1 hour and 5 minutes", "0:01:30", "PT1M30S"."""
    for pattern in (_CLOCK, _ISO):
        if (found := pattern.fullmatch(text)) is not None and any(found.groups()):
            parts = [float(part or 0.0) for part in found.groups()]
            *days, hours, minutes, seconds = parts
            return ((sum(days) * 24 + hours) * 60 + minutes) * 60 + seconds
    words = list(_WORDED.finditer(text))
    if not words or _WORDED.sub("", text).replace("and", "").strip(" ,"):
        return None
    total = sum(float(one[1]) * _WORD_S[_unit(one[2].lower())] for one in words)
    return total if math.isfinite(total) else None


def _unit(word: str) -> str:
    return "ms" if word.startswith(("ms", "milli")) else word[0]


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds an endpoint asks to wait, or None. `now` is Unix time."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := _number((headers.get(name) or "").strip().removesuffix("ms"))) is not None:
            return milliseconds / 1000.0
    told = headers.get("retry-after") or headers.get("x-retry-after")
    if told is None or (wait := wait_until(told, now)) is not None:
        return wait if told is not None else None
    parts = (wait_until(part.partition(";")[0], now) for part in told.split(","))
    return max((part for part in parts if part is not None), default=None)


def _date(text: str) -> float | None:
    """Unix time of a date as HTTP or RFC 3339 writes it."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        pass
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) and value >= 0 else None
