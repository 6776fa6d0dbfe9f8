"""The journal: nothing recorded is lost, nothing answered is asked again, and no cap on spending is passed."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal import (
    Ended,
    Journal,
    JournalBusy,
    JournalCorrupt,
    JournalDiskFull,
    JournalError,
    OpenBatch,
    Refusal,
    Sending,
    Spending,
)
from reasoning.prices import NANO
from reasoning.teacher_calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from tests.actors.test_journal_file import VERSION_1, fill


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.sqlite"


# Replies and failures -------------------------------------------------------------------------------------------------


def test_a_reply_comes_back_whole_after_reopening(path: Path) -> None:
    odd = reply(request(), 'Zeile\n\x00 "quoted" \U0001f600 — 数', "length")
    journal = Journal(path)
    assert journal.lookup([odd.key]) == [None]
    (sent,) = started(journal, request())
    assert journal.lookup([odd.key]) == [None]  # asked, not answered
    journal.end([Ended(sent.id, odd)])
    journal.close()
    journal.close()
    found = Journal(path).lookup([request(1).key, odd.key])
    assert found == [None, TeacherReply(odd.key, odd.text, "length", 11, 7, "m-2024", from_journal=True)]


def test_half_a_character_in_a_provider_s_words_costs_no_other_reply(path: Path) -> None:
    journal = Journal(path)
    good, bad = started(journal, request(0), request(1))
    why = TeacherFailure(bad.key, FailureKind.CONTENT_FILTER, "cannot take: \ud83d", 1)
    journal.end([Ended(good.id, reply(request(0))), Ended(bad.id, why)])
    answered, failed = journal.lookup([good.key, bad.key])
    assert isinstance(answered, TeacherReply)
    assert isinstance(failed, TeacherFailure) and failed.message == "cannot take: ?"


def test_a_damaged_reply_is_named_with_what_to_do(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request(0))
    with sqlite3.connect(path) as db:
        db.execute('UPDATE calls SET reply = \'{"text": "half\'')
    with pytest.raises(
        JournalCorrupt, match=rf"journal\.sqlite: request {request(0).key}: reply is no.*journal verify"
    ):
        journal.lookup([request(0).key])
    assert (journal.sums().requests.answered, journal.sums().requests.truncated) == (1, 0)


@pytest.mark.parametrize(("cap", "start"), [(None, 1), (100, 2)])
def test_what_must_outlive_a_power_cut_is_forced_to_disk(path: Path, cap: int | None, start: int) -> None:
    """SQLite's `synchronous`: 2 (FULL) forces each commit to disk, 1 (NORMAL) does not."""
    journal = Journal(path)
    how: list[int] = []

    def committing() -> float:  # the clock is read inside the transactions
        how.append(journal._file.db.execute("PRAGMA synchronous").fetchone()[0])
        return 1.0

    journal._clock = committing
    one = sending(request(), cap=cap)
    journal.start([one])
    journal.end([Ended(one.id, reply(one.request))])
    assert how == [start, 2]


def test_an_answered_request_is_not_sent_again_and_the_attempt_is_counted(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request())
    found, new = journal.start([sending(request()), sending(request(1))])
    assert isinstance(found, TeacherReply) and found.from_journal and found.text == reply(request()).text
    assert new is None  # which is no obstacle to the others of the call
    sums = journal.sums()
    assert (sums.requests.refused, sums.all.sendings, sums.requests.answered) == (1, 2, 1)


def test_the_first_reply_stays(path: Path) -> None:
    journal = Journal(path)
    first, second, third = (started(journal, request())[0] for _ in range(3))
    journal.end([Ended(first.id, reply(request()))])
    journal.end([Ended(second.id, reply(request(), "another"))])
    journal.end([Ended(third.id, failure(request(), FailureKind.CONTENT_FILTER))])
    (found,) = journal.lookup([request().key])
    assert isinstance(found, TeacherReply) and found.text == reply(request()).text


def test_final_failures_are_kept_and_all_others_may_be_asked_again(path: Path) -> None:
    journal, kinds = Journal(path), list(FailureKind)
    those = [request(number) for number in range(len(kinds))]
    journal.end(
        [Ended(s.id, failure(s.request, kind)) for s, kind in zip(started(journal, *those), kinds, strict=True)]
    )
    kept = [failure(one, kind) if kind.final else None for one, kind in zip(those, kinds, strict=True)]
    assert journal.lookup([one.key for one in those]) == kept
    assert journal.sums().requests.failed == dict.fromkeys(FailureKind, 1)
    assert journal.start([sending(one) for one in those]) == kept
    answer(journal, *(one for one, kind in zip(those, kinds, strict=True) if not kind.final))
    sums = journal.sums()
    assert sum(sums.requests.failed.values()) == sum(kind.final for kind in FailureKind)
    assert sums.requests.sent_more_than_once == sums.requests.answered


