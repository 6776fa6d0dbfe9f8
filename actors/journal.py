"""The journal: what was asked of a teacher, and what came of it, for good.

Owns: `journal.sqlite`, and the lock that keeps a second writer out.

Invariants
- One row a request, keyed by its content. The row is there before the request is sent, the reply before it is used.
- An answer is never overwritten and never paid for again: `start` refuses an answered request, and counts that.
- Recorded means recorded: a reply survives SIGKILL of this process at any instant, and a power cut (synchronous=FULL:
  one fsync each). A row "started" is written without fsync: it survives a SIGKILL, and a power cut loses a count.
- One writer. The lock goes away with the process that holds it, however that ends; it needs no cleaning up. The file
  must lie on a local disk: SQLite's WAL does not work over network file systems.
- The same call made twice does no harm, so that a caller may repeat one whose outcome it did not learn.

Run as an actor with `ray.remote(Journal)`; the class itself knows nothing of Ray.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reasoning.teacher_calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
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
  ended_at REAL
);
"""


class JournalError(Exception):
    """The journal cannot be used. The message names the file and what to do."""


class JournalInUse(JournalError):
    """Another process writes this journal."""


class JournalCorrupt(JournalError):
    """The file is damaged, or is no journal."""


class JournalVersionMismatch(JournalError):
    """The file was written by another version of the project."""


class JournalDiskFull(JournalError):
    """There is no room for another row. Nothing that was recorded before is lost."""


