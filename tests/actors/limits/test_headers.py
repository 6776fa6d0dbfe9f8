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
        ({"retry-after": "38s"}, 38.0),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "1970-01-12T13:46:45Z"}, 5.0),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "30 seconds"}, 30.0),
        ({"retry-after": "1 minute"}, 60.0),
        ({"retry-after": "1 hour and 5 minutes"}, 3900.0),
        ({"retry-after": "00:00:38"}, 38.0),
        ({"retry-after": "1:02:03"}, 3723.0),
        ({"retry-after": "PT1M30S"}, 90.0),
        ({"retry-after": "P1DT2H"}, 93_600.0),
        ({"retry-after": "5, 10"}, 10.0),
        ({"retry-after": "60;comment=slow"}, 60.0),
        ({"retry-after-ms": "1500ms"}, 1.5),
        ({"x-retry-after": "7"}, 7.0),
        ({"x-ratelimit-retry-after": "7"}, 7.0),
        ({"retry-after": '"7"'}, 7.0),
        ({"retry-after": "in 7 seconds"}, 7.0),
        ({"retry-after": "after 7s"}, 7.0),
        ({"retry-after": "1min30s"}, 90.0),
        ({"retry-after": "2.17:22:00"}, 235_320.0),
        ({"retry-after": "1000030000000"}, 1_000_030_000 - 1e6),
        ({"retry-after": "Mon Jan 12 1970 14:46:45 GMT+0100 (Central European Standard Time)"}, 5.0),
        ({"retry-after": "a minute"}, None),
        ({"retry-after": "PT"}, None),
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
        ("500µs", 0.0005),
        ("1s20us", 1.00002),
        ("0ns", 0.0),
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


NOW = 1_700_000_000.0
SPELLINGS = {
    "Azure, without a limit": (
        {"x-ratelimit-remaining-requests": "9", "x-ratelimit-remaining-tokens": "900"},
        Observed(Allowance(None, 9), Allowance(None, 900)),
    ),
    "Groq: requests of a day, tokens of a minute": (
        {
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-limit-tokens": "18000",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-tokens": "7.66s",
        },
        Observed(Allowance(14_400, 14_370, 179.56), Allowance(18_000, 17_997, 7.66)),
    ),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:22Z",
            "anthropic-ratelimit-tokens-limit": "40000",
            "anthropic-ratelimit-tokens-remaining": "39000",
            "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50+00:00",
        },
        Observed(Allowance(50, 49, 2, 60), Allowance(40_000, 39_000, 30, 60)),
    ),
    "Mistral": (
        {
            "x-ratelimit-limit-req-minute": "720",
            "x-ratelimit-remaining-req-minute": "717",
            "x-ratelimit-limit-tokens-minute": "5000000",
            "x-ratelimit-remaining-tokens-minute": "4999911",
            "x-ratelimit-limit-tokens-month": "10000000000",
        },
        Observed(Allowance(720, 717, None, 60), Allowance(5_000_000, 4_999_911, None, 60)),
    ),
    "Mistral, older": (
        {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "499900", "ratelimitbysize-reset": "28"},
        Observed(tokens=Allowance(500_000, 499_900, 28)),
    ),
    "Together, by the second": (
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "2900",
        },
        Observed(Allowance(10, 9, 1, 1), Allowance(3000, 2900, None, 1)),
    ),
    "OpenRouter, until a point in time in milliseconds": (
        {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000030000"},
        Observed(Allowance(20, 0, 30)),
    ),
    "Cerebras": (
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "0",
            "x-ratelimit-reset-requests-day": "33011.5",
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-tokens-minute": "50",
            "x-ratelimit-reset-tokens-minute": "26.5",
        },
        Observed(Allowance(14_400, 0, 33_011.5, 86_400), Allowance(60_000, 50, 26.5, 60)),
    ),
    "DigitalOcean, until a second": (
        {
            "x-ratelimit-limit-requests": "120",
            "x-ratelimit-remaining-requests": "119",
            "x-ratelimit-reset-requests": "1700000005",
            "x-ratelimit-limit-tokens-per-minute": "100000",
            "x-ratelimit-remaining-tokens-per-minute": "99000",
            "x-ratelimit-reset-tokens-per-minute": "1700000003",
            "x-ratelimit-limit-tokens-per-day": "5000000",
            "x-ratelimit-remaining-tokens-per-day": "4999000",
            "x-ratelimit-reset-tokens-per-day": "1700007200",
        },
        Observed(Allowance(120, 119, 5), Allowance(100_000, 99_000, 3, 60)),
    ),
    "SambaNova, by the minute and the day": (
        {
            "x-ratelimit-limit-requests": "30",
            "x-ratelimit-remaining-requests": "29",
            "x-ratelimit-reset-requests": "1700000030",
            "x-ratelimit-limit-requests-day": "1000",
            "x-ratelimit-remaining-requests-day": "998",
            "x-ratelimit-reset-requests-day": "1700080000",
        },
        Observed(Allowance(30, 29, 30)),
    ),
    "the same, when the day's are used up": (
        {
            "x-ratelimit-limit-requests": "30",
            "x-ratelimit-remaining-requests": "29",
            "x-ratelimit-limit-requests-day": "1000",
            "x-ratelimit-remaining-requests-day": "0",
            "x-ratelimit-reset-requests-day": "1700080000000000",
        },
        Observed(Allowance(1000, 0, 80_000, 86_400)),
    ),
    "LiteLLM, of the provider behind it": (
        {"llm_provider-x-ratelimit-limit-requests": "30", "llm_provider-x-ratelimit-remaining-tokens": "900"},
        Observed(Allowance(30), Allowance(None, 900)),
    ),
    "a gateway with its policy": (
        {"ratelimit-limit": "100;w=60", "ratelimit-remaining": "99", "ratelimit-reset": "50"},
        Observed(Allowance(100, 99, 50)),
    ),
}


