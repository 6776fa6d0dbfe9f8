"""A journal read while others write it: one snapshot of the file, its rows as records.

Owns: the read-only connection, the reading of the columns that hold JSON, and the question which writers live. The
file's form is `actors.journal.database`.

Invariants
- Nothing is written to the file, and no writer waits for a reader. (SQLite makes its `-wal` and `-shm` files beside it
  where there are none; the next writer to close removes them.)
- A block of `reading` sees the journal as it was at one instant, however long it takes.
- A request or a reply is read to the letter, each field there, none too many, of its own type: what the journal could
  not hand out is not read either.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.journal.database import SCHEMA_VERSION, JournalCorrupt, JournalError, JournalVersionMismatch, how_to_save
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest, storable
from reasoning.teacher.parameters import canonical
from reasoning.teacher.scoring import Scoring, scoring_of

# Version 1 had no account of sendings: it is read as one that is empty.
_NOTHING_SENT = (
    "CREATE TEMP TABLE sends (id, key, run, writer, endpoint, started_at, worst_cost, ended_at, outcome, "
    "prompt_tokens, completion_tokens, cost)",
    "CREATE TEMP TABLE spending (run, settled, reserved)",
    "CREATE TEMP TABLE batches (id, endpoint, run, remote_id, sends, created_at, ended_at)",
)


def check_is_there(path: Path) -> None:
    """Raises `JournalError` where there is no file."""
    if not path.is_file():
        raise JournalError(f"{path}: no such journal. Give the journal's file, or the folder of a run")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of the journal at `path`, of this version or of version 1. SQLite's errors in the block leave it as
    the journal's. Raises `JournalCorrupt`, `JournalVersionMismatch` or another `JournalError`."""
    check_is_there(path)
    with _errors(path), contextlib.closing(_connected(path)) as db:
        db.execute("BEGIN")
        version = _version(db, path)  # the first reading takes the snapshot
        if version == "1":
            for table in _NOTHING_SENT:
                db.execute(table)
        elif version != str(SCHEMA_VERSION):
            raise JournalVersionMismatch(
                f"{path} has version {version}, this program reads version {SCHEMA_VERSION}: use the "
                "program that wrote it"
            )
        if "failure_places" not in {column for _, column, *_ in db.execute("PRAGMA table_info(calls)")}:
            db.execute("CREATE TEMP VIEW calls AS SELECT *, NULL AS failure_places FROM main.calls")
        yield db


