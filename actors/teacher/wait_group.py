"""Counting work that should not be cut short, and waiting until none of it is left.

Owns: the count. Used within one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class WaitGroup:
    """Go's `sync.WaitGroup` for the tasks of one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        """How many tasks are under way."""
        return self._count

    @contextlib.contextmanager
    def task(self) -> Iterator[None]:
        """What happens within it is under way."""
        self._count += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._empty.set()

    async def wait(self) -> None:
        """Waits until nothing is under way."""
        await self._empty.wait()
