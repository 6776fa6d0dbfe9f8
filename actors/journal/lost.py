"""What was journaled on a disk that is gone, after the last copy of its journal.

Owns: the note of it in the journal that goes on from that copy, and the identity of a journal between its copies.

Invariants
- It is noted once for each journal that was lost. Its answers may be asked, and paid for, again; what they cost counts
  against the run's cap.
- Whoever takes a journal's place has another name (`home`), so that two that went on from one copy are told apart.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.journal.database import JournalFile
from actors.journal.reader import reading

_LOST, _HOME = "lost:", "home"


@dataclass(frozen=True, slots=True)
class Lost:
    """Of one run: replies and sendings that were journaled and are lost, and what they had booked, in nanodollars."""

    run: str
    answered: int
    sendings: int
    booked: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a journal is with one run: which journal it is (`home`), the run's answered and all its sendings, and
    the nanodollars that are booked for it."""

    home: str = ""
    answered: int = 0
    sendings: int = 0
    booked: int = 0

    def since(self, copy: Figures, run: str) -> Lost:
        """What these figures have and an earlier `copy` has not."""
        return Lost(
            run,
            max(0, self.answered - copy.answered),
            max(0, self.sendings - copy.sendings),
            max(0, self.booked - copy.booked),
        )


NOTHING = Figures()


def figures_of(journal: Path, run: str) -> Figures:
    """How far the journal is with `run`. Raises `JournalError`."""
    with reading(journal) as db:
        home = db.execute("SELECT value FROM journal WHERE name = ?", (_HOME,)).fetchone()
        sent = db.execute("SELECT COALESCE(SUM(outcome = 'answered'), 0), COUNT(*) FROM sends WHERE run = ?", (run,))
        answered, sendings = sent.fetchone()
        booked = db.execute("SELECT settled + reserved FROM spending WHERE run = ?", (run,)).fetchone()
    return Figures(home[0] if home else "", answered, sendings, booked[0] if booked else 0)


def settle_in(journal: Path, home: str, lost: Lost | None = None, lost_home: str = "") -> None:
    """Makes `journal`, new or a copy, the one called `home`, and notes what was `lost` with the one called
    `lost_home`. Raises `JournalError`."""
    file = JournalFile(journal)
    try:
        with file.transaction(durable=True) as db:
            db.execute("INSERT OR REPLACE INTO journal VALUES (?, ?)", (_HOME, home))
            if lost is not None and lost.sendings:
                _note(db, lost, lost_home)
    finally:
        file.close()


def _note(db: sqlite3.Connection, lost: Lost, home: str) -> None:
    new = db.execute("INSERT OR IGNORE INTO journal VALUES (?, ?)", (_LOST + home, json.dumps(asdict(lost))))
    if new.rowcount and lost.booked:
        db.execute(
            "INSERT INTO spending (run, settled, reserved) VALUES (?1, ?2, 0) "
            "ON CONFLICT (run) DO UPDATE SET settled = settled + ?2",
            (lost.run, lost.booked),
        )


def lost_in(db: sqlite3.Connection, run: str | None = None) -> list[Lost]:
    """What is noted in a journal; with `run`, of that run."""
    rows = db.execute("SELECT value FROM journal WHERE substr(name, 1, ?) = ?", (len(_LOST), _LOST)).fetchall()
    found = [Lost(**json.loads(value)) for (value,) in rows]
    return [one for one in found if run in (None, one.run)]
