"""Failures that are cleared, so that their requests are asked again when a run goes on.

Owns: which failures that can be, and the change of their rows.

Invariants
- An answer is never touched, and nothing that was paid for is lost: sendings, money and the last failure's words stay.
- All or nothing, in one transaction, like every other writing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from actors.journal.database import JournalFile
from actors.journal.failures import CLEARED
from actors.journal.reader import check_is_there, reading
from reasoning.teacher.calls import FailureKind

_FINAL = frozenset(str(kind) for kind in FailureKind if kind.final)
_FAILED = "status = 'failed' AND (?1 IS NULL OR key IN (SELECT key FROM sends WHERE run = ?1))"


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Requests that failed with `kind`. `kept` of them stay failed until they are cleared, or the setting that caused
    them changes; the others are asked again by the next run anyway."""

    kind: str
    failed: int
    kept: int


def failure_counts(journal: Path, run: str | None = None) -> tuple[FailureCount, ...]:
    """The failures of a journal by kind, the most frequent first; with `run`, of what that run sent. Raises
    `JournalError`."""
    with reading(journal) as db:
        return _counts(db, run)


def clear_failures(
    journal: Path, kinds: Collection[FailureKind] = (), run: str | None = None
) -> tuple[FailureCount, ...]:
    """Clears the failures of these kinds (none: of all) and returns what there was of them. Raises `JournalError`."""
    check_is_there(journal)  # opening it to write would make one
    wanted = _FINAL & {str(kind) for kind in kinds} if kinds else _FINAL
    with closing(JournalFile(journal)) as file, file.transaction(durable=True) as db:
        found = _counts(db, run)
        db.executemany(
            f"UPDATE calls SET failure_places = ?2 WHERE {_FAILED} AND failure_kind = ?3",
            [(run, CLEARED, kind) for kind in sorted(wanted)],
        )
    return tuple(count for count in found if not kinds or count.kind in kinds)


def _counts(db: sqlite3.Connection, run: str | None) -> tuple[FailureCount, ...]:
    rows = db.execute(
        f"SELECT failure_kind, COUNT(*), SUM(failure_places IS NOT ?2) FROM calls WHERE {_FAILED} "
        "GROUP BY 1 ORDER BY 2 DESC, 1",
        (run, CLEARED),
    ).fetchall()
    return tuple(FailureCount(str(kind), failed, kept if kind in _FINAL else 0) for kind, failed, kept in rows)
