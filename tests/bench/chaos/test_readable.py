"""The watcher sees a file that cannot be read, and what was asked for again is counted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.chaos.readable import Watcher, answered, asked_again
from reasoning.rounds.directory import RunDirectory


def test_a_table_that_is_cut_off_is_seen(tmp_path: Path) -> None:
    watcher = Watcher(RunDirectory(tmp_path))
    watcher.look()
    assert not watcher.unreadable
    (tmp_path / "round-000").mkdir()
    (tmp_path / "round-000" / "exam.parquet").write_bytes(b"PAR1 and no more")
    watcher.look()
    assert len(watcher.unreadable) == 1 and "exam.parquet" in watcher.unreadable[0] and watcher.looks == 2


def test_a_line_that_is_no_phase_is_seen(tmp_path: Path) -> None:
    watcher = Watcher(RunDirectory(tmp_path))
    (tmp_path / "rounds.jsonl").write_text("{}\n{", encoding="utf-8")
    watcher.look()
    assert len(watcher.unreadable) == 1 and "rounds.jsonl:1" in watcher.unreadable[0]


def test_a_reply_that_was_there_and_was_sent_for_again_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    assert answered(path) == {}
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE calls (key TEXT, status TEXT, sends INTEGER)")
        db.execute("INSERT INTO calls VALUES ('a', 'answered', 1), ('b', 'answered', 1), ('c', 'started', 1)")
    before = answered(path)
    assert before == {"a": 1, "b": 1} and asked_again(before, path) == 0
    with sqlite3.connect(path) as db:
        db.execute("UPDATE calls SET sends = 2, status = 'answered'")
    assert asked_again(before, path) == 2
