"""Who and what a served student lets in, and what the others are told."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from reasoning.prompts.frame import Frame
from serve.door.door import Door
from serve.door.keys import Keys
from serve.door.limits import DoorSection
from serve.door.routes import ANSWER, CHAT, COMPLETIONS, FEEDBACK, MODELS, ROUTES
from serve.serving import StudentServing
from serve.student_server import chat_by
from tests.serve.door.asgi import Echo, ask, asked

KEY = {"authorization": "Bearer sesame"}


def door(
    app: Any = None, keys: Keys | None = None, alive: bool = True, frame: Frame | None = None, **limits: Any
) -> Door:
    serving = StudentServing(checkpoint="org/name")
    return Door(
        app or Echo(), DoorSection(**limits), keys, lambda: alive, chat_by(serving, frame), versions={"mine": "first"}
    )


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    (tmp_path / "keys").write_text("sesame\n", encoding="utf-8")
    return Keys(tmp_path / "keys")


@pytest.mark.parametrize(("path", "method"), ROUTES.items())
def test_a_documented_route_is_there_by_its_method_alone(path: str, method: str) -> None:
    assert asked(door(), method, path, b"{}").status == 200
    other = asked(door(), "DELETE", path)
    allow = "GET, HEAD" if method == "GET" else method
    assert (other.status, other.headers["allow"], other.error["code"]) == (405, allow, "method_not_allowed")


@pytest.mark.parametrize(("path", "method"), ROUTES.items())
@pytest.mark.parametrize("written", ["{}/", "/{}", "{}//"])
def test_a_slash_too_many_names_the_same_route(path: str, method: str, written: str) -> None:
    app = Echo()
    assert asked(door(app), method, written.format(path), b"{}").status == 200
    assert {seen for seen, _ in app.seen} <= {path}


def test_whoever_looks_without_reading_is_answered_as_a_reader_is() -> None:
    app = Echo()
    for path in ("/health", "/ready", "/v1/models", "/v1/models/mine"):
        assert asked(door(app), "HEAD", path).status == 200
    assert asked(door(), "HEAD", CHAT).headers["allow"] == "POST"
    assert app.methods == ["GET", "GET"]  # the server leaves the body out


def test_a_model_is_described_by_its_name_and_no_other_is_there() -> None:
    app = Echo()
    assert asked(door(app), "GET", "/v1/models/mine").status == 200
    assert app.seen == [("/v1/models/mine", b"")]
    for path in ("/v1/models/other", "/v1/models/../metrics", "/v1/models/mine/permissions"):
        reply = asked(door(app), "GET", path)
        assert (reply.status, reply.error["code"]) == (404, "model_not_found") and "`mine` does" in reply.error[
            "message"
        ]
    assert len(app.seen) == 1 and asked(door(), "POST", "/v1/models/mine", b"{}").status == 405


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/docs", "/redoc", "/openapi.json", "/tokenize", "/detokenize", "/version", "/load", "/ping"),
        *("/scale_elastic_ep", "/is_scaling_elastic_ep", "/inference/v1/generate", "/invocations", "/v1/embeddings"),
        *("/v1/responses", "/v1/messages", "/v1/load_lora_adapter", "/sleep", "/reset_prefix_cache", "/pause"),
        *("/", "", "/v1", "/v1/", "/models", "/v1/v1/models", "/V1/models", "/v1/chat/completions/mine", "/health/x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_route_exists(path: str, method: str) -> None:
    app = Echo()
    reply = asked(door(app), method, path, b"{}")
    assert reply.status == 404 and reply.error["code"] == "not_found" and not app.seen


@pytest.mark.parametrize("path", [path for path in ROUTES if path.startswith("/v1")])
def test_a_key_is_asked_for_before_the_body_is_read(keys: Keys, path: str) -> None:
    app = Echo()
    barred = door(app, keys)
    for headers in ({}, {"authorization": "Bearer other"}, {"content-length": "999999999"}):
        reply = asked(barred, ROUTES[path], path, b"x" * 10, headers)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.error["code"] == "invalid_api_key" and "sesame" not in str(reply)
    assert not app.seen
    assert asked(barred, ROUTES[path], path, b"{}", KEY).status == 200


def test_health_needs_no_key_and_tells_of_a_dead_engine(keys: Keys) -> None:
    for path in ("/health", "/ready"):
        assert asked(door(keys=keys), "GET", path).status == 200
        dead = asked(door(keys=keys, alive=False), "GET", path)
        assert dead.status == 503 and dead.headers["retry-after"] == "1"


def test_a_browsers_question_needs_no_key(keys: Keys) -> None:
    preflight = {"origin": "http://here", "access-control-request-method": "POST"}
    assert asked(door(keys=keys), "OPTIONS", CHAT, headers=preflight).status == 200
    assert asked(door(keys=keys), "OPTIONS", CHAT).status == 405


def test_a_page_can_read_why_it_was_refused(keys: Keys) -> None:
    page, barred = {"origin": "http://here"}, door(keys=keys)
    replies = [
        asked(barred, "POST", CHAT, b"{}", page),
        asked(barred, "POST", CHAT, b"", page | KEY),
        asked(barred, "POST", CHAT, b"{}", page | KEY),
        asked(barred, "GET", "/metrics", headers=page),
        asked(door(alive=False), "GET", "/health", headers=page),
    ]
    assert [reply.status for reply in replies] == [401, 400, 200, 404, 503]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "x-student-version" in reply.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in asked(barred, "GET", "/metrics").headers


def test_too_large_a_body_is_refused_before_it_is_there() -> None:
    app = Echo()
    small = door(app, body_bytes=1000)
    for announced in ("1001", "9" * 400):
        reply = asked(small, "POST", COMPLETIONS, b"", {"content-length": announced})
        assert reply.status == 413 and reply.headers["connection"] == "close" and "1000 bytes" in reply.error["message"]
    pieces = [b"x" * 400] * 1000
    assert asked(small, "POST", COMPLETIONS, iter(pieces)).status == 413
    assert not app.seen
    assert asked(small, "POST", COMPLETIONS, [b"{", b" " * 998, b"}"]).body == b"{" + b" " * 998 + b"}"


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    reply = asked(door(body_s=0.05), "POST", COMPLETIONS, [b"{", b"}"], pause_s=0.2)
    assert reply.status == 408 and "0.05 s" in reply.error["message"]


def test_a_client_that_leaves_is_told_nothing() -> None:
    app = Echo()
    assert asyncio.run(ask(door(app), "POST", COMPLETIONS, [b"{"], leaves=True)) is None
    assert not app.seen


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": "x"}, 200),
        ({"prompt": "x", "n": 8}, 200),
        ({"prompt": "x", "n": 9}, 400),
        ({"prompt": ["x"] * 9}, 400),
        ({"prompt": ["x"] * 3, "n": 3}, 400),
        ({"prompt": [[1, 2]] * 9}, 400),
        ({"prompt": list(range(20))}, 200),
        ({"prompt": "x", "n": "9"}, 400),  # the application reads it as 9
        ({"prompt": "x", "n": 9.0}, 400),
        ({"prompt": ["x"] * 3, "n": "3"}, 400),
        ({"prompt": "x", "n": "8"}, 200),
        ({"prompt": "x", "n": [9]}, 200),  # the application's to refuse
        ({"prompt": "x", "n": float("inf")}, 200),
        ({"prompt": "x", "n": "many"}, 200),
        ({"prompt": "x", "best_of": 100}, 400),
    ],
)
def test_a_request_asks_for_so_many_answers_at_most(body: Any, status: int) -> None:
    assert asked(door(samples=8), "POST", COMPLETIONS, json.dumps(body).encode()).status == status


def test_a_chat_becomes_the_question_that_it_asks() -> None:
    framed = door(frame=Frame.around("Question: ", "\nReasoning:"))
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Question: 1 + 1?\nAnswer:"}]
    body = {"model": "mine", "messages": messages, "temperature": 0.5}
    reply = asked(framed, "POST", CHAT, json.dumps(body).encode(), {"content-length": "0"})
    assert json.loads(reply.body) == {**body, "messages": [{"role": "user", "content": "1 + 1?"}]}
    refused = asked(framed, "POST", CHAT, b'{"messages": []}')
    assert refused.status == 400 and refused.error["param"] == "messages"
    assert json.loads(asked(door(), "POST", CHAT, json.dumps(body).encode()).body) == body


def test_a_chats_prompt_ends_as_the_form_does() -> None:
    framed = door(frame=Frame.around("Question: ", "\nReasoning:"))
    messages = [{"role": "user", "content": "1 + 1?"}]
    sent = {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    assert json.loads(asked(framed, "POST", CHAT, json.dumps(sent).encode()).body) == {"messages": messages}


def test_other_models_get_their_chats_as_they_are() -> None:
    teacher = StudentServing(checkpoint="org/name", defaults="published")
    assert chat_by(teacher, Frame.around("Question: ", "\nReasoning:")) is None


def test_a_dead_engine_is_never_a_500() -> None:
    alive = [True]

    async def dying(scope: Any, receive: Any, send: Any) -> None:
        alive[0] = False
        await Echo(500)(scope, receive, send)

    dies = Door(dying, DoorSection(), None, lambda: alive[0])
    for _ in range(2):  # the request that it died with, and one after
        reply = asked(dies, "POST", COMPLETIONS, b"{}")
        assert reply.status == 503 and reply.headers["retry-after"] == "1" and reply.error["code"] == "unavailable"
    assert asked(door(Echo(500)), "POST", COMPLETIONS, b"{}").status == 500  # an error of a living engine is itself


class Slow:
    """An application that takes its time, and notes when it begins."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun: list[float] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(time.monotonic())
        await asyncio.sleep(self.seconds)
        await Echo()(scope, receive, send)


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    reply = asked(door(Slow(5.0), answer_s=0.05), "POST", COMPLETIONS, b"{}")
    assert reply.status == 504 and reply.error["code"] == "timeout"