def test_a_failure_that_comes_late_does_not_hide_a_sending_that_is_under_way(path: Path) -> None:
    journal = Journal(path)
    (lost,) = started(journal, request())
    (second,) = started(journal, request())
    journal.end([Ended(lost.id, failure(request(), FailureKind.CONTENT_FILTER))])
    assert journal.lookup([request().key]) == [None] and journal.sums().requests.unknown == 1
    journal.end([Ended(second.id, reply(request()))])
    assert isinstance(journal.lookup([request().key])[0], TeacherReply)


def test_what_a_crash_left_unknown_is_reported(path: Path) -> None:
    journal = Journal(path)
    started(journal, request(0))
    answer(journal, request(1))
    journal.close()
    again = Journal(path)
    assert again.sums().requests.unknown == 1
    answer(again, request(0))
    sums = again.sums()
    assert (sums.requests.unknown, sums.requests.sent_again, sums.requests.sent_more_than_once) == (0, 1, 1)
    assert (sums.requests.prompt_tokens, sums.requests.completion_tokens) == (22, 14)


def test_the_same_call_made_twice_counts_once(path: Path) -> None:
    journal = Journal(path)
    for id in ("a", "a", "b", "b"):
        assert journal.start([sending(request(), id, worst=5)]) == [None]
    assert journal.sums().all.sendings == 2 and journal.spending() == Spending(0.0, 10 / NANO)
    for _ in range(2):
        journal.end([Ended("b", reply(request()), cost=3)])
        journal.end([Ended("a", failure(request()), cost=0)])
    assert journal.spending() == Spending(3 / NANO, 0.0) and journal.sums().requests.answered == 1


def test_an_end_without_a_start_is_refused(path: Path) -> None:
    with pytest.raises(JournalError, match="never started"):
        Journal(path).end([Ended("unheard of", reply(request()))])


def test_nothing_is_no_call_at_all(path: Path) -> None:
    journal = Journal(path)
    assert journal.lookup([]) == journal.start([]) == []
    journal.end([])


def test_anybody_can_read_requests_replies_and_the_account(path: Path) -> None:
    journal = Journal(path, clock=lambda: 1234.5)
    (sent,) = started(journal, request(), worst=100)
    journal.end([Ended(sent.id, reply(request()), 11, 7, cost=60)])
    db = sqlite3.connect(path)
    row = db.execute("SELECT request, reply, status FROM calls").fetchone()
    assert json.loads(row[0])["messages"] == [["user", "Frage 0 — ¿qué?"]]
    assert json.loads(row[1])["text"] == "Vier.\nAnswer: 4" and row[2] == "answered"
    columns = "key, run, endpoint, outcome, prompt_tokens, completion_tokens, worst_cost, cost, started_at, ended_at"
    account = db.execute(f"SELECT {columns} FROM sends").fetchone()
    assert account == (request().key, "r", "offline", "answered", 11, 7, 100, 60, 1234.5, 1234.5)


def test_truncated_replies_are_counted(path: Path) -> None:
    journal = Journal(path)
    one, other = started(journal, request(0), request(1))
    journal.end([Ended(one.id, reply(request(0), reason="length")), Ended(other.id, reply(request(1)))])
    sums = journal.sums()
    assert (sums.requests.answered, sums.requests.truncated) == (2, 1)


# Crashes and several writers ------------------------------------------------------------------------------------------


WRITER = """
import sys
from actors.journal import Ended, Journal, Sending
from reasoning.teacher_calls import TeacherReply, TeacherRequest
journal = Journal(sys.argv[1])
for first in range(int(sys.argv[2]), 1_000_000, 4):
    requests = [
        TeacherRequest("offline", "m", (("user", f"{number} " + "x" * 3000),), 0.0, 64)
        for number in range(first, first + 4)
    ]
    assert journal.start([Sending(f"{r.key} once", r.key, r, worst_cost=10) for r in requests]) == [None] * 4
    journal.end([
        Ended(f"{r.key} once", TeacherReply(r.key, f"{first + n} " + "y" * 5000, "stop", 1, 1, "m"), 1, 1, 3)
        for n, r in enumerate(requests)
    ])
    for n, r in enumerate(requests):
        print(r.key, first + n, flush=True)
"""


