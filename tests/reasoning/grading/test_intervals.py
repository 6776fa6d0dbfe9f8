"""The Wilson interval against textbook values and its own promises."""

from __future__ import annotations

import math
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.intervals import Interval, mean_interval, mean_is_zero, wilson


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score without continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(correct: int, n: int, low: float, high: float) -> None:
    interval = wilson(correct, n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.999))
def test_bounds_hold_the_proportion(sample: tuple[int, int], confidence: float) -> None:
    correct, n = sample
    interval = wilson(correct, n, confidence)
    assert 0.0 <= interval.low <= interval.high <= 1.0
    if n:
        assert interval.low <= correct / n <= interval.high


def test_more_questions_narrow_it_and_none_say_nothing() -> None:
    few, many = wilson(8, 10), wilson(800, 1000)
    assert many.high - many.low < few.high - few.low
    assert wilson(0, 0) == type(few)(0.0, 1.0)


@pytest.mark.parametrize(("correct", "n", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 0.0), (1, 3, 1.0)])
def test_impossible_counts_are_refused(correct: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        wilson(correct, n, confidence)


def test_the_mean_of_five_runs() -> None:
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])  # 3 +- 2.776 * sqrt(2.5 / 5)
    assert (interval.low, interval.high) == (pytest.approx(1.0371, abs=1e-3), pytest.approx(4.9629, abs=1e-3))
    for count, quantile in ((32, 2.0395), (61, 2.0003), (101, 1.9840)):  # beyond most tables
        spread = [float(number % 2) for number in range(count - count % 2)] + [0.5] * (count % 2)
        interval = mean_interval(spread)
        assert (interval.high - 0.5) * math.sqrt(count) / stdev(spread) == pytest.approx(quantile, abs=1e-4)
    assert mean_interval([7.0, 7.0]) == Interval(7.0, 7.0)
    assert mean_interval([7.0]) == Interval(-math.inf, math.inf)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


@pytest.mark.parametrize("p", [0.5, 0.05, 0.01, 0.001])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 11, 30])
def test_a_mean_that_is_some_standard_errors_from_zero(count: int, p: float) -> None:
    """Against the distribution as it is defined: the density of t, summed up."""
    low, high = 0.0, 1e4
    spread = [float(place - (count - 1) / 2) for place in range(count)]
    error = stdev(spread) / math.sqrt(count)
    for _ in range(60):  # how many standard errors from 0 the mean has to be
        t = (low + high) / 2
        low, high = (t, high) if mean_is_zero([value + t * error for value in spread]) > p else (low, t)
    freedom = count - 1
    scale = math.gamma((freedom + 1) / 2) / math.sqrt(freedom * math.pi) / math.gamma(freedom / 2)
    steps = 20_000  # of the angle, in which the density is bounded
    angles = [(place + 0.5) / steps * math.atan(t / math.sqrt(freedom)) for place in range(steps)]
    width = math.atan(t / math.sqrt(freedom)) / steps
    within = 2 * scale * math.sqrt(freedom) * width * sum(math.cos(angle) ** (freedom - 1) for angle in angles)
    assert 1 - within == pytest.approx(p, abs=1e-6)


def test_means_of_a_table_of_t() -> None:
    """Quantiles for 4 and 3 degrees of freedom: 4.604 and 5.841 at one in a hundred."""
    assert mean_is_zero([4.604 * math.sqrt(0.5) + value for value in (-2, -1, 0, 1, 2)]) == pytest.approx(
        0.01, abs=1e-5
    )
    spread = [-1.5, -0.5, 0.5, 1.5]
    assert mean_is_zero([5.841 * stdev(spread) / 2 + value for value in spread]) == pytest.approx(0.01, abs=1e-5)
    assert mean_is_zero([1.0, -1.0]) == 1.0
    assert 0.0 <= mean_is_zero([931.3168124324526, 931.9101160698883, 934.6419476235161, 931.9042189662558] * 2) < 1e-6
    assert (mean_is_zero([0.0, 0.0]), mean_is_zero([2.0, 2.0])) == (1.0, 0.0)
    with pytest.raises(ValueError, match="at least two"):
        mean_is_zero([1.0])
