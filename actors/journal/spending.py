"""What runs have spent, within one transaction of the journal.

Owns: the sums by run while sendings start and end. Invariant: they are read once and written once, however many
sendings there are, in the transaction that changes the sendings.
"""

from __future__ import annotations

import sqlite3


class RunSpending:
    """The spending of runs within one transaction: read once, written once, however many sendings there are."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sums: dict[str, list[int]] = {}  # run -> settled, reserved

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
