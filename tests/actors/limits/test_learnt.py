"""What endpoints say of their limits, learnt from their headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.headers import Allowance, Observed
from actors.limits.rate_limits import LeaseOutcome, LimiterState, Limits, Release
from tests.actors.limits.leases import end, grant
from tests.actors.limits.minutes import most_in_a_minute


def told(state: LimiterState, now: float, observed: Observed, outcome: LeaseOutcome = LeaseOutcome.DONE) -> None:
    """One request, whose response tells `observed`."""
    now += state.ready_in(now)
    (lease,) = grant(state, now)
    state.release(Release(lease, outcome, observed=observed), now)


def test_limits_that_nobody_set_are_learnt() -> None:
    state = LimiterState(Limits(None, 1000, 1000), now=0.0)
    assert state.stats(0.0).requests_per_minute is None
    told(state, 0.0, Observed(Allowance(60, 59, 1.0), Allowance(30_000, 29_000, 2.0)))
    stats = state.stats(0.0)
    assert (stats.requests_per_minute, stats.tokens_per_minute) == (60, 30_000)
    now, sent = 0.0, []
    while now < 180.0:
        sent += [(now, 1.0)] * len(grant(state, now, 10))
        now += max(0.01, min(1.0, state.ready_in(now)))
        for lease in range(1, len(sent) + 2):
            end(state, lease, LeaseOutcome.DONE, now)
    assert len(sent) >= 0.95 * 180
    assert most_in_a_minute(sent) <= 60


def test_a_limit_that_changes_is_followed() -> None:
    state = LimiterState(Limits(None, 1000, 1000), now=0.0)
    for number, limit in enumerate((60, 600, 30)):
        told(state, 100.0 * number, Observed(Allowance(limit, limit - 1, 1.0)))
        assert state.stats(0.0).requests_per_minute == limit


@given(
    configured=st.integers(1, 600),
    steps=st.lists(
        st.tuples(st.floats(0, 10), st.integers(1, 30), st.integers(1, 100_000), st.integers(0, 100_000)), max_size=40
    ),
)
def test_a_limit_that_was_set_is_not_exceeded_because_a_header_permits_more(
    configured: int, steps: list[tuple[float, int, int, int]]
) -> None:
    state = LimiterState(Limits(configured, 10_000, 1000), now=0.0)
    now, sent = 0.0, []
    for wait, wanted, limit, remaining in steps:
        now += wait
        for lease in grant(state, now, wanted):
            sent.append((now, 1.0))
            observed = Observed(Allowance(limit, remaining, 1.0), Allowance(1e9, 1e9, 1.0))
            state.release(Release(lease, LeaseOutcome.DONE, observed=observed), now)
            assert state.stats(now).requests_per_minute == min(configured, limit)
    assert most_in_a_minute(sent) <= configured


def test_what_others_with_the_same_key_have_taken_is_gone() -> None:
    state = LimiterState(Limits(600, 1000, 1000, tokens_per_minute=60_000), now=0.0)
    told(state, 100.0, Observed(Allowance(600, 0, 60.0), Allowance(60_000, 60_000, 0.0)))
    assert state.ready_in(100.0) == pytest.approx(60.0 / 589)
    told(state, 200.0, Observed(Allowance(600, 600, 0.0), Allowance(60_000, 0, 60.0)))
    assert state.ready_in(200.0) == 0 and state.ready_in(200.0, 485) == pytest.approx(0.5)


def test_what_is_left_counts_from_when_the_request_was_sent_and_without_what_was_sent_since() -> None:
    state = LimiterState(Limits(60_000, 1000, 1000), now=0.0)
    first, *_ = grant(state, 100.0, 11)
    left = Observed(Allowance(60_000, 10, 1.0))  # of which the ten that were sent with it are gone by now
    state.release(Release(first, LeaseOutcome.DONE, observed=left), 100.0)
    assert state.ready_in(100.0) > 0
    assert grant(state, 100.1, 10)


@pytest.mark.parametrize("reset_s", [3600.0, 86_400.0])
def test_a_limit_of_an_hour_or_a_day_is_not_taken_for_one_of_a_minute(reset_s: float) -> None:
    state = LimiterState(Limits(None, 1000, 1000), now=0.0)
    told(state, 0.0, Observed(Allowance(200, 0, reset_s), Allowance(1000, 0, reset_s)))
    stats = state.stats(0.0)
    assert stats.requests_per_minute is None and stats.tokens_per_minute is None and grant(state, 0.0)


def test_a_header_without_a_limit_teaches_nothing() -> None:
    state = LimiterState(Limits(None, 1000, 1000), now=0.0)
    told(state, 0.0, Observed(Allowance(None, 0, 1.0), Allowance(None, 0, None)))
    assert grant(state, 0.0) and state.stats(0.0).requests_per_minute is None
