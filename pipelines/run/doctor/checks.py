"""One line of what `tailor doctor` says: what was looked at, whether it will do, what was found, and the cure.

Owns: the record and its three states. Invariant: what does not pass says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`FAIL`: a run would not come to its end. `WARN`: it will, worse than it might. `SKIPPED`: it could not be
    looked at because of another failure."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """`place` is the key, file or node it belongs to; `cure` is empty where it passes."""

    subject: str
    state: State
    found: str
    cure: str = ""
    place: str = ""


def failed(checks: Iterable[Check]) -> list[Check]:
    """Those that keep a run from its end."""
    return [check for check in checks if check.state is State.FAIL]


def warnings(checks: Iterable[Check]) -> list[Check]:
    """Those that a run outlives."""
    return [check for check in checks if check.state is State.WARN]
