"""Which of a teacher's endpoints gets the next request.

Owns: the order. Smooth weighted round robin: over any stretch in which the same endpoints are available, each gets its
weight's share to within two requests, evenly mixed; one that is not loses its turns to the others, and does not get
them back when it is again.
"""

from __future__ import annotations

from collections.abc import Sequence


class WeightedTurns:
    def __init__(self, weights: Sequence[float]) -> None:
        """One weight, above 0, for each endpoint."""
        if not weights or not all(weight > 0 for weight in weights):
            raise ValueError(f"weights must be above 0: {list(weights)}")
        self._weights = tuple(weights)
        self._credit = [0.0] * len(weights)

    def next(self, available: Sequence[bool]) -> int | None:
        """The number of the endpoint whose turn it is among the `available` ones; None when none is."""
        candidates = [number for number, is_available in enumerate(available) if is_available]
        if not candidates:
            return None
        for number in candidates:
            self._credit[number] += self._weights[number]
        chosen = max(candidates, key=lambda number: self._credit[number])
        self._credit[chosen] -= sum(self._weights[number] for number in candidates)
        return chosen
