"""The limiter's rules, on a clock that the tests move."""

import math
import random
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.breaker import FAILURES_IN_A_ROW
from actors.limit_headers import Allowance, Observed
from actors.limits import FIRST_WINDOW, LimiterState, Limits, Outcome, Release
from tests.actors.minutes import most_in_a_minute


def grant(state: LimiterState, now: float, wanted: int = 1, worst_tokens: int = 0) -> list[int]:
    """As many leases as may be had at `now`, at most `wanted`."""
    return list(state.grant(now, [worst_tokens] * wanted))


def end(
    state: LimiterState,
    lease: int,
    outcome: Outcome,
    now: float,
    after_s: float | None = None,
    tokens: int | None = None,
) -> None:
    state.release(
        Release(lease, outcome, tokens=tokens, retry_after_s=after_s, kind="server", message="its words"), now
    )


def opened_wide(max_in_flight: int, per_minute: float | None = None, lease_timeout_s: float = 1000) -> LimiterState:
    """A limiter whose window has grown to its ceiling, at time 0."""
    state = LimiterState(Limits(per_minute, max_in_flight, lease_timeout_s), now=-1e6)
    for number in range(max_in_flight):
        now = -1e6 + 600.0 * (number + 1)
        (lease,) = grant(state, now)
        end(state, lease, Outcome.DONE, now)
    assert state.stats(0.0).window == max_in_flight
    return state


# Requests a minute --------------------------------------------------------------------------------------------------


@given(
    per_minute=st.one_of(st.integers(1, 3000).map(float), st.floats(0.2, 300)),
    steps=st.lists(
        st.tuples(st.floats(0, 40), st.integers(1, 200), st.sampled_from(Outcome), st.booleans()), max_size=60
    ),
)
def test_no_minute_ever_sees_more_than_is_permitted(
    per_minute: float, steps: list[tuple[float, int, Outcome, bool]]
) -> None:
    state = LimiterState(Limits(per_minute, 10_000, lease_timeout_s=1000), now=0.0)
    now, sent = 0.0, []
    for wait, wanted, outcome, hold in steps:
        now += wait
        for lease in reversed(grant(state, now, wanted)):
            if outcome is not Outcome.UNUSED:
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
            end(state, lease, Outcome.DONE, now)
        now += state.ready_in(now)
    assert len(sent) >= 0.95 * 5 * per_minute
    assert most_in_a_minute(sent) <= per_minute


# Turns ---------------------------------------------------------------------------------------------------------------


@given(
    max_in_flight=st.integers(1, 40),
    steps=st.lists(st.tuples(st.floats(0, 5), st.sampled_from([*Outcome, None]), st.integers(0, 39)), max_size=120),
)
def test_leases_held_never_outnumber_the_limit(
    max_in_flight: int, steps: list[tuple[float, Outcome | None, int]]
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
            st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.BROKEN, Outcome.RATE_LIMITED]),
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
    requests: list[tuple[float, Outcome, float | None, bool, int]],
) -> None:
    """Whatever happens to those before it, and even when holders die: waiting exactly as long as `ready_in` says, or
    until the next release, always gets there."""
    timeout_s = 20.0
    state = LimiterState(Limits(per_minute, max_in_flight, timeout_s, tokens_per_minute), now=0.0)
    now, pending = 0.0, list(requests)
    running: list[tuple[float, int, Outcome, float | None]] = []
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
    assert now <= len(requests) * (timeout_s + 60.0 + 60.0) + 60.0  # a holder's death, a closed breaker, its tokens


def test_the_lease_of_a_dead_holder_comes_back() -> None:
    state = LimiterState(Limits(None, 1, lease_timeout_s=10), now=0.0)
    (dead,) = grant(state, 0.0)
    assert not grant(state, 9.9)
    assert state.ready_in(4.0) == pytest.approx(6.0)
    (fresh,) = grant(state, 10.0)
    end(state, dead, Outcome.DONE, 11.0)  # it was only slow: too late
    stats = state.stats(11.0)
    assert stats.in_flight == 1 and stats.expired == 1 and fresh != dead


def test_a_permission_not_used_is_handed_back() -> None:
    state = LimiterState(Limits(1, 8, 1000, tokens_per_minute=1000), now=0.0)
    (lease,) = grant(state, 0.0, worst_tokens=20)
    end(state, lease, Outcome.UNUSED, 0.0)
    assert state.stats(0.0).granted == 0
    assert grant(state, 0.0, worst_tokens=20) and not grant(state, 1.0, worst_tokens=20)


def test_a_permission_handed_back_late_is_no_extra_one() -> None:
    state = LimiterState(Limits(1, 8, 1000), now=0.0)
    (first,) = grant(state, 0.0)
    assert grant(state, 60.0)
    end(state, first, Outcome.UNUSED, 60.0)
    assert not grant(state, 61.0)


