"""Waiting until a GPU's memory is what it is going to be: memory that a process gives up comes free a while later.

Owns: when that is, by what the GPU itself says. Its reader and the clock's bounds are passed in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from reasoning.student.sampling import GpuMemory

LOOK_S = 0.5
SAME_BYTES = 64 * 2**20  # what comes and goes of itself

Reader = Callable[[], Awaitable[GpuMemory]]


async def settled(read: Reader, bound_s: float) -> GpuMemory:
    """What is free when no more comes free from one look to the next, or after `bound_s`."""
    until, last = time.monotonic() + bound_s, await read()
    while time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        now = await read()
        if now.free <= last.free + SAME_BYTES:
            return now
        last = now
    return last


async def has_room(read: Reader, wanted: int, bound_s: float) -> bool:
    """Whether as much as `wanted` is free, at the latest after `bound_s`."""
    until = time.monotonic() + bound_s
    while (await read()).free < wanted - SAME_BYTES:
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(LOOK_S)
    return True
