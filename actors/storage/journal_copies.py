"""A run's journal on the head's own disk, and its copy where the run is kept.

Owns: taking the copy while the journal is written, and reading it back on another head.

Invariants
- The copy is a whole journal of one instant (SQLite's online backup), and is replaced whole. Nobody who writes the
  journal waits for it.
- A journal that is here is not thrown away: where another head has gone on since, its copy takes the journal's place,
  after the answers that only this disk has were put into it.
- What a lost head had journaled after its last copy is noted (`actors.journal.lost`), as far as its last beat told.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from actors.journal.database import JournalError
from actors.journal.lost import Figures, figures_of, settle_in
from actors.journal.transfer import import_journal
from actors.storage.remote import RemoteFolder, StorageError
from actors.storage.working_copy import JOURNAL

logger = logging.getLogger(__name__)

EVERY_S = 60.0
_TICK_NS = 50_000_000  # what was written so shortly ago may be followed by more with the same time
SHARE = 10  # at most one part in so many of the time goes into copies


class JournalCopies:
    """The copies of `journal`, which is written for `run` (its name), at `stored`. `shared`: other runs use the journal
    too. `beside` is called with every copy."""

    def __init__(
        self,
        journal: Path,
        stored: RemoteFolder,
        run: str,
        shared: bool = False,
        beside: Callable[[], None] = lambda: None,
        every_s: float = EVERY_S,
    ) -> None:
        self._journal, self._stored, self._run = journal, stored, run
        self._shared, self._beside, self._every_s = shared, beside, every_s
        self._copied: tuple[int, ...] | None = None  # the state of the journal's files at the last copy
        self._copying = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def figures(self) -> Figures | None:
        """How far the journal is with the run; None where there is none yet."""
        try:
            return figures_of(self._journal, self._run) if self._journal.is_file() else None
        except JournalError as error:
            logger.warning("the journal cannot be looked at: %s", error)
            return None

    def prepare(self, before: Figures) -> None:
        """Has the journal here go on from the one that was written last, which told `before` of itself. Raises
        `StorageError`, `JournalError`."""
        here = self._journal.is_file()
        mine = figures_of(self._journal, self._run).home if here else ""
        if here and before.home in ("", mine):
            if not mine:
                settle_in(self._journal, uuid.uuid4().hex)
            return
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        copy = self._journal.with_name(f".{self._journal.name}.brought")
        came = self._stored.download(JOURNAL, copy)
        lost = before.since(figures_of(copy, self._run) if came else Figures(), self._run)
        if here and self._shared:
            if came:
                import_journal(copy, self._journal)
            settle_in(self._journal, mine or uuid.uuid4().hex, lost, before.home)
            copy.unlink(missing_ok=True)
            return
        if here:
            import_journal(self._journal, copy)
        settle_in(copy, uuid.uuid4().hex, lost, before.home)
        _fold_in_log(self._journal)
        copy.replace(self._journal)

    def keep(self, ended: Future[None]) -> None:
        """Takes copies in a thread until `stop`. `ended` gets the error that ends it."""
        self._thread = threading.Thread(target=self._copy_on, args=[ended], name="journal-copies", daemon=True)
        self._thread.start()

    def copy(self) -> None:
        """Takes a copy, unless nothing was written since the last one. Raises `StorageError`."""
        with self._copying:
            began, state = time.time_ns(), _state(self._journal)
            if state is None or state == self._copied:
                return
            part = self._journal.with_name(f".{self._journal.name}.copy")
            try:
                _back_up(self._journal, part)
                self._stored.upload(part, JOURNAL)
            except (sqlite3.Error, OSError) as error:
                raise StorageError(
                    f"{self._journal}: no copy could be made ({error}). Free some space on its disk; what was recorded "
                    "is safe there"
                ) from error
            finally:
                part.unlink(missing_ok=True)
            self._copied = state if began - max(state[1::2]) > _TICK_NS else None

    def stop(self) -> None:
        """Ends the thread, with a last copy. A second call does nothing. Raises `StorageError`."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._beside()
        self.copy()

    def _copy_on(self, ended: Future[None]) -> None:
        pause = self._every_s
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                self._beside()
                self.copy()
            except StorageError as error:
                if not ended.done():
                    ended.set_exception(error)
                return
            pause = max(self._every_s, (SHARE - 1) * (time.monotonic() - began))


def _back_up(journal: Path, to: Path) -> None:
    to.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _fold_in_log(journal: Path) -> None:
    """Makes the file whole in itself, so that no log of its is left beside what takes its place."""
    if journal.is_file():
        with closing(sqlite3.connect(journal)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode = DELETE")


def _state(journal: Path) -> tuple[int, ...] | None:
    """Sizes and times of writing, which change whenever something is recorded; None where there is no journal."""
    if not journal.is_file():
        return None
    found = []
    for file in (journal, journal.with_name(journal.name + "-wal")):
        if file.is_file() and file.stat().st_size:  # one that only reads leaves an empty log
            found += [file.stat().st_size, file.stat().st_mtime_ns]
    return tuple(found)