def test_a_lease_ended_twice_ends_once() -> None:
    state = LimiterState(Limits(None, 4, 1000), now=0.0)
    first, *_ = grant(state, 0.0, 4)
    end(state, first, Outcome.DONE, 0.0)
    end(state, first, Outcome.DONE, 0.0)
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
            end(state, lease, Outcome.DONE, now)
        return len(leases)

    windows = [round_trip() for _ in range(4)]
    assert windows == [FIRST_WINDOW * 2**number for number in range(4)]
    leases = grant(state, now, 1000)
    assert len(leases) == 16 * FIRST_WINDOW
    end(state, leases[0], Outcome.RATE_LIMITED, now)  # half of what was in flight, and a pause of a second
    for lease in leases[1:]:
        end(state, lease, Outcome.UNUSED, now)
    now += 1.0
    windows = [round_trip() for _ in range(4)]
    assert windows == [pytest.approx(8 * FIRST_WINDOW + more, abs=1) for more in range(4)]


def test_a_burst_of_refusals_halves_the_window_once_and_successes_open_it_again() -> None:
    state = opened_wide(64)
    leases = grant(state, 0.0, 100)
    assert len(leases) == 64
    for lease in leases:
        end(state, lease, Outcome.RATE_LIMITED, 1.0)
    assert state.stats(1.0).window == 32 and state.stats(1.0).rate_limited == 64
    assert not grant(state, 1.5) and state.ready_in(1.5) == pytest.approx(0.5)  # a second's pause for everybody
    now = 2.0
    for _ in range(60):
        served = grant(state, now, 100)
        now += 0.1
        for lease in served:
            end(state, lease, Outcome.DONE, now)
    assert len(grant(state, now, 100)) == 64


def test_a_window_that_the_pace_never_filled_is_cut_to_half_of_what_was_in_flight() -> None:
    state = opened_wide(64)
    leases = grant(state, 0.0, 10)
    end(state, leases[0], Outcome.RATE_LIMITED, 1.0)
    assert state.stats(1.0).window == 5


def test_refusals_after_refusals_pause_longer_and_longer_until_one_is_served() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        (lease,) = grant(state, now)
        now += 0.01
        end(state, lease, Outcome.RATE_LIMITED, now)
        pauses.append(state.ready_in(now))
        now += pauses[-1]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    (lease,) = grant(state, now)
    end(state, lease, Outcome.DONE, now)
    (lease,) = grant(state, now)
    end(state, lease, Outcome.RATE_LIMITED, now)
    assert state.ready_in(now) == pytest.approx(1)


def test_retry_after_stops_everybody_until_then() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    first, second = grant(state, 0.0, 2)
    end(state, first, Outcome.RATE_LIMITED, 1.0, after_s=20)
    end(state, second, Outcome.DONE, 2.0)
    assert not grant(state, 20.9)
    assert state.ready_in(2.0) == state.paused_for(2.0) == pytest.approx(19.0)
    assert grant(state, 21.0)


def test_a_server_in_trouble_may_ask_for_quiet_too_without_losing_the_window() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    end(state, lease, Outcome.FAILED, 0.0, after_s=3)
    assert state.ready_in(0.0) == pytest.approx(3) and state.stats(0.0).window == 8


def test_a_refusal_that_asks_for_no_wait_is_waited_out_all_the_same() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    end(state, lease, Outcome.RATE_LIMITED, 0.0, after_s=0.0)
    assert state.ready_in(0.0) == pytest.approx(1)


# Tokens a minute ----------------------------------------------------------------------------------------------------


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
            end(state, lease, Outcome.DONE, at, tokens=used)
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
            end(state, lease, Outcome.DONE, now, tokens=0)  # refused for a reason of its own
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
            end(state, lease, Outcome.DONE, now, tokens=used)
        else:
            now = wake
    steady = sum(used for at, used in used_at if 180.0 <= at < 600.0) / 7
    assert 0.95 * per_minute <= steady <= 1.005 * per_minute


def test_what_was_reserved_and_not_used_comes_back_when_the_request_ends() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=100_000), now=0.0)  # 1000 at once
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    assert not grant(state, 0.0, 1, worst_tokens=500)
    end(state, lease, Outcome.DONE, 0.0, tokens=400)
    assert grant(state, 0.0, 1, worst_tokens=500)


@pytest.mark.parametrize("outcome", [Outcome.UNUSED, Outcome.RATE_LIMITED])
def test_what_was_not_served_used_no_tokens(outcome: Outcome) -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=50_000), now=0.0)
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    end(state, lease, outcome, 0.0)
    now = state.paused_for(0.0)
    assert grant(state, now, 1, worst_tokens=1000)


