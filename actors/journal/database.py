"""The journal's file: opening it, writing to it whole or not at all, and knowing which of its writers live.

Owns: the connection, its schema and the move from an older one, transactions, the typing of SQLite's errors, the
writers' marks, and the ballast.

Invariants
- Several processes of one machine may write at once: SQLite lets them in one after another. Each holds a lock on a mark
  of its own; the kernel drops it with the process, however that ends, so a mark that can be locked is a dead writer's.
- The ballast is disk space kept for the replies of what is in flight. It is given up before a reply is lost; without it
  nothing new is sent.
- The file must lie on a local disk: SQLite's WAL does not work over network file systems.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reasoning.files.user_error import UserError

SCHEMA_VERSION = 2
BALLAST_BYTES = 16 * 1024**2
_CHECKPOINT_PAGES = 2000  # 8 MB: half of the ballast

_CALLS = """
CREATE TABLE IF NOT EXISTS calls (              -- one row a request: what became of it
  key TEXT PRIMARY KEY,
  status TEXT NOT NULL CHECK (status IN ('started', 'answered', 'failed')),
  request TEXT NOT NULL,                      -- JSON, whole
  sends INTEGER NOT NULL DEFAULT 0,
  sends_after_unknown INTEGER NOT NULL DEFAULT 0,  -- sent again although the last send's outcome was never learnt
  sends_refused INTEGER NOT NULL DEFAULT 0,   -- attempts to send it although it was answered
  last_send TEXT NOT NULL DEFAULT '',
  reply TEXT,                                 -- JSON, whole, when answered
  prompt_tokens INTEGER NOT NULL DEFAULT 0,
  completion_tokens INTEGER NOT NULL DEFAULT 0,
  failure_kind TEXT,                          -- of the last failure
  failure_message TEXT,
  failure_attempts INTEGER,
  started_at REAL NOT NULL,                   -- Unix time of the last send
  ended_at REAL,
  failure_places TEXT                         -- JSON: {fingerprint of a place that refused it: [kind, name, message]}
);
"""
_SENDS = """
CREATE TABLE IF NOT EXISTS sends (              -- one row a sending: who, where, and what it cost
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  run TEXT NOT NULL,
  writer TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  started_at REAL NOT NULL,
  worst_cost INTEGER NOT NULL,                -- nanodollars, reserved until it ends
  ended_at REAL,
  outcome TEXT,                               -- 'answered' or a failure's kind; empty: unknown
  prompt_tokens INTEGER NOT NULL DEFAULT 0,
  completion_tokens INTEGER NOT NULL DEFAULT 0,
  cost INTEGER NOT NULL DEFAULT 0             -- nanodollars, once it has ended
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_sends ON sends (run) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS spending (           -- the sums of `sends` by run, kept in the same transactions
  run TEXT PRIMARY KEY,
  settled INTEGER NOT NULL DEFAULT 0,
  reserved INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (            -- what was handed to a Batch API, as soon as it was
  id TEXT PRIMARY KEY,                        -- our own, in the batch's metadata
  endpoint TEXT NOT NULL,
  run TEXT NOT NULL,
  remote_id TEXT,                             -- the provider's, once it is known
  sends TEXT NOT NULL,                        -- JSON: {key of a request: id of its sending}
  created_at REAL NOT NULL,
  ended_at REAL
) WITHOUT ROWID;
"""
_JOURNAL = "CREATE TABLE IF NOT EXISTS journal (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
# Version 1 counted sendings only by request, and knew no money: the account begins with the move.
_FROM_1 = f"{_SENDS} UPDATE journal SET value = '2' WHERE name = 'version';"


class JournalError(UserError):
    """The journal cannot be used. The message names the file and what to do."""


class JournalCorrupt(JournalError):
    """The file is damaged, or is not a journal."""


class JournalVersionMismatch(JournalError):
    """The file was written by another version of the project."""


class JournalDiskFull(JournalError):
    """There is no room for another row. Nothing that was recorded before is lost."""


class JournalBusy(JournalError):
    """Another process was writing for all of the time that was waited. Nothing is lost, and nothing was written."""


def how_to_save(path: Path) -> str:
    """What to do about a damaged file, in one sentence."""
    return (
        f"Keep the file and make another of what is readable: `sqlite3 {path} .recover | sqlite3 recovered.sqlite` (it "
        "needs an sqlite3 that is built with .recover; some distributions' is not). When `tailor journal verify "
        "recovered.sqlite` finds the answers there, put that file in this one's place, and delete "
        f"{path.name}-wal and {path.name}-shm beside it"
    )


def damaged(path: Path, what: str) -> JournalCorrupt:
    """The error for a row of the file at `path` that does not fit; `what` says which, and why."""
    return JournalCorrupt(f"{path}: {what}. Check the whole journal with `tailor journal verify {path}`")


def new_writer() -> str:
    """A name that no other writer has."""
    return uuid.uuid4().hex


class JournalFile:
    """An open journal file. `close` it, or let the process end."""

    def __init__(
        self,
        path: Path | str,
        lock_wait_s: float = 30.0,
        ballast_bytes: int = BALLAST_BYTES,
        writer: str | None = None,
    ) -> None:
        """Opens or makes the file. `lock_wait_s` bounds the wait for another writer's transaction. A process that
        takes the place of a dead one gives that one's name as `writer` (`new_writer`), and is taken for it. Raises
        `JournalCorrupt`, `JournalVersionMismatch`, `JournalDiskFull` or another `JournalError`."""
        self.path = Path(path)
        self.writer = writer or new_writer()
        self._marks = self.path.with_name(self.path.name + ".writers")
        self._ballast = self.path.with_name(self.path.name + ".ballast")
        self._ballast_bytes = ballast_bytes
        self._lock_wait_s = lock_wait_s
        self._mark = -1
        with self._file_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # a new one is its owner's alone, and so are its -wal and -shm
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with self.errors():
            self.db = sqlite3.connect(self.path, timeout=lock_wait_s, isolation_level=None, check_same_thread=False)
            try:
                self._use_wal()
                self._prepare()
                with self._file_errors():
                    self._mark = self._make_mark()
                self._sweep()
                self.ensure_ballast()
            except (sqlite3.Error, JournalError):
                self._let_go()
                raise

    def close(self) -> None:
        """Ends the writing. A second call does nothing."""
        if self._mark >= 0:
            self._let_go()
            with contextlib.suppress(OSError):  # another writer's mark is in it, and the ballast is its too
                self._marks.rmdir()
                self.drop_ballast()

    @contextmanager
    def transaction(self, durable: bool) -> Iterator[sqlite3.Connection]:
        """All or nothing. Not `durable` survives SIGKILL; durable survives a power cut as well (one fsync)."""
        with self.errors():
            self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:  # SQLite rolls back by itself after some errors
                    self.db.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """SQLite's errors as the journal's own: what, which file, what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorname", "") or ""
            # A quota that is spent comes as a failed write, on a disk that has room.
            if code in ("SQLITE_FULL", "SQLITE_IOERR_WRITE") or (
                code.startswith("SQLITE_IOERR") and self._disk_is_full()
            ):
                raise self._full(str(error)) from error
            if code.startswith("SQLITE_BUSY"):
                raise JournalBusy(
                    f"{self.path}: another process has been writing to it for {self._lock_wait_s:g} s ({error}), an "
                    "import perhaps, or one that is suspended. Start the same command again when it has ended"
                ) from error
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or type(error) is sqlite3.DatabaseError:
                raise JournalCorrupt(
                    f"{self.path} is damaged or not a journal ({error}). {how_to_save(self.path)}. Or move the file "
                    "away: its replies are then requested, and paid for, again"
                ) from error
            raise JournalError(f"{self.path}: {error} ({code}). Check the disk and the folder's permissions") from error

    def lives(self, writer: str) -> bool:
        """Whether the process that is called `writer` still runs. This one does."""
        if writer == self.writer:
            return True
        try:
            mark = os.open(self._mark_of(writer), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that look do not take each other for it
        except BlockingIOError:
            return True
        finally:
            os.close(mark)
        return False

    def ensure_ballast(self) -> None:
        """Sees to it that the ballast is there. Raises `JournalDiskFull` when there is no room for it."""
        if not self._ballast_bytes:
            return
        with contextlib.suppress(FileNotFoundError):  # not there, or just dropped by another writer
            if self._ballast.stat().st_size >= self._ballast_bytes:
                return
        with self._file_errors():
            try:
                with self._ballast.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._ballast_bytes)
            except OSError:
                self._ballast.unlink(missing_ok=True)
                raise

    def drop_ballast(self) -> bool:
        """Gives the ballast's space to what must be written now. False: there was none."""
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        return True

    def _disk_is_full(self) -> bool:
        space = os.statvfs(self.path.parent)
        return space.f_bavail * space.f_frsize < 64 * 1024

    def _full(self, why: str) -> JournalDiskFull:
        return JournalDiskFull(
            f"{self.path}: no room to write ({why}). What was recorded is safe; free some space on the disk or in "
            "your quota, and start the same command again"
        )

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        """The file system's errors as the journal's own."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full(error.strerror or "") from error
            raise JournalError(
                f"{self.path}: cannot be opened ({error.strerror}). Check the folder's permissions"
            ) from error

    def _let_go(self) -> None:
        """Closes the file and gives up the mark."""
        self.db.close()
        if self._mark >= 0:
            self._mark_of(self.writer).unlink(missing_ok=True)
            os.close(self._mark)
            self._mark = -1

    def _mark_of(self, writer: str) -> Path:
        return self._marks / writer

    def _make_mark(self) -> int:
        while True:
            with contextlib.suppress(FileExistsError):
                self._marks.mkdir()
            try:
                mark = os.open(self._mark_of(self.writer), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                continue  # the last writer to close has removed the folder in this very moment
            fcntl.flock(mark, fcntl.LOCK_EX)  # another process may be looking, for an instant
            if os.fstat(mark).st_nlink:
                break
            os.close(mark)  # the mark of the one whose place this one takes was just swept away
        with contextlib.suppress(OSError):  # for people to read; only the lock counts
            os.pwrite(mark, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return mark

    def _sweep(self) -> None:
        """Removes the marks of writers that died a while ago (a mark that is just being made is not locked yet)."""
        for mark in self._marks.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - mark.stat().st_mtime > 60 and not self.lives(mark.name):
                    mark.unlink()

    def _use_wal(self) -> None:
        """Switches to the write-ahead log, unless the file is another program's. When two do so to a new file, SQLite
        refuses one of them at once: its own wait does not cover the switch."""
        until = time.monotonic() + self._lock_wait_s
        while True:
            try:
                tables = {name for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if tables and "journal" not in tables:
                    raise sqlite3.DatabaseError("its tables are those of another program")
                self.db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > until:
                    raise
            time.sleep(0.005)

    def _prepare(self) -> None:
        self.db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        if self.db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        self.db.executescript(f"BEGIN IMMEDIATE; {_JOURNAL} {_CALLS} COMMIT;")
        found = self.db.execute("SELECT value FROM journal WHERE name = 'version'").fetchone()
        if found == ("1",):
            self.db.executescript(f"BEGIN IMMEDIATE; {_FROM_1} COMMIT;")
        elif found is None:
            new = f"INSERT OR IGNORE INTO journal VALUES ('version', '{SCHEMA_VERSION}');"
            self.db.executescript(f"BEGIN IMMEDIATE; {_SENDS} {new} COMMIT;")
        elif found != (str(SCHEMA_VERSION),):
            raise JournalVersionMismatch(
                f"{self.path} has version {found[0]}, this program writes version {SCHEMA_VERSION}: use the "
                "program that wrote it, or move the file away (its replies are then requested, and paid for, again)"
            )
        self._add_failure_places()

    def _add_failure_places(self) -> None:
        """To a file of a version 2 that did not have the column yet. An older program leaves it alone."""
        with self.transaction(durable=False) as db:
            if "failure_places" not in {column for _, column, *_ in db.execute("PRAGMA table_info(calls)")}:
                db.execute("ALTER TABLE calls ADD COLUMN failure_places TEXT")
