"""The journal: nothing recorded is lost, nothing answered is asked again."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.journal import (
    AlreadyAnswered,
    Journal,
    JournalCorrupt,
    JournalDiskFull,
    JournalError,
    JournalInUse,
    JournalVersionMismatch,
)
from reasoning.teacher_calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest


def request(number: int = 0) -> TeacherRequest:
    return TeacherRequest("offline", "m", (("user", f"Frage {number} — ¿qué?"),), 0.7, 64)


def reply(to: TeacherRequest, text: str = "Vier.\nAnswer: 4", reason: str = "stop") -> TeacherReply:
    return TeacherReply(to.key, text, reason, 11, 7, "m-2024")


def answer(journal: Journal, to: TeacherRequest) -> None:
    journal.start(to.key, to)
    journal.finish(reply(to))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.sqlite"


def test_a_reply_comes_back_whole_after_reopening(path: Path) -> None:
    odd = reply(request(), 'Zeile\n\x00 "quoted" \U0001f600 — 数', "length")
    journal = Journal(path)
    assert journal.lookup(odd.key) is None
    journal.start(odd.key, request())
    assert journal.lookup(odd.key) is None  # asked, not answered
    journal.finish(odd)
    journal.close()
    found = Journal(path).lookup(odd.key)
    assert found == TeacherReply(odd.key, odd.text, "length", 11, 7, "m-2024", from_journal=True)


def test_an_answered_request_is_not_sent_again_and_the_attempt_is_counted(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request())
    with pytest.raises(AlreadyAnswered, match=request().key):
        journal.start(request().key, request())
    stats = journal.stats()
    assert (stats.answered_sent_again, stats.sends, stats.answered) == (1, 1, 1)


def test_the_first_reply_stays(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request())
    journal.finish(reply(request(), "another"))
    journal.fail(TeacherFailure(request().key, FailureKind.CONTENT_FILTER, "late", 1))
    assert journal.lookup(request().key).text == reply(request()).text


def test_final_failures_are_kept_and_all_others_may_be_asked_again(path: Path) -> None:
    journal = Journal(path)
    for number, kind in enumerate(FailureKind):
        journal.start(request(number).key, request(number))
        failure = TeacherFailure(request(number).key, kind, "why", 2)
        journal.fail(failure)
        assert journal.lookup(failure.key) == (failure if kind.final else None)
    assert journal.stats().failed_by_kind == dict.fromkeys(FailureKind, 1)
    for number, kind in enumerate(FailureKind):
        if not kind.final:
            answer(journal, request(number))
    stats = journal.stats()
    assert sum(stats.failed_by_kind.values()) == sum(kind.final for kind in FailureKind)
    assert stats.requests_sent_more_than_once == stats.answered and stats.sends_after_unknown == 0


def test_what_a_crash_left_unknown_is_reported(path: Path) -> None:
    journal = Journal(path)
    journal.start(request(0).key, request(0))
    answer(journal, request(1))
    journal.close()
    again = Journal(path)
    assert again.stats().started_unknown == 1
    answer(again, request(0))
    stats = again.stats()
    assert (stats.started_unknown, stats.sends_after_unknown, stats.requests_sent_more_than_once) == (0, 1, 1)
    assert (stats.prompt_tokens, stats.completion_tokens) == (22, 14)


def test_the_same_sending_announced_twice_counts_once(path: Path) -> None:
    journal = Journal(path)
    for send in ("a", "a", "b", "b"):
        journal.start(request().key, request(), send)
    assert journal.stats().sends == 2


def test_an_end_without_a_start_is_refused(path: Path) -> None:
    with pytest.raises(JournalError, match="never started"):
        Journal(path).finish(reply(request()))


def test_anybody_can_read_requests_and_replies(path: Path) -> None:
    answer(Journal(path), request())
    row = sqlite3.connect(path).execute("SELECT request, reply, status FROM calls").fetchone()
    assert json.loads(row[0])["messages"] == [["user", "Frage 0 — ¿qué?"]]
    assert json.loads(row[1])["text"] == "Vier.\nAnswer: 4" and row[2] == "answered"


WRITER = """
import sys
from actors.journal import Journal
from reasoning.teacher_calls import TeacherReply, TeacherRequest
journal = Journal(sys.argv[1])
for number in range(int(sys.argv[2]), 1_000_000):
    request = TeacherRequest("offline", "m", (("user", f"{number} " + "x" * 3000),), 0.0, 64)
    journal.start(request.key, request)
    journal.finish(TeacherReply(request.key, f"{number} " + "y" * 5000, "stop", 1, 1, "m"))
    print(request.key, number, flush=True)
