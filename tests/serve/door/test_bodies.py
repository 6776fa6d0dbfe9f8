"""What a body may be, in the words that a client can act on, and what of it the engine's server is spared."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from serve.door.door import Door
from serve.door.limits import DoorSection
from serve.door.routes import ANSWER, CHAT, COMPLETIONS, FEEDBACK
from tests.serve.door.asgi import Echo, Reply, asked

TOOL = {"type": "function", "function": {"name": "flip"}}


def sent(app: Echo, path: str, body: bytes, **headers: str) -> Reply:
    door = Door(app, DoorSection(samples=8), None, lambda: True, versions={"mine": "first"})
    return asked(door, "POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1 column 2"),
        (b"model=mine&prompt=x", "not JSON"),
        (b"{'model': 'mine'}", "double quotes"),
        (b'{"model": "\xe9"}', "not UTF-8"),
        (b'{"prompt": "\\ud800"}', "surrogate"),
        (b'{"prompt": "\\UD800"}', "not JSON"),
        (b'{"prompt": "\xed\xa0\x80"}', "surrogate"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"n": ' + b"1" * 5000 + b"}", "too long a number"),
        (b"null", "JSON object"),
        (b"[]", "JSON object"),
        (b'"mine"', "JSON object"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, ANSWER])
def test_what_is_no_json_object_is_told_so(path: str, body: bytes, said: str) -> None:
    app = Echo()
    reply = sent(app, path, body)
    assert reply.status == 400 and said in reply.error["message"] and reply.error["code"] == "invalid_json"
    assert reply.error["type"] == "invalid_request_error" and not app.seen


@pytest.mark.parametrize(
    "text", ["\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\ud55c", "\\ud800"]
)
def test_characters_beyond_the_first_plane_are_text(text: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({"prompt": text}, ensure_ascii=ascii_only).encode()
        assert sent(Echo(), COMPLETIONS, body).body == body


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_in_another_encoding_of_unicode_reaches_the_engines_server_in_utf_8(encoding: str) -> None:
    reply = sent(Echo(), COMPLETIONS, '{"prompt": "h\u00e9"}'.encode(encoding))
    assert json.loads(reply.body.decode()) == {"prompt": "h\u00e9"}


@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "text/plain;charset=UTF-8", "application/json"]
)
def test_json_is_read_whatever_it_is_called(kind: str | None) -> None:
    app = Echo()
    assert sent(app, CHAT, b'{"messages": []}', **({"content_type": kind} if kind else {})).status == 200
    assert app.headers["content-type"] == "application/json"


def test_a_packed_body_is_refused() -> None:
    reply = sent(Echo(), CHAT, gzip.compress(b"{}"), content_encoding="gzip")
    assert reply.status == 415 and "Content-Encoding" in reply.error["message"]
    assert sent(Echo(), CHAT, b"{}", content_encoding="identity").status == 200


@pytest.mark.parametrize("name", ["gpt-4o", "openai/mine", "MINE", "mine ", "../mine"])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, ANSWER])
def test_another_model_is_not_here_and_the_one_that_is_is_named(path: str, name: str) -> None:
    reply = sent(Echo(), path, json.dumps({"model": name}).encode())
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert f"`{name}`" in reply.error["message"] and "`mine` does" in reply.error["message"]


@pytest.mark.parametrize("model", ["mine", "", None, 5])  # what is no name is the engine's server's to refuse
def test_a_body_need_not_name_the_model(model: object) -> None:
    assert sent(Echo(), CHAT, json.dumps({"model": model}).encode()).status == 200
    assert sent(Echo(), CHAT, b"{}").status == 200


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}, {"tool_choice": "required"}, {"tool_choice": TOOL}])
def test_whoever_wants_tools_called_is_told_that_none_are(choice: dict[str, Any]) -> None:
    reply = sent(Echo(), CHAT, json.dumps({"tools": [TOOL], **choice}).encode())
    assert (reply.status, reply.error["param"]) == (400, "tools") and '"none"' in reply.error["message"]


@pytest.mark.parametrize("call", [{}, {"function_call": "auto"}, {"function_call": {"name": "flip"}}])
def test_functions_are_tools_by_their_older_name(call: dict[str, Any]) -> None:
    reply = sent(Echo(), CHAT, json.dumps({"functions": [TOOL["function"]], **call}).encode())
    assert (reply.status, reply.error["param"]) == (400, "functions") and "`functions`" in reply.error["message"]
    assert (
        sent(Echo(), CHAT, json.dumps({"functions": [TOOL["function"]], "function_call": "none"}).encode()).status
        == 200
    )
    assert sent(Echo(), CHAT, b'{"functions": [], "function_call": "auto"}').status == 200


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, ANSWER, FEEDBACK])
def test_a_key_that_is_null_is_not_sent(path: str) -> None:
    body = {"n": None, "samples": None, "choices": None, "logit_bias": {}, "stream": False, "gold": "", "seed": 0}
    reply = sent(Echo(), path, json.dumps(body).encode())
    assert json.loads(reply.body) == {"logit_bias": {}, "stream": False, "gold": "", "seed": 0}


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize("value", [0, 0.5, True, "x"])
@pytest.mark.parametrize("name", ["messages", "structured_outputs"])
def test_a_value_of_another_kind_than_the_engines_server_expects_is_refused(
    name: str, value: object, path: str
) -> None:
    """Found by fuzzing: it reads these two before it looks at what they are, and answers 500."""
    reply = sent(Echo(), path, json.dumps({name: value}).encode())
    assert (reply.status, reply.error["param"]) == (400, name) and f"`{name}` must be" in reply.error["message"]
    assert sent(Echo(), path, json.dumps({"messages": [], "structured_outputs": None}).encode()).status == 200


@pytest.mark.parametrize(
    "empty", [{"tools": []}, {"tools": None}, {"tool_choice": "auto"}, {"tools": [], "parallel_tool_calls": True}]
)
def test_a_client_that_has_no_tools_may_say_so(empty: dict[str, Any]) -> None:
    reply = sent(Echo(), CHAT, json.dumps({"seed": 1, **empty}).encode(), content_length="99")
    assert json.loads(reply.body) == {"seed": 1}
    assert json.loads(sent(Echo(), CHAT, json.dumps({"tools": [TOOL], "tool_choice": "none"}).encode()).body)["tools"]


@pytest.mark.parametrize(("key", "path"), [("n", CHAT), ("best_of", COMPLETIONS), ("samples", ANSWER)])
def test_too_many_answers_are_refused_by_the_key_that_asks_for_them(key: str, path: str) -> None:
    assert sent(Echo(), path, json.dumps({key: 9}).encode()).error["param"] == key
