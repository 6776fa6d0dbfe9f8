"""What Ray Serve says itself reaches clients in OpenAI's words; an application's own answers pass as they are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve.door.browsers import readable_by_pages
from serve.door.door import Door
from serve.door.limits import DoorSection
from serve.door.refusals import ServeErrors, serve_middlewares
from tests.serve.door.asgi import asked


def saying(status: int, kind: str, body: bytes = b"Request dropped due to backpressure") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
        await send({"type": "http.response.body", "body": body})

    return app


@pytest.mark.parametrize(
    ("status", "becomes", "retry"),
    [(404, 404, None), (408, 408, None), (429, 429, "1"), (500, 503, "1"), (503, 503, "1")],
)
def test_words_of_serves_own_get_the_clients_shape(status: int, becomes: int, retry: str | None) -> None:
    reply = asked(ServeErrors(saying(status, "text/plain; charset=utf-8")), "POST", "/v1/completions")
    assert reply.status == becomes and reply.headers.get("retry-after") == retry
    assert reply.error["message"]


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500, 503])
def test_an_applications_answer_passes_as_it_is(status: int) -> None:
    reply = asked(ServeErrors(saying(status, "application/json", b'{"a": 1}')), "POST", "/v1/completions")
    assert (reply.status, reply.body) == (status, b'{"a": 1}')


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_a_page_can_read_what_serve_says(kind: str) -> None:
    door = Door(saying(429, kind), DoorSection(), None, lambda: True)
    for app in (ServeErrors(saying(429, kind)), ServeErrors(door)):  # alone, and with a door's own headers
        reply = asked(app, "POST", "/v1/completions", b"{}", {"origin": "http://here"})
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "retry-after" in reply.headers["access-control-expose-headers"]
        assert reply.status == 429
    headers: list[bytes] = []

    async def send(message: Any) -> None:
        headers.extend(name for name, _ in message.get("headers", ()))

    start = {"type": "http.response.start", "status": 200, "headers": []}
    scope = {"headers": [(b"origin", b"http://here")]}
    asyncio.run(readable_by_pages(scope, readable_by_pages(scope, send))(start))  # type: ignore[arg-type]
    assert sorted(headers) == [b"access-control-allow-origin", b"access-control-expose-headers"]  # once each


def test_serves_own_routes_are_left_alone() -> None:
    reply = asked(ServeErrors(saying(503, "text/plain", b"draining")), "GET", "/-/healthz")
    assert (reply.status, reply.body) == (503, b"draining")


def test_a_replica_that_dies_without_a_word_is_a_503() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("the actor died")

    assert asked(ServeErrors(silent), "POST", "/v1/completions").status == 503
    with pytest.raises(RuntimeError):
        asked(ServeErrors(broken), "POST", "/v1/completions")


def test_serve_finds_it_by_its_name() -> None:
    (only,) = serve_middlewares()
    assert only.cls is ServeErrors  # type: ignore[attr-defined]