"""


def test_a_recorded_reply_survives_sigkill_at_any_instant(path: Path) -> None:
    """Six writers, each killed somewhere in the middle: whatever was reported as recorded is there. About 4 s."""
    recorded: list[tuple[str, int]] = []
    chance = random.Random(0)
    for _ in range(6):
        first = recorded[-1][1] + 2 if recorded else 0  # the one after the last reported may be recorded as well
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(chance.uniform(0.0, 0.3))
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        recorded += [(line.split()[0], int(line.split()[1])) for line in lines if line.endswith("\n")]
    journal = Journal(path)  # the dead writer's lock holds nobody up
    for key, number in recorded:
        found = journal.lookup(key)
        assert isinstance(found, TeacherReply) and found.text == f"{number} " + "y" * 5000
    stats = journal.stats()
    assert len(recorded) <= stats.answered <= len(recorded) + 6 and stats.started_unknown <= 6
    assert stats.answered_sent_again == stats.requests_sent_more_than_once == 0


def test_a_second_writer_is_refused_and_told_who_writes(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(JournalInUse, match=r"journal.sqlite is being written by process \d+.*directory of its own"):
        Journal(path, lock_wait_s=0.0)
    journal.close()
    journal.close()
    Journal(path, lock_wait_s=0.0).close()


def test_a_writer_that_is_just_ending_is_waited_for(path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from actors.journal import Journal; j = Journal(sys.argv[1]); print(1, flush=True); "
            "time.sleep(0.4)",
            str(path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline()
    Journal(path, lock_wait_s=10.0).close()
    holder.wait()


def test_a_file_that_is_no_journal_is_named_with_the_cure(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalCorrupt, match=r"journal\.sqlite is damaged.*\.recover.*move the file away"):
        Journal(path)
    assert path.read_bytes().startswith(b"not a database")  # nothing was overwritten
    with pytest.raises(JournalCorrupt):
        Journal(path, lock_wait_s=0.0)  # and the lock is free again


def test_a_damaged_journal_is_found_on_opening(path: Path) -> None:
    journal = Journal(path)
    for number in range(300):
        answer(journal, request(number))
    journal.close()
    content = bytearray(path.read_bytes())
    for page in range(3, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    with pytest.raises(JournalCorrupt):
        Journal(path)


def test_a_journal_of_another_version_is_left_alone(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE journal SET value = '99' WHERE name = 'version'")
    with pytest.raises(JournalVersionMismatch, match=r"version 99.*version 1"):
        Journal(path)


def test_a_full_disk_is_an_error_of_its_own_and_costs_nothing_recorded(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request(0))
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages + 2}")  # as far as SQLite is concerned, the disk ends here
    with pytest.raises(JournalDiskFull, match="free some space"):
        for number in range(1, 100):
            answer(journal, request(number))
    journal._db.execute("PRAGMA max_page_count = 100000")
    assert isinstance(journal.lookup(request(0).key), TeacherReply)
    answer(journal, request(200))  # and it goes on once there is room
    journal.close()
    assert Journal(path).lookup(request(200).key)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="file"):
        Journal(tmp_path / "file" / "journal.sqlite")
