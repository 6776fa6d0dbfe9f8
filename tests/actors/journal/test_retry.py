"""Failures that are cleared: asked again, and nothing else changes."""

import sqlite3
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, JournalError
from actors.journal.audit import audit
from actors.journal.retry import FailureCount, clear_failures, failure_counts
from actors.journal.transfer import export_journal
from reasoning.teacher.calls import FailureKind, TeacherReply
from tests.actors.journal.entries import answer, failure, request, sending, started

K = FailureKind
KINDS = [K.CONTENT_FILTER, K.CONTENT_FILTER, K.TRUNCATED, K.SERVER, K.BAD_REQUEST]


@pytest.fixture
def full(path: Path) -> Path:
    """Two requests answered, one in flight, and five failed, of which three stay so; all of it paid."""
    journal = Journal(path, ballast_bytes=0)
    answer(journal, request(0), request(1))
    for number, kind in enumerate(KINDS, 10):
        (one,) = started(journal, request(number), worst=9)
        journal.end([Ended(one.id, failure(request(number), kind), 3, 4, 7, place="1")])
    started(journal, request(2), worst=9)
    journal.close()
    return path


def kept(path: Path) -> list[int]:
    """The numbers of the requests that would not be asked."""
    journal = Journal(path, ballast_bytes=0)
    found = journal.lookup([request(number).key for number in range(15)], ["1"])
    journal.close()
    return [number for number, outcome in enumerate(found) if outcome is not None]


def test_failures_are_counted_by_kind_without_a_change(full: Path) -> None:
    before = full.read_bytes()
    counts = failure_counts(full)
    assert counts == (
        FailureCount("content_filter", 2, 2),
        FailureCount("bad_request", 1, 0),
        FailureCount("server", 1, 0),
        FailureCount("truncated", 1, 1),
    )
    assert failure_counts(full, "nobody") == () and failure_counts(full, "r") == counts
    assert full.read_bytes() == before and kept(full) == [0, 1, 10, 11, 12]


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ((), [0, 1]),
        ((K.CONTENT_FILTER,), [0, 1, 12]),
        ((K.TRUNCATED, K.SERVER), [0, 1, 10, 11]),
        ((K.SERVER,), [0, 1, 10, 11, 12]),
        ((K.CONTEXT_TOO_LONG,), [0, 1, 10, 11, 12]),
    ],
)
def test_cleared_failures_are_asked_again_and_answers_stay(full: Path, kinds: tuple[K, ...], left: list[int]) -> None:
    found = clear_failures(full, kinds)
    assert {count.kind for count in found} <= set(kinds or KINDS)
    assert kept(full) == left and not audit(full).faults
    assert clear_failures(full, kinds) == tuple(
        FailureCount(one.kind, one.failed, 0) for one in found
    )  # nothing is left


def test_nothing_that_was_paid_is_lost(full: Path) -> None:
    with sqlite3.connect(full) as db:
        before = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("sends", "spending", "batches")]
    clear_failures(full)
    with sqlite3.connect(full) as db:
        assert before == [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("sends", "spending", "batches")]
    journal = Journal(full)
    assert journal.spending().settled == pytest.approx(35e-9)
    again = sending(request(10))
    assert journal.start([again]) == [None]
    journal.end([Ended(again.id, failure(request(10), K.CONTENT_FILTER), place="1")])
    assert journal.lookup([request(10).key], ["1"]) == [failure(request(10), K.CONTENT_FILTER)]  # refused once more
    assert isinstance(journal.lookup([request(0).key], ["1"])[0], TeacherReply)


def test_what_one_run_sent_is_cleared_alone(full: Path) -> None:
    assert clear_failures(full, run="nobody") == () and kept(full) == [0, 1, 10, 11, 12]
    assert clear_failures(full, run="r") and kept(full) == [0, 1]


def test_cleared_failures_are_not_exported_as_for_good(full: Path, tmp_path: Path) -> None:
    clear_failures(full, (K.TRUNCATED,))
    assert export_journal(full, tmp_path / "out.jsonl", failures=True).failures == 2


def test_an_older_failure_and_an_imported_one_can_be_cleared(full: Path) -> None:
    with sqlite3.connect(full) as db:
        db.execute("UPDATE calls SET failure_places = NULL")
    clear_failures(full)
    assert kept(full) == [0, 1]


def test_a_journal_that_is_not_there_is_not_made(path: Path) -> None:
    for call in (failure_counts, clear_failures):
        with pytest.raises(JournalError, match="no such journal"):
            call(path)
    assert not path.exists()


def test_a_journal_that_another_process_writes_is_waited_for_and_then_told(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = sqlite3.connect(full, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    opened = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **more: opened(*a, **{**more, "timeout": 0.1}))
    with pytest.raises(JournalError, match="another process has been writing"):
        clear_failures(full)
    writer.execute("ROLLBACK")
    writer.close()
    assert kept(full) == [0, 1, 10, 11, 12]
