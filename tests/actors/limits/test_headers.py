"""What endpoints say in their headers, in every form, and in no form at all."""

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.headers import NOTHING, Allowance, Observed, read_duration, read_limits, read_retry_after

NAMES = [
    "retry-after",
    "retry-after-ms",
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
]
# Text that comes close to being right finds more than text at large.
almost_dates = st.lists(
    st.sampled_from(
        ["Wed,", "21", "Oct", "2015", "0000", "99999", "07:28:00", "25:61:61", "GMT", "-0000", "+9999", ","]
    ),
    max_size=8,
).map(" ".join)
almost_numbers = st.text(alphabet="0123456789.dhms-+e_ ", max_size=12)
anything = st.one_of(st.text(), almost_dates, almost_numbers)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers, now=1_000_000.0) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1s", 1.0),
        ("8.64s", 8.64),
        ("1h2m3.5s", 3723.5),
        ("2d", 172_800.0),
        ("1m", 60.0),
        ("17", 17.0),
        ("0.5", 0.5),
        (" 1s ", 1.0),
        ("0s", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1s", None),
        ("s", None),
        ("1s2m", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations_are_read_in_every_form(text: str | None, seconds: float | None) -> None:
    assert read_duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_the_limits_are_read_as_openai_sends_them() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29976",
        "x-ratelimit-reset-tokens": "48ms",
    }
    assert read_limits(headers) == Observed(Allowance(500, 499, 0.12), Allowance(30_000, 29_976, 0.048))


def test_what_is_missing_or_unreadable_counts_as_not_said() -> None:
    assert read_limits({}) is NOTHING
    assert read_limits({"x-ratelimit-limit-requests": "many", "x-ratelimit-reset-requests": "1s"}) is NOTHING
    assert read_limits({"x-ratelimit-remaining-tokens": "7"}).tokens == Allowance(None, 7.0, None)
    # "no limit" is written as 0 by some: that is not a limit of none at all
    assert read_limits({"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "0"}).tokens.limit is None


@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_any_text_in_any_header_is_survived(headers: dict[str, str]) -> None:
    wait = read_retry_after(headers, now=1e9)
    assert wait is None or (math.isfinite(wait) and wait >= 0)
    observed = read_limits(headers)
    for told in (observed.requests, observed.tokens):
        assert told.limit is None or (math.isfinite(told.limit) and told.limit > 0)
        for value in (told.remaining, told.reset_s):
            assert value is None or (math.isfinite(value) and value >= 0)
