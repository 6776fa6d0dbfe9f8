"""A journal looked over: what is sound is called so, every fault is found at its place, and nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, Sending
from actors.journal.audit import Audit, audit
from actors.journal.database import JournalCorrupt, JournalError, JournalVersionMismatch
from actors.journal.sums import SendingSums, sums_of
from actors.journal.transfer import Exported, export_journal, import_journal
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest


def request(number: int) -> TeacherRequest:
    return TeacherRequest("teacher", "m", (("user", f"Frage {number}"),), 0.7, 64)


KEYS = [request(number).key for number in range(6)]


def reply(number: int, reason: str = "stop") -> TeacherReply:
    return TeacherReply(KEYS[number], "Four.", reason, 11, 7, "m-2024")


def sending(number: int, run: str = "mine", endpoint: str = "east", again: str = "") -> Sending:
    return Sending(f"s{number}{again}", KEYS[number], request(number), run, endpoint, 500)


def failure(number: int, kind: FailureKind) -> TeacherFailure:
    return TeacherFailure(KEYS[number], kind, "why", 1)


def fill(path: Path) -> Journal:
    """Two answers (one cut off, one at the second try), a failure for good, one of another run, one without outcome."""
    journal = Journal(path, ballast_bytes=0)
    journal.start([sending(0), sending(1), sending(2), sending(3, "other", "west")])
    journal.end([Ended("s0", reply(0, "length"), 11, 7, 300), Ended("s1", failure(1, FailureKind.TIMEOUT), cost=None)])
    journal.start([sending(1, again="b"), sending(4)])
    journal.end([Ended("s1b", reply(1), 11, 7, 200), Ended("s2", failure(2, FailureKind.CONTENT_FILTER))])
    journal.end([Ended("s3", reply(3), 11, 7, 100)])
    return journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    fill(path).close()
    return path


def test_a_sound_journal_is_called_so_and_stays_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    found = audit(path)
    assert (found.requests, found.sendings, found.in_flight, found.faults) == (5, 6, 0, ())
    assert [(lost.id, lost.key, lost.worst_cost) for lost in found.unknown] == [("s4", KEYS[4], 500)]
    assert path.read_bytes() == before


def test_sums_by_run_by_endpoint_and_in_all(path: Path) -> None:
    sums = sums_of(path)
    requests = sums.requests
    assert (requests.answered, requests.truncated, requests.imported, requests.lost, requests.in_flight) == (
        3,
        1,
        0,
        1,
        0,
    )
    assert requests.failed == {"content_filter": 1} and requests.sent_more_than_once == 1
    assert (requests.sent_again, requests.refused, requests.unknown) == (0, 0, 1)
    assert (requests.prompt_tokens, requests.completion_tokens) == (33, 21)
    assert sums.runs == {"mine": SendingSums(5, 1, 22, 14, 1000, 500), "other": SendingSums(1, 0, 11, 7, 100, 0)}
    assert list(sums.endpoints) == ["east", "west"] and sums.endpoints["east"] == sums.runs["mine"]
    assert sums.all == SendingSums(6, 1, 33, 21, 1100, 500)
    assert sums.outcomes == {"answered": 3, "content_filter": 1, "timeout": 1, "unknown": 1}


def test_sums_of_one_run_alone(path: Path) -> None:
    sums = sums_of(path, "other")
    assert sums.all == SendingSums(1, 0, 11, 7, 100, 0) and list(sums.runs) == ["other"]
    assert sums.requests.answered == 1 and sums.requests.lost == 0 and sums.outcomes == {"answered": 1}
    assert sums_of(path, "nobody").runs == {}


def test_the_sums_are_those_of_the_journal_itself(path: Path) -> None:
    journal = Journal(path, ballast_bytes=0)
    spending, sums = journal.spending(), sums_of(path)
    assert journal.sums() == sums and journal.sums("other") == sums_of(path, "other")
    journal.close()
    assert spending.settled == sums.all.settled / 1e9 and spending.reserved == sums.all.reserved / 1e9


def test_what_a_living_process_waits_for_is_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writing = fill(path)
    assert (audit(path).in_flight, audit(path).unknown) == (1, ())
    assert (sums_of(path).requests.in_flight, sums_of(path).requests.lost) == (1, 0)
    writing.close()


def test_after_a_kill_the_journal_is_sound_and_what_was_sent_is_unknown(tmp_path: Path) -> None:
    """With a log that nobody folded into the file, as a killed process leaves it."""
    path = tmp_path / "journal.sqlite"
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.actors.journal.test_audit import fill; "
        "journal = fill(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert path.with_name("journal.sqlite-wal").stat().st_size > 0
    found = audit(path)
    assert (found.requests, found.faults, [lost.id for lost in found.unknown]) == (5, (), ["s4"])


@pytest.mark.thorough
def test_a_reader_sees_one_instant_while_a_run_writes(path: Path, tmp_path: Path) -> None:
    """A thousand sendings by another process meanwhile (about two seconds)."""
    code = (
        "import sys; from pathlib import Path; from actors.journal.actor import Journal; "
        "from tests.actors.journal.test_audit import *\n"
        "journal = Journal(Path(sys.argv[1]), ballast_bytes=0)\n"
        "for number in range(1000):\n"
        "    one = TeacherRequest('t', 'm', (('user', f'live {number}'),), 0.7, 64)\n"
        "    journal.start([Sending(f'l{number}', one.key, one, 'live', 'east', 9)])\n"
        "    journal.end([Ended(f'l{number}', TeacherReply(one.key, 'x', 'stop', 1, 1, 'm'), 1, 1, 7)])\n"
        "    number or print('writing', flush=True)\n"
        "journal.close()\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
    looks = 0
    while writer.poll() is None:
        assert audit(path).faults == ()
        sums = sums_of(path)
        live = sums.runs["live"]
        assert live.settled == 7 * (live.sendings - live.open) and live.reserved == 9 * live.open
        assert export_journal(path, tmp_path / "out.jsonl").answers >= 4
        looks += 1
    writer.stdout.close()
    assert writer.returncode == 0 and looks >= 2
    assert sums_of(path).runs["live"].sendings == 1000


@pytest.mark.parametrize(
    ("damage", "place", "said"),
    [
        (
            "UPDATE calls SET request = replace(request, '64', '65') WHERE key = :0",
            "request :0",
            "its key does not match its request",
        ),
        ("UPDATE calls SET request = 'x' WHERE key = :0", "request :0", "request is not JSON"),
        ("UPDATE calls SET request = CAST(x'22ff22' AS TEXT) WHERE key = :0", "request :0", "request is not an object"),
        ("UPDATE calls SET reply = substr(reply, 1, 20) WHERE key = :0", "request :0", "reply is not JSON"),
        ("UPDATE calls SET reply = json_remove(reply, '$.model') WHERE key = :0", "request :0", "reply lacks model"),
        ("UPDATE calls SET reply = NULL WHERE key = :0", "request :0", "reply is not JSON"),
        ("UPDATE calls SET prompt_tokens = 12 WHERE key = :0", "request :0", "its token counts differ"),
        ("UPDATE calls SET ended_at = NULL WHERE key = :0", "request :0", "no end time"),
        ("UPDATE calls SET status = 'failed' WHERE key = :0", "request :0", "it is failed, but has a reply"),
        ("UPDATE calls SET failure_kind = 'x' WHERE key = :2", "request :2", "its failure is incomplete"),
        (
            "UPDATE calls SET status = 'started' WHERE key = :2",
            "request :2",
            "is started, but its last sending has ended",
        ),
        ("UPDATE calls SET last_send = 'x' WHERE key = :0", "request :0", "its last sending is not among"),
        ("DELETE FROM calls WHERE key = :0", "request :0, sending s0", "there is no such request"),
        ("UPDATE sends SET outcome = NULL WHERE id = 's0'", "request :0, sending s0", "but not both"),
        ("UPDATE sends SET outcome = 'x' WHERE id = 's0'", "request :0, sending s0", "its outcome is 'x'"),
        (
            "UPDATE sends SET cost = 1 WHERE id = 's0'",
            "run 'mine'",
            "1000 nanodollars settled, but its sendings add up to 701",
        ),
        ("DELETE FROM spending WHERE run = 'other'", "run 'other'", "0 nanodollars settled"),
        ("UPDATE spending SET reserved = 0", "run 'mine'", "0 nanodollars reserved, but its sendings add up to 500"),
    ],
)
def test_each_fault_is_found_at_its_place(damage: str, place: str, said: str, path: Path) -> None:
    with sqlite3.connect(path) as db:
        for number in (0, 2):
            damage, place = damage.replace(f":{number}", f"'{KEYS[number]}'"), place.replace(f":{number}", KEYS[number])
        db.execute(damage)
    faults = audit(path).faults
    assert any(fault.place == place and said in fault.what for fault in faults), faults
    assert len(faults) <= 3  # others follow from it


def test_a_damaged_page_is_a_fault_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path, ballast_bytes=0)
    for number in range(200):
        one = TeacherRequest("t", "m", (("user", f"{number} " * 200),), 0.7, 64)
        journal.start([Sending(f"s{number}", one.key, one)])
    journal.close()
    size, content = 4096, bytearray(path.read_bytes())
    for page in range(len(content) // size // 2, len(content) // size):
        content[page * size : page * size + 64] = b"\xff" * 64
    path.write_bytes(content)
    places = {fault.place for fault in audit(path).faults}
    assert "the file" in places


def test_what_was_imported_or_is_older_than_the_account_of_sendings_is_sound(path: Path, tmp_path: Path) -> None:
    imported = tmp_path / "imported.sqlite"
    import_journal(path, imported)
    assert audit(imported) == Audit(4, 0, 0, 0, (), ())
    assert sums_of(imported).requests.imported == 3
    older = tmp_path / "older.sqlite"
    shutil.copyfile(path, older)
    with sqlite3.connect(older) as db:
        db.executescript(
            "DROP TABLE sends; DROP TABLE spending; DROP TABLE batches; "
            "UPDATE journal SET value = '1' WHERE name = 'version'"
        )
    before = older.read_bytes()
    assert audit(older) == Audit(5, 0, 0, 0, (), ())
    assert sums_of(older).all == SendingSums() and sums_of(older).requests.lost == 1
    assert export_journal(older, tmp_path / "out.jsonl") == Exported(3, 0)
    assert older.read_bytes() == before
    Journal(older, ballast_bytes=0).close()  # moves it to this version
    assert audit(older) == Audit(5, 0, 0, 0, (), ())


def test_what_a_batch_at_the_provider_has_is_not_lost(path: Path) -> None:
    journal = Journal(path, ballast_bytes=0)
    journal.batch_made("b", "east", "mine", {KEYS[4]: "s4"})
    journal.close()
    found, requests = audit(path), sums_of(path).requests
    assert (found.in_batch, found.unknown, found.faults) == (1, (), ())
    assert (requests.in_batch, requests.in_flight, requests.lost) == (1, 0, 0)
    journal = Journal(path, ballast_bytes=0)
    journal.batch_ended("b")
    journal.close()
    assert (audit(path).in_batch, len(audit(path).unknown), sums_of(path).requests.lost) == (0, 1, 1)


@pytest.mark.parametrize("sends", ["{bro", '["s4"]', '{"k": 4}', '{"no such request": "s4"}'])
def test_a_batch_that_does_not_fit_is_a_fault(path: Path, sends: str) -> None:
    journal = Journal(path, ballast_bytes=0)
    journal.batch_made("b", "east", "mine", {})
    with sqlite3.connect(path) as db:
        db.execute("UPDATE batches SET sends = ?", (sends,))
    (fault,) = audit(path).faults
    assert fault.place == "batch b" and "send" in fault.what
    if "such" not in sends:
        with pytest.raises(JournalCorrupt, match=r"an open batch to east: sends is no.*tailor journal verify"):
            journal.open_batches("east")
    assert sums_of(path).requests.answered == 3


def test_what_is_no_journal_is_told(path: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=": no such journal"):
        audit(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text").write_text("words " * 999)
    with pytest.raises(JournalCorrupt, match="not a journal"):
        audit(tmp_path / "text")
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE x (y)").connection.commit()
    with pytest.raises(JournalCorrupt, match="none of a journal's tables"):
        audit(tmp_path / "other.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE journal SET value = '9' WHERE name = 'version'")
    with pytest.raises(JournalVersionMismatch, match="version 9"):
        audit(path)
