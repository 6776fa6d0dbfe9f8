"""The journal's file: opened whole or not at all, by several at once, and on a disk that is full."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.journal.database import (
    JournalCorrupt,
    JournalDiskFull,
    JournalError,
    JournalFile,
    JournalVersionMismatch,
)
from tests.actors.journal.entries import VERSION_1, fill


def files_of(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


def test_a_closed_journal_leaves_one_file(path: Path) -> None:
    file = JournalFile(path)
    assert files_of(path)[:3] == ["journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal"]
    assert (path.parent / "journal.sqlite.ballast").stat().st_blocks * 512 >= 16 * 1024**2  # real space
    file.close()
    file.close()
    assert files_of(path) == ["journal.sqlite"]


def test_a_new_journal_is_its_owners_alone_and_an_old_one_stays_as_it_is(path: Path) -> None:
    opened = JournalFile(path, ballast_bytes=0)
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]
    opened.close()
    path.chmod(0o640)
    JournalFile(path, ballast_bytes=0).close()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_transaction_is_whole_or_not_at_all(path: Path) -> None:
    file = JournalFile(path, ballast_bytes=0)
    with pytest.raises(KeyboardInterrupt), file.transaction(durable=True) as db:
        db.execute("INSERT INTO journal VALUES ('half', '1')")
        raise KeyboardInterrupt
    with file.transaction(durable=False) as db:  # and the next one is not in its way
        db.execute("INSERT INTO journal VALUES ('whole', '1')")
    names = [name for (name,) in file.db.execute("SELECT name FROM journal ORDER BY name")]
    assert names == ["version", "whole"]


def test_a_writer_lives_until_it_closes_or_is_killed(path: Path) -> None:
    file, other = JournalFile(path, ballast_bytes=0), JournalFile(path, ballast_bytes=0)
    assert file.lives(file.writer) and file.lives(other.writer) and not file.lives("never heard of")
    other.close()
    assert not file.lives(other.writer)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from actors.journal.database import JournalFile; f = JournalFile(sys.argv[1]); "
            "print(f.writer, flush=True); time.sleep(60)",
            str(path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    writer = process.stdout.readline().strip()
    assert file.lives(writer)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not file.lives(writer)


def test_marks_of_the_dead_are_swept_away_and_those_of_the_living_stay(path: Path) -> None:
    living = JournalFile(path, ballast_bytes=0)
    marks = path.parent / "journal.sqlite.writers"
    (marks / "dead").touch()
    (marks / "just being made").touch()
    for name in (living.writer, "dead"):
        os.utime(marks / name, (1.0, 1.0))
    other = JournalFile(path, ballast_bytes=0)
    assert {mark.name for mark in marks.iterdir()} == {living.writer, other.writer, "just being made"}


def test_a_writer_that_takes_a_dead_one_s_place_is_taken_for_it(path: Path) -> None:
    code = (
        "import os, sys; from actors.journal.database import JournalFile; "
        "JournalFile(sys.argv[1], writer='w'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    other = JournalFile(path, ballast_bytes=0)
    assert not other.lives("w")
    back = JournalFile(path, ballast_bytes=0, writer="w")
    assert other.lives("w") and back.writer == "w"


OPENER = """
import sys
from actors.journal.database import JournalFile
for number in range(40):
    file = JournalFile(sys.argv[1], ballast_bytes=4096)
    with file.transaction(durable=False) as db:
        db.execute("INSERT INTO journal VALUES (?, '')", (f"{sys.argv[2]} {number}",))
    file.ensure_ballast()
    file.close()
"""


@pytest.mark.thorough
def test_several_may_open_and_close_it_at_the_same_time(path: Path) -> None:
    """Two processes that come and go forty times each, from before there is a file. About 2 s."""
    processes = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(path), name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "other")
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    (rows,) = JournalFile(path, ballast_bytes=0).db.execute("SELECT COUNT(*) FROM journal").fetchone()
    assert rows == 81


MAKER = """
import sys, time
from actors.journal.database import JournalFile
began = float(sys.argv[2])
for number in range(40):
    time.sleep(max(0, began + number * 0.03 - time.time()))
    JournalFile(f"{sys.argv[1]}/{number}/journal.sqlite", ballast_bytes=0).close()
