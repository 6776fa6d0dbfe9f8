"""The teacher notes what it is asked, and what of it the journal had the reply of."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from bench.chaos.witness import Witness
from serve.provider.chat_completion import EchoTeacher


def test_a_request_whose_reply_was_there_counts(tmp_path: Path) -> None:
    journal, now = tmp_path / "journal.sqlite", [0.0]
    witness = Witness(EchoTeacher(), clock=lambda: now[0])
    for at, text in ((1.0, "a"), (5.0, "a"), (1.0, "b"), (3.0, "b"), (9.0, "c"), (9.0, "of a check before the run")):
        now[0] = at
        assert witness.complete(text) == EchoTeacher().complete(text)
    assert witness.asked_again(journal) == 0
    rows = [("a", "answered", 2.0), ("b", "answered", 4.0), ("c", "answered", 2.0), ("c", "failed", 8.0)]
    with sqlite3.connect(journal) as db:
        db.execute("CREATE TABLE calls (request TEXT, status TEXT, ended_at REAL)")
        requests = [(json.dumps({"messages": [["user", text]]}), status, at) for text, status, at in rows]
        db.executemany("INSERT INTO calls VALUES (?, ?, ?)", requests)
    assert witness.asked_again(journal) == 1
