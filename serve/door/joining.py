"""The pieces of a streamed answer, joined where they come faster than anybody reads.

Every piece costs each process on its way to the client about as much as the piece before it, and an engine that answers
many at once makes thousands a second.

Invariants
- The first piece goes at once, the last one too; no other is held for longer than the time that was given.
- Bytes go in their order, none twice. A client that reads slowly makes the application wait.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message, Send


class Joined:
    """`send`, by which pieces of an event stream go at most every `every_s` seconds (0: each as it comes)."""

    def __init__(self, send: Send, every_s: float) -> None:
        self._send, self._every_s = send, every_s
        self._streams = False
        self._held: list[bytes] = []
        self._next = 0.0  # when a piece may go again
        self._timer: asyncio.Handle | None = None
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._streams = self._every_s > 0 and _is_stream(message)
        if message["type"] != "http.response.body" or not self._streams:
            await self._send(message)
            return
        self._held.append(message.get("body", b""))
        if self._sending is not None:
            await self._sending
        more = message.get("more_body", False)
        loop = asyncio.get_running_loop()
        if not more or (self._timer is None and loop.time() >= self._next):
            self._stop_timer()
            await self._go(more)
        elif self._timer is None:
            self._timer = loop.call_at(self._next, self._time_is_up)

    def close(self) -> None:
        """Nothing is sent any more."""
        self._stop_timer()
        if self._sending is not None:
            self._sending.cancel()

    def _time_is_up(self) -> None:
        self._timer = None
        self._sending = asyncio.create_task(self._go(True))

    async def _go(self, more: bool) -> None:
        body = b"".join(self._held)
        self._held.clear()
        self._next = asyncio.get_running_loop().time() + self._every_s
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )
