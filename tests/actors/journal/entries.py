"""Requests, replies and sendings for the journal's tests, a journal of version 1, and what fills a disk."""

import uuid
from pathlib import Path

from actors.journal.actor import Ended, Journal, Sending
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

# What version 1 wrote.
VERSION_1 = """
CREATE TABLE journal (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE calls (
  key TEXT PRIMARY KEY,
  status TEXT NOT NULL CHECK (status IN ('started', 'answered', 'failed')),
  request TEXT NOT NULL,
  sends INTEGER NOT NULL DEFAULT 0,
  sends_after_unknown INTEGER NOT NULL DEFAULT 0,
  sends_refused INTEGER NOT NULL DEFAULT 0,
  last_send TEXT NOT NULL DEFAULT '',
  reply TEXT,
  prompt_tokens INTEGER NOT NULL DEFAULT 0,
  completion_tokens INTEGER NOT NULL DEFAULT 0,
  failure_kind TEXT,
  failure_message TEXT,
  failure_attempts INTEGER,
  started_at REAL NOT NULL,
  ended_at REAL
);
INSERT INTO journal VALUES ('version', '1');
"""


def request(number: int = 0) -> TeacherRequest:
    return TeacherRequest("offline", "m", (("user", f"Frage {number} — ¿qué?"),), 0.7, 64)


def reply(to: TeacherRequest, text: str = "Vier.\nAnswer: 4", reason: str = "stop") -> TeacherReply:
    return TeacherReply(to.key, text, reason, 11, 7, "m-2024")


def failure(to: TeacherRequest, kind: FailureKind = FailureKind.SERVER) -> TeacherFailure:
    return TeacherFailure(to.key, kind, "why", 2)


def sending(
    of: TeacherRequest, id: str | None = None, worst: int = 0, cap: int | None = None, run: str = "r"
) -> Sending:
    return Sending(id or uuid.uuid4().hex, of.key, of, run, "offline", worst, cap)


def started(journal: Journal, *of: TeacherRequest, worst: int = 0) -> list[Sending]:
    """Sendings of these requests that may be sent."""
    sendings = [sending(one, worst=worst) for one in of]
    assert journal.start(sendings) == [None] * len(of)
    return sendings


def answer(journal: Journal, *those: TeacherRequest) -> None:
    journal.end([Ended(one.id, reply(one.request), 11, 7) for one in started(journal, *those)])


def fill(disk: Path) -> Path:
    """Takes all space that is left on `disk`; deleting the file that is returned gives it back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler
