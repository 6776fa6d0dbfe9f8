"""The money of runs within one transaction of the journal.

Owns: what is reserved and settled, and what is reserved beyond a worst case.

Invariants
- Read once and written once in a transaction, however many sendings it has; `write` belongs at its end.
- What is reserved for a run is the sum of its open sendings' `worst_cost`, also after those were raised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from actors.journal.overruns import Overrun, keep_overrun, overrun_of


class RunSpending:
    """The spending of runs within one transaction: read once, written once, however many sendings there are."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sums: dict[str, list[int]] = {}  # run -> settled, reserved
        self._overruns: dict[tuple[str, str], Overrun] = {}

    def booked(self, run: str) -> int:
        return sum(self._of(run))

    def reserve(self, run: str, worst_cost: int) -> None:
        self._of(run)[1] += worst_cost

    def settle(self, run: str, worst_cost: int, cost: int) -> None:
        sums = self._of(run)
        sums[0] += cost
        sums[1] -= worst_cost

    def write(self) -> None:
        self._db.executemany(
            "INSERT INTO spending (run, settled, reserved) VALUES (?1, ?2, ?3) "
            "ON CONFLICT (run) DO UPDATE SET settled = ?2, reserved = ?3",
            [(run, settled, reserved) for run, (settled, reserved) in self._sums.items()],
        )

    def _of(self, run: str) -> list[int]:
        if run not in self._sums:
            found = self._db.execute("SELECT settled, reserved FROM spending WHERE run = ?", (run,)).fetchone()
            self._sums[run] = list(found or (0, 0))
        return self._sums[run]

    def overrun(self, endpoint: str, model: str) -> Overrun:
        """What `model` at `endpoint` has cost over the worst case of a request."""
        place = (endpoint, model)
        if place not in self._overruns:
            self._overruns[place] = overrun_of(self._db, endpoint, model)
        return self._overruns[place]

    def learn_overrun(self, endpoint: str, key: str, reserved: int, cost: int, lives: Callable[[str], bool]) -> None:
        """After a sending of the request `key` that cost more than was reserved: as much more is reserved from now on,
        also for what is in flight. `lives` tells whether a writer runs."""
        (model,) = self._db.execute("SELECT request ->> '$.model' FROM calls WHERE key = ?", (key,)).fetchone()
        before = self.overrun(endpoint, model)
        after = self._overruns[endpoint, model] = before.seen(reserved, cost)
        keep_overrun(self._db, endpoint, model, after)
        in_flight = self._db.execute(
            "SELECT id, run, writer, worst_cost FROM sends JOIN calls USING (key) WHERE sends.ended_at IS NULL "
            "AND endpoint = ? AND request ->> '$.model' = ? AND worst_cost > 0",
            (endpoint, model),
        ).fetchall()
        for id, run, writer, worst_cost in in_flight:
            raised = after.raised(worst_cost, before)
            if raised > worst_cost and lives(writer):
                self._db.execute("UPDATE sends SET worst_cost = ? WHERE id = ?", (raised, id))
                self.reserve(run, raised - worst_cost)
