"""The limiter's breaker: an endpoint that is down is left alone and tried again."""

import pytest

from actors.limits.circuit_breaker import FAILURES_IN_A_ROW
from actors.limits.rate_limits import LeaseOutcome, LimiterState, Limits, Release
from tests.actors.limits.leases import end, grant, opened_wide


def broken_down(in_flight: int = 0) -> tuple[LimiterState, list[int]]:
    """A limiter whose endpoint has failed a whole row of requests at time 1, and leases that are still out."""
    state = opened_wide(64)
    leases = grant(state, 0.5, FAILURES_IN_A_ROW + in_flight)
    for lease in leases[:FAILURES_IN_A_ROW]:
        end(state, lease, LeaseOutcome.FAILED, 1.0)
    return state, leases[FAILURES_IN_A_ROW:]


def test_an_endpoint_that_is_down_is_left_alone_and_tried_with_one_request_at_a_time() -> None:
    state, _ = broken_down()
    circuit = state.open_circuit(1.0)
    assert circuit is not None and (circuit.kind, circuit.message, circuit.broken) == ("server", "its words", False)
    assert not grant(state, 1.9, 10) and state.ready_in(1.0) == pytest.approx(1.0)
    (trial,) = grant(state, 2.0, 10)
    assert not grant(state, 30.0, 10)
    end(state, trial, LeaseOutcome.DONE, 31.0)
    assert state.open_circuit(31.0) is None and len(grant(state, 31.0, 10)) == 10


def test_trials_that_fail_are_further_and_further_apart() -> None:
    state, _ = broken_down()
    now, pauses = 1.0, []
    for _ in range(8):
        pauses.append(state.ready_in(now))
        now += pauses[-1]
        (trial,) = grant(state, now, 10)
        end(state, trial, LeaseOutcome.FAILED, now)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


def test_many_requests_in_flight_at_an_outage_are_one_outage() -> None:
    state, in_flight = broken_down(in_flight=40)
    for lease in in_flight:
        end(state, lease, LeaseOutcome.FAILED, 1.5)
    assert state.ready_in(1.5) == pytest.approx(0.5)


def test_the_end_of_an_older_request_makes_no_room_for_a_second_trial() -> None:
    state, in_flight = broken_down(in_flight=3)
    (trial,) = grant(state, 2.0, 10)
    end(state, in_flight[0], LeaseOutcome.UNUSED, 2.5)
    end(state, in_flight[1], LeaseOutcome.FAILED, 2.5)
    assert not grant(state, 900.0, 10)
    state.expire(1000.5)  # the third one's holder died
    assert state.stats(1000.5).expired == 1 and not grant(state, 1000.6, 10)
    end(state, trial, LeaseOutcome.UNUSED, 1000.7)
    assert len(grant(state, 1000.7, 10)) == 1


def test_a_trial_whose_holder_died_leaves_room_for_another() -> None:
    state, _ = broken_down()
    grant(state, 2.0, 10)
    assert state.ready_in(3.0) == pytest.approx(999.0)
    assert len(grant(state, 1002.0, 10)) == 1


def test_an_endpoint_that_fails_everybody_is_left_alone_for_a_minute_at_once() -> None:
    state = LimiterState(Limits(None, 8, 1000), now=0.0)
    (lease,) = grant(state, 0.0)
    state.release(Release(lease, LeaseOutcome.BROKEN, kind="quota", message="no money left"), 0.0)
    circuit = state.open_circuit(0.0)
    assert circuit is not None and circuit.broken and circuit.message == "no money left"
    assert state.ready_in(0.0) == pytest.approx(60.0) and state.stats(0.0).open_circuit == circuit


def test_an_endpoint_that_refuses_for_speed_lives() -> None:
    state = opened_wide(64)
    for number in range(5 * FAILURES_IN_A_ROW):
        (lease,) = grant(state, 100.0 * number)
        outcome = LeaseOutcome.RATE_LIMITED if number % FAILURES_IN_A_ROW == 5 else LeaseOutcome.FAILED
        end(state, lease, outcome, 100.0 * number)
    assert state.open_circuit(1e4) is None
