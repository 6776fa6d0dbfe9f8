"""A limit a minute, on a clock that the tests move."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limits.buckets import Bucket
from tests.actors.limits.minutes import most_in_a_minute


def take_greedily(bucket: Bucket, amount: float, start: float, seconds: float) -> list[tuple[float, float]]:
    now, taken = start, []
    while now < start + seconds:
        if (wait := bucket.ready_in(now, amount)) > 0:
            now += wait
            continue
        bucket.take(now, amount)
        taken.append((now, amount))
    return taken


@pytest.mark.parametrize("per_minute", [0.5, 1, 2.5, 7, 60, 600, 3000])
def test_the_greediest_gets_almost_all_of_every_minute_and_never_more(per_minute: float) -> None:
    minutes = 5 if per_minute >= 1 else 60
    bucket = Bucket(per_minute, now=0.0)
    taken = take_greedily(bucket, 1, 1000.0, 60.0 * minutes)  # long idle: it is full, the worst case
    assert most_in_a_minute(taken) <= math.ceil(per_minute)
    assert len(taken) >= 0.97 * minutes * per_minute


@given(
    per_minute=st.floats(1000, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 20), st.floats(0.0, 1.0)), min_size=1, max_size=60),
)
def test_amounts_within_the_burst_never_add_up_to_more_than_the_limit(
    per_minute: float, steps: list[tuple[float, float]]
) -> None:
    bucket = Bucket(per_minute, 0.0, unit=1e-3, level=per_minute / 50)
    now, taken = 0.0, []
    for wait, share in steps:
        now += wait
        amount = share * bucket.burst
        for _ in range(5):
            if bucket.ready_in(now, amount) == 0:
                bucket.take(now, amount)
                taken.append((now, amount))
    assert most_in_a_minute(taken) <= per_minute * (1 + 1e-6) + 0.01


def test_an_amount_larger_than_the_burst_gets_through_and_is_paid_off() -> None:
    bucket = Bucket(1000, 0.0, unit=1e-3)
    taken = take_greedily(bucket, 300, 0.0, 600.0)
    assert len(taken) >= 0.95 * 600 / 60 * 1000 / 300 - 1
    assert most_in_a_minute(taken) <= 1000 + 300


def test_waiting_exactly_as_long_as_told_is_enough() -> None:
    bucket = Bucket(7.3, 1e6)
    wait = bucket.ready_in(1e6, 1)
    assert wait > 0 and bucket.ready_in(1e6 + wait / 2, 1) > 0
    assert bucket.ready_in(1e6 + wait, 1) == 0


def test_what_is_given_back_may_be_taken_again_and_no_more_than_a_burst_gathers() -> None:
    bucket = Bucket(200, 0.0, level=1.0)
    bucket.take(0.0, 1)
    assert bucket.ready_in(0.0, 1) > 0
    bucket.take(0.0, -1)
    assert bucket.ready_in(0.0, 1) == 0
    assert bucket.level(10_000.0) == bucket.burst == 2


def test_somebody_who_knows_better_only_ever_lowers_it() -> None:
    bucket = Bucket(600, 0.0, level=5.0)
    bucket.cap(0.0, 100.0)
    assert bucket.level(0.0) == 5
    bucket.cap(0.0, -10.0)
    assert bucket.ready_in(0.0, 1) == pytest.approx(11 / bucket.rate)


def test_a_new_limit_holds_from_that_moment() -> None:
    bucket = Bucket(600, 0.0, level=12.0)
    bucket.set_limit(1.0, 60)
    assert bucket.level(1.0) == bucket.burst == 1
    bucket.take(1.0, 1)
    assert bucket.ready_in(1.0, 1) == pytest.approx(1.0)
