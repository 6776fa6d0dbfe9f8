"""Things that are gathered until there are enough, or no more come, and then go together.

Owns: what waits to go. Invariants
- It goes when there are `most`, or when none came for `linger_s`; one lot at a time is on its way out.
- Once `stop` is set nothing goes any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Accumulator(Generic[ItemT]):
    """`go` takes what was gathered, and raises nothing."""

    def __init__(
        self, go: Callable[[list[ItemT]], Awaitable[None]], most: int, linger_s: float, stop: asyncio.Event
    ) -> None:
        self.most = most
        self._go = go
        self._linger_s = linger_s
        self._stop = stop
        self._waiting: list[ItemT] = []
        self._last_came = 0.0
        self._enough = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def add(self, item: ItemT) -> None:
        self._waiting.append(item)
        self._last_came = time.monotonic()
        if len(self._waiting) >= self.most:
            self._enough.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._enough_or_quiet()
                if self._stop.is_set():
                    return
                going, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
                await self._go(going)
        finally:
            self._running = None

    async def _enough_or_quiet(self) -> None:
        while len(self._waiting) < self.most:
            quiet_in_s = self._last_came + self._linger_s - time.monotonic()
            if quiet_in_s <= 0:
                return
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), quiet_in_s)
