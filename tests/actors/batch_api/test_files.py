"""What goes to the Batch API, and what the files that come back mean for each request."""

import json
from typing import Any

import pytest

from actors.batch_api.files import Disposition, ResultReader, fitting
from actors.batch_api.remote import RemoteBatch
from actors.endpoint.attempt import Endpoint
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherReply, TeacherRequest

ASKED = [TeacherRequest("t", "m", (("user", f"q{number}"),), 0.7, 64) for number in range(4)]
A, B, C, D = (request.key for request in ASKED)


def answer(key: str, text: str = "four", **more: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}
    return {"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None, **more}


def refusal(key: str, status: object = 400, message: str = "no", code: str | None = None) -> dict[str, Any]:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return {"custom_id": key, "response": {"status_code": status, "body": body}, "error": None}


def expired(key: str) -> dict[str, Any]:
    return {"custom_id": key, "response": None, "error": {"code": "batch_expired", "message": "late"}}


def results(
    status: str, output: list[Any], refused: list[Any] | None = None, **of_batch: Any
) -> dict[str, tuple[str, Disposition, bool]]:
    """By request: its text or the kind of its failure, what is done, and whether the worst case stands."""
    files = [
        "\n".join(one if isinstance(one, str) else json.dumps(one) for one in some) for some in (output, refused or [])
    ]
    batch = RemoteBatch.model_validate({"id": "b", "status": status, **of_batch})
    endpoint = Endpoint(EndpointSettings("e", "http://127.0.0.1:1/v1", "m"))
    reader = ResultReader(endpoint, None, batch, [A, B, C, D], {request.key: request for request in ASKED})
    found = list(reader.results(file.encode() for file in files))
    assert sorted(one.outcome.key for one in found) == sorted([A, B, C, D])  # each ends once
    said = {
        one.outcome.key: one.outcome.text if isinstance(one.outcome, TeacherReply) else one.outcome.kind
        for one in found
    }
    return {one.outcome.key: (str(said[one.outcome.key]), one.disposition, one.usage is None) for one in found}


FOUR = ("four", Disposition.FINAL, False)
REFUSED = (FailureKind.BAD_REQUEST, Disposition.FINAL, False)
PASSING = (FailureKind.SERVER, Disposition.RETRY, False)
LOST = (FailureKind.MALFORMED, Disposition.RETRY, True)  # it may have been paid for
LATE = (FailureKind.TIMEOUT, Disposition.RETRY, False)
LATE_FREE = (FailureKind.TIMEOUT, Disposition.RETRY_UNCOUNTED, False)

CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "in any order": (
        ("completed", [answer(D), answer(B), answer(A), answer(C)]),
        {},
        dict.fromkeys([A, B, C, D], FOUR),
    ),
    "errors among the output": (
        ("completed", [answer(A), refusal(B), refusal(C, 500), refusal(D, "429")]),
        {},
        {A: FOUR, B: REFUSED, C: PASSING, D: (FailureKind.RATE_LIMITED, Disposition.RETRY, False)},
    ),
    "errors in a file of their own": (
        ("ended", [answer(A), answer(B), answer(C)], [refusal(D, 400, "x", "context_length_exceeded")]),
        {},
        {A: FOUR, B: FOUR, C: FOUR, D: (FailureKind.CONTEXT_TOO_LONG, Disposition.FINAL, False)},
    ),
    "an error alone": (
        ("completed", [answer(A), answer(B), {"custom_id": C, "error": {"code": "x", "message": "odd"}}, answer(D)]),
        {},
        {A: FOUR, B: FOUR, C: PASSING, D: FOUR},
    ),
    "missing": (("SUCCESS", [answer(A), answer(B)]), {}, {A: FOUR, B: FOUR, C: LOST, D: LOST}),
    "twice": (("completed", [answer(key) for key in (A, B, A, C, D, A)]), {}, dict.fromkeys([A, B, C, D], FOUR)),
    "an error, and an answer after all": (
        ("completed", [refusal(A, 500), answer(B), answer(C), answer(D)], [refusal(B), expired(C), answer(A)]),
        {},
        dict.fromkeys([A, B, C, D], FOUR),
    ),
    "an answer without text, and one with": (
        ("completed", [answer(A, ""), answer(A), answer(B), answer(C), answer(D)]),
        {},
        dict.fromkeys([A, B, C, D], FOUR),
    ),
    "lines of others": (
        ("completed", [answer("other"), answer(A), answer(B), {"id": 1}, answer(C), refusal("another"), answer(D)]),
        {},
        dict.fromkeys([A, B, C, D], FOUR),
    ),
    "a line without a body": (
        (
            "completed",
            [answer(A), answer(B), answer(C), {"custom_id": D, "response": {"status_code": 200, "body": None}}],
        ),
        {},
        {A: FOUR, B: FOUR, C: FOUR, D: LOST},
    ),
    "lost, as OpenAI writes it": (
        (
            "completed",
            [answer(A), answer(B), answer(C)],
            [refusal(D, 0) | {"response": {"status_code": 0, "body": {}}}],
        ),
        {},
        {A: FOUR, B: FOUR, C: FOUR, D: PASSING},
    ),
    "a line that says nothing": (
        ("completed", [answer(A), answer(B), answer(C), {"custom_id": D, "response": None, "error": None}]),
        {},
        {A: FOUR, B: FOUR, C: FOUR, D: PASSING},
    ),
    "expired": (
        ("EXPIRED", [answer(A)], [expired(B), expired(C)]),
        {},
        {A: FOUR, B: LATE_FREE, C: LATE_FREE, D: LATE_FREE},
    ),
    "expired with nothing": (("timeout", []), {}, dict.fromkeys([A, B, C, D], LATE)),
    "expired, and a line that cannot be read": (
        ("expired", [answer(A), "{half"], [expired(B)]),
        {},
        {A: FOUR, B: LATE_FREE, C: LOST, D: LOST},
    ),
    "cancelled": (("canceled", [answer(A), answer(B)]), {}, {A: FOUR, B: FOUR, C: LATE, D: LATE}),
    "failed with some answers": (
        ("FAILED", [answer(A)]),
        {"errors": [{"code": "runner_lost", "message": "the replica was restarted"}]},
        {A: FOUR, B: PASSING, C: PASSING, D: PASSING},
    ),
    "failed for what was sent": (
        ("failed", []),
        {"errors": {"data": [{"code": "invalid_json_line", "message": "not JSON", "line": 2}]}},
        dict.fromkeys([A, B, C, D], REFUSED),
    ),
    "failed without a word": (("errored", []), {"errors": None}, dict.fromkeys([A, B, C, D], PASSING)),
    "failed for money": (
        ("failed", []),
        {"errors": {"data": [{"code": "insufficient_quota", "message": "no credit"}]}},
        dict.fromkeys([A, B, C, D], (FailureKind.QUOTA, Disposition.FINAL, False)),
    ),
    "counts that lie": (
        ("completed", [answer(A), answer(B), answer(C), answer(D)]),
        {"request_counts": {"total": 9, "completed": 0, "failed": 9}},
        dict.fromkeys([A, B, C, D], FOUR),
    ),
}


@pytest.mark.parametrize(("files", "of_batch", "wanted"), CASES.values(), ids=list(CASES))
def test_every_request_gets_one_result(
    files: tuple[Any, ...], of_batch: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert results(*files, **of_batch) == wanted


def test_files_are_cut_where_the_provider_takes_no_more() -> None:
    lines = [(number, b"x" * size) for number, size in enumerate([4, 4, 4, 20, 1, 9, 1])]
    parts = [[number for number, _ in part] for part in fitting(lines, most_bytes=10)]
    assert parts == [[0, 1], [2], [3], [4, 5], [6]]
    assert list(fitting([], most_bytes=10)) == []
