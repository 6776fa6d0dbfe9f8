"""What a place has asked for beyond a worst case is reserved for the next ones."""

from hypothesis import given
from hypothesis import strategies as st

from actors.journal.overruns import NONE, Overrun

costs = st.integers(10**5, 10**11)  # nanodollars: rounding is a small part of them


def test_without_an_overrun_the_worst_case_is_reserved() -> None:
    assert [NONE.over(worst) for worst in (0, 1, 10**9)] == [0, 1, 10**9]


def test_thinking_is_added_and_a_dearer_count_multiplied() -> None:
    learnt = NONE.seen(reserved=100, cost=350)
    assert learnt == Overrun(3.5, 250)
    assert learnt.over(100) == 350
    assert learnt.over(10) == 260  # as much thinking for a shorter answer
    assert learnt.over(1000) == 3500


@given(st.lists(st.tuples(costs, st.floats(1.0, 1000.0)), max_size=6), costs)
def test_what_has_happened_once_is_covered_from_then_on(happened: list[tuple[int, float]], other: int) -> None:
    overrun = NONE
    for worst, times in happened:
        cost, reserved = int(worst * times), overrun.over(worst)
        if cost > reserved:
            before, overrun = overrun, overrun.seen(reserved, cost)
            in_flight = before.over(other)
            assert overrun.raised(in_flight, before) * 1.001 >= min(overrun.over(other), 10**15)
    for worst, times in happened:
        assert overrun.over(worst) * 1.001 >= min(int(worst * times), 10**15)
    assert overrun.over(other) >= other
