"""How an estimate compares with the cap on spending."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.estimate.call_plan import Calls, Planned
from reasoning.estimate.report import EstimateReport
from reasoning.estimate.samples import TeacherSample
from reasoning.estimate.sums import CallEstimate, CallSize, Estimate, Rates
from reasoning.rounds.requests import Ask
from reasoning.teacher.prices import Price

RATES = Rates(Price(1.0, 2.0), Price(2.0, 4.0))


def report(max_cost: float | None, rates: Rates | None = RATES) -> EstimateReport:
    """Ten calls of 100 prompt and 50 completion tokens are left, a hundredth of a dollar is spent."""
    planned = Planned(Ask.RATIONALES, 1, (0,), Calls.of(10), "exact")
    estimate = Estimate((CallEstimate(planned, CallSize(400, 100, 50), rates),))
    return EstimateReport(
        "micro", Path("runs/micro"), estimate, TeacherSample(), None, 0.01, max_cost, None, False, (), ()
    )


def test_what_is_spent_counts_towards_the_cap() -> None:
    one = report(0.0115)
    assert one.in_all == pytest.approx(0.01 + 10 * (100 * 1 + 50 * 2) / 1e6)
    assert one.most_in_all == pytest.approx(0.01 + 10 * (100 * 2 + 50 * 4) / 1e6)
    assert one.cap_is_too_low and not report(0.0125).cap_is_too_low and not report(None).cap_is_too_low


def test_without_a_price_nothing_is_compared() -> None:
    one = report(0.0001, rates=None)
    assert one.in_all is one.most_in_all is None and not one.cap_is_too_low
