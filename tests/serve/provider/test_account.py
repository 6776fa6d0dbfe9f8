"""The provider's own count: what is billed, and what was sent or answered twice."""

import pytest

from serve.provider.account import Account, Prices


def test_a_line_of_a_batch_costs_its_share_of_the_price() -> None:
    prices = Prices(input_price=2.0, output_price=4.0, batch_discount=0.5)
    assert prices.cost(1_000_000, 500_000) == pytest.approx(4.0)
    assert prices.cost(1_000_000, 500_000, batch=True) == pytest.approx(2.0)


def test_requests_that_come_or_are_answered_twice_are_counted_apart() -> None:
    account = Account(Prices(1.0, 1.0, 0.5))
    for identity, now in [("one", 1.0), ("two", 2.0), ("one", 3.0)]:
        account.arrive(identity, now)
    account.arrive_badly()
    stats = account.stats(in_flight=0)
    assert (stats.arrived, stats.bad_requests, stats.distinct, stats.sent_more_than_once) == (4, 1, 2, 1)
    assert (stats.first_arrived_at, stats.first_served_at, stats.answered_more_than_once) == (1.0, None, 0)
