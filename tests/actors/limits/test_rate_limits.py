"""The limiter's rules for requests, leases and the window, on a clock that the tests move."""

import math
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.rate_limits import FIRST_WINDOW, LeaseOutcome, LimiterState, Limits
from tests.actors.limits.leases import end, grant, opened_wide
from tests.actors.limits.minutes import most_in_a_minute

# Requests a minute --------------------------------------------------------------------------------------------------


@given(
    per_minute=st.one_of(st.integers(1, 3000).map(float), st.floats(0.2, 300)),
    steps=st.lists(
        st.tuples(st.floats(0, 40), st.integers(1, 200), st.sampled_from(LeaseOutcome), st.booleans()), max_size=60
    ),
)
def test_no_minute_ever_sees_more_than_is_permitted(
    per_minute: float, steps: list[tuple[float, int, LeaseOutcome, bool]]
) -> None:
    state = LimiterState(Limits(per_minute, 10_000, lease_timeout_s=1000), now=0.0)
    now, sent = 0.0, []
    for wait, wanted, outcome, hold in steps:
        now += wait
        for lease in reversed(grant(state, now, wanted)):
            if outcome is not LeaseOutcome.UNUSED:
                sent.append((now, 1.0))
            if not hold:
                end(state, lease, outcome, now)
    assert most_in_a_minute(sent) <= math.ceil(per_minute)


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 3000])
def test_the_greediest_asker_gets_almost_all_of_every_minute_and_never_more(per_minute: int) -> None:
    state = LimiterState(Limits(per_minute, 10_000, 100_000), now=0.0)
    start = now = 1000.0  # long idle: the bucket is full, the worst case for the minute that follows
    sent: list[tuple[float, float]] = []
    while now < start + 300:
        for lease in grant(state, now, 10_000):
            sent.append((now, 1.0))
            end(state, lease, LeaseOutcome.DONE, now)
        now += state.ready_in(now)
    assert len(sent) >= 0.95 * 5 * per_minute
    assert most_in_a_minute(sent) <= per_minute


# Turns ---------------------------------------------------------------------------------------------------------------


@given(
    max_in_flight=st.integers(1, 40),
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.sampled_from([*LeaseOutcome, None]), st.integers(0, 39)), max_size=120
    ),
)
def test_leases_held_never_outnumber_the_limit(
    max_in_flight: int, steps: list[tuple[float, LeaseOutcome | None, int]]
) -> None:
    state = LimiterState(Limits(None, max_in_flight, lease_timeout_s=1000), now=0.0)
    now, held = 0.0, []
    for wait, outcome, which in steps:
        now += wait
        if outcome is None:
            fresh = grant(state, now, which + 1)
            held += fresh
            assert not fresh or len(held) <= state.stats(now).window
        elif held:
            end(state, held.pop(which % len(held)), outcome, now)
        assert len(held) == state.stats(now).in_flight <= max_in_flight


@given(
    per_minute=st.one_of(st.none(), st.floats(30, 6000)),
    tokens_per_minute=st.one_of(st.none(), st.floats(1000, 100_000)),
    max_in_flight=st.integers(1, 30),
    requests=st.lists(
        st.tuples(
            st.floats(0.01, 3),
            st.sampled_from(
                [
                    LeaseOutcome.DONE,
                    LeaseOutcome.DONE,
                    LeaseOutcome.FAILED,
                    LeaseOutcome.BROKEN,
                    LeaseOutcome.RATE_LIMITED,
                ]
            ),
            st.one_of(st.none(), st.floats(0, 5)),
            st.booleans(),
            st.integers(0, 1000),
        ),
        min_size=1,
        max_size=60,
    ),
)
def test_every_request_gets_its_turn_in_bounded_time(
    per_minute: float | None,
    tokens_per_minute: float | None,
    max_in_flight: int,
    requests: list[tuple[float, LeaseOutcome, float | None, bool, int]],
) -> None:
    """Whatever happens to those before it, and even when holders die: waiting exactly as long as `ready_in` says, or
    until the next release, always gets there."""
    timeout_s = 20.0
    state = LimiterState(Limits(per_minute, max_in_flight, timeout_s, tokens_per_minute), now=0.0)
    now, pending = 0.0, list(requests)
    running: list[tuple[float, int, LeaseOutcome, float | None]] = []
    for _ in range(20 * len(requests) + 20):
        while pending and (leases := grant(state, now, worst_tokens=pending[-1][4])):
            latency, outcome, after_s, dies, _ = pending.pop()
            if not dies:
                heappush(running, (now + latency, leases[0], outcome, after_s))
        if not pending:
            break
        wake = now + state.ready_in(now, pending[-1][4])
        if running and running[0][0] <= wake:
            now, lease, outcome, after_s = heappop(running)
            end(state, lease, outcome, now, after_s)
        else:
            assert wake > now
            now = wake
    assert not pending
    assert now <= len(requests) * (timeout_s + 60.0 + 60.0) + 60.0  # a holder's death, an open breaker, its tokens


def test_the_lease_of_a_dead_holder_comes_back() -> None:
    state = LimiterState(Limits(None, 1, lease_timeout_s=10), now=0.0)
    (dead,) = grant(state, 0.0)
    assert not grant(state, 9.9)
    assert state.ready_in(4.0) == pytest.approx(6.0)
    (fresh,) = grant(state, 10.0)
    end(state, dead, LeaseOutcome.DONE, 11.0)  # it was only slow: too late
    stats = state.stats(11.0)
    assert stats.in_flight == 1 and stats.expired == 1 and fresh != dead


