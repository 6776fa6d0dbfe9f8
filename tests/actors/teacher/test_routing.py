"""Who gets the next request, among endpoints of unequal weight."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.teacher.routing import WeightedTurns


def test_turns_are_evenly_mixed() -> None:
    turns = WeightedTurns([5, 1, 1])
    assert [turns.next([True] * 3) for _ in range(7)] == [0, 0, 1, 0, 2, 0, 0]


@given(
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    skipped=st.integers(0, 50),
    count=st.integers(1, 300),
)
def test_every_stretch_gives_everybody_its_share(weights: list[float], skipped: int, count: int) -> None:
    turns = WeightedTurns(weights)
    everybody = [True] * len(weights)
    for _ in range(skipped):
        turns.next(everybody)
    seen = Counter(turns.next(everybody) for _ in range(count))
    for number, weight in enumerate(weights):
        assert abs(seen[number] - count * weight / sum(weights)) <= 2


@given(weights=st.lists(st.floats(0.1, 10), min_size=2, max_size=5), closed_for=st.integers(1, 200))
def test_one_that_was_closed_does_not_get_its_turns_back(weights: list[float], closed_for: int) -> None:
    turns = WeightedTurns(weights)
    others = [False] + [True] * (len(weights) - 1)
    assert all(turns.next(others) != 0 for _ in range(closed_for))
    after = [turns.next([True] * len(weights)) for _ in range(20)]
    assert after.count(0) <= 20 * weights[0] / sum(weights) + 1 + 1e-6


def test_nobody_open_is_nobody() -> None:
    turns = WeightedTurns([1, 2])
    assert turns.next([False, False]) is None
    assert turns.next([False, True]) == 1


@pytest.mark.parametrize("weights", [[], [1, 0], [1, -2], [float("nan")]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be above 0"):
        WeightedTurns(weights)
