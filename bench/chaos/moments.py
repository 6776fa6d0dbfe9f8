"""When a part is killed: at a moment at which it is there.

Owns: which parts a run loses, the noting of when each part is there, and the drawing of moments from that.

Invariant: each moment of a part's life is as likely as any other. Most parts live for some of a run only, so the
moments are drawn from what an undisturbed run of the same harness showed.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from bench.chaos.machines import TITLES, Cluster
from bench.chaos.outcomes import Spans

LOOK_S = 1.0
ALL = "everything"
PARTS = (*(name for name in TITLES if name not in ("trainer", "served teacher")), "driver", "worker node", "head", ALL)


def victims(number: int, parts: Sequence[str], chance: random.Random) -> tuple[str, ...]:
    """Each part in turn, so that thirty runs meet all of them, and in a third of the runs a second one: in each turn
    beside other parts, so that each is lost alone, too."""
    first = parts[number % len(parts)]
    return (first, chance.choice(parts)) if (number + number // len(parts) + 2) % 3 == 0 else (first,)


def moment(spans: Spans, chance: random.Random) -> float:
    """A moment within `spans`, each as likely as any other, in seconds."""
    left = chance.uniform(0, sum(end - start for start, end in spans))
    for start, end in spans:
        if left <= end - start:
            return start + left
        left -= end - start
    return spans[-1][1]


class Lives(threading.Thread):
    """Notes which parts of a cluster are there, second by second, until it is told to stop."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(daemon=True)
        self._cluster, self._clock = cluster, clock
        self._began = clock()
        self._done = threading.Event()
        self._seen: dict[str, list[tuple[float, float]]] = {}

    def run(self) -> None:
        while not self._done.wait(LOOK_S):
            self.look(self._cluster.parts_there())

    def look(self, there: Sequence[str]) -> None:
        now = self._clock() - self._began
        for part in there:
            spans = self._seen.setdefault(part, [])
            if spans and now - spans[-1][1] <= 3 * LOOK_S:
                spans[-1] = (spans[-1][0], now)
            else:
                spans.append((now, now))

    def stop(self) -> Mapping[str, Spans]:
        """When each part was there. Driver and nodes are there from beginning to end."""
        self._done.set()
        if self.is_alive():
            self.join()
        whole = ((0.0, self._clock() - self._began),)
        seen = {part: tuple((round(a, 1), round(b, 1)) for a, b in spans) for part, spans in self._seen.items()}
        return seen | {part: whole for part in PARTS if part not in TITLES}