def test_a_permission_not_used_is_handed_back() -> None:
    state = LimiterState(Limits(1, 8, 1000, tokens_per_minute=1000), now=0.0)
    (lease,) = grant(state, 0.0, worst_tokens=20)
    end(state, lease, LeaseOutcome.UNUSED, 0.0)
    assert state.stats(0.0).granted == 0
    assert grant(state, 0.0, worst_tokens=20) and not grant(state, 1.0, worst_tokens=20)


def test_a_permission_handed_back_late_is_no_extra_one() -> None:
    state = LimiterState(Limits(1, 8, 1000), now=0.0)
    (first,) = grant(state, 0.0)
    assert grant(state, 60.0)
    end(state, first, LeaseOutcome.UNUSED, 60.0)
    assert not grant(state, 61.0)


def test_a_lease_ended_twice_ends_once() -> None:
    state = LimiterState(Limits(None, 4, 1000), now=0.0)
    first, *_ = grant(state, 0.0, 4)
    end(state, first, LeaseOutcome.DONE, 0.0)
    end(state, first, LeaseOutcome.DONE, 0.0)
    assert len(grant(state, 0.0, 4)) == 1


@pytest.mark.parametrize(
    "wrong", [(0.0, 1, 1.0, None), (None, 0, 1.0, None), (None, 1, 0.0, None), (None, 1, 1.0, -1.0)]
)
def test_impossible_limits_are_refused(wrong: tuple[float | None, int, float, float | None]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Limits(*wrong)


# The window and pauses ----------------------------------------------------------------------------------------------


def test_the_window_doubles_with_every_round_trip_until_the_first_refusal_and_then_grows_by_one() -> None:
    state, now = LimiterState(Limits(None, 1000, 1000), now=0.0), 0.0

    def round_trip() -> int:
        nonlocal now
        leases = grant(state, now, 1000)
        now += 1.0
        for lease in leases:
            end(state, lease, LeaseOutcome.DONE, now)
        return len(leases)

    windows = [round_trip() for _ in range(4)]
    assert windows == [FIRST_WINDOW * 2**number for number in range(4)]
    leases = grant(state, now, 1000)
    assert len(leases) == 16 * FIRST_WINDOW
    end(state, leases[0], LeaseOutcome.RATE_LIMITED, now)  # half of what was in flight, and a pause of a second
    for lease in leases[1:]:
        end(state, lease, LeaseOutcome.UNUSED, now)
    now += 1.0
    windows = [round_trip() for _ in range(4)]
    assert windows == [pytest.approx(8 * FIRST_WINDOW + more, abs=1) for more in range(4)]


def test_a_burst_of_refusals_halves_the_window_once_and_successes_open_it_again() -> None:
    state = opened_wide(64)
    leases = grant(state, 0.0, 100)
    assert len(leases) == 64
    for lease in leases:
        end(state, lease, LeaseOutcome.RATE_LIMITED, 1.0)
    assert state.stats(1.0).window == 32 and state.stats(1.0).rate_limited == 64
    assert not grant(state, 1.5) and state.ready_in(1.5) == pytest.approx(0.5)  # a second's pause for everybody
    now = 2.0
    for _ in range(60):
        served = grant(state, now, 100)
        now += 0.1
        for lease in served:
            end(state, lease, LeaseOutcome.DONE, now)
    assert len(grant(state, now, 100)) == 64


def test_a_window_that_the_pace_never_filled_is_cut_to_half_of_what_was_in_flight() -> None:
    state = opened_wide(64)
    leases = grant(state, 0.0, 10)
    end(state, leases[0], LeaseOutcome.RATE_LIMITED, 1.0)
    assert state.stats(1.0).window == 5


def test_refusals_after_refusals_pause_longer_and_longer_until_one_is_served() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        (lease,) = grant(state, now)
        now += 0.01
        end(state, lease, LeaseOutcome.RATE_LIMITED, now)
        pauses.append(state.ready_in(now))
        now += pauses[-1]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    (lease,) = grant(state, now)
    end(state, lease, LeaseOutcome.DONE, now)
    (lease,) = grant(state, now)
    end(state, lease, LeaseOutcome.RATE_LIMITED, now)
    assert state.ready_in(now) == pytest.approx(1)


def test_retry_after_stops_everybody_until_then() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    first, second = grant(state, 0.0, 2)
    end(state, first, LeaseOutcome.RATE_LIMITED, 1.0, after_s=20)
    end(state, second, LeaseOutcome.DONE, 2.0)
    assert not grant(state, 20.9)
    assert state.ready_in(2.0) == state.paused_for(2.0) == pytest.approx(19.0)
    assert grant(state, 21.0)


def test_a_server_in_trouble_may_ask_for_quiet_too_without_losing_the_window() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    end(state, lease, LeaseOutcome.FAILED, 0.0, after_s=3)
    assert state.ready_in(0.0) == pytest.approx(3) and state.stats(0.0).window == 8


def test_a_refusal_that_asks_for_no_wait_is_waited_out_all_the_same() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    end(state, lease, LeaseOutcome.RATE_LIMITED, 0.0, after_s=0.0)
    assert state.ready_in(0.0) == pytest.approx(1)
