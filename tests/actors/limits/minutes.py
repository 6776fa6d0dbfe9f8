"""What any minute of a test's simulated clock has seen."""

from collections.abc import Iterable

MINUTE_S = 60.0 - 1e-4  # half-open, and a hair for the clock's grain


def most_in_a_minute(sent: Iterable[tuple[float, float]]) -> float:
    """The most that any half-open minute has seen. `sent`: time and amount, in any order."""
    events = sorted(sent)
    most, total, first = 0.0, 0.0, 0
    for at, amount in events:
        total += amount
        while events[first][0] <= at - MINUTE_S:
            total -= events[first][1]
            first += 1
        most = max(most, total)
    return most