class AlreadyAnswered(JournalError):
    """`start` was called for a request whose reply is recorded: use `lookup`. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class JournalStats:
    """Counts over all requests. Tokens are those of recorded replies.

    `started_unknown`: sent, outcome not recorded (in flight now, or lost with a process). `answered_sent_again`: how
    often somebody set out to send an answered request; each was refused, and the number must be 0.
    """

    answered: int
    failed_by_kind: Mapping[FailureKind, int]
    started_unknown: int
    requests_sent_more_than_once: int
    answered_sent_again: int
    prompt_tokens: int
    completion_tokens: int
    sends: int = 0
    sends_after_unknown: int = 0


class Journal:
    """An open journal file; also its lock. `close` it, or let the process end."""

    def __init__(self, path: Path | str, lock_wait_s: float = 10.0, clock: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. `lock_wait_s` bounds the wait for a writer that is just ending, such as a killed
        run's. Raises `JournalInUse`, `JournalCorrupt`, `JournalVersionMismatch`, `JournalDiskFull`."""
        self._path = Path(path)
        self._clock = clock
        self._lock = _lock(self._path, lock_wait_s)
        try:
            with self._errors():
                self._db = sqlite3.connect(self._path, isolation_level=None)
                try:
                    self._prepare()
                except (sqlite3.Error, JournalError):
                    self._db.close()
                    raise
        except JournalError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Ends the writing and lets the next writer in. A second call does nothing."""
        if self._lock >= 0:
            self._db.close()
            os.close(self._lock)
            self._lock = -1

    def lookup(self, key: str) -> TeacherReply | TeacherFailure | None:
        """The final outcome of a request: its reply, or a failure that would come again. None: it may be asked."""
        with self._errors():
            row = self._db.execute(
                "SELECT status, reply, failure_kind, failure_message, failure_attempts FROM calls WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        status, reply, kind, message, attempts = row
        if status == "answered":
            return TeacherReply(key=key, **json.loads(reply), from_journal=True)
        if status == "failed" and FailureKind(kind).final:
            return TeacherFailure(key, FailureKind(kind), message, attempts)
        return None

    def start(self, key: str, request: TeacherRequest, send: str = "") -> None:
        """Records that `request` is about to be sent. `send` names this one sending, so that the call may be repeated.

        Raises `AlreadyAnswered`, and counts it, when the reply is there already."""
        with self._transaction(durable=False):
            row = self._db.execute("SELECT status, last_send FROM calls WHERE key = ?", (key,)).fetchone()
            if row is None:
                self._db.execute(
                    "INSERT INTO calls (key, status, request, sends, last_send, started_at) "
                    "VALUES (?, 'started', ?, 1, ?, ?)",
                    (key, json.dumps(request.as_json()), send, self._clock()),
                )
            elif row[0] == "answered":
                self._db.execute("UPDATE calls SET sends_refused = sends_refused + 1 WHERE key = ?", (key,))
            elif not send or row[1] != send:
                self._db.execute(
                    "UPDATE calls SET status = 'started', sends = sends + 1, last_send = ?, started_at = ?, "
                    "sends_after_unknown = sends_after_unknown + (status = 'started') WHERE key = ?",
                    (send, self._clock(), key),
                )
        if row is not None and row[0] == "answered":
            raise AlreadyAnswered(f"{self._path}: request {key} is answered; look it up instead of sending it again")

    def finish(self, reply: TeacherReply) -> None:
        """Records a reply, durably. The first reply to a request stays; a second one is dropped."""
        content = {
            "text": reply.text,
            "finish_reason": reply.finish_reason,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "model": reply.model,
        }
        self._end(
            reply.key,
            "UPDATE calls SET status = 'answered', reply = ?, prompt_tokens = ?, completion_tokens = ?, ended_at = ? "
            "WHERE key = ? AND status != 'answered'",
            (json.dumps(content), reply.prompt_tokens, reply.completion_tokens, self._clock(), reply.key),
        )

    def fail(self, failure: TeacherFailure) -> None:
        """Records a failure. A final one is the request's outcome from now on; after any other it may be asked again.
        A reply that is there already stays."""
        self._end(
            failure.key,
            "UPDATE calls SET status = 'failed', failure_kind = ?, failure_message = ?, failure_attempts = ?, "
            "ended_at = ? WHERE key = ? AND status != 'answered'",
            (failure.kind.value, failure.message, failure.attempts, self._clock(), failure.key),
        )

    def stats(self) -> JournalStats:
        with self._errors():
            totals = self._db.execute(
                "SELECT COALESCE(SUM(status = 'answered'), 0), COALESCE(SUM(status = 'started'), 0), "
                "COALESCE(SUM(sends > 1), 0), COALESCE(SUM(sends_refused), 0), COALESCE(SUM(prompt_tokens), 0), "
                "COALESCE(SUM(completion_tokens), 0), COALESCE(SUM(sends), 0), "
                "COALESCE(SUM(sends_after_unknown), 0) FROM calls"
            ).fetchone()
            failures = self._db.execute(
                "SELECT failure_kind, COUNT(*) FROM calls WHERE status = 'failed' GROUP BY failure_kind"
            ).fetchall()
        answered, unknown, more_than_once, refused, prompt_tokens, completion_tokens, sends, after_unknown = totals
        return JournalStats(
            answered=answered,
            failed_by_kind={FailureKind(kind): count for kind, count in failures},
            started_unknown=unknown,
            requests_sent_more_than_once=more_than_once,
            answered_sent_again=refused,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            sends=sends,
            sends_after_unknown=after_unknown,
        )

    def _end(self, key: str, statement: str, values: tuple[object, ...]) -> None:
        with self._transaction(durable=True):
            ended = self._db.execute(statement, values).rowcount
            known = ended or self._db.execute("SELECT 1 FROM calls WHERE key = ?", (key,)).fetchone()
        if not known:
            raise JournalError(f"{self._path}: request {key} ended but was never started: call start before sending")

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        self._db.execute("INSERT OR IGNORE INTO journal VALUES ('version', ?)", (str(SCHEMA_VERSION),))
        (version,) = self._db.execute("SELECT value FROM journal WHERE name = 'version'").fetchone()
        if version != str(SCHEMA_VERSION):
            raise JournalVersionMismatch(
                f"{self._path} has version {version}, this program writes version {SCHEMA_VERSION}: go on with the "
                "program that wrote it, or move the file away (its replies are then asked, and paid for, again)"
            )

    @contextmanager
    def _transaction(self, durable: bool) -> Iterator[None]:
        with self._errors():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite rolls back by itself after some errors
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as the journal's own: what, which file, what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorname", "") or ""
            if code == "SQLITE_FULL":
                raise JournalDiskFull(
                    f"{self._path}: no room to write ({error}). What was recorded is safe; free some space and start "
                    "the same command again"
                ) from error
            if code in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or type(error) is sqlite3.DatabaseError:
                raise JournalCorrupt(
                    f"{self._path} is damaged or not a journal ({error}). Save what is readable with "
                    f"`sqlite3 {self._path} .recover | sqlite3 recovered.sqlite` and put that in its place, or move "
                    "the file away (its replies are then asked, and paid for, again)"
                ) from error
            raise JournalError(
                f"{self._path}: {error} ({code}). Check the disk and the folder's permissions"
            ) from error


def _lock(path: Path, wait_s: float) -> int:
    """Takes the journal's advisory lock; returns its open descriptor. The kernel drops it when the process ends."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise JournalError(
            f"{lock_path}: cannot be opened ({error.strerror}). Check the folder's permissions"
        ) from error
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
            os.close(descriptor)
            raise JournalInUse(
                f"{path} is being written by {holder}. A journal has one writer: wait until that run has ended or stop "
                "it, or give this run a directory of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return descriptor
