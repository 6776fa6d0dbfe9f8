"""The copy of a journal: taken while it is written, read back on an empty disk, and what was lost counted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, StartRefusal
from actors.journal.audit import audit
from actors.journal.lost import NOTHING, figures_of
from actors.journal.sums import sums_of
from actors.storage.journal_copies import JournalCopies
from actors.storage.remote import RemoteFolder, StorageError
from tests.actors.journal.entries import reply, request, sending

RUN, COST = "mine", 1_000


@pytest.fixture
def stored(tmp_path: Path) -> RemoteFolder:
    return RemoteFolder((tmp_path / "there").as_uri(), patience_s=0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "journal.sqlite"


@pytest.fixture
def copies(journal: Path, stored: RemoteFolder) -> Iterator[JournalCopies]:
    made = JournalCopies(journal, stored, RUN)
    made.prepare(NOTHING)
    yield made


def answer(journal: Path, *numbers: int, cap: int | None = None) -> None:
    """Records that these requests were asked and answered, at COST nanodollars each."""
    with closing(Journal(journal, ballast_bytes=0)) as writer:
        for number in numbers:
            sent = sending(request(number), worst=COST, run=RUN, cap=cap)
            assert writer.start([sent]) == [None]
            writer.end([Ended(sent.id, reply(sent.request), 11, 7, COST)])


def answered(journal: Path) -> set[int]:
    with closing(Journal(journal, ballast_bytes=0)) as writer:
        return {number for number in range(20) if writer.lookup([request(number).key]) != [None]}


def lose(journal: Path) -> None:
    shutil.rmtree(journal.parent)


def test_an_empty_disk_gets_the_last_copy_and_the_rest_is_counted_and_paid(
    copies: JournalCopies, journal: Path, stored: RemoteFolder
) -> None:
    answer(journal, 1, 2)
    copies.copy()
    answer(journal, 3, 4, 5)
    told = copies.figures()
    assert told is not None
    lose(journal)
    JournalCopies(journal, stored, RUN).prepare(told)
    assert answered(journal) == {1, 2}
    sums = sums_of(journal, RUN)
    assert sums.lost_answers == 3 and sums.runs[RUN].settled == 5 * COST
    assert sums_of(journal, "another").lost_answers == 0
    assert audit(journal).faults == ()
    with closing(Journal(journal, ballast_bytes=0)) as writer:  # what is lost is spent: the cap knows it
        sent = sending(request(6), worst=COST, run=RUN, cap=5 * COST)
        assert writer.start([sent]) == [StartRefusal.NO_MONEY]


def test_a_run_that_was_lost_before_its_first_copy_is_counted_too(
    copies: JournalCopies, journal: Path, stored: RemoteFolder
) -> None:
    answer(journal, 1, 2)
    told = copies.figures()
    assert told is not None
    lose(journal)
    JournalCopies(journal, stored, RUN).prepare(told)
    assert answered(journal) == set() and sums_of(journal).lost_answers == 2


def test_on_the_same_disk_nothing_is_brought_and_nothing_lost(
    copies: JournalCopies, journal: Path, stored: RemoteFolder
) -> None:
    answer(journal, 1)
    copies.copy()
    answer(journal, 2)
    again = JournalCopies(journal, stored, RUN)
    again.prepare(copies.figures() or NOTHING)
    assert answered(journal) == {1, 2} and sums_of(journal).lost_answers == 0


def test_an_older_disk_takes_what_another_head_has_and_keeps_its_own_answers(
    copies: JournalCopies, journal: Path, stored: RemoteFolder, tmp_path: Path
) -> None:
    answer(journal, 1)
    copies.copy()
    answer(journal, 2)
    elsewhere = tmp_path / "elsewhere" / "journal.sqlite"
    other = JournalCopies(elsewhere, stored, RUN)
    other.prepare(copies.figures() or NOTHING)
    answer(elsewhere, 3)
    other.stop()
    back = JournalCopies(journal, stored, RUN)
    back.prepare(other.figures() or NOTHING)
    assert answered(journal) == {1, 2, 3}
    assert audit(journal).faults == ()
    assert {path.name for path in journal.parent.iterdir()} <= {f"journal.sqlite{end}" for end in ("", "-wal", "-shm")}
    assert figures_of(journal, RUN).home not in ("", figures_of(elsewhere, RUN).home)


def test_a_journal_that_runs_share_is_added_to_and_never_replaced(
    copies: JournalCopies, journal: Path, stored: RemoteFolder, tmp_path: Path
) -> None:
    answer(journal, 1)
    copies.copy()
    answer(journal, 2)
    shared = tmp_path / "shared.sqlite"
    answer(shared, 7)
    JournalCopies(shared, stored, RUN, shared=True).prepare(copies.figures() or NOTHING)
    assert answered(shared) == {1, 7} and sums_of(shared).lost_answers == 1


def test_a_journal_of_before_copies_were_taken_goes_on(journal: Path, stored: RemoteFolder) -> None:
    answer(journal, 1)
    copies = JournalCopies(journal, stored, RUN)
    copies.prepare(NOTHING)
    told = copies.figures()
    assert told is not None and told.home and told.answered == 1


def test_the_file_on_a_network_disk_that_was_the_journal_becomes_the_copy(journal: Path, tmp_path: Path) -> None:
    there = tmp_path / "network" / "mine"
    answer(there / "journal.sqlite", 1, 2)
    copies = JournalCopies(journal, RemoteFolder(there.as_uri()), RUN)
    copies.prepare(NOTHING)
    answer(journal, 3)
    copies.stop()
    assert answered(journal) == answered(there / "journal.sqlite") == {1, 2, 3}


def test_copies_are_whole_while_the_journal_is_written(journal: Path, stored: RemoteFolder, tmp_path: Path) -> None:
    copies, ended, stop = JournalCopies(journal, stored, RUN, every_s=0.01), Future[None](), threading.Event()
    copies.prepare(NOTHING)
    writer = threading.Thread(target=lambda: [answer(journal, number) for number in range(15)] and stop.set())
    writer.start()
    copies.keep(ended)
    seen: list[int] = []
    while not stop.is_set():
        if stored.download("journal.sqlite", tmp_path / "copy.sqlite"):
            assert audit(tmp_path / "copy.sqlite").faults == ()
            seen.append(figures_of(tmp_path / "copy.sqlite", RUN).answered)
    writer.join()
    copies.stop()
    assert seen == sorted(seen) and not ended.done()
    stored.download("journal.sqlite", tmp_path / "copy.sqlite")
    assert figures_of(tmp_path / "copy.sqlite", RUN).answered == 15


def test_nothing_new_is_not_copied_again(
    copies: JournalCopies, journal: Path, stored: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded: list[str] = []
    monkeypatch.setattr(stored, "upload", lambda _, name: uploaded.append(name))
    answer(journal, 1)
    time.sleep(0.1)  # within a tick of the file's clock more might be written
    copies.copy()
    copies.copy()
    assert uploaded == ["journal.sqlite"]
    answer(journal, 2)
    copies.copy()
    assert uploaded == ["journal.sqlite"] * 2


def test_storage_that_takes_no_copy_ends_the_run(
    journal: Path, stored: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path, name: str) -> None:
        raise StorageError("full")

    copies, ended = JournalCopies(journal, stored, RUN, every_s=0.01), Future[None]()
    copies.prepare(NOTHING)
    monkeypatch.setattr(stored, "upload", refuse)
    copies.keep(ended)
    with pytest.raises(StorageError, match="full"):
        ended.result(timeout=5)
    assert answered(journal) == set()
