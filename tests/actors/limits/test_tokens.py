"""Tokens a minute: as many as are permitted, and never more."""

import random
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.rate_limits import LeaseOutcome, LimiterState, Limits
from tests.actors.limits.leases import end, grant
from tests.actors.limits.minutes import most_in_a_minute


@given(
    per_minute=st.floats(5000, 1e6),
    steps=st.lists(
        st.tuples(st.floats(0, 20), st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 30)), max_size=40
    ),
)
def test_no_minute_sees_more_tokens_than_are_permitted_when_the_estimates_are_right(
    per_minute: float, steps: list[tuple[float, list[float], float]]
) -> None:
    state = LimiterState(Limits(None, 10_000, 1e6, per_minute), now=0.0)
    now, sent = 0.0, []
    running: list[tuple[float, int, int]] = []
    for wait, shares, latency in steps:
        now += wait
        while running and running[0][0] <= now:
            at, lease, used = heappop(running)
            end(state, lease, LeaseOutcome.DONE, at, tokens=used)
        wanted = [int(share * per_minute / 50) for share in shares]  # none larger than what may be taken at once
        for lease, worst in zip(state.grant(now, wanted), wanted, strict=False):
            sent.append((now, float(worst)))
            heappush(running, (now + latency, lease, worst))
    assert most_in_a_minute(sent) <= per_minute * (1 + 1e-6) + 0.01


def test_what_fails_for_nothing_says_nothing_of_what_replies_need() -> None:
    """An outage of hundreds of requests, which used no tokens, and then replies that use all that they may."""
    state = LimiterState(Limits(None, 1000, 1e6, tokens_per_minute=100_000), now=0.0)
    now = 0.0
    for _ in range(60):
        for lease in grant(state, now, 8, worst_tokens=100):
            end(state, lease, LeaseOutcome.DONE, now, tokens=0)  # refused for a reason of its own
        now += 1.0
    at_once = grant(state, now, 1000, worst_tokens=1000)
    assert 0 < len(at_once) <= 100


@pytest.mark.parametrize("latency_s", [0.05, 10.0])
@pytest.mark.parametrize("worst_tokens", [300, 3000])
def test_almost_all_tokens_of_a_minute_are_used_though_requests_need_a_third_of_their_worst_case(
    latency_s: float, worst_tokens: int
) -> None:
    per_minute, chance = 100_000.0, random.Random(0)
    state = LimiterState(Limits(None, 2000, 1e6, per_minute), now=0.0)
    now, used_at = 0.0, []
    running: list[tuple[float, int, int]] = []
    while now < 600.0:
        for lease in grant(state, now, 2000, worst_tokens):
            used = int(worst_tokens * chance.uniform(0.23, 0.43))
            used_at.append((now, used))
            heappush(running, (now + latency_s * chance.uniform(0.8, 1.2), lease, used))
        wake = now + state.ready_in(now, worst_tokens)
        if running and running[0][0] <= wake:
            now, lease, used = heappop(running)
            end(state, lease, LeaseOutcome.DONE, now, tokens=used)
        else:
            now = wake
    steady = sum(used for at, used in used_at if 180.0 <= at < 600.0) / 7
    assert 0.95 * per_minute <= steady <= 1.005 * per_minute


def test_what_was_reserved_and_not_used_comes_back_when_the_request_ends() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=100_000), now=0.0)  # 1000 at once
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    assert not grant(state, 0.0, 1, worst_tokens=500)
    end(state, lease, LeaseOutcome.DONE, 0.0, tokens=400)
    assert grant(state, 0.0, 1, worst_tokens=500)


@pytest.mark.parametrize("outcome", [LeaseOutcome.UNUSED, LeaseOutcome.RATE_LIMITED])
def test_what_was_not_served_used_no_tokens(outcome: LeaseOutcome) -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=50_000), now=0.0)
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    end(state, lease, outcome, 0.0)
    now = state.paused_for(0.0)
    assert grant(state, now, 1, worst_tokens=1000)


def test_a_failure_of_unknown_use_counts_with_what_was_reserved() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=50_000), now=0.0)
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    end(state, lease, LeaseOutcome.FAILED, 0.0)
    assert state.ready_in(0.0, 1000) > 1.0


def test_a_request_larger_than_a_minute_permits_is_not_held_up_for_ever() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=1000), now=0.0)
    assert grant(state, 60.0, 1, worst_tokens=5000)
    assert 240.0 < state.ready_in(60.0, 5000) < 330.0