"""


@pytest.mark.thorough
def test_several_may_make_it_at_the_same_time(tmp_path: Path) -> None:
    """Four processes that make each of forty files in the same moment: SQLite refuses some of them. About 3 s."""
    began = str(time.time() + 1)
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(tmp_path), began], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def test_another_s_transaction_is_waited_for_only_so_long(path: Path) -> None:
    file, other = JournalFile(path, ballast_bytes=0), JournalFile(path, lock_wait_s=0.05, ballast_bytes=0)
    with file.transaction(durable=False), pytest.raises(JournalError, match="locked"), other.transaction(durable=False):
        pass
    with other.transaction(durable=False):
        pass


def test_a_file_that_is_no_journal_is_named_with_the_cure(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    for _ in range(2):
        with pytest.raises(JournalCorrupt, match=r"journal\.sqlite is damaged.*\.recover.*move the file away"):
            JournalFile(path)
    assert path.read_bytes().startswith(b"not a database")  # nothing was overwritten


def test_another_program_s_database_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE users (name)")
    before = path.read_bytes()
    with pytest.raises(JournalCorrupt, match="tables are those of another program"):
        JournalFile(path)
    assert path.read_bytes() == before


def test_a_damaged_journal_is_found_on_opening(path: Path) -> None:
    file = JournalFile(path, ballast_bytes=0)
    with file.transaction(durable=True) as db:
        db.executemany("INSERT INTO journal VALUES (?, ?)", [(str(number), "x" * 500) for number in range(300)])
    file.close()
    content = bytearray(path.read_bytes())
    for page in range(3, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    with pytest.raises(JournalCorrupt):
        JournalFile(path)


def test_a_journal_of_a_later_version_is_left_alone(path: Path) -> None:
    JournalFile(path).close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE journal SET value = '99' WHERE name = 'version'")
    before = path.read_bytes()
    with pytest.raises(JournalVersionMismatch, match=r"version 99.*version 2"):
        JournalFile(path)
    assert path.read_bytes() == before


def test_a_journal_of_version_1_moves_to_this_one_and_stays_there(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
        old.execute("INSERT INTO calls (key, status, request, started_at) VALUES ('k', 'started', '{}', 1.0)")
    for _ in range(2):
        file = JournalFile(path)
        assert file.db.execute("SELECT value FROM journal WHERE name = 'version'").fetchone() == ("2",)
        assert file.db.execute("SELECT key FROM calls").fetchall() == [("k",)]
        assert file.db.execute("SELECT COUNT(*) FROM sends").fetchone() == (0,)
        file.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"file.*permissions"):
        JournalFile(tmp_path / "file" / "journal.sqlite")


def test_a_disk_without_room_for_the_ballast_is_full(small_disk: Path) -> None:
    with pytest.raises(JournalDiskFull, match=r"journal\.sqlite: no room.*free some space"):
        JournalFile(small_disk / "journal.sqlite", ballast_bytes=16 * 1024**2)
    file = JournalFile(small_disk / "journal.sqlite", ballast_bytes=1024**2)  # nothing is in the way of a second try
    (mark,) = (small_disk / "journal.sqlite.writers").iterdir()
    assert mark.name == file.writer


def test_a_journal_cannot_be_made_on_a_full_disk_and_says_so(small_disk: Path) -> None:
    filler = fill(small_disk)
    with pytest.raises(JournalDiskFull, match="free some space"):
        JournalFile(small_disk / "journal.sqlite", ballast_bytes=0)
    filler.unlink()
    JournalFile(small_disk / "journal.sqlite", ballast_bytes=0).close()


def test_the_ballast_makes_room_once_and_comes_back_when_there_is_room(small_disk: Path) -> None:
    file = JournalFile(small_disk / "journal.sqlite", ballast_bytes=1024**2)
    filler = fill(small_disk)
    file.ensure_ballast()  # it is there
    assert file.drop_ballast() and not file.drop_ballast()
    (small_disk / "reply").write_bytes(b"x" * 1024**2)
    with pytest.raises(JournalDiskFull):
        file.ensure_ballast()
    filler.unlink()
    file.ensure_ballast()
    assert (small_disk / "journal.sqlite.ballast").stat().st_size == 1024**2
