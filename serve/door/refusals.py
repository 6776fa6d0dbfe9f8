"""What a client is told that is not let in, or not answered: OpenAI's error body, whoever refuses.

Owns: the shape `{"error": {"message", "type", "param", "code"}}`, and putting into it what Ray Serve itself says in
plain text (its queue is full, its replica died).

Invariant: a refusal that another attempt may cure (429, 503) says with Retry-After when; stock clients wait that long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.door.browsers import readable_by_pages

RETRY_S = 1  # a client that waits doubles it itself


@dataclass(eq=False)
class Refusal(Exception):
    """A response other than the application's. `headers` are its own beside the usual ones."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def messages(self) -> tuple[Message, Message]:
        """The refusal as the two messages of an ASGI response."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        body = json.dumps({"error": error}, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        start = {"type": "http.response.start", "status": self.status, "headers": encoded}
        return start, {"type": "http.response.body", "body": body}

    def response(self) -> Response:
        """The refusal as what a route returns."""
        start, body = self.messages()
        headers = {name.decode("ascii"): value.decode("ascii") for name, value in start["headers"]}
        return Response(body["body"], self.status, headers)

    async def answer(self, send: Send) -> None:
        for message in self.messages():
            await send(message)


def unavailable() -> Refusal:
    """503: nobody can answer now, and soon somebody will."""
    message = "the student is being started again; try again soon"
    return Refusal(503, message, "server_error", "unavailable", headers={"retry-after": str(RETRY_S)})


def overloaded() -> Refusal:
    """429: more requests wait than are let in."""
    message = "too many requests wait already; try again soon"
    return Refusal(429, message, "rate_limit_error", "overloaded", headers={"retry-after": str(RETRY_S)})


UNREADABLE = Refusal(
    400, "the request is no HTTP, or its sender closed the connection before the answer was there", code="bad_request"
)
NOT_SERVED = Refusal(404, "nothing is served at this address; see GET /-/routes", code="not_found")
_PLAIN = {
    404: NOT_SERVED,
    408: Refusal(408, "the request took longer than is allowed", "server_error", "timeout"),
    429: overloaded(),
    500: unavailable(),  # a replica died with the request: no answer of the application's own is plain text
    503: unavailable(),
}


class ServeErrors:
    """ASGI middleware of Ray Serve's own HTTP servers: what they say themselves, in plain text or by breaking off,
    gets OpenAI's body. Answers of an application pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("path", "").startswith("/-/"):
            await self._app(scope, receive, send)
            return
        send = readable_by_pages(scope, send)
        started, replaced = False, False

        async def put(message: Message) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                refusal = _PLAIN.get(message["status"]) if _is_plain(message) else None
                if refusal is not None:
                    replaced = True
                    await refusal.answer(send)
            if not replaced:
                await send(message)

        try:
            await self._app(scope, receive, put)
        finally:
            if not started:  # the replica died before it said a word
                await unavailable().answer(send)


def _is_plain(message: Message) -> bool:
    kinds = [value for name, value in message.get("headers", ()) if name.lower() == b"content-type"]
    return bool(kinds) and kinds[0].startswith(b"text/plain")


def serve_middlewares() -> list[object]:
    """What Ray Serve's HTTP servers are wrapped in (`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`)."""
    from starlette.middleware import Middleware

    return [Middleware(ServeErrors)]
