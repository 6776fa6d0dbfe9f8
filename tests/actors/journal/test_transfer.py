"""Answers carried between journals: whole or not at all, under their own keys, for nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal.actor import Ended, Journal, Sending
from actors.journal.database import JournalCorrupt, JournalError
from actors.journal.reader import reply_of, request_of
from actors.journal.records import reply_json
from actors.journal.transfer import Exported, ImportCounts, export_journal, import_journal
from reasoning.files.data_error import DataError
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from tests.conftest import tries
from tests.inputs.json_values import json_values

ODD = 'Zeile\n\x00 "quoted" \u2028 \U0001f600 — 数 \ud800'


def request(number: int = 0) -> TeacherRequest:
    return TeacherRequest(
        "teacher", "m", (("system", "Be brief."), ("user", f"Frage {number} — ¿qué?")), 0.7, 64, number
    )


def reply(number: int = 0, text: str = "Four.\nAnswer: 4") -> TeacherReply:
    return TeacherReply(request(number).key, text, "stop", 11, 7, "m-2024")


def failure(number: int, kind: FailureKind = FailureKind.CONTENT_FILTER) -> TeacherFailure:
    return TeacherFailure(request(number).key, kind, "why", 2)


def journal_of(path: Path, *outcomes: tuple[int, TeacherReply | TeacherFailure | None]) -> Path:
    """A closed journal in which these requests were sent, in this order; None: no outcome was recorded."""
    journal = Journal(path, ballast_bytes=0)
    for number, outcome in outcomes:
        sending = Sending(f"s{number}", request(number).key, request(number), "mine", "east", 500, None)
        assert journal.start([sending]) == [None]
        if outcome is not None:
            journal.end([Ended(sending.id, outcome, 11, 7, 300)])
    journal.close()
    return path


def outcomes_in(path: Path, *numbers: int) -> list[Any]:
    journal = Journal(path, ballast_bytes=0)
    found = journal.lookup([request(number).key for number in numbers])
    journal.close()
    return found


@pytest.fixture
def one(tmp_path: Path) -> Path:
    outcomes = ((2, reply(2, ODD)), (0, reply(0)), (1, failure(1)), (3, failure(3, FailureKind.TIMEOUT)), (4, None))
    return journal_of(tmp_path / "one.sqlite", *outcomes)


def test_what_is_exported_is_found_in_another_journal_and_costs_nothing(one: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "new" / "other.sqlite"
    assert export_journal(one, out) == Exported(2, 0)
    assert import_journal(out, other) == ImportCounts(2, 0, 0)
    there = outcomes_in(other, 0, 1, 2)
    assert [there[0].text, there[1], there[2].text] == [reply(0).text, None, ODD]
    assert there[0].from_journal
    journal = Journal(other, ballast_bytes=0)
    assert journal.spending().settled == journal.sums().all.sendings == 0
    again = Sending("x", request(0).key, request(0), "next", cap=0)
    assert journal.start([again]) == [there[0]]  # a run without any money is answered
    journal.close()


def test_a_line_is_what_is_promised(one: Path, tmp_path: Path) -> None:
    assert export_journal(one, tmp_path / "out.jsonl", failures=True) == Exported(2, 1)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("ascii").splitlines()]
    assert [line["key"] for line in lines] == sorted(request(number).key for number in (0, 1, 2))
    of_0 = next(line for line in lines if line["key"] == request(0).key)
    assert of_0["request"] == request(0).as_json() and of_0["ended_at"] > 1e9
    tokens = {"prompt_tokens": 11, "completion_tokens": 7}
    assert of_0["reply"] == {"text": reply(0).text, "finish_reason": "stop", "model": "m-2024"} | tokens
    of_1 = next(line for line in lines if line["key"] == request(1).key)
    assert of_1["failure"] == {"kind": "content_filter", "message": "why", "attempts": 2}


def test_equal_contents_make_equal_bytes_also_through_an_import(one: Path, tmp_path: Path) -> None:
    for number, source in enumerate((one, one, tmp_path / "copy.sqlite")):
        if not source.exists():
            import_journal(tmp_path / "0.jsonl", source)
        export_journal(source, tmp_path / f"{number}.jsonl", failures=True)
    assert len({(tmp_path / f"{number}.jsonl").read_bytes() for number in range(3)}) == 1


def test_another_journal_is_read_as_it_is(one: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    assert import_journal(one, other) == ImportCounts(3, 0, 0)
    assert outcomes_in(other, 1) == [failure(1)]
    assert import_journal(one, one) == ImportCounts(0, 3, 0)


def test_what_is_there_stays(one: Path, tmp_path: Path) -> None:
    other = journal_of(tmp_path / "other.sqlite", (0, reply(0, "Five.")), (1, reply(1)), (2, failure(2)))
    assert import_journal(one, other) == ImportCounts(1, 0, 2)  # an answer takes a failure's place, never the other way
    assert [found.text for found in outcomes_in(other, 0, 1, 2)] == ["Five.", reply(1).text, ODD]
    assert import_journal(one, other) == ImportCounts(0, 1, 2)


def test_a_reply_ends_what_was_lost_and_a_failure_leaves_it_alone(tmp_path: Path) -> None:
    lost = journal_of(tmp_path / "lost.sqlite", (0, None), (1, None))
    whole = journal_of(tmp_path / "whole.sqlite", (0, reply(0)), (1, failure(1)))
    assert import_journal(whole, lost) == ImportCounts(1, 0, 1)
    assert [found and found.text for found in outcomes_in(lost, 0, 1)] == [reply(0).text, None]


def test_a_run_that_writes_disturbs_neither_export_nor_import(one: Path, tmp_path: Path) -> None:
    writing = Journal(one, ballast_bytes=0)
    sending = Sending("s5", request(5).key, request(5), "mine")
    writing.start([sending])
    assert export_journal(one, tmp_path / "out.jsonl") == Exported(2, 0)
    journal_of(tmp_path / "six.sqlite", (6, reply(6)))
    assert import_journal(tmp_path / "six.sqlite", one) == ImportCounts(1, 0, 0)
    writing.end([Ended("s5", reply(5))])
    assert [found.text for found in writing.lookup([request(5).key, request(6).key])] == [reply(5).text] * 2
    writing.close()


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def edit(line: str) -> str:
        content = json.loads(line)
        change(content)
        return json.dumps(content)

    return edit


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda line: line[:-5], "malformed JSON"),
        (lambda line: "[1]", "not an object with key, request"),
        (lambda line: "[" * 99_999, "JSON that cannot be read"),
        (edited(lambda line: line["request"].update(max_tokens=65)), "its key is"),
        (edited(lambda line: line["request"].update(max_tokens=64.0)), "request.max_tokens is not a whole number"),
        (edited(lambda line: line["request"].update(temperature=float("nan"))), "request.temperature is not a number"),
        (edited(lambda line: line["request"].update(temperature=10**400)), "request.temperature is not a number"),
        (edited(lambda line: line["request"].pop("sample")), "request lacks sample"),
        (edited(lambda line: line["request"].update(messages=[["user"]])), "request.messages is not a list"),
        (edited(lambda line: line["reply"].pop("model")), "reply lacks model"),
        (edited(lambda line: line["reply"].update(more=1)), "reply has an unknown more"),
        (edited(lambda line: line["reply"].update(text=None)), "reply.text is not text"),
        (edited(lambda line: line["reply"].update(prompt_tokens=-1)), "reply.prompt_tokens is not a whole number"),
        (edited(lambda line: line.update(ended_at=None)), "ended_at is not a Unix time"),
        (edited(lambda line: line.update(failure={})), "either a reply or a failure"),
        (
            edited(
                lambda line: line.update(
                    failure={"kind": "timeout", "message": "", "attempts": line.pop("reply") and 1}
                )
            ),
            "failure.kind 'timeout' is not a final kind",
        ),
        (lambda line: "\ud800", "invalid UTF-8"),
    ],
)
def test_one_bad_line_is_named_and_nothing_is_imported(
    spoil: Callable[[str], str], said: str, one: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.sqlite"
    export_journal(one, out)
    good, bad = out.read_text("ascii").splitlines()
    out.write_bytes(f"{good}\n\n{spoil(bad)}\n".encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=r"out\.jsonl, line 3: ") as caught:
        import_journal(out, other)
    assert said in str(caught.value) and "nothing was imported" in str(caught.value)
    assert not other.exists()


def test_a_damaged_journal_is_neither_exported_nor_imported(one: Path, tmp_path: Path) -> None:
    with sqlite3.connect(one) as db:
        db.execute("UPDATE calls SET reply = '{\"text\": ' WHERE key = ?", (request(0).key,))
    out = tmp_path / "out.jsonl"
    out.write_text("older\n")
    for use in (lambda: export_journal(one, out), lambda: import_journal(one, tmp_path / "other.sqlite")):
        with pytest.raises(JournalCorrupt, match=rf"request {request(0).key}: reply is not JSON .* verify"):
            use()
    assert out.read_text() == "older\n" and not (tmp_path / "other.sqlite").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_journal_is_not_replaced_by_an_export(one: Path, tmp_path: Path) -> None:
    before = one.read_bytes()
    with pytest.raises(JournalError, match="is a database"):
        export_journal(one, one)
    assert one.read_bytes() == before
    with pytest.raises(JournalError, match="cannot be written"):
        export_journal(one, tmp_path)


def test_a_missing_file_and_a_file_of_something_else_are_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such journal"):
        export_journal(tmp_path / "none.sqlite", tmp_path / "out.jsonl")
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        import_journal(tmp_path / "none.jsonl", tmp_path / "other.sqlite")
    (tmp_path / "text").write_text("no journal at all, but longer than a header " * 99)
    with pytest.raises(JournalCorrupt, match="not a journal"):
        export_journal(tmp_path / "text", tmp_path / "out.jsonl")


TEXTS = st.text(st.characters(exclude_categories=()))  # lone surrogates as well


@settings(max_examples=tries(200), deadline=None)
@given(
    st.builds(
        TeacherRequest,
        TEXTS,
        TEXTS,
        st.lists(st.tuples(TEXTS, TEXTS)).map(tuple),
        st.floats(0, 2) | st.integers(0, 2),
        st.integers(0, 2**40),
        st.integers(0, 2**40),
    ),
    TEXTS,
)
def test_whatever_a_request_and_a_reply_are_they_come_back(asked: TeacherRequest, text: str) -> None:
    again = request_of(json.loads(json.dumps(asked.as_json())))
    assert again == asked and again.key == asked.key
    content = {"text": text, "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 2, "model": "m"}
    back = reply_of(asked.key, json.loads(json.dumps(content)))
    assert (back.text, back.thinking) == (text, "") and json.loads(reply_json(back)) == content  # as ever
    thought = dataclasses.replace(back, thinking=text)
    assert reply_of(asked.key, json.loads(reply_json(thought))) == thought


JSON = json_values()
FIELDS = ("endpoint", "model", "messages", "temperature", "max_tokens", "sample")


@settings(max_examples=tries(200), deadline=None)
@given(JSON | st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)))
def test_whatever_a_file_holds_is_a_request_or_a_value_error(content: Any) -> None:
    with contextlib.suppress(ValueError):
        assert request_of(content).as_json() == content