class Writers:
    """Which of a journal's writers live. Made before a snapshot is taken: a writer that has ended since may have ended
    its sendings as well, which the snapshot still shows open, so that it counts as living."""

    def __init__(self, path: Path) -> None:
        self._marks = path.with_name(path.name + ".writers")
        self._known: dict[str, bool] = {}
        with contextlib.suppress(OSError):  # no process is writing
            for mark in self._marks.iterdir():
                self._known[mark.name] = self._locked(mark.name)

    def live(self, writer: str) -> bool:
        """Whether the process that is called `writer` runs: it holds a lock on its mark until it ends."""
        if writer not in self._known:
            self._known[writer] = self._locked(writer)
        return self._known[writer]

    def _locked(self, writer: str) -> bool:
        try:
            mark = os.open(self._marks / writer, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if not os.fstat(mark).st_size:
                return True  # its writer is about to lock it: a lock of ours would be in its way
            fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(mark)
        return False


def is_sqlite(path: Path) -> bool:
    """Whether `path` is a file of SQLite's. False where there is none. Raises `OSError` when it cannot be read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def request_of(content: Any) -> TeacherRequest:
    """The request that `as_json` wrote. Raises `ValueError`, which says what is wrong with it."""
    names = ("endpoint", "model", "messages", "temperature", "max_tokens", "sample")
    fields = _fields(content, "request", names, optional=("parameters", "scoring"))
    messages = fields["messages"]
    if not isinstance(messages, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in messages
    ):
        raise ValueError("request.messages is not a list of [role, content] pairs")
    temperature = fields["temperature"]
    known = temperature is None or (type(temperature) in (int, float) and abs(temperature) <= 1e9)  # NaN is neither
    if not known:
        raise ValueError("request.temperature is not a number")
    return TeacherRequest(
        endpoint=_text(fields, "request", "endpoint"),
        model=_text(fields, "request", "model"),
        messages=tuple((role, content) for role, content in messages),
        temperature=float(temperature) if temperature is not None else None,
        max_tokens=_count(fields, "request", "max_tokens"),
        sample=_count(fields, "request", "sample"),
        parameters=_parameters(fields),
        scoring=_scoring(fields),
    )


def _scoring(fields: Mapping[str, Any]) -> Scoring | None:
    try:
        return scoring_of(fields["scoring"]) if "scoring" in fields else None
    except ValueError as error:
        raise ValueError(f"request.scoring: {error}") from None


def _parameters(fields: Mapping[str, Any]) -> str:
    parameters = fields.get("parameters")
    if parameters is not None and not (isinstance(parameters, dict) and parameters):
        raise ValueError("request.parameters is not an object with something in it")
    return canonical(parameters or {})


def reply_of(key: str, content: Any) -> TeacherReply:
    """The reply to the request `key`, as the journal keeps it. Raises `ValueError`, which says what is wrong."""
    names = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "model")
    fields = _fields(content, "reply", names, optional=("thinking",))
    return TeacherReply(
        key=key,
        text=_text(fields, "reply", "text"),
        finish_reason=_text(fields, "reply", "finish_reason"),
        prompt_tokens=_count(fields, "reply", "prompt_tokens"),
        completion_tokens=_count(fields, "reply", "completion_tokens"),
        model=_text(fields, "reply", "model"),
        thinking=_text(fields, "reply", "thinking") if "thinking" in fields else "",
    )


def failure_of(key: str, content: Any) -> TeacherFailure:
    """Why the request `key` failed for good: kind, message and attempts. Raises `ValueError`."""
    fields = _fields(content, "failure", ("kind", "message", "attempts"))
    kind = _text(fields, "failure", "kind")
    if kind not in {str(known) for known in FailureKind if known.final}:
        raise ValueError(f"failure.kind {kind!r} is not a final kind")
    message = storable(_text(fields, "failure", "message"))  # its column is text, where a reply's is JSON
    return TeacherFailure(key, FailureKind(kind), message, _count(fields, "failure", "attempts"))


def batch_of(sends: Any) -> dict[str, str]:
    """Which sendings went with a batch: request key -> sending. Raises `ValueError`."""
    content = parsed(sends, "sends")
    if not isinstance(content, dict) or not all(isinstance(id, str) for id in content.values()):
        raise ValueError("sends is not an object of request keys and sendings")
    return content


def parsed(text: Any, what: str) -> Any:
    """The JSON in a column. Raises `ValueError`, which calls it `what`."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON ({error})") from error


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0, isolation_level=None)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")  # what is damaged is read, and does not fit
    return db


def _version(db: sqlite3.Connection, path: Path) -> str:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = None
    if {"journal", "calls"} <= tables:
        found = db.execute("SELECT value FROM journal WHERE name = 'version'").fetchone()
    if found is None:
        raise JournalCorrupt(f"{path}: not a journal: it has none of a journal's tables. Give the journal's file")
    return str(found[0])


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith("SQLITE_CORRUPT") or code == "SQLITE_NOTADB":
            raise JournalCorrupt(f"{path} is damaged or not a journal ({error}). {how_to_save(path)}") from error
        if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise JournalError(
                f"{path}: cannot be read here ({error}): the log beside it must be read, or recovered after "
                f"a crash, which needs permission to write in its folder. Copy the file, with {path.name}-wal, to a "
                "folder of yours"
            ) from error
        raise JournalError(f"{path}: cannot be read ({error}; {code}). Check the disk and the permissions") from error


def _fields(content: Any, what: str, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{what} is not an object")
    missing = [name for name in names if name not in content]
    unknown = [name for name in content if name not in (*names, *optional)]
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has an unknown {', '.join(unknown)}"] * bool(
            unknown
        )
        raise ValueError(f"{what} {' and '.join(said)}")
    return content


def _text(fields: dict[str, Any], what: str, name: str) -> str:
    if not isinstance(fields[name], str):
        raise ValueError(f"{what}.{name} is not text")
    return str(fields[name])


def _count(fields: dict[str, Any], what: str, name: str) -> int:
    value = fields[name]
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{what}.{name} is not a whole number of 0 or more")
    return int(value)
