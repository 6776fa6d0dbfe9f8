"""Requests to an ASGI application, without a server: what it is sent and what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Application = Any


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error of OpenAI's body, which has nothing else."""
        whole = json.loads(self.body)
        assert set(whole) == {"error"} and set(whole["error"]) == {"message", "type", "param", "code"}
        return whole["error"]


class Echo:
    """An application that answers with what reached it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.seen: list[tuple[str, bytes]] = []
        self.methods: list[str] = []
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        if scope["method"] == "POST":
            body = (await receive())["body"]
        self.seen.append((scope["path"], body))
        self.methods.append(scope["method"])
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def ask(
    app: Application,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
    *,
    pause_s: float = 0.0,
    leaves: bool = False,
) -> Reply | None:
    """One request, its body in pieces `pause_s` apart. `leaves`: the client goes before its last piece. None: nothing
    was said."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if leaves:
        coming.append({"type": "http.disconnect"})
    else:
        coming[-1]["more_body"] = False
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause_s)
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    await app(scope, receive, send)
    if not said:
        return None
    found = {name.decode(): value.decode() for name, value in said[0].get("headers", ())}
    return Reply(said[0]["status"], found, b"".join(message.get("body", b"") for message in said[1:]))


def asked(app: Application, method: str, path: str, *args: Any, **options: Any) -> Reply:
    reply = asyncio.run(ask(app, method, path, *args, **options))
    assert reply is not None
    return reply
