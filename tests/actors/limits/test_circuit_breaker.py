"""The circuit breaker, on a clock that the tests move."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.circuit_breaker import FAILURES_IN_A_ROW, CircuitBreaker


def failed(breaker: CircuitBreaker, now: float, sent_at: float, broken: bool = False) -> None:
    breaker.failed(now, sent_at, "authentication" if broken else "server", "its words", broken)


def opened(now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(FAILURES_IN_A_ROW):
        failed(breaker, now, sent_at=now)
    assert not breaker.is_closed
    return breaker


def test_a_row_of_failures_opens_it_and_it_says_why() -> None:
    breaker = CircuitBreaker()
    for number in range(FAILURES_IN_A_ROW):
        assert breaker.is_closed and breaker.ready_in(number) == 0 and breaker.why(number) is None
        failed(breaker, float(number), sent_at=float(number))
    why = breaker.why(9.5)
    assert why is not None and (why.kind, why.message, why.broken) == ("server", "its words", False)
    assert why.retry_in_s == breaker.ready_in(9.5) == pytest.approx(0.5)


def test_failures_among_successes_do_not_open_it() -> None:
    breaker = CircuitBreaker()
    for number in range(100):
        for _ in range(FAILURES_IN_A_ROW - 1):
            failed(breaker, float(number), sent_at=float(number))
        breaker.succeeded(float(number), sent_at=float(number))
    assert breaker.is_closed


def test_one_at_a_time_tries_it_out_and_one_success_closes_it() -> None:
    breaker = opened(0.0)
    assert breaker.ready_in(1.0) == 0
    breaker.sent()
    assert breaker.ready_in(5.0) == math.inf
    breaker.succeeded(6.0, sent_at=5.0)
    assert breaker.is_closed and breaker.ready_in(6.0) == 0


def test_a_success_that_is_older_than_the_outage_does_not_end_it() -> None:
    breaker = CircuitBreaker()
    failed(breaker, 5.0, sent_at=4.0, broken=True)  # a wrong key
    breaker.succeeded(5.1, sent_at=4.5)
    assert not breaker.is_closed and breaker.ready_in(5.1) == pytest.approx(59.9)


def test_trials_that_fail_are_further_and_further_apart_up_to_a_minute() -> None:
    breaker, now, pauses = opened(0.0), 0.0, []
    for _ in range(9):
        pauses.append(breaker.ready_in(now))
        now += pauses[-1]
        breaker.sent()
        failed(breaker, now, sent_at=now)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_a_burst_of_failures_is_one_opening() -> None:
    breaker = CircuitBreaker()
    for _ in range(500):
        failed(breaker, 10.0, sent_at=9.0)
    assert breaker.ready_in(10.0) == pytest.approx(1.0)
    breaker.sent()
    failed(breaker, 11.5, sent_at=9.0)  # one of the burst that took its time: not the trial
    assert breaker.ready_in(11.5) == math.inf


def test_an_endpoint_that_fails_everybody_is_left_alone_at_once_and_for_long() -> None:
    breaker = CircuitBreaker()
    failed(breaker, 0.0, sent_at=0.0, broken=True)
    why = breaker.why(0.0)
    assert why is not None and why.broken and why.kind == "authentication"
    assert breaker.ready_in(0.0) == pytest.approx(60.0)


def test_a_trial_that_was_not_made_leaves_room_for_another() -> None:
    breaker = opened(0.0)
    breaker.sent()
    breaker.unused(sent_at=2.0)
    assert breaker.ready_in(2.0) == 0


def test_somebody_else_s_unused_permission_is_not_the_trial_s() -> None:
    breaker = opened(10.0)
    breaker.sent()
    breaker.unused(sent_at=5.0)  # from before it opened
    assert breaker.ready_in(12.0) == math.inf


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["failed", "broken", "unused", "succeeded"])), max_size=60)
)
def test_it_never_opens_for_longer_than_a_minute_nor_closes_without_a_success(steps: list[tuple[float, str]]) -> None:
    breaker, now = CircuitBreaker(failures_in_a_row=3), 0.0
    for wait, what in steps:
        now += wait
        was_closed = breaker.is_closed
        if breaker.ready_in(now) > 0:
            now += breaker.ready_in(now)
        breaker.sent()
        if not was_closed:
            assert breaker.ready_in(now) == math.inf
        match what:
            case "failed" | "broken":
                failed(breaker, now, sent_at=now, broken=what == "broken")
            case "unused":
                breaker.unused(sent_at=now)
            case "succeeded":
                breaker.succeeded(now, sent_at=now)
        assert breaker.ready_in(now) <= 60.0 + 1e-6
        assert breaker.is_closed <= (was_closed or what == "succeeded")


def test_requests_that_are_all_refused_and_none_served_open_it_for_good() -> None:
    breaker = CircuitBreaker()
    for number in range(FAILURES_IN_A_ROW - 1):
        breaker.sent()
        breaker.refused(float(number), float(number), "status 400: no")
    assert breaker.is_closed
    breaker.refused(20.0, 20.0, "status 400: no")
    why = breaker.why(20.0)
    assert why is not None and why.broken and why.kind == "unsupported"
    assert "10 requests were all refused" in why.message and "status 400: no" in why.message


def test_once_one_was_served_a_refusal_is_its_request_s_own() -> None:
    breaker = CircuitBreaker()
    breaker.served(0.0, 0.0)
    for number in range(100):
        breaker.refused(float(number), float(number), "status 400: no")
    assert breaker.is_closed
