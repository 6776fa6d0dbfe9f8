"""The watcher sees a file that cannot be read, and what was asked for again is counted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bench.chaos.readable import Watcher, asked_again
from reasoning.rounds.directory import RunDirectory


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("exam.parquet", b"PAR1 and no more"),
        ("student/model.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{"),
        ("student/config.json", b'{"vocab'),
        ("probe.json", b"{}"),
        ("losses.jsonl", b'{"step": 1}\n{"st'),
    ],
)
def test_a_file_that_is_cut_off_is_seen(tmp_path: Path, file: str, content: bytes) -> None:
    watcher = Watcher(RunDirectory(tmp_path))
    watcher.look()
    assert not watcher.unreadable
    path = tmp_path / "round-000" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    watcher.look()
    assert len(watcher.unreadable) == 1 and file in watcher.unreadable[0] and watcher.looks == 2


def test_a_line_that_is_no_phase_is_seen(tmp_path: Path) -> None:
    watcher = Watcher(RunDirectory(tmp_path))
    (tmp_path / "rounds.jsonl").write_text("{}\n{", encoding="utf-8")
    watcher.look()
    assert len(watcher.unreadable) == 1 and "rounds.jsonl:1" in watcher.unreadable[0]


def test_a_reply_that_was_there_and_was_sent_for_again_counts(tmp_path: Path) -> None:
    """Not so a request whose reply was lost, or of which two sendings were on their way at once."""
    path = tmp_path / "journal.sqlite"
    assert asked_again(path) == 0
    sends = [
        ("a", 1.0, 2.0, "answered"), ("a", 3.0, 4.0, "answered"),
        ("b", 1.0, None, None), ("b", 3.0, 4.0, "answered"),
        ("c", 1.0, 3.0, "answered"), ("c", 2.0, 4.0, "answered"),
        ("d", 1.0, 2.0, "timeout"), ("d", 3.0, 4.0, "answered"), ("d", 5.0, None, None),
    ]  # fmt: skip
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE sends (key TEXT, started_at REAL, ended_at REAL, outcome TEXT)")
        db.executemany("INSERT INTO sends VALUES (?, ?, ?, ?)", sends)
    assert asked_again(path) == 2