def test_while_the_door_is_closed_requests_wait_and_none_is_being_answered() -> None:
    app = Slow(0.05)
    closing = door(app)

    async def both() -> tuple[float, list[Any]]:
        first = asyncio.create_task(ask(closing, "POST", COMPLETIONS, b"{}"))
        await asyncio.sleep(0.01)
        async with closing.closed(5.0):
            assert closing.ongoing == 0 and first.done()
            second = asyncio.create_task(ask(closing, "POST", COMPLETIONS, b"{}"))
            await asyncio.sleep(0.05)
            assert len(app.begun) == 1
            opened = time.monotonic()
        return opened, [await first, await second]

    opened, replies = asyncio.run(both())
    assert [reply.status for reply in replies] == [200, 200]
    assert app.begun[1] >= opened


def test_a_door_that_cannot_close_in_time_opens_again() -> None:
    closing = door(Slow(0.2))

    async def both() -> Any:
        first = asyncio.create_task(ask(closing, "POST", COMPLETIONS, b"{}"))
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError, match="still being answered"):
            async with closing.closed(0.01):
                pass
        return [await first, await ask(closing, "POST", COMPLETIONS, b"{}")]

    assert [reply.status for reply in asyncio.run(both())] == [200, 200]


def test_where_students_share_an_engine_a_question_says_which_it_is_for() -> None:
    app = Echo()
    door = Door(app, DoorSection(), None, lambda: True, versions={"a": "a/1", "b": "b/1"}, named=True)
    for path in (CHAT, COMPLETIONS, ANSWER):
        for body in ({}, {"model": ""}, {"model": None}):
            reply = asked(door, "POST", path, json.dumps({"messages": [], **body}).encode())
            assert (reply.status, reply.error["param"]) == (400, "model")
            assert reply.error["message"] == "say which student is asked, as `model`: a, b"
        for name in ("a", "b"):
            reply = asked(door, "POST", path, json.dumps({"messages": [], "model": name}).encode())
            assert (reply.status, reply.headers["x-student-version"]) == (200, f"{name}/1")
        reply = asked(door, "POST", path, b'{"messages": [], "model": "c"}')
        assert (reply.status, reply.error["message"]) == (404, "The model `c` does not exist here; `a`, `b` do.")
    for method, path, body in (("POST", FEEDBACK, b"{}"), ("GET", MODELS, b""), ("GET", f"{MODELS}/b", b"")):
        reply = asked(door, method, path, body)
        assert reply.status == 200 and "x-student-version" not in reply.headers
    assert asked(door, "GET", f"{MODELS}/c").status == 404