def test_a_recorded_reply_survives_sigkill_at_any_instant(path: Path) -> None:
    """Six writers, each killed somewhere in the middle: whatever was reported as recorded is there. About 4 s."""
    recorded: list[tuple[str, int]] = []
    chance, first = random.Random(0), 0
    for _ in range(6):
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
        first = (recorded[-1][1] // 4 + 2) * 4  # the four after the last reported may be recorded as well
    journal = Journal(path)
    for (_, number), found in zip(recorded, journal.lookup([key for key, _ in recorded]), strict=True):
        assert isinstance(found, TeacherReply) and found.text == f"{number} " + "y" * 5000
    sums = journal.sums()
    assert len(recorded) <= sums.requests.answered <= len(recorded) + 6 * 7 and sums.requests.unknown <= 6 * 4
    assert sums.requests.refused == sums.requests.sent_more_than_once == 0
    # What was in flight stays booked with its worst case, what ended with what it cost.
    assert journal.spending() == Spending(3 * sums.requests.answered / NANO, 10 * sums.requests.unknown / NANO)


RIVAL = """
import os, random, sys, time, uuid
from pathlib import Path
from actors.journal import Ended, Journal, Refusal, Sending
from reasoning.teacher_calls import TeacherReply, TeacherRequest
journal, floor, chance = Journal(sys.argv[1]), Path(sys.argv[2]), random.Random(0)
todo = [TeacherRequest("offline", "m", (("user", str(number)),), 0.0, 64) for number in range(120)]
met = 0
print("ready", flush=True)
sys.stdin.readline()
while todo:
    sendings = [Sending(uuid.uuid4().hex, r.key, r, worst_cost=2) for r in todo[:6]]
    going = []
    for one, told in zip(sendings, journal.start(sendings)):
        if told is None:
            (floor / one.key).touch(exist_ok=False)  # raises when the other one is sending it at this moment
            going.append(one)
        elif told is Refusal.IN_FLIGHT:
            met += 1
        else:
            todo.remove(one.request)
    time.sleep(chance.uniform(0, 0.004))
    for one in going:
        (floor / one.key).unlink()
        todo.remove(one.request)
    journal.end([Ended(o.id, TeacherReply(o.key, o.request.messages[0][1], "stop", 1, 1, "m"), 1, 1, 1) for o in going])
print(met, flush=True)
"""


def test_two_processes_write_one_journal_and_never_send_the_same_request_at_once(path: Path, tmp_path: Path) -> None:
    floor = tmp_path / "floor"
    floor.mkdir()
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, str(path), str(floor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for rival in rivals:
        assert rival.stdout is not None and rival.stdout.readline() == "ready\n"
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    told = [rival.communicate(timeout=60) for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0], told
    assert sum(int(met) for met, _ in told) > 0  # they did get in each other's way
    journal = Journal(path)
    numbers = [str(number) for number in range(120)]
    keys = [TeacherRequest("offline", "m", (("user", number),), 0.0, 64).key for number in numbers]
    assert [found.text for found in journal.lookup(keys) if isinstance(found, TeacherReply)] == numbers
    sums = journal.sums()
    assert (sums.all.sendings, sums.requests.sent_more_than_once, sums.requests.unknown) == (120, 0, 0)
    assert journal.spending() == Spending(120 / NANO, 0.0)


HOLDER = """
import sys, time
from actors.journal import Journal, Sending
from reasoning.teacher_calls import TeacherRequest
request = TeacherRequest("offline", "m", (("user", "Frage 0 — ¿qué?"),), 0.7, 64)
journal = Journal(sys.argv[1])
assert journal.start([Sending("held", request.key, request, "r", worst_cost=70)]) == [None]
print("sent", flush=True)
time.sleep(60)
"""


def test_what_another_process_has_sent_is_not_sent_while_it_lives_but_after_it_was_killed(path: Path) -> None:
    journal = Journal(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "sent\n"
    again = sending(request(), worst=30, cap=100)
    assert journal.start([again, sending(request(1))]) == [Refusal.IN_FLIGHT, None]
    assert journal.start([sending(request(2), worst=40, cap=100)]) == [Refusal.NO_MONEY_YET]  # it may cost less
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert journal.start([again]) == [None]
    sums = journal.sums()
    assert (sums.requests.sent_again, sums.requests.sent_more_than_once) == (1, 1)
    assert sums.all.reserved == 100  # what was lost may have been paid for


def test_a_process_may_send_again_what_it_has_lost_itself(path: Path) -> None:
    journal = Journal(path)
    started(journal, request())
    started(journal, request())  # its worker died
    assert journal.sums().requests.sent_again == 1


# Money ----------------------------------------------------------------------------------------------------------------


def test_a_cap_is_kept_with_the_worst_case_of_what_is_in_flight(path: Path) -> None:
    journal = Journal(path)
    first, second, third = (sending(request(number), worst=40, cap=100) for number in range(3))
    assert journal.start([first, second, third]) == [None, None, Refusal.NO_MONEY_YET]
    journal.end([Ended(first.id, reply(request(0)), cost=20)])
    assert journal.start([third]) == [None]
    journal.end([Ended(second.id, reply(request(1)), cost=40), Ended(third.id, failure(request(2)), cost=30)])
    dear = sending(request(2), worst=11, cap=100)
    assert journal.start([dear]) == [Refusal.NO_MONEY]  # nothing is in flight that might turn out cheaper
    assert journal.spending("r") == Spending(90 / NANO, 0.0)
    assert journal.start([sending(request(2), worst=11, cap=101)]) == [None]  # the cap was raised
    assert journal.sums().all.sendings == 4


def test_runs_have_caps_of_their_own(path: Path) -> None:
    journal = Journal(path)
    one, other = (sending(request(n), worst=60, cap=100, run=run) for n, run in enumerate(("one", "other")))
    assert journal.start([one, other]) == [None, None]
    assert journal.start([sending(request(2), worst=50, cap=100, run="one")]) == [Refusal.NO_MONEY_YET]
    journal.end([Ended(one.id, reply(request(0)), cost=5)])
    assert journal.spending("one") == Spending(5 / NANO, 0.0)
    assert (journal.sums("one").all.settled, journal.sums("one").all.reserved) == (5, 0)
    assert journal.spending() == Spending(5 / NANO, 60 / NANO)
    assert journal.spending("never heard of") == Spending(0.0, 0.0)


def test_an_answered_request_needs_no_money(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request())
    (found,) = journal.start([sending(request(), worst=50, cap=0)])
    assert isinstance(found, TeacherReply)


def test_a_cost_that_is_not_known_is_the_worst(path: Path) -> None:
    journal = Journal(path)
    (sent,) = started(journal, request(), worst=70)
    journal.end([Ended(sent.id, failure(request(), FailureKind.TIMEOUT), cost=None)])
    assert journal.spending() == Spending(70 / NANO, 0.0)


@settings(max_examples=40, deadline=None)
@given(
    cap=st.integers(0, 300),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("start"), st.lists(st.integers(0, 80), min_size=1, max_size=4)),
            st.tuples(st.just("end"), st.integers(0, 100), st.one_of(st.none(), st.floats(0, 1)), st.booleans()),
            st.tuples(st.just("crash")),
        ),
        max_size=40,
    ),
)
def test_no_sequence_of_events_passes_the_cap(cap: int, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal = Journal(path, ballast_bytes=0)
        settled = reserved = 0
        in_flight: list[Sending] = []
        number = 0
        for step in steps:
            if step[0] == "crash":
                journal.close()
                journal = Journal(path, ballast_bytes=0)
                in_flight = []  # and booked with its worst case for good
            elif step[0] == "start":
                wanted = [sending(request(number + n), worst=worst, cap=cap) for n, worst in enumerate(step[1])]
                number += len(wanted)
                for one, told in zip(wanted, journal.start(wanted), strict=True):
                    if settled + reserved + one.worst_cost <= cap:
                        assert told is None
                        reserved += one.worst_cost
                        in_flight.append(one)
                    else:
                        assert told is (Refusal.NO_MONEY_YET if in_flight else Refusal.NO_MONEY)
            elif in_flight:
                _, which, share, answered = step
                one = in_flight.pop(which % len(in_flight))
                cost = None if share is None else int(share * one.worst_cost)
                ended = Ended(one.id, (reply if answered else failure)(one.request), cost=cost)
                for _ in range(2):
                    journal.end([ended])
                reserved -= one.worst_cost
                settled += one.worst_cost if cost is None else cost
            spending = journal.spending("r")
            assert (round(spending.settled * NANO), round(spending.reserved * NANO)) == (settled, reserved)
            assert settled + reserved <= cap
        journal.close()


# Versions, batches, a full disk ---------------------------------------------------------------------------------------


def test_a_journal_of_version_1_keeps_its_replies_and_begins_its_account_at_nothing(path: Path) -> None:
    path.parent.mkdir()
    content = {"text": "Vier", "finish_reason": "stop", "prompt_tokens": 11, "completion_tokens": 7, "model": "m-2024"}
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
        old.execute(
            "INSERT INTO calls (key, status, request, sends, last_send, reply, prompt_tokens, completion_tokens, "
            "started_at, ended_at) VALUES (?, 'answered', ?, 1, 'x', ?, 11, 7, 1.0, 2.0)",
            (request(0).key, json.dumps(request(0).as_json()), json.dumps(content)),
        )
        old.execute(
            "INSERT INTO calls (key, status, request, sends, last_send, started_at) "
            "VALUES (?, 'started', ?, 1, 'y', 3.0)",
            (request(1).key, json.dumps(request(1).as_json())),
        )
        old.execute(
            "INSERT INTO calls (key, status, request, sends, failure_kind, failure_message, failure_attempts, "
            "started_at) VALUES (?, 'failed', ?, 1, 'content_filter', 'why', 2, 3.0)",
            (request(2).key, json.dumps(request(2).as_json())),
        )
    journal = Journal(path)
    assert journal.lookup([request(number).key for number in range(3)]) == [
        TeacherReply(request(0).key, "Vier", "stop", 11, 7, "m-2024", from_journal=True),
        None,
        failure(request(2), FailureKind.CONTENT_FILTER),
    ]
    assert journal.spending() == Spending(0.0, 0.0)
    answer(journal, request(1))
    sums = journal.sums()
    assert (sums.requests.answered, sums.all.sendings, sums.requests.sent_again) == (2, 1, 1)  # the account begins here


def test_a_batch_is_found_again_after_a_crash_until_it_has_ended(path: Path) -> None:
    now = 100.0
    journal = Journal(path, clock=lambda: now)
    sends = {one.key: one.id for one in started(journal, request(0), request(1))}
    journal.batch_made("first", "there", "r", sends)
    now = 200.0
    journal.batch_made("second", "there", "r", {})
    journal.batch_made("second", "there", "r", sends)  # the same call again
    journal.batch_made("elsewhere", "here", "r", {})
    journal.batch_sent("first", "batch_abc")
    journal.close()
    again = Journal(path, clock=lambda: now)
    first = OpenBatch("first", "batch_abc", sends, 100.0)
    assert again.open_batches("there") == [first, OpenBatch("second", None, {}, 200.0)]
    again.end([Ended(id, reply(request(number))) for number, id in enumerate(sends.values())])  # by its new process
    again.batch_ended("first")
    again.batch_ended("first")
    assert [batch.id for batch in again.open_batches("there")] == ["second"] and again.sums().requests.answered == 2


def test_a_restarted_journal_keeps_what_was_in_flight(path: Path) -> None:
    """The actor is killed and comes back under the same name while its workers wait for replies."""
    code = (
        "import sys; from actors.journal import Journal; from tests.actors.test_journal import sending, request; "
        "Journal(sys.argv[1], writer='w').start([sending(request(0), 'first', 60, 100)]); print('there', flush=True); "
        "import time; time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    back, other = Journal(path, writer="w"), Journal(path)
    assert other.start([sending(request(0))]) == [Refusal.IN_FLIGHT]
    more = sending(request(1), worst=50, cap=100)
    assert back.start([more]) == [Refusal.NO_MONEY_YET]
    back.end([Ended("first", reply(request(0)), 11, 7, 5)])
    assert back.start([more]) == [None]
    assert isinstance(other.start([sending(request(0))])[0], TeacherReply)


def test_a_reply_waits_longer_for_another_writer_than_a_request_does(path: Path) -> None:
    journal, other = Journal(path, lock_wait_s=0.1), Journal(path)
    (sent,) = started(journal, request(0))
    with other._file.transaction(durable=False):
        with pytest.raises(JournalBusy, match=r"another process has been writing to it for 0\.1 s.*Start the same"):
            journal.start([sending(request(1))])
        ending = threading.Thread(target=journal.end, args=([Ended(sent.id, reply(request(0)))],))
        ending.start()
        time.sleep(0.5)
        assert ending.is_alive()
    ending.join(10)
    assert isinstance(journal.lookup([request(0).key])[0], TeacherReply)


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
    with pytest.raises(JournalDiskFull, match=r"journal\.sqlite: no room.*free some space, of the disk or of"):
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
