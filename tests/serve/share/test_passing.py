"""Which requests a candidate answers, and that it costs nobody an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from serve.door.door import Door
from serve.door.limits import DoorSection
from serve.door.routes import ANSWER, CHAT, COMPLETIONS, FEEDBACK
from serve.share import passing
from serve.share.passing import TAKEN, NotAnswered, Passing, is_passed_on
from serve.weights import Candidate
from tests.serve.door.asgi import Echo, ask, asked


def candidate(share: float = 0.25, version: str = "second") -> Candidate:
    return Candidate(version=version, checkpoint="/there", application="candidate-student-mine", share=share)


def bodies(n: int) -> list[bytes]:
    return [json.dumps({"question": f"{i} apples?"}).encode() for i in range(n)]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_candidate_gets_its_share(share: float) -> None:
    taken = sum(is_passed_on(candidate(share), None, body) for body in bodies(4000))
    assert abs(taken / 4000 - share) < 0.03


def test_a_larger_share_gives_none_back_and_another_candidate_draws_anew() -> None:
    small, large = ({body for body in bodies(500) if is_passed_on(candidate(s), None, body)} for s in (0.1, 0.4))
    other = {body for body in bodies(500) if is_passed_on(candidate(0.4, "third"), None, body)}
    assert small < large and other != large


def test_a_user_has_the_same_student_each_time() -> None:
    for user in ("ann", "bob", "日本", "\ud800"):
        first = is_passed_on(candidate(0.5), {"user": user}, b"one")
        assert all(is_passed_on(candidate(0.5), {"user": user}, body) is first for body in bodies(50))
    split = {is_passed_on(candidate(0.5), {"user": f"user {i}"}, b"one") for i in range(50)}
    assert split == {True, False}


@pytest.mark.parametrize("user", [None, "", 7, ["ann"]])
def test_what_is_no_user_does_not_hold_a_body(user: object) -> None:
    assert {is_passed_on(candidate(0.5), {"user": user}, body) for body in bodies(50)} == {True, False}


class Other:
    """A candidate that answers as it is told to, and notes what it was asked."""

    def __init__(self, *messages: Message | Exception, pause_s: float = 0.0) -> None:
        self.messages, self.pause_s = messages, pause_s
        self.asked: list[tuple[str, bytes]] = []
        self.closed = False

    async def __call__(
        self, path: str, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> AsyncGenerator[Message, None]:
        self.asked.append((path, content))
        try:
            for message in self.messages:
                await asyncio.sleep(self.pause_s)
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self.closed = True


def response(status: int = 200) -> tuple[Message, Message]:
    start = {"type": "http.response.start", "status": status, "headers": [(b"x-student-version", b"second")]}
    return start, {"type": "http.response.body", "body": b"from the candidate"}


def shared(other: Other, share: float = 1.0 - 1e-9) -> Door:
    door = Door(Echo(), DoorSection(), None, lambda: True, versions={"mine": "first"})
    door.passing = Passing(candidate(share), other)
    return door


@pytest.mark.parametrize("path", [ANSWER, CHAT, COMPLETIONS])
def test_the_candidate_answers_and_says_that_it_did(path: str) -> None:
    other = Other(TAKEN, *response())
    door = shared(other)
    reply = asked(door, "POST", path, b'{"a": 1}')
    assert (reply.status, reply.body, reply.headers["x-student-version"]) == (200, b"from the candidate", "second")
    assert other.asked == [(path, b'{"a": 1}')] and other.closed and door.ongoing == 0
    assert door.passing is not None and (door.passing.passed, door.passing.returned) == (1, 0)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models"), ("POST", FEEDBACK), ("GET", "/health")])
def test_what_is_no_question_stays(method: str, path: str) -> None:
    other = Other(TAKEN, *response())
    assert asked(shared(other), method, path, b"{}").status == 200 and not other.asked


def test_the_others_are_answered_by_the_served_student() -> None:
    other = Other(TAKEN, *response())
    versions = [asked(shared(other, 0.5), "POST", ANSWER, body).headers["x-student-version"] for body in bodies(40)]
    assert set(versions) == {"first", "second"} and versions.count("second") == len(other.asked)


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (NotAnswered("dead"),),
        (TAKEN, NotAnswered("died")),
        (TAKEN, *response(503)),
        (TAKEN, *response(429)),
    ],
)
def test_where_the_candidate_does_not_answer_the_served_student_does(messages: tuple[Any, ...]) -> None:
    other = Other(*messages)
    door = shared(other)
    reply = asked(door, "POST", ANSWER, b'{"a": 1}')
    assert (reply.status, reply.headers["x-student-version"]) == (200, "first") and other.closed
    assert isinstance(door._app, Echo) and door._app.seen == [(ANSWER, b'{"a": 1}')]
    assert door.passing is not None and (door.passing.passed, door.passing.returned) == (0, 1)


def test_a_candidate_that_does_not_take_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "TAKEN_S", 0.01)
    other = Other(TAKEN, *response(), pause_s=0.05)
    assert asked(shared(other), "POST", ANSWER, b"{}").headers["x-student-version"] == "first" and other.closed


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_what_the_candidate_says_counts_also_where_it_refuses(status: int) -> None:
    assert asked(shared(Other(TAKEN, *response(status))), "POST", ANSWER, b"{}").status == status


def test_an_answer_that_breaks_off_is_not_begun_anew() -> None:
    door = shared(Other(TAKEN, *response(), NotAnswered("died")))
    with pytest.raises(NotAnswered):
        asked(door, "POST", ANSWER, b"{}")
    assert isinstance(door._app, Echo) and not door._app.seen and door.ongoing == 0


def test_a_client_that_leaves_takes_its_request_along() -> None:
    other = Other(TAKEN, *response(), *response(), pause_s=0.02)

    async def leaves() -> None:
        async with asyncio.timeout(5):
            await ask(shared(other), "POST", ANSWER, b"{}")  # `ask` says that it is gone once its body is sent

    asyncio.run(leaves())
    assert other.closed


def test_a_door_answers_what_another_has_let_in() -> None:
    app = Echo()
    door = Door(app, DoorSection(keys_file="/none"), None, lambda: True, versions={"mine": "second"})

    async def all() -> list[Message]:
        return [message async for message in door.passed(ANSWER, [(b"host", b"x")], b'{"question": "1"}')]

    start, body = asyncio.run(all())
    assert (start["status"], start["headers"]) == (200, [(b"x-student-version", b"second")])
    assert body["type"] == "http.response.body" and app.seen == [(ANSWER, b'{"question": "1"}')]


def test_who_stops_listening_ends_the_answer() -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def first() -> None:
        door = Door(endless, DoorSection(), None, lambda: True)
        messages = door.passed(ANSWER, [], b"{}")
        await anext(messages)
        await messages.aclose()
        async with asyncio.timeout(5):
            await ended.wait()
        assert await door.quiet(5)

    asyncio.run(first())
