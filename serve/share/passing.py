"""A share of the requests goes to a candidate, beside the student that is served.

Owns: which requests these are, and passing one on.

Invariants
- Which student answers follows from the request alone: one `user` always has the same, and without a `user` one body
  has. A larger share takes more of them along and gives none back.
- A candidate costs nobody an answer: where it does not take a request within `TAKEN_S`, dies before it says a word, or
  says 429 or 503, the served student answers.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

from starlette.types import Message, Receive, Send

from serve.weights import Candidate

TAKEN_S = 2.0  # within which a replica of the candidate must say that it has the request
TAKEN: Message = {"type": "share.taken"}  # what a replica of the candidate says first
_NOT_ANSWERED = {429, 503}

Ask = Callable[[str, list[tuple[bytes, bytes]], bytes], AsyncGenerator[Message, None]]


class NotAnswered(Exception):
    """The candidate did not answer; the cause says why."""


def is_passed_on(candidate: Candidate, body: dict[str, Any] | None, content: bytes) -> bool:
    """Whether the candidate answers the request of this `content`, which reads as `body`."""
    user = (body or {}).get("user")
    who = user.encode("utf-8", "surrogatepass") if isinstance(user, str) and user else content
    digest = hashlib.sha256(candidate.version.encode("utf-8", "surrogatepass") + b"\0" + who).digest()
    return int.from_bytes(digest[:8], "big") < candidate.share * 2**64


class Passing:
    """Passes requests on to `candidate`. `ask` gives its messages of a response, `TAKEN` first, and raises
    `NotAnswered`. `passed` requests were answered by it, `returned` by the served student in its place."""

    def __init__(self, candidate: Candidate, ask: Ask) -> None:
        self.candidate, self._ask = candidate, ask
        self.passed = self.returned = 0

    async def answered(
        self, path: str, headers: list[tuple[bytes, bytes]], content: bytes, receive: Receive, send: Send
    ) -> bool:
        """Has the candidate answer. False: nothing was said, and the served student is to. `receive` has no more of
        the body; a client that leaves takes its request along."""
        messages = self._ask(path, headers, content)
        gone = asyncio.create_task(_left(receive))
        started = False
        try:
            async with asyncio.timeout(TAKEN_S):
                await anext(messages)
            while (message := await _next(messages, gone)) is not None:
                if not started and message.get("status") in _NOT_ANSWERED:
                    raise NotAnswered(str(message["status"]))
                started = True
                await send(message)
        except (NotAnswered, StopAsyncIteration, TimeoutError):
            if started:
                raise
            self.returned += 1
            return False
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            await messages.aclose()
        self.passed += 1
        return True


async def _left(receive: Receive) -> None:
    """Waits until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _next(messages: AsyncGenerator[Message, None], gone: asyncio.Task[None]) -> Message | None:
    """The next message; None where there is no more, or nobody to hear it."""
    coming = asyncio.ensure_future(anext(messages, None))
    try:
        await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
        return coming.result() if coming.done() else None
    finally:
        if not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError, NotAnswered):
                await coming
