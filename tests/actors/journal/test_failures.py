"""Failures for good: who refused, and how long that holds."""

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal
from actors.journal.audit import audit
from actors.journal.failures import Refusal, refusals_of, stays, with_refusal
from actors.journal.reader import reading
from actors.journal.sums import sums_of
from actors.journal.transfer import export_journal
from reasoning.teacher.calls import FailureKind, TeacherFailure
from tests.actors.journal.entries import failure, request, sending, started

K = FailureKind
A, B = Refusal(K.CONTENT_FILTER, "a", "no"), Refusal(K.CONTEXT_TOO_LONG, "b", "too long")
CUT = Refusal(K.TRUNCATED, "a", "cut off")


@pytest.mark.parametrize(
    ("kind", "refusals", "places", "kept"),
    [
        (K.CONTENT_FILTER, None, ("1", "2"), True),  # of an older journal: not known
        (K.SERVER, None, ("1",), False),
        (K.SERVER, {"1": A}, ("1",), False),
        (K.CONTENT_FILTER, {}, ("1",), False),  # cleared
        (K.CONTENT_FILTER, {}, (), False),
        (K.CONTENT_FILTER, {"1": A}, (), True),
        (K.CONTENT_FILTER, {"1": A}, ("1",), True),
        (K.CONTENT_FILTER, {"1": A}, ("1", "2"), False),
        (K.CONTEXT_TOO_LONG, {"1": A, "2": B}, ("1", "2"), True),
        (K.CONTEXT_TOO_LONG, {"1": A, "2": B}, ("2",), True),
        (K.CONTEXT_TOO_LONG, {"1": A, "2": B}, ("2", "3"), False),
        (K.TRUNCATED, {"1": CUT}, ("1", "2"), True),  # it was paid for: the other is not asked
        (K.TRUNCATED, {"1": CUT}, ("2",), False),
        (K.TRUNCATED, {"1": CUT, "2": B}, ("2", "3"), False),
    ],
)
def test_a_failure_stays_while_its_places_do(
    kind: FailureKind, refusals: dict[str, Refusal] | None, places: tuple[str, ...], kept: bool
) -> None:
    assert stays(kind, refusals, places) == kept


def test_refusals_are_added_and_come_back() -> None:
    one = with_refusal(None, "1", "a", TeacherFailure("k", K.CONTENT_FILTER, "half \ud800", 1))
    both = with_refusal(one, "2", "b", TeacherFailure("k", K.CONTEXT_TOO_LONG, "too long", 2))
    assert refusals_of(both) == {"1": Refusal("content_filter", "a", "half ?"), "2": B}
    assert with_refusal(both, "3", "c", TeacherFailure("k", K.SERVER, "busy", 3)) == both  # not for good
    assert with_refusal(both, "", "", TeacherFailure("k", K.CONTENT_FILTER, "no", 3)) is None
    for damaged in ("[]", '{"1": 3}', '{"1": ["a", "b"]}', "{half"):
        with pytest.raises(ValueError):
            refusals_of(damaged)


def test_a_request_is_asked_until_every_place_has_refused_it(path: Path) -> None:
    journal, key = Journal(path), request().key
    first = sending(request())
    journal.start([first])
    journal.end([Ended(first.id, failure(request(), K.CONTENT_FILTER), place="1")])
    assert journal.lookup([key], ["1"]) == [failure(request(), K.CONTENT_FILTER)]
    assert journal.lookup([key], ["1", "2"]) == journal.lookup([key], ["2"]) == [None]
    second = sending(request())
    assert journal.start([second]) != [None]  # without places: it is not known that another may be asked
    asked = dataclasses.replace(sending(request()), endpoint="elsewhere", places=("1", "2"))
    assert journal.start([asked]) == [None]
    journal.end([Ended(asked.id, TeacherFailure(key, K.CONTEXT_TOO_LONG, "too long", 2), place="2")])
    (joint,) = journal.lookup([key], ["1", "2"])
    assert joint == TeacherFailure(key, K.CONTEXT_TOO_LONG, "offline: why; elsewhere: too long", 2)
    assert journal.lookup([key], ["2"]) == [TeacherFailure(key, K.CONTEXT_TOO_LONG, "too long", 2)]
    assert journal.lookup([key], ["3"]) == [None]
    assert not audit(path).faults


def test_a_journal_without_the_column_gets_it_and_its_failures_stay(path: Path) -> None:
    journal = Journal(path)
    (one,) = started(journal, request())
    journal.end([Ended(one.id, failure(request(), K.CONTENT_FILTER), place="1")])
    journal.close()
    with sqlite3.connect(path) as old:
        old.execute("ALTER TABLE calls DROP COLUMN failure_places")  # as the version before wrote it
    assert not audit(path).faults and sums_of(path).requests.failed == {"content_filter": 1}
    assert export_journal(path, path.with_name("out.jsonl"), failures=True).failures == 1
    with reading(path) as db:
        assert db.execute("SELECT failure_places FROM calls").fetchall() == [(None,)]
    for _ in range(2):
        again = Journal(path)
        assert again.lookup([request().key], ["1", "2"]) == [failure(request(), K.CONTENT_FILTER)]
        again.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM journal WHERE name = 'version'").fetchone() == ("2",)


def test_damage_to_who_refused_is_a_fault(path: Path) -> None:
    journal = Journal(path)
    (one,) = started(journal, request())
    journal.end([Ended(one.id, failure(request(), K.CONTENT_FILTER), place="1")])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE calls SET failure_places = '[1]'")
    (fault,) = audit(path).faults
    assert str(fault).endswith("failure_places is not an object")