@pytest.mark.parametrize(("headers", "observed"), SPELLINGS.values(), ids=SPELLINGS)
def test_the_limits_are_read_in_every_spelling(headers: dict[str, str], observed: Observed) -> None:
    assert read_limits(headers, NOW) == observed


@pytest.mark.parametrize(
    ("told", "per_minute"),
    [
        (Allowance(500, 499, 0.12), 500),
        (Allowance(14_400, 14_370, 179.56), None),  # of a day
        (Allowance(14_400, 14_400, 0.0, 86_400), None),
        (Allowance(50, 49, 2, 60), 50),
        (Allowance(10, 9, 1, 1), 600),
        (Allowance(None, 9, 1), None),
    ],
)
def test_a_limit_a_minute_follows_from_its_window(told: Allowance, per_minute: float | None) -> None:
    assert told.per_minute == per_minute


def test_what_is_used_up_for_the_day_says_until_when() -> None:
    assert read_limits(SPELLINGS["Cerebras"][0], NOW).used_up_for_s == 33_011.5
    assert read_limits(SPELLINGS["OpenRouter, until a point in time in milliseconds"][0], NOW).used_up_for_s is None


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


@pytest.mark.parametrize(
    ("headers", "requests"),
    [
        ({"x-ratelimit-limit-minute": "100", "x-ratelimit-remaining-minute": "20"}, Allowance(100.0, 20.0, None, 60.0)),
        ({"x-ratelimit-limit-hour": "900", "x-ratelimit-remaining-hour": "0"}, Allowance(900.0, 0.0, None, 3600.0)),
        ({"x-rate-limit-limit": "1m", "x-rate-limit-remaining": "5"}, Allowance(None, 5.0)),
        ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50"}, Allowance(100.0, 50.0)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, Allowance(100.0, 50.0, 5.0)),
        (
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
            Allowance(100.0, 50.0, 30.0, 60.0),
        ),
        ({"ratelimit": "soon"}, Allowance()),
    ],
)
def test_gateways_and_drafts_tell_of_requests(headers: dict[str, str], requests: Allowance) -> None:
    assert read_limits(headers).requests == requests