def test_a_failure_of_unknown_use_counts_with_what_was_reserved() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=50_000), now=0.0)
    (lease,) = grant(state, 0.0, 1, worst_tokens=1000)
    end(state, lease, Outcome.FAILED, 0.0)
    assert state.ready_in(0.0, 1000) > 1.0


def test_a_request_larger_than_a_minute_permits_is_not_held_up_for_ever() -> None:
    state = LimiterState(Limits(None, 100, 1000, tokens_per_minute=1000), now=0.0)
    assert grant(state, 60.0, 1, worst_tokens=5000)
    assert 240.0 < state.ready_in(60.0, 5000) < 330.0


# The breaker ---------------------------------------------------------------------------------------------------------


def broken_down(in_flight: int = 0) -> tuple[LimiterState, list[int]]:
    """A limiter whose endpoint has failed a whole row of requests at time 1, and leases that are still out."""
    state = opened_wide(64)
    leases = grant(state, 0.5, FAILURES_IN_A_ROW + in_flight)
    for lease in leases[:FAILURES_IN_A_ROW]:
        end(state, lease, Outcome.FAILED, 1.0)
    return state, leases[FAILURES_IN_A_ROW:]


def test_an_endpoint_that_is_down_is_left_alone_and_tried_with_one_request_at_a_time() -> None:
    state, _ = broken_down()
    closed = state.closed(1.0)
    assert closed is not None and (closed.kind, closed.message, closed.broken) == ("server", "its words", False)
    assert not grant(state, 1.9, 10) and state.ready_in(1.0) == pytest.approx(1.0)
    (trial,) = grant(state, 2.0, 10)
    assert not grant(state, 30.0, 10)
    end(state, trial, Outcome.DONE, 31.0)
    assert state.closed(31.0) is None and len(grant(state, 31.0, 10)) == 10


def test_trials_that_fail_are_further_and_further_apart() -> None:
    state, _ = broken_down()
    now, pauses = 1.0, []
    for _ in range(8):
        pauses.append(state.ready_in(now))
        now += pauses[-1]
        (trial,) = grant(state, now, 10)
        end(state, trial, Outcome.FAILED, now)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


def test_many_requests_in_flight_at_an_outage_are_one_outage() -> None:
    state, in_flight = broken_down(in_flight=40)
    for lease in in_flight:
        end(state, lease, Outcome.FAILED, 1.5)
    assert state.ready_in(1.5) == pytest.approx(0.5)


def test_the_end_of_an_older_request_makes_no_room_for_a_second_trial() -> None:
    state, in_flight = broken_down(in_flight=3)
    (trial,) = grant(state, 2.0, 10)
    end(state, in_flight[0], Outcome.UNUSED, 2.5)
    end(state, in_flight[1], Outcome.FAILED, 2.5)
    assert not grant(state, 900.0, 10)
    state.expire(1000.5)  # the third one's holder died
    assert state.stats(1000.5).expired == 1 and not grant(state, 1000.6, 10)
    end(state, trial, Outcome.UNUSED, 1000.7)
    assert len(grant(state, 1000.7, 10)) == 1


def test_a_trial_whose_holder_died_leaves_room_for_another() -> None:
    state, _ = broken_down()
    grant(state, 2.0, 10)
    assert state.ready_in(3.0) == pytest.approx(999.0)
    assert len(grant(state, 1002.0, 10)) == 1


def test_an_endpoint_that_fails_everybody_is_left_alone_for_a_minute_at_once() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    state.release(Release(lease, Outcome.BROKEN, kind="quota", message="no money left"), 0.0)
    closed = state.closed(0.0)
    assert closed is not None and closed.broken and closed.message == "no money left"
    assert state.ready_in(0.0) == pytest.approx(60.0) and state.stats(0.0).closed == closed


def test_an_endpoint_that_refuses_for_speed_lives() -> None:
    state = opened_wide(64)
    for number in range(5 * FAILURES_IN_A_ROW):
        (lease,) = grant(state, 100.0 * number)
        outcome = Outcome.RATE_LIMITED if number % FAILURES_IN_A_ROW == 5 else Outcome.FAILED
        end(state, lease, outcome, 100.0 * number)
    assert state.closed(1e4) is None


# What endpoints say of their limits -----------------------------------------------------------------------------------


def told(state: LimiterState, now: float, observed: Observed, outcome: Outcome = Outcome.DONE) -> None:
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
            end(state, lease, Outcome.DONE, now)
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
            state.release(Release(lease, Outcome.DONE, observed=observed), now)
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
    state.release(Release(first, Outcome.DONE, observed=left), 100.0)
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
