"""The limiter's rules, on a clock that the tests move."""

import itertools
import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits import LimiterState, Limits, Outcome, read_retry_after

MINUTE = 60.0 - 1e-4  # half-open, and a hair for the clock's grain


def drain(state: LimiterState, now: float) -> list[int]:
    """Every lease that may be had at `now`."""
    return list(state.grant(now, 10_000))


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
    now, sent_at = 0.0, []
    for wait, wanted, outcome, hold in steps:
        now += wait
        leases = state.grant(now, wanted)
        for lease in reversed(leases):
            if outcome is not Outcome.UNUSED:
                sent_at.append(now)
            if not hold:
                state.release(lease, outcome, now)
    sent_at.sort()
    for index, start in enumerate(sent_at):
        in_window = itertools.takewhile(lambda at, start=start: at < start + MINUTE, sent_at[index:])  # type: ignore[misc]
        assert sum(1 for _ in in_window) <= math.ceil(per_minute)


@given(
    max_in_flight=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 5), st.sampled_from([*Outcome, None]), st.integers(0, 19)), max_size=120),
)
def test_leases_held_never_outnumber_the_limit(
    max_in_flight: int, steps: list[tuple[float, Outcome | None, int]]
) -> None:
    state = LimiterState(Limits(None, max_in_flight, lease_timeout_s=1000), now=0.0)
    now, held = 0.0, []
    for wait, outcome, which in steps:
        now += wait
        if outcome is None:
            held += state.grant(now, which + 1)
        elif held:
            state.release(held.pop(which % len(held)), outcome, now)
        assert len(held) == state.stats(now).in_flight <= max_in_flight


@given(
    per_minute=st.one_of(st.none(), st.floats(30, 6000)),
    max_in_flight=st.integers(1, 30),
    outcomes=st.lists(
        st.tuples(
            st.floats(0.01, 3),
            st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.RATE_LIMITED]),
            st.one_of(st.none(), st.floats(0, 5)),
            st.booleans(),
        ),
        min_size=1,
        max_size=60,
    ),
)
def test_every_request_gets_its_turn_in_bounded_time(
    per_minute: float | None,
    max_in_flight: int,
    outcomes: list[tuple[float, Outcome, float | None, bool]],
) -> None:
    """Whatever happens to those before it, and even when holders die: waiting exactly as long as `ready_in` says, or
    until the next release, always gets there."""
    timeout_s = 20.0
    state = LimiterState(Limits(per_minute, max_in_flight, timeout_s), now=0.0)
    now, pending, running = 0.0, list(outcomes), []
    for _ in range(20 * len(outcomes) + 20):
        while pending and (leases := state.grant(now)):
            latency, outcome, retry_after, dies = pending.pop()
            if not dies:
                running.append((now + latency, leases[0], outcome, retry_after))
        if not pending:
            break
        wake = now + state.ready_in(now)
        running.sort()
        if running and running[0][0] <= wake:
            now, lease, outcome, retry_after = running.pop(0)
            state.release(lease, outcome, now, retry_after)
        else:
            assert wake > now
            now = wake
    assert not pending
    assert now <= len(outcomes) * (timeout_s + 30.0) + 60.0


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 3000])
def test_the_greediest_asker_gets_almost_all_of_every_minute_and_never_more(per_minute: int) -> None:
    state = LimiterState(Limits(per_minute, 10_000, 100_000), now=0.0)
    start = now = 1000.0  # long idle: the bucket is full, the worst case for the minute that follows
    granted_at: list[float] = []
    while now < start + 300:
        for lease in drain(state, now):
            granted_at.append(now)
            state.release(lease, Outcome.DONE, now)
        now += state.ready_in(now)
    for first, later in zip(granted_at, granted_at[per_minute:], strict=False):
        assert later - first >= MINUTE
    assert len(granted_at) >= 0.97 * 5 * per_minute


def test_a_burst_of_refusals_halves_the_window_once_and_successes_open_it_again() -> None:
    state = LimiterState(Limits(None, 64, 1000), now=0.0)
    leases = drain(state, 0.0)
    assert len(leases) == 64
    for lease in leases:
        state.release(lease, Outcome.RATE_LIMITED, 1.0)
    assert state.stats(1.0).window == 32
    assert not state.grant(1.5) and state.ready_in(1.5) == pytest.approx(0.5)  # a pause of one second for everybody
    now = 2.0
    for _ in range(60):
        served = drain(state, now)
        now += 0.1
        for lease in served:
            state.release(lease, Outcome.DONE, now)
    assert len(drain(state, now)) == 64


def test_refusals_after_refusals_pause_longer_and_longer_until_one_is_served() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        (lease,) = state.grant(now)
        now += 0.01
        state.release(lease, Outcome.RATE_LIMITED, now)
        pauses.append(state.ready_in(now))
        now += pauses[-1]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    (lease,) = state.grant(now)
    state.release(lease, Outcome.DONE, now)
    (lease,) = state.grant(now)
    state.release(lease, Outcome.RATE_LIMITED, now)
    assert state.ready_in(now) == pytest.approx(1)


def test_retry_after_stops_everybody_until_then() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    first, second = state.grant(0.0, 2)
    state.release(first, Outcome.RATE_LIMITED, 1.0, retry_after_s=20)
    state.release(second, Outcome.DONE, 2.0)
    assert not state.grant(20.9)
    assert state.ready_in(2.0) == pytest.approx(19.0)
    assert state.grant(21.0)


def test_a_server_in_trouble_may_ask_for_quiet_too_without_losing_the_window() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = state.grant(0.0)
    state.release(lease, Outcome.FAILED, 0.0, retry_after_s=3)
    assert state.ready_in(0.0) == pytest.approx(3) and state.stats(0.0).window == 8


def test_a_refusal_that_asks_for_no_wait_is_waited_out_all_the_same() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = state.grant(0.0)
    state.release(lease, Outcome.RATE_LIMITED, 0.0, retry_after_s=0.0)
    assert state.ready_in(0.0) == pytest.approx(1)


def test_the_lease_of_a_dead_holder_comes_back() -> None:
    state = LimiterState(Limits(None, 1, lease_timeout_s=10), now=0.0)
    (dead,) = state.grant(0.0)
    assert not state.grant(9.9)
    assert state.ready_in(4.0) == pytest.approx(6.0)
    (fresh,) = state.grant(10.0)
    state.release(dead, Outcome.DONE, 11.0)  # it was only slow: too late
    assert state.stats(11.0).in_flight == 1 and state.stats(11.0).expired == 1 and fresh != dead


def test_a_permission_not_used_is_handed_back() -> None:
    state = LimiterState(Limits(1, 8, 1000), now=0.0)
    (lease,) = state.grant(0.0)
    state.release(lease, Outcome.UNUSED, 0.0)
    assert state.grant(0.0) and not state.grant(1.0)


def test_a_permission_handed_back_late_is_no_extra_one() -> None:
    state = LimiterState(Limits(1, 8, 1000), now=0.0)
    (first,) = state.grant(0.0)
    assert state.grant(60.0)
    state.release(first, Outcome.UNUSED, 60.0)
    assert not state.grant(61.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
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


@given(st.text())
def test_any_retry_after_header_is_survived(text: str) -> None:
    wait = read_retry_after({"retry-after": text}, now=0.0)
    assert wait is None or wait >= 0
