"""The journal: nothing recorded is lost, nothing answered is asked again."""

import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, JournalCorrupt, JournalError, OpenBatch, Spending
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply
from reasoning.teacher.prices import NANO
from tests.actors.journal.entries import VERSION_1, answer, failure, reply, request, sending, started


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


def test_thinking_that_came_apart_from_a_text_is_kept_with_it(path: Path) -> None:
    journal = Journal(path)
    thought = dataclasses.replace(reply(request()), thinking="3? No.")
    (sent,) = started(journal, request())
    journal.end([Ended(sent.id, thought)])
    assert journal.lookup([thought.key]) == [dataclasses.replace(thought, from_journal=True)]


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
    reasons = ["stop", "end_turn", "length", "MAX_TOKENS", "unknown"]
    asked = started(journal, *map(request, range(5)))
    journal.end([Ended(one.id, reply(one.request, reason=why)) for one, why in zip(asked, reasons, strict=True)])
    sums = journal.sums()
    assert (sums.requests.answered, sums.requests.truncated) == (5, 3)


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
