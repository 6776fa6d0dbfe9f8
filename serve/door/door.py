"""The door of a served student: ASGI middleware before vLLM's application.

Owns: which requests reach the application, and what is said to the others. Which routes exist is in `routes`, what a
body may be in `bodies`.

Invariants
- Only the routes of `routes` reach the application, by the path and the method that it knows them by.
- A request without a key is told so before its body is read, and no more than the limit of a body is ever held.
- After the engine's death nothing is answered with 500: 503 says when to try again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.door.bodies import Body, check_body, described_as, read_body, what_is_said
from serve.door.browsers import readable_by_pages
from serve.door.joining import Joined
from serve.door.keys import Keys
from serve.door.leaving import run_until_given_up
from serve.door.limits import DoorSection
from serve.door.refusals import Refusal, unavailable
from serve.door.routes import ANSWER, CHAT, COMPLETIONS, OPEN, allowed, route_of, which_model
from serve.share.passing import Passing, is_passed_on

_QUESTIONS = {CHAT, COMPLETIONS, ANSWER}  # what a candidate answers its share of
VERSION = b"x-student-version"


@dataclass(frozen=True, slots=True)
class _Read:
    """A body: as it came, as the application gets it, and the object in it (None where another door has read it)."""

    came: bytes
    content: bytes
    body: Body | None


class Door:
    """`app` behind its door. `alive` says whether the engine is; `ask_again` rewrites the body of a chat (raising
    `ValueError` with what is wrong with it), None leaves chats as they are; `versions` are the names that are served,
    each with the version of the weights that answer by it, without any names are left to the application; `named`: a
    question must say which of them it is for."""

    def __init__(
        self,
        app: ASGIApp,
        limits: DoorSection,
        keys: Keys | None,
        alive: Callable[[], bool],
        ask_again: Callable[[Body], Body] | None = None,
        versions: Mapping[str, str] | None = None,
        named: bool = False,
    ) -> None:
        self._app, self._limits, self._keys, self._alive, self._ask_again = app, limits, keys, alive, ask_again
        self.versions = dict(versions or {})  # told with each answer
        self._named = named
        self.passing: Passing | None = None  # while a candidate has a share of the requests
        self.ongoing = 0  # requests that the application has and has not answered
        self._open, self._quiet = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._quiet.set()

    @asynccontextmanager
    async def closed(self, within_s: float) -> AsyncIterator[None]:
        """A time in which the application has no request: those that it has are answered first, those that come wait.
        Raises `TimeoutError` where they are not answered within `within_s`."""
        self._open.clear()
        try:
            if not await self.quiet(within_s):
                raise TimeoutError(f"requests were still being answered after {within_s:g} s")
            yield
        finally:
            self._open.set()

    async def quiet(self, within_s: float) -> bool:
        """Waits for the requests that the application has; whether they were answered in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = readable_by_pages(scope, send)
        try:
            path, scope = self._let_in(scope)
            if path in OPEN:
                await self._tell_health(send)
                return
            read = await self._read_body(path, scope, receive) if scope["method"] == "POST" else None
        except Refusal as refusal:
            await refusal.answer(send)
        except _Gone:
            return
        else:
            await self._answer(scope, receive, send, read)

    async def passed(
        self, path: str, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> AsyncGenerator[Message, None]:
        """The messages of the response to a request that another door has let in and passes on."""
        said: asyncio.Queue[Message | None] = asyncio.Queue()
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": None,
            "server": None,
        }

        async def whole() -> None:
            try:
                await self._answer(scope, _silence, said.put, _Read(content, content, None))
            finally:
                said.put_nowait(None)

        answering = asyncio.create_task(whole())
        try:
            while (message := await said.get()) is not None:
                yield message
            await answering
        finally:
            answering.cancel()

    def _let_in(self, scope: Scope) -> tuple[str, Scope]:
        """The route of a request that may come in, and the request as the application gets it. Raises `Refusal`."""
        root = scope.get("root_path", "")
        path, method = route_of(scope["path"].removeprefix(root), self.versions)
        headers = Headers(scope=scope)
        asked = scope["method"]
        whole = root + path
        scope = {**scope, "path": whole, "raw_path": whole.encode()}
        if asked == "OPTIONS" and "access-control-request-method" in headers:
            return path, scope  # a browser's question, which has no key and gets no answer of the student's
        if asked == "HEAD" and method == "GET":
            scope["method"] = asked = "GET"  # the server leaves the body out
        if asked != method:
            allow = allowed(method)
            raise Refusal(405, f"{path} takes {allow}", code="method_not_allowed", headers={"allow": allow})
        if self._keys is not None and path not in OPEN and not self._keys.let_in(headers.get("authorization")):
            raise Refusal(
                401,
                "a key is needed, as the header Authorization: Bearer KEY",
                "authentication_error",
                "invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )
        return path, scope

    async def _tell_health(self, send: Send) -> None:
        if not self._alive():
            await unavailable().answer(send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _read_body(self, path: str, scope: Scope, receive: Receive) -> _Read:
        """The body of a request that may come in. Raises `Refusal`, `_Gone`."""
        headers = Headers(scope=scope)
        came = content = await self._read(headers.get("content-length", ""), receive)
        body = read_body(came, headers.get("content-encoding", ""))
        check_body(path, body, self.versions, self._limits)
        if self._named and path in _QUESTIONS and not body.get("model"):
            raise which_model(self.versions)
        usable = what_is_said(path, body)
        if path == CHAT and self._ask_again is not None:
            usable = _asked_again(self._ask_again, usable)
        if usable is not body or json.detect_encoding(came) != "utf-8":
            content = json.dumps(usable).encode()
        scope["headers"] = described_as(content, scope["headers"])
        return _Read(came, content, body)

    async def _read(self, announced: str, receive: Receive) -> bytes:
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > self._limits.body_bytes):
            raise self._too_large()
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Gone
                    part = message.get("body", b"")
                    size += len(part)
                    if size > self._limits.body_bytes:
                        raise self._too_large()
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            seconds = f"{self._limits.body_s:g} s"
            raise Refusal(
                408, f"the body did not arrive within {seconds}", code="timeout", headers={"connection": "close"}
            ) from None

    def _too_large(self) -> Refusal:
        limit = self._limits.body_bytes
        return Refusal(413, f"a body has at most {limit} bytes here", code="too_large", headers={"connection": "close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send, read: _Read | None) -> None:
        """Has the application answer, or the candidate, within the time that an answer has."""
        await self._open.wait()
        if not self._alive():
            await unavailable().answer(send)
            return
        started, dead = False, False
        joined = Joined(send, self._limits.piece_s)
        version = [(VERSION, said.encode("ascii", "replace")) for said in self._versions_of(read)]

        async def put(message: Message) -> None:
            nonlocal started, dead
            if message["type"] == "http.response.start":
                dead = message["status"] >= 500 and not self._alive()
                message = {**message, "headers": [*message.get("headers", ()), *version]}
            if not dead:
                started = True
                await joined(message)

        async def tell(message: Message) -> None:
            nonlocal started
            started = True
            await joined(message)

        self.ongoing += 1
        self._quiet.clear()
        try:
            async with asyncio.timeout(self._limits.answer_s):
                if read is None:
                    await run_until_given_up(self._app, scope, receive, put)
                elif not await self._passed_on(scope, receive, tell, read):
                    await run_until_given_up(self._app, scope, _beginning_with(read.content, receive), put)
        except TimeoutError:
            if not started:
                await Refusal(504, f"no answer within {self._limits.answer_s:g} s", "server_error", "timeout").answer(
                    send
                )
                return
            raise
        finally:
            joined.close()
            if dead:
                await unavailable().answer(send)
            self.ongoing -= 1
            if not self.ongoing:
                self._quiet.set()

    def _versions_of(self, read: _Read | None) -> list[str]:
        """The version that answers a request; none where several might."""
        asked = read.body.get("model") if read is not None and read.body is not None else None
        if isinstance(asked, str) and asked in self.versions:
            return [self.versions[asked]]
        return list(self.versions.values()) if len(self.versions) == 1 else []

    async def _passed_on(self, scope: Scope, receive: Receive, send: Send, read: _Read) -> bool:
        """Whether a candidate has answered."""
        path, passing = scope["path"].removeprefix(scope.get("root_path", "")), self.passing
        if passing is None or path not in _QUESTIONS or not is_passed_on(passing.candidate, read.body, read.came):
            return False
        return await passing.answered(path, list(scope["headers"]), read.content, receive, send)


def _beginning_with(content: bytes, receive: Receive) -> Receive:
    """Gives a body that was read, and then what is received."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return again


async def _silence() -> Message:
    """What a client says that stays and says nothing."""
    await asyncio.Event().wait()
    raise AssertionError


class _Gone(Exception):
    """The client left before its body was whole."""


def _asked_again(ask_again: Callable[[Body], Body], body: Body) -> Body:
    try:
        return ask_again(body)
    except ValueError as error:
        raise Refusal(400, str(error), code="invalid_value", param="messages") from error
