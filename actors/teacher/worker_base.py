"""What every actor that answers requests has in common: how requests come to it and outcomes leave it.

Owns: the requests being answered, and the outcomes that were not fetched yet.

Invariants
- The same request asked many times at once is answered once, and not at all when its outcome is in the journal.
- A request ends exactly once, in a reply, a typed failure, or the error that kept its outcome from being recorded.
- Outcomes leave in bulk: `collect` returns whatever is ready, and waits when nothing is. One that is on its way when
  the actor dies is in the journal.
- While it drains, nothing new is begun, and what is in flight may end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.journal.actor import JournalHandle
from actors.ray_api.handles import RemoteMethod
from actors.teacher.coalesced_calls import CoalescedCalls
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherRequest, TeacherSettings

_MOST_AT_ONCE = 256  # outcomes per round trip


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """The request `key` has no outcome, because of `error`: the journal, above all, could not be written."""

    key: str
    error: Exception


def no_money(settings: TeacherSettings, key: str, sends: int) -> TeacherFailure:
    """The failure of the request `key`, sent `sends` times so far, for which too little of the cap is left."""
    why = (
        f"the cap of ${settings.max_cost:g} could be exceeded: raise teacher.max_cost and run the same command again; "
        "it continues from here"
    )
    return TeacherFailure(key, FailureKind.BUDGET, why, sends)


class WorkerBase(ABC):
    """Answers requests of one teacher. Run as an actor with many concurrent calls."""

    def __init__(self, settings: TeacherSettings, journal: JournalHandle) -> None:
        """`journal` is an actor handle."""
        self._teacher = settings.name
        self.places = settings.places
        self.look_up: CoalescedCalls[str, Outcome | None] = CoalescedCalls(
            lambda keys: journal.lookup.remote(keys, self.places)
        )
        self._asking: dict[str, asyncio.Task[Outcome]] = {}
        self._done: list[Outcome | Unrecorded] = []
        self._some_done = asyncio.Event()
        self._draining = asyncio.Event()

    @abstractmethod
    async def answer(self, request: TeacherRequest, key: str) -> Outcome:
        """The outcome of `request`, which the journal does not have. Raises `JournalError`."""

    async def ask(self, request: TeacherRequest) -> Outcome:
        """The outcome of `request`. Raises `JournalError`."""
        return await asyncio.shield(self._task(request))  # one asker that goes away must not cancel it for the others

    async def submit(self, requests: Sequence[TeacherRequest]) -> None:
        """Begins to answer `requests`; their outcomes are fetched with `collect`."""
        for request in requests:
            if request.key not in self._asking:
                self._task(request).add_done_callback(self._deliver)

    async def collect(self) -> list[Outcome | Unrecorded]:
        """The outcomes of submitted requests that are ready: at least one, each once."""
        while not self._done:
            self._some_done.clear()
            await self._some_done.wait()
        ready, self._done = self._done[:_MOST_AT_ONCE], self._done[_MOST_AT_ONCE:]
        return ready

    async def drain(self, grace_s: float) -> int:
        """Begins nothing new and waits for what is in flight, at most `grace_s`. Returns how many did not end; when all
        did, the connections are closed."""
        self._draining.set()
        left = await self._wait_until_recorded(grace_s)
        if not left:
            await self.close()
        return left

    @abstractmethod
    async def close(self) -> None:
        """Closes the connections; what is in flight breaks off."""

    @abstractmethod
    async def _wait_until_recorded(self, grace_s: float) -> int:
        """Waits until nothing that was sent is without a recorded outcome; the number that still is after `grace_s`."""

    def _task(self, request: TeacherRequest) -> asyncio.Task[Outcome]:
        key = request.key
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._find(request, key), name=key)
            task.add_done_callback(lambda _: self._asking.pop(key))
        return task

    async def _find(self, request: TeacherRequest, key: str) -> Outcome:
        """The recorded outcome, or a new one."""
        if request.endpoint != self._teacher:
            raise ValueError(f"a request for {request.endpoint} reached a worker of {self._teacher}")
        return await self.look_up(key) or await self.answer(request, key)

    def _deliver(self, task: asyncio.Task[Outcome]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._done.append(task.result())
        else:
            cause = getattr(error, "cause", None) or error  # an actor's exception comes with its traceback as text
            told = cause if isinstance(cause, Exception) else RuntimeError(str(cause))
            self._done.append(Unrecorded(task.get_name(), told))
        self._some_done.set()


class WorkerHandle(Protocol):
    """The handle of a `WorkerBase` that is an actor."""

    submit: RemoteMethod[[Sequence[TeacherRequest]], None]
    collect: RemoteMethod[[], list[Outcome | Unrecorded]]
    drain: RemoteMethod[[float], int]
