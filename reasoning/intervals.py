"""How sure an accuracy is.

Owns: the interval of a proportion. Invariant: 0 <= low <= proportion <= high <= 1, for any sample size, also at 0 % and
100 %, where the usual normal interval shrinks to a point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a proportion, both within 0 and 1."""

    low: float
    high: float


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """The Wilson score interval of `correct` out of `n` (E. B. Wilson, JASA 22, 1927); 0 to 1 when `n` is 0.

    Raises `ValueError` when `correct` is not within 0 and `n`, or `confidence` not between 0 and 1."""
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be within 0 and n = {n}, not {correct}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach)))
