"""The journal on a full disk: what is in flight is recorded, nothing new is sent."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, JournalDiskFull, Spending
from reasoning.teacher.calls import TeacherReply, TeacherRequest
from reasoning.teacher.prices import NANO
from tests.actors.journal.entries import answer, fill, reply, request, sending, started


def test_a_spent_quota_is_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite tells it as a failed write, on a disk that has room."""
    journal = Journal(path, ballast_bytes=4096)
    (sent,) = started(journal, request(0))
    whole = journal._end_all

    def spent(ended: Sequence[Ended]) -> None:
        if journal._file._ballast.exists():
            with journal._file.errors():
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorname = "SQLITE_IOERR_WRITE"
                raise error
        whole(ended)

    monkeypatch.setattr(journal, "_end_all", spent)
    journal.end([Ended(sent.id, reply(request(0)))])
    assert isinstance(journal.lookup([request(0).key])[0], TeacherReply)


def long(number: int) -> TeacherRequest:
    return TeacherRequest("offline", "m", (("user", f"{number} " + "x" * 20_000),), 0.7, 64)


def test_on_a_full_disk_what_is_in_flight_is_still_recorded_and_nothing_new_is_sent(small_disk: Path) -> None:
    """A real disk of 4 MiB, which something else fills while forty requests are in flight."""
    path = small_disk / "journal.sqlite"
    journal = Journal(path, ballast_bytes=1024**2)
    answer(journal, request(0))
    sent = started(journal, *(request(number) for number in range(1, 41)), worst=10)
    filler = fill(small_disk)
    with pytest.raises(JournalDiskFull, match=r"journal\.sqlite: no room.*free some space on the disk or in"):
        for number in range(100, 200):
            sent += started(journal, long(number), worst=10)
    assert len(sent) < 140
    for some in (sent[:20], sent[20:]):  # replies of 10 kB each
        journal.end([Ended(one.id, reply(one.request, "y" * 10_000), 1, 1, 4) for one in some])
    with pytest.raises(JournalDiskFull, match="free some space"):
        journal.start([sending(request(50))])  # the ballast is used up: a reply might not find room
    answered = [request(0), *(one.request for one in sent)]
    assert all(isinstance(found, TeacherReply) for found in journal.lookup([one.key for one in answered]))
    filler.unlink()
    answer(journal, request(50))  # and it goes on once there is room
    journal.close()
    again = Journal(path, ballast_bytes=1024**2)
    assert all(again.lookup([one.key for one in [*answered, request(50)]]))
    assert again.spending("r") == Spending(4 * len(sent) / NANO, 0.0)
    assert again.sums().requests.unknown == 0
    again.close()


def test_a_disk_that_stays_full_is_an_error_that_loses_nothing_recorded(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal.sqlite", ballast_bytes=4096)  # too little for what will come
    answer(journal, request(0))
    (sent,) = started(journal, request(1))
    filler = fill(small_disk)
    huge = Ended(sent.id, reply(request(1), "y" * 10_000_000))
    for _ in range(2):
        with pytest.raises(JournalDiskFull, match="What was recorded is safe"):
            journal.end([huge])
    assert isinstance(journal.lookup([request(0).key])[0], TeacherReply)
    filler.unlink()
    journal.end([Ended(sent.id, reply(request(1)))])
    assert isinstance(journal.lookup([request(1).key])[0], TeacherReply)
    journal.close()
