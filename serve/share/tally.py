"""How often each version of the weights was right, of the answers whose gold is known.

Owns: counting verdicts by version, and putting the counts of several replicas together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reasoning.grading.intervals import Interval, wilson
from reasoning.records import Verdict


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """Of `n` answers of a version `correct` were; `low` and `high` are the 95 % Wilson interval of their share."""

    version: str
    correct: int
    n: int
    accuracy: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Count:
    """`n` answers of a version with one verdict."""

    version: str
    verdict: Verdict
    n: int


class Tally:
    """The counts of one replica."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Verdict]] = Counter()

    def add(self, version: str, verdict: Verdict) -> None:
        self._counts[version, verdict] += 1

    def forget(self) -> None:
        """Begins anew, so that two versions are counted over the same time."""
        self._counts.clear()

    def counts(self) -> list[Count]:
        return [Count(version, verdict, n) for (version, verdict), n in sorted(self._counts.items())]


def live_accuracy(counts: Iterable[Count], versions: Iterable[str] = ()) -> list[LiveAccuracy]:
    """Of each version that was counted, and of `versions` also where nothing was. A truncated answer is not right."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for one in counts:
        total[one.version] += one.n
        right[one.version] += one.n if one.verdict is Verdict.CORRECT else 0
    found = []
    for version in dict.fromkeys([*versions, *sorted(total)]):
        n, correct = total[version], right[version]
        interval: Interval = wilson(correct, n)
        found.append(LiveAccuracy(version, correct, n, correct / n if n else None, interval.low, interval.high))
    return found
