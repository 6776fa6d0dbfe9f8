"""The teacher pool without Ray: journal, limiters and workers as plain objects of one event loop, and that loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from actors.journal.actor import Journal
from actors.limits.actor import RateLimiter
from actors.teacher.pool import TeacherPool
from actors.teacher.worker import TeacherWorker
from reasoning.teacher.calls import TeacherRequest, TeacherSettings

T = TypeVar("T")
_WORKERS: list[TeacherWorker] = []  # of pools that were made for the next scenario, or in it


def run(scenario: Coroutine[Any, Any, T], bound_s: float = 120) -> T:
    """Runs it in a loop of its own, and closes the connections of the pools in it. Raises `TimeoutError` after
    `bound_s`."""

    async def whole() -> T:
        try:
            return await asyncio.wait_for(scenario, bound_s)
        finally:
            while _WORKERS:
                await _WORKERS.pop().close()

    return asyncio.run(whole())


class _Handle:
    def __init__(self, actor: object) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._actor, name)

        async def call(*args: object) -> object:
            result = method(*args)
            return await result if asyncio.iscoroutine(result) else result

        return type("Method", (), {"remote": staticmethod(lambda *args: asyncio.ensure_future(call(*args)))})


def in_process(actor: object) -> Any:
    """What stands for an actor's handle: `handle.method.remote(...)` on a plain object of this process."""
    return _Handle(actor)


def pool_here(
    settings: TeacherSettings, journal: Journal, workers: int = 1, backoff_s: float = 0.01
) -> tuple[TeacherPool, list[TeacherWorker], list[RateLimiter]]:
    """A pool of `workers` that share the limiters and the journal, all in this process."""
    limiters = [RateLimiter(endpoint) for endpoint in settings.endpoints]
    handles = [in_process(limiter) for limiter in limiters]
    asking = [TeacherWorker(settings, in_process(journal), *handles, backoff_s=backoff_s) for _ in range(workers)]
    _WORKERS.extend(asking)
    return (
        TeacherPool([in_process(worker) for worker in asking], handles, in_process(journal), settings),
        asking,
        limiters,
    )


def request(
    text: object, endpoint: str = "teacher", model: str = "faulty-teacher", max_tokens: int = 64
) -> TeacherRequest:
    return TeacherRequest(endpoint, model, (("user", str(text)),), 0.7, max_tokens)
