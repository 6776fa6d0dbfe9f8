"""What a provider permits: never more than its limits, and told as OpenAI tells it."""

import math
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.provider.admission_control import (
    AdmissionControl,
    Cause,
    Charge,
    ProviderLimits,
    Rejection,
    SlidingWindow,
    TokenBucket,
    duration,
    retry_headers,
)

ARRIVALS = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 60)), max_size=60)


def charge(tokens: int = 1, cost: float = 0.0) -> Charge:
    return Charge(tokens, 1, tokens, cost)


def admit_all(admission: AdmissionControl, arrivals: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Time and tokens of those admitted; arrivals give the seconds since the one before."""
    now, admitted = 0.0, []
    for pause, tokens in arrivals:
        now += pause
        if not isinstance(admission.admit(now, lambda tokens=tokens: charge(tokens)), Rejection):  # type: ignore[misc]
            admission.release()
            admitted.append((now, tokens))
    return admitted


@given(ARRIVALS)
def test_no_sliding_minute_of_a_window_holds_more_than_the_limits(arrivals: list[tuple[float, int]]) -> None:
    limits = ProviderLimits(requests_per_minute=5, tokens_per_minute=100, algorithm="window")
    admitted = admit_all(AdmissionControl(limits), arrivals)
    for start, _ in admitted:
        inside = [tokens for at, tokens in admitted if start <= at and at < start + 60]
        assert len(inside) <= 5 and sum(inside) <= 100


@given(ARRIVALS)
def test_a_bucket_never_gives_more_than_it_held_and_what_flowed_in(arrivals: list[tuple[float, int]]) -> None:
    limits = ProviderLimits(requests_per_minute=5, tokens_per_minute=100)
    admitted = admit_all(AdmissionControl(limits), arrivals)
    for i, (start, _) in enumerate(admitted):
        for j in range(i, len(admitted)):
            inside, passed = admitted[i : j + 1], admitted[j][0] - start
            assert len(inside) <= 5 + passed * 5 / 60 + 1e-6
            assert sum(tokens for _, tokens in inside) <= 100 + passed * 100 / 60 + 1e-6


@given(ARRIVALS, st.sampled_from(["bucket", "window"]), st.integers(1, 100))
def test_whoever_waits_as_told_is_admitted_and_no_sooner(
    arrivals: list[tuple[float, int]], algorithm: str, amount: int
) -> None:
    meter = TokenBucket(100) if algorithm == "bucket" else SlidingWindow(100)
    now = 0.0
    for pause, tokens in arrivals:
        now += pause
        if not meter.wait_s(now, tokens):
            meter.take(now, tokens)
    wait_s = meter.wait_s(now, amount)
    if wait_s > 0.01:
        assert meter.left(now) < amount
        assert meter.wait_s(now + wait_s - 0.005, amount) > 0
    now += wait_s + 1e-6
    assert meter.wait_s(now, amount) == 0
    assert meter.left(now + meter.reset_s(now) + 1e-6) == 100


def test_a_bucket_lets_a_minute_through_at_once_and_then_one_at_a_time() -> None:
    admission = AdmissionControl(ProviderLimits(requests_per_minute=60))
    assert len(admit_all(admission, [(0.0, 1)] * 100)) == 60
    refused = admission.admit(0.0, charge)
    assert refused == Rejection(Cause.REQUESTS, pytest.approx(1.0))
    assert not isinstance(admission.admit(1.0, charge), Rejection)
    assert isinstance(admission.admit(1.5, charge), Rejection)


def test_what_is_refused_takes_nothing() -> None:
    admission = AdmissionControl(ProviderLimits(requests_per_minute=2, tokens_per_minute=10, algorithm="window"))
    assert admission.admit(0.0, lambda: charge(8)) == charge(8)
    assert admission.admit(1.0, lambda: charge(5)) == Rejection(Cause.TOKENS, 59.0)
    assert admission.admit(2.0, lambda: charge(2)) == charge(2)
    assert admission.admit(3.0, lambda: charge(1)) == Rejection(Cause.REQUESTS, 57.0)


def test_a_request_above_the_limit_is_never_admitted() -> None:
    for algorithm in ("bucket", "window"):
        limits = ProviderLimits(tokens_per_minute=10, algorithm=algorithm)  # type: ignore[arg-type]
        assert AdmissionControl(limits).admit(0.0, lambda: charge(11)) == Rejection(Cause.TOKENS, math.inf)


def test_so_many_at_once_and_no_more() -> None:
    admission = AdmissionControl(ProviderLimits(max_concurrent=2))
    assert not isinstance(admission.admit(0.0, charge), Rejection)
    assert not isinstance(admission.admit(0.0, charge), Rejection)
    refused = admission.admit(0.0, charge)
    assert isinstance(refused, Rejection) and refused.cause is Cause.CONCURRENT
    admission.release()
    assert not isinstance(admission.admit(0.0, charge), Rejection)


@pytest.mark.parametrize(
    "limits", [ProviderLimits(quota_requests=3), ProviderLimits(quota_tokens=30), ProviderLimits(quota_cost=0.3)]
)
def test_a_quota_is_used_up_to_the_last_and_then_ends(limits: ProviderLimits) -> None:
    admission = AdmissionControl(limits)
    for _ in range(3):
        assert not isinstance(admission.admit(0.0, lambda: charge(10, 0.1)), Rejection)
    assert admission.admit(0.0, lambda: charge(10, 0.1)) == Rejection(Cause.QUOTA, math.inf)
    assert isinstance(admission.admit(9e9, lambda: Charge(0, 0, 0, 0.0)), Rejection)
    assert not admission.spend(charge())
    admission.reset()
    assert not isinstance(admission.admit(0.0, charge), Rejection)


def test_headers_say_what_is_left() -> None:
    admission = AdmissionControl(ProviderLimits(requests_per_minute=10, tokens_per_minute=600))
    admission.admit(0.0, lambda: charge(15))
    assert admission.headers(0.0) == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "6s",
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "585",
        "x-ratelimit-reset-tokens": "1.5s",
    }
    assert AdmissionControl(ProviderLimits()).headers(0.0) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.12, "120ms"),
        (0.0004, "1ms"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (3630.25, "1h0m30.25s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_when_to_come_back_is_never_too_early() -> None:
    assert retry_headers("none", 1.2, 0.0) == {}
    assert retry_headers("seconds", 1.2, 0.0) == {"retry-after": "2"}
    assert retry_headers("ms", 1.2004, 0.0) == {"retry-after-ms": "1201"}
    date = parsedate_to_datetime(retry_headers("date", 1.2, 1_700_000_000.0)["retry-after"])
    assert date.timestamp() == 1_700_000_002
    assert retry_headers("seconds", math.inf, 0.0) == {}
