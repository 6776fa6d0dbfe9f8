"""Many small calls to an actor, made as few large ones.

Owns: what waits while a call is under way. Invariants
- One call is under way at a time. What is asked for in the meantime goes together into the next one, so that calls grow
  under load. Without load an item waits a few milliseconds for others.
- An item's result, or the error of the call it went with, reaches the caller that posted the item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

_GATHER_S = 0.003  # a round trip between processes takes about as long
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class CoalescedCalls(Generic[ItemT, ResultT]):
    """`call` takes a list of items and returns their results in order (or None, if it has no results)."""

    def __init__(self, call: Callable[[list[ItemT]], Awaitable[Sequence[ResultT] | None]], most: int = 64) -> None:
        self._call = call
        self._most = most
        self._waiting: deque[tuple[ItemT, asyncio.Future[Any]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: ItemT) -> ResultT:
        result: ResultT = await self.post(item)
        return result

    def post(self, item: ItemT) -> asyncio.Future[Any]:
        """Sends `item` on its way; its result need not be awaited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def idle(self) -> None:
        """Waits until nothing is on its way."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            await asyncio.sleep(_GATHER_S)  # what is asked for within this moment goes along
            while self._waiting:
                going = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._go(going)
        finally:
            self._running = None

    async def _go(self, going: list[tuple[ItemT, asyncio.Future[Any]]]) -> None:
        try:
            results: Sequence[ResultT | None] = await self._call([item for item, _ in going]) or [None] * len(going)
            if len(results) != len(going):
                raise ValueError(f"{len(going)} items were sent and {len(results)} results came back")
        except Exception as error:  # noqa: BLE001 - the callers handle it, whatever it is
            for _, future in going:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # if no caller awaits it, asyncio must not log it as never retrieved
            return
        for (_, future), result in zip(going, results, strict=True):
            if not future.done():
                future.set_result(result)
