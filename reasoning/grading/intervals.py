"""How sure an accuracy is, and a mean of several.

Owns: the interval of a proportion, that of a mean, and whether a mean is 0. Invariant, of a proportion: 0 <= low <=
proportion <= high <= 1, for any sample size, also at 0 % and 100 %, where the usual normal interval shrinks to a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean, stdev

# Student's t, 97.5 % quantile, for 1 to 30 degrees of freedom (any table of it).
_T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds: of a proportion both within 0 and 1."""

    low: float
    high: float


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """The Wilson score interval of `correct` out of `n` (E. B. Wilson, JASA 22, 1927); 0 to 1 when `n` is 0.

    Raises `ValueError` when `correct` is not between 0 and `n`, or `confidence` not between 0 and 1."""
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be between 0 and n = {n}, not {correct}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach)))


def mean_interval(values: Sequence[float]) -> Interval:
    """The 95 % interval of the mean of independent `values` (Student's t); without bounds for a single one.

    Raises `ValueError` for none."""
    if not values:
        raise ValueError("a mean needs at least one value")
    if len(values) == 1:
        return Interval(-math.inf, math.inf)
    freedom = len(values) - 1
    reach = _t_975(freedom) * stdev(values) / math.sqrt(len(values))
    return Interval(mean(values) - reach, mean(values) + reach)


def _t_975(freedom: int) -> float:
    """Beyond the table by Abramowitz and Stegun, 26.7.5, to four places."""
    if freedom <= len(_T_975):
        return _T_975[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def mean_is_zero(values: Sequence[float]) -> float:
    """The two-sided p-value of Student's t-test that the mean of independent `values` is 0; 1 where they do not differ
    and are 0, 0 where they do not differ and are something else. Of differences that is the paired test.

    Source: Abramowitz and Stegun, 26.7.3 and 26.7.4, exact for whole degrees of freedom. Raises `ValueError` for fewer
    than two."""
    if len(values) < 2:
        raise ValueError("a test of a mean needs at least two values")
    spread, freedom = stdev(values), len(values) - 1
    if spread == 0.0:
        return float(mean(values) == 0.0)
    angle = math.atan2(abs(mean(values)) * math.sqrt(len(values)), spread * math.sqrt(freedom))
    odd = freedom % 2
    term, terms = math.cos(angle) if odd else 1.0, 0.0
    for step in range(freedom // 2):
        terms += term
        term *= math.cos(angle) ** 2 * ((2 * step + 2) / (2 * step + 3) if odd else (2 * step + 1) / (2 * step + 2))
    within = math.sin(angle) * terms
    return max(0.0, 1.0 - ((angle + within) * 2.0 / math.pi if odd else within))
