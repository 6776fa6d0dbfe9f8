"""Answers carried from one journal to another, in a file that anyone can read.

A line of the file is one JSON object: `key`, `request` (every field that the key is made of), `reply` (`text`,
`finish_reason`, `prompt_tokens`, `completion_tokens`, `model`, and `thinking` where there was some) or, for a request
that failed for good, `failure` (`kind`, `message`, `attempts`), and `ended_at`, a Unix time.

Owns: that shape, and what an import does with what is there already.

Invariants
- The file appears whole or not at all. Its lines are ordered by key, so that equal contents make equal bytes.
- Everything is imported or nothing, after everything was checked: a key is always the one of its request.
- An answer that is there stays. What is imported costs nothing: it has no sending, and no run has spent it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from actors.journal.database import JournalError, JournalFile, damaged
from actors.journal.failures import CLEARED
from actors.journal.reader import failure_of, is_sqlite, parsed, reading, reply_of, request_of
from actors.journal.records import reply_json
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

_CURE = "fix or remove the line, or export again: nothing was imported"
_FINAL = tuple(str(kind) for kind in FailureKind if kind.final)


@dataclass(frozen=True, slots=True)
class Entry:
    """A request and what came of it for good, at the Unix time `ended_at`."""

    request: TeacherRequest
    outcome: TeacherReply | TeacherFailure
    ended_at: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file was given."""

    answers: int
    failures: int


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import found: `imported`, `already_there` with the same outcome, or `differing` from what is there, which
    stays."""

    imported: int
    already_there: int
    differing: int


def export_journal(journal: Path, out: Path, failures: bool = False) -> Exported:
    """Writes the answered requests of `journal` to `out`, with `failures` those that failed for good as well. Raises
    `JournalError`, `JournalCorrupt` for a row that cannot be read."""
    counts = {True: 0, False: 0}
    try:
        if is_sqlite(out):
            raise JournalError(
                f"{out}: this is a database, perhaps a journal, and is not overwritten. Give another file"
            )
        with reading(journal) as db, new_file(out) as part, part.open("w", encoding="ascii") as file:
            for entry in _entries_of(db, journal, failures):
                counts[isinstance(entry.outcome, TeacherReply)] += 1
                file.write(json.dumps(_line(entry)) + "\n")
    except OSError as error:
        raise JournalError(f"{out}: cannot be written ({error.strerror}). Check the folder and its space") from error
    return Exported(counts[True], counts[False])


def import_journal(source: Path, journal: Path) -> ImportCounts:
    """Puts the answers of `source`, a file that `export_journal` wrote or another journal, into `journal`, which is
    made where there is none. Raises `DataError` for a line that cannot be used, `JournalError` for a journal; nothing
    is imported then."""
    with tempfile.TemporaryFile("w+", encoding="ascii") as staged:
        try:
            staged.writelines(json.dumps(_columns(entry)) + "\n" for entry in _entries(source))
            staged.seek(0)
        except OSError as error:
            what = f"cannot be written ({error.strerror}). Free some space, or set TMPDIR to another folder"
            raise JournalError(f"{tempfile.gettempdir()}: {what}") from error
        found = [0, 0, 0]
        with closing(JournalFile(journal)) as file, file.transaction(durable=True) as db:
            for line in staged:
                found[_put(db, _Columns(*json.loads(line)))] += 1
    return ImportCounts(*found)


# What is written ------------------------------------------------------------------------------------------------------


def _line(entry: Entry) -> dict[str, object]:
    outcome = entry.outcome
    said: dict[str, object]
    if isinstance(outcome, TeacherReply):
        said = {"reply": json.loads(reply_json(outcome))}
    else:
        failure = {"kind": outcome.kind.value, "message": outcome.message, "attempts": outcome.attempts}
        said = {"failure": failure}
    return {"key": outcome.key, "request": entry.request.as_json(), **said, "ended_at": entry.ended_at}


class _Columns(NamedTuple):
    """An entry as a row holds it, in the order of the columns of `_INSERT`."""

    key: str
    status: str
    request: str
    reply: str | None
    prompt_tokens: int
    completion_tokens: int
    kind: str | None
    message: str | None
    attempts: int | None
    started_at: float  # when it was sent is not known
    ended_at: float


_INSERT = """
INSERT INTO calls (key, status, request, reply, prompt_tokens, completion_tokens, failure_kind, failure_message,
  failure_attempts, started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET status = excluded.status, reply = excluded.reply,
  prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
  failure_kind = excluded.failure_kind, failure_message = excluded.failure_message,
  failure_attempts = excluded.failure_attempts, ended_at = excluded.ended_at, failure_places = NULL
"""


def _columns(entry: Entry) -> _Columns:
    request, outcome, ended_at = json.dumps(entry.request.as_json()), entry.outcome, entry.ended_at
    if isinstance(outcome, TeacherFailure):
        why = (outcome.kind.value, outcome.message, outcome.attempts)
        return _Columns(outcome.key, "failed", request, None, 0, 0, *why, ended_at, ended_at)
    reply = (reply_json(outcome), outcome.prompt_tokens, outcome.completion_tokens)
    return _Columns(outcome.key, "answered", request, *reply, None, None, None, ended_at, ended_at)


def _put(db: sqlite3.Connection, new: _Columns) -> int:
    """Which of `ImportCounts`'s counts the entry adds to."""
    row = db.execute("SELECT status, reply, failure_kind FROM calls WHERE key = ?", (new.key,)).fetchone()
    status, reply, kind = row or (None, None, None)
    if status == "answered":
        return 1 if new.reply == reply else 2
    if new.reply is None and status == "failed" and kind in _FINAL:
        return 1 if new.kind == kind else 2
    if new.reply is None and status == "started":
        return 2  # its answer may be on the way
    db.execute(_INSERT, new)
    return 0


# What is read ---------------------------------------------------------------------------------------------------------


def _entries(source: Path) -> Iterator[Entry]:
    """What `source` holds, each entry checked. Raises `DataError`, `JournalError`."""
    try:
        if is_sqlite(source):
            with reading(source) as db:
                yield from _entries_of(db, source, failures=True)
        else:
            yield from _entries_in(source)
    except OSError as error:
        raise DataError(str(source), f"it cannot be read: {error.strerror}", "check the path") from error


def _entries_of(db: sqlite3.Connection, journal: Path, failures: bool) -> Iterator[Entry]:
    kinds = ", ".join(f"'{kind}'" for kind in _FINAL) if failures else ""
    rows = db.execute(
        "SELECT key, request, reply, failure_kind, failure_message, failure_attempts, ended_at, status FROM calls "
        f"WHERE status = 'answered' OR status = 'failed' AND failure_kind IN ({kinds}) "
        "AND failure_places IS NOT ? ORDER BY key",
        (CLEARED,),
    )
    for key, request, reply, kind, message, attempts, ended_at, status in rows:
        try:
            line: dict[str, Any] = {"key": key, "request": parsed(request, "request"), "ended_at": ended_at}
            if status == "answered":
                line["reply"] = parsed(reply, "reply")
            else:
                line["failure"] = {"kind": kind, "message": message, "attempts": attempts}
            yield _entry(line)
        except ValueError as error:
            raise damaged(journal, f"request {key}: {error}") from error


def _entries_in(source: Path) -> Iterator[Entry]:
    for line in json_lines(source, cure=_CURE):
        content = line.value()
        try:
            yield _entry(content)
        except ValueError as error:
            raise DataError(line.place, str(error), _CURE) from error


def _entry(line: Any) -> Entry:
    """Raises `ValueError`, which says what is wrong."""
    if not isinstance(line, dict) or not {"key", "request", "ended_at"} <= line.keys():
        raise ValueError("not an object with key, request, ended_at, and reply or failure")
    if len(line) != 4 or ("reply" in line) == ("failure" in line):
        raise ValueError("it must have key, request, ended_at, and either a reply or a failure, and nothing else")
    request = request_of(line["request"])
    if line["key"] != request.key:
        raise ValueError(f"its key is {line['key']!r}, but that of its request is {request.key}")
    ended_at = line["ended_at"]
    if type(ended_at) not in (int, float) or not 0 <= ended_at < 1e12:
        raise ValueError("ended_at is not a Unix time")
    outcome = reply_of(request.key, line["reply"]) if "reply" in line else failure_of(request.key, line["failure"])
    return Entry(request, outcome, float(ended_at))
