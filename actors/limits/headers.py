"""What an endpoint says about its limits in the headers of a response.

Owns: reading them; nothing is decided here. What cannot be read counts as not sent.

When to come back: `retry-after-ms`, `Retry-After` in seconds, as a duration ("38s", "2 minutes", "0:00:38", .NET's
"2.17:22:00", "PT38S") or as a date (HTTP's, RFC 3339 or JavaScript's). A proxy may have joined several of them: the
longest counts.

Limits, each with what is left of it and when it is whole again (a duration, seconds, a date, or Unix time in seconds
down to nanoseconds). Of several windows the shortest counts, which is what the limiter paces by, unless a longer one is
used up:

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}            OpenAI, Azure, Groq, Anthropic's OpenAI API
    x-ratelimit-{limit,remaining,reset}-{req,requests,tokens}-WINDOW Mistral, Cerebras; second, minute, hour, day, month
    x-ratelimit-{limit,remaining,reset}-{requests,tokens}-per-WINDOW DigitalOcean
    llm_provider-x-ratelimit-*                                       LiteLLM, of the provider behind it
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
    r"(?:(\d+(?:\.\d+)?)[uµμ]s)?(?:(\d+(?:\.\d+)?)ns)?"  # Go's
)
_WORDED = re.compile(
    r"(\d+(?:\.\d+)?)\s*((?:milliseconds?|msecs?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)(?![a-z])|[smhd]\b)",
    re.IGNORECASE,
)
_WORD_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_CLOCK = re.compile(r"(?:(?:(\d{1,3})\.)?(\d{1,3}):)?(\d{1,2}):(\d{2}(?:\.\d+)?)")
_ISO = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", re.IGNORECASE)
_ITEM = re.compile(r"\b(limit|remaining|reset|q|w|r|t)\s*=\s*(\d+(?:\.\d+)?)")  # of the IETF's drafts
_WINDOWS = {"minute": 60.0, "second": 1.0, "5-minute": 300.0, "hour": 3600.0, "day": 86_400.0, "month": 2_592_000.0}
_MINUTE_S = 61.0  # and what a clock is late
# Numbers above these are points in time, in nanoseconds and so on: no limit is whole again after three years.
_EPOCHS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))
_JAVASCRIPT = re.compile(r"\s*\([^)]*\)\s*$|GMT(?=[+-])")  # "Tue Feb 16 2021 09:02:42 GMT+0100 (CET)"


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
    """With a window in the name; those of a minute first."""
    return tuple(_Spelling(f"{name}-{window}", seconds) for window, seconds in _WINDOWS.items() for name in names)


# The first one that a response has counts, of those of a minute and of no window, and then of the longer ones.
_REQUESTS = (
    *_by_window("x-ratelimit-{}-requests", "x-ratelimit-{}-req", "x-ratelimit-{}-requests-per"),
    _Spelling("x-ratelimit-{}-requests"),
    _Spelling("llm_provider-x-ratelimit-{}-requests"),
    _Spelling("anthropic-ratelimit-requests-{}", 60.0),
)
_TOKENS = (
    *_by_window("x-ratelimit-{}-tokens", "x-ratelimitbysize-{}", "x-ratelimit-{}-tokens-per"),
    _Spelling("x-ratelimit-{}-tokens"),
    _Spelling("llm_provider-x-ratelimit-{}-tokens"),
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
    longer: list[Allowance] = []
    found: Allowance | None = None
    for one in spellings:
        limit = _number(_plain(headers.get(one.name.format("limit"))))
        remaining = _number(_plain(headers.get(one.name.format("remaining"))))
        if limit is None and remaining is None:
            continue
        told = Allowance(limit or None, remaining, wait_until(headers.get(one.name.format("reset")), now), one.window_s)
        if one.window_s is not None and one.window_s > _MINUTE_S:
            longer.append(told)
        else:
            found = found or told
    used_up = (told for told in longer if told.remaining is not None and told.remaining < 1)
    return next(used_up, found or next(iter(longer), None))


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
    """Seconds until `text`: a duration, a number of seconds, a date, or Unix time in seconds down to nanoseconds. `now`
    is Unix time."""
    wait = read_duration(text)
    if text is None or wait is None:
        at = _date(text) if text is not None else None
        return None if at is None else max(0.0, at - now)
    if _number(text) is None:
        return wait
    unit = next((unit for least, unit in _EPOCHS if wait > least), None)
    return wait if unit is None else max(0.0, wait * unit - now)


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
    days, hours, minutes, rest, *parts = (float(part) if part else 0.0 for part in found.groups())
    small = sum(part * unit for part, unit in zip(parts, (1e-3, 1e-6, 1e-9), strict=True))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest + small
    return total if math.isfinite(total) else None


def _worded(text: str) -> float | None:
    """Seconds in "2 minutes", "in 1 hour and 5 minutes", "0:01:30", "2.17:22:00", "PT1M30S"."""
    text = re.sub(r"^(?:in|after|about)\s+", "", text.strip(" \"'"), flags=re.IGNORECASE)
    if (seconds := _number(text)) is not None:
        return seconds
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


_RETRY_AFTER = ("retry-after", "x-retry-after", "x-ratelimit-retry-after", "llm_provider-retry-after")


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds an endpoint asks to wait, or None. `now` is Unix time."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := _number((headers.get(name) or "").strip().removesuffix("ms"))) is not None:
            return milliseconds / 1000.0
    told = next((said for name in _RETRY_AFTER if (said := headers.get(name))), None)
    if told is None or (wait := wait_until(told, now)) is not None:
        return wait if told is not None else None
    parts = (wait_until(part.partition(";")[0], now) for part in told.split(","))
    return max((part for part in parts if part is not None), default=None)


def _date(text: str) -> float | None:
    """Unix time of a date as HTTP, RFC 3339 or JavaScript writes it."""
    text = _JAVASCRIPT.sub("", text)
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
