"""What sendings have cost beyond their worst case, and how much more is reserved for the next ones for that.

Owns: the largest overrun of each place (an endpoint's name and a model), in the file's table of names and values.

Invariants
- What a place has once asked for a request over its worst case, is reserved for every later one there, and at once for
  those in flight: after it is known, a cap is not passed by another as large.
- An overrun that grows with the request (another count of tokens, a dearer tier) and one that does not (thinking, whose
  length no limit bounds) are both covered: the reserved amount is the larger of the two.
- It is never less than the worst case, and nothing is forgotten.
"""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass

_MOST = 10**15  # nanodollars: a million dollars, for the sums to fit into a column


@dataclass(frozen=True, slots=True)
class Overrun:
    """Over the worst case: `times` it, and `more` nanodollars than it."""

    times: float = 1.0
    more: int = 0

    def over(self, worst_cost: int) -> int:
        """Nanodollars to reserve for a request of that worst case."""
        larger = max(math.ceil(worst_cost * self.times), worst_cost + self.more)
        return max(worst_cost, min(_MOST, larger)) if worst_cost else 0

    def seen(self, reserved: int, cost: int) -> Overrun:
        """This one, after a sending for which `reserved` was not enough."""
        return Overrun(self.times * cost / reserved, self.more + cost - reserved)

    def raised(self, reserved: int, before: Overrun) -> int:
        """What is to be reserved in the place of `reserved`, which was reckoned with `before`."""
        larger = max(math.ceil(reserved * self.times / before.times), reserved + self.more - before.more)
        return max(reserved, min(_MOST, larger))


NONE = Overrun()


def overrun_of(db: sqlite3.Connection, endpoint: str, model: str) -> Overrun:
    """What is known of `model` at `endpoint`."""
    found = db.execute("SELECT value FROM journal WHERE name = ?", (_name(endpoint, model),)).fetchone()
    return Overrun(*json.loads(found[0])) if found else NONE


def keep_overrun(db: sqlite3.Connection, endpoint: str, model: str, overrun: Overrun) -> None:
    db.execute(
        "INSERT INTO journal (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        (_name(endpoint, model), json.dumps([overrun.times, overrun.more])),
    )


def _name(endpoint: str, model: str) -> str:
    return f"overrun {json.dumps([endpoint, model])}"
