"""Lines of result files, as providers publish them, and as files come."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.batch_api.lines import ResultLine, lines_of, read_line
from actors.endpoint.replies import read_completion
from tests.actors.in_process import request
from tests.inputs.json_values import json_values

COMPLETION = {
    "model": "m-1",
    "choices": [{"message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3},
}
WHOLE = {"status_code": 200, "request_id": "r", "body": COMPLETION}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [
        {"type": "thinking", "thinking": "2 + 2"},
        {"type": "text", "text": "fo"},
        {"type": "text", "text": "ur"},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 4, "cache_read_input_tokens": 1, "output_tokens": 3},
}
GOOGLE = {
    "candidates": [
        {
            "content": {"parts": [{"text": "?", "thought": True}, {"text": "four"}], "role": "model"},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 8},
    "modelVersion": "m-1",
}

ANSWERS: dict[str, dict[str, Any]] = {
    "openai": {"id": "batch_req_1", "response": WHOLE, "error": None},
    "azure": {"response": {"body": COMPLETION, "request_id": "r", "status_code": 200}, "error": None},
    "status as text": {"response": {**WHOLE, "status_code": "200"}},
    "status as a fraction": {"response": {**WHOLE, "status_code": 200.0}},
    "status null": {"response": {**WHOLE, "status_code": None}},
    "status left out": {"response": {"body": COMPLETION}},
    "201": {"response": {**WHOLE, "status_code": 201}},
    "body as JSON text": {"response": {**WHOLE, "body": json.dumps(COMPLETION)}},
    "body as JSON text of JSON text": {"response": {**WHOLE, "body": json.dumps(json.dumps(COMPLETION))}},
    "response as JSON text": {"response": json.dumps(WHOLE)},
    "body without a response": {"status_code": 200, "body": COMPLETION},
    "body without response and status": {"body": json.dumps(COMPLETION)},
    "completion as the response": {"response": COMPLETION},
    "completion beside the name": dict(COMPLETION),
    "an error that says nothing": {"response": WHOLE, "error": {"code": None, "message": None}},
    "an empty error": {"response": WHOLE, "error": {}},
    "an error of no text": {"response": WHOLE, "error": ""},
    "the word null": {"response": WHOLE, "error": "null"},
    "an error beside an answer": {"response": WHOLE, "error": {"code": "slow", "message": "it took long"}},
    "anthropic": {"result": {"type": "succeeded", "message": ANTHROPIC}},
    "anthropic as a body": {"response": {"status_code": 200, "body": ANTHROPIC}},
    "google": {"response": GOOGLE},
    "result for response": {"result": WHOLE},
    "no number among the rest": {
        "response": {**WHOLE, "body": {**COMPLETION, "logprobs": [float("nan"), -float("inf")]}}
    },
    "bedrock": {"modelInput": {}, "modelOutput": ANTHROPIC},
}


@pytest.mark.parametrize("line", ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer_is_read_in_every_form(line: dict[str, Any]) -> None:
    found = read_line({"custom_id": "k", **line})
    assert found is not None and found.answered and (found.custom_id, found.not_begun) == ("k", False)
    reply, usage = read_completion(request("What is 2 + 2?"), found.body or b"")
    assert reply.text == "four" and not reply.truncated and reply.model == "m-1"
    assert (usage.prompt_tokens, usage.completion_tokens, usage.certain) == (5, 3, True)


# The line, and its status, code and message as they are read.
FAILURES: list[tuple[dict[str, Any], int, str, str]] = [
    ({"response": None, "error": {"code": "server_error", "message": "sorry"}}, 0, "server_error", "sorry"),
    ({"error": {"code": "invalid_model", "message": "no such"}}, 0, "invalid_model", "no such"),
    ({"error": "it broke"}, 0, "", "it broke"),
    (
        {"response": {"status_code": 200, "body": {"object": "error", "message": "no", "type": "E", "code": 422}}},
        *(422, "E", "no"),
    ),
    # vLLM's run-batch: the error beside a response without a body, with a number for a code
    (
        {
            "response": {"status_code": 400, "request_id": "r"},
            "error": {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400},
        },
        *(400, "BadRequestError", "too long"),
    ),
    (
        {"response": None, "error": {"error": {"message": "too long", "type": "BadRequestError", "code": 400}}},
        *(400, "BadRequestError", "too long"),
    ),
    ({"response": {"status_code": 429}, "error": {"code": "429", "message": "slow down"}}, 429, "", "slow down"),
    ({"response": {"status_code": 200, "body": None}, "error": {"message": "lost", "code": 502}}, 502, "", "lost"),
    (
        {"result": {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "oh"}}}},
        *(500, "api_error", "oh"),
    ),
    (
        {"result": {"type": "errored", "error": {"type": "error", "error": {"type": "overloaded_error"}}}},
        *(529, "overloaded_error", ""),
    ),
    (
        {"result": {"type": "errored", "error": {"type": "invalid_request_error", "message": "credit is too low"}}},
        *(400, "invalid_request_error", "credit is too low"),
    ),
    ({"response": None, "error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}, 503, "", "busy"),
    ({"modelInput": {}, "error": {"errorCode": 400, "errorMessage": "too long"}}, 400, "", "too long"),
]


@pytest.mark.parametrize(("line", "status", "code", "message"), FAILURES)
def test_an_error_is_read_in_every_form(line: dict[str, Any], status: int, code: str, message: str) -> None:
    found = read_line({"custom_id": "k", **line})
    assert found is not None and not found.answered and not found.not_begun
    assert (found.status, found.code, found.message) == (status, code, message)
    assert json.loads(found.body or b"")["error"] == {"code": code, "message": message}


@pytest.mark.parametrize("empty", [{}, None, "", []])
@pytest.mark.parametrize(("status", "read"), [(0, 0), ("", 0), (None, 0), (500, 500), (200, 200)])
def test_a_line_without_a_body_has_its_status_alone(status: object, read: int, empty: object) -> None:
    line = {"custom_id": "k", "response": {"status_code": status, "request_id": "", "body": empty}, "error": None}
    assert read_line(line) == ResultLine("k", read, None, "", "")


@pytest.mark.parametrize("status", [400, "400", 429, "503"])
def test_an_error_response_keeps_its_body(status: object) -> None:
    body = {"error": {"message": "no", "type": "invalid_request_error", "code": None}}
    for written in (body, json.dumps(body)):
        found = read_line({"custom_id": "k", "response": {"status_code": status, "body": written}, "error": None})
        assert found == ResultLine("k", int(str(status)), json.dumps(body).encode(), "", "")


@pytest.mark.parametrize(
    "line",
    [
        {"response": None, "error": {"code": "batch_expired", "message": "not in time"}},
        {"error": {"code": "batch_cancelled"}},
        {"response": None, "error": {"code": "BATCH_CANCELED", "message": ""}},
        {"result": {"type": "expired"}},
        {"result": {"type": "canceled"}},
    ],
)
def test_a_line_that_was_not_begun_says_so(line: dict[str, Any]) -> None:
    found = read_line({"custom_id": "k", **line})
    assert found is not None and found.not_begun and not found.answered


@pytest.mark.parametrize("line", [{}, {"custom_id": None}, {"custom_id": ["k"]}, {"custom_id": True}, {"id": "k"}])
def test_a_line_without_a_name_is_nobodys(line: dict[str, Any]) -> None:
    assert read_line({**line, "response": WHOLE}) is None


LINES = [{"custom_id": name, "response": WHOLE} for name in ("ä", "b", "c")]
JSONL = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES).encode()
FILES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda jsonl: jsonl,
    "no last newline": lambda jsonl: jsonl.rstrip(),
    "empty lines": lambda jsonl: b"\n\n" + jsonl.replace(b"\n", b"\n \n") + b"\n\n",
    "carriage returns": lambda jsonl: jsonl.replace(b"\n", b"\r\n"),
    "byte order mark": lambda jsonl: b"\xef\xbb\xbf" + jsonl,
    "gzip": gzip.compress,
    "gzip with a byte order mark in it": lambda jsonl: gzip.compress(b"\xef\xbb\xbf" + jsonl),
    "gzip in two parts": lambda jsonl: gzip.compress(jsonl[:40]) + gzip.compress(jsonl[40:]),
    "UTF-16": lambda jsonl: jsonl.decode().encode("utf-16"),
    "one array": lambda _: json.dumps(LINES, indent=1).encode(),
    "one array in one line": lambda _: json.dumps(LINES).encode(),
    "zlib": zlib.compress,
    "commas behind lines": lambda jsonl: jsonl.replace(b"\n", b",\n"),
    "several to a line": lambda jsonl: jsonl.replace(b"\n", b"", 1),
    "one over several lines": lambda _: "\n".join(json.dumps(line, indent=2) for line in LINES).encode(),
    "an array in an object": lambda _: json.dumps({"object": "list", "data": LINES}).encode(),
    "an array in an object over several lines": lambda _: json.dumps({"results": LINES}, indent=2).encode(),
}


@pytest.mark.parametrize("written", FILES.values(), ids=list(FILES))
def test_a_file_is_read_however_it_is_written(written: Callable[[bytes], bytes]) -> None:
    assert [line and line.custom_id for line in lines_of(written(JSONL))] == ["ä", "b", "c"]


def test_what_cannot_be_read_is_counted_and_stops_nothing() -> None:
    torn = b'null\n{}\n"text"\n[[[\n\xff\n' + JSONL + b'{"custom_id": "d", "response": {"body": {"choi'
    assert [line and line.custom_id for line in lines_of(torn)] == [None] * 5 + ["ä", "b", "c", None]
    assert list(lines_of(b"\x1f\x8bnot gzip at all")) == [None]
    assert list(lines_of(b"")) == list(lines_of(b"\n")) == []
    half = list(lines_of(gzip.compress(JSONL)[:-12]))  # what came before the break is read
    assert half[0] is None or half[0].custom_id == "ä"


NAMES = ["response", "body", "error", "result", "message", "content", "choices", "candidates", "type", "code"]
JSON = json_values(names=st.sampled_from(NAMES))


@given(st.dictionaries(st.sampled_from(["custom_id", "response", "error", "result", "body"]), JSON, max_size=5))
def test_nothing_in_a_line_raises(line: dict[str, Any]) -> None:
    found = read_line(line)
    assert (
        found is None
        or found.body is None
        or isinstance(json.loads(found.body), dict | list | str | int | float | bool)
    )


@given(st.binary(max_size=200))
def test_nothing_in_a_file_raises(content: bytes) -> None:
    list(lines_of(content))
