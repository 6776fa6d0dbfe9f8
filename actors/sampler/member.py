"""One replica as its pool sees it, and how it comes up: its machine, its engine, its weights.

Owns: telling a replica that waits for a machine from one that is at work, and one whose machine was lost from one that
crashed; how much it is asked at once. How questions and answers travel is `actors.sampler.exchange`'s.

Invariants
- Waiting for a machine ends with `ReplicaLost` after the pool's patience; the time that an engine takes does not count.
- A replica that crashes more than `MAX_CRASHES` times is lost. The loss of its machine is no crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import ray
from ray.actor import ActorHandle

from actors.ray_api.internals import ActorState, actor_state, draining_nodes
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.waiting import gave_up
from actors.ray_api.nodes import live_nodes
from actors.sampler.exchange import Exchange
from actors.sampler.replica import ReplicaHandle
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, GpuMemory, SyncFailed

T = TypeVar("T")

MAX_CRASHES = 3  # a fault that comes back every time ends the run
QUEUED = 1.5  # completions that a replica is asked for, over those it makes at once: the rest wait their turn there
LOOK_S = 1.0
LEAVE_S = 600.0  # how long the requests of a replica that is to move may take
END_S = 60.0


class ReplicaLost(RuntimeError):
    """A replica that does not come back. The message says why."""


class Member:
    """One replica. `lacking` says how many such as it have no machine, `room_again` is told when a request has come
    back, `gone` when those that it had are lost. `lost` says why it is given up, "" while it is not."""

    def __init__(
        self,
        handle: ReplicaHandle,
        need: Need,
        patience_s: float,
        lacking: Callable[[], int],
        room_again: Callable[[Member], None],
        gone: Callable[[Member, Exception], None],
    ) -> None:
        self.handle = handle
        self.exchange = Exchange(handle, self._is_back, lambda error: gone(self, error))
        self.outstanding = 0  # requests
        self.making = 0  # completions, of all of them
        self.revivals = 0  # of its lives, those that followed a loss
        self.prefix_hits: float | None = None  # when it was last asked
        self.sync_s: float | None = None  # how long its last coming up took
        self.started = False
        self.up = False
        self.leaves = False
        self.lost = ""
        self.node = ""
        self.report: ProbeReport | None = None
        self.waiting = False  # for a machine
        self.coming: asyncio.Task[None] | None = None
        self.at_once = 1  # completions that its engine makes
        self._need = need
        self._patience_s = patience_s
        self._lacking = lacking
        self._room_again = room_again
        self._machines_lost = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def has_room(self, completions: int, ahead: bool) -> bool:
        """Whether a request for so many keeps its engine at work, with `ahead` its queue full, and no deeper. One that
        is larger than that is taken when there is no other."""
        room = self.at_once + self.spare if ahead else self.at_once
        return not self.making or self.making + completions <= room

    @property
    def spare(self) -> int:
        """Completions that may wait at its engine."""
        return math.ceil(self.at_once * (QUEUED - 1))

    def take(self, completions: int) -> None:
        """A request for so many completions is on its way to it."""
        self.outstanding += 1
        self.making += completions
        self._idle.clear()

    def give_back(self, completions: int) -> None:
        """Such a request has come back, or was not sent."""
        self.outstanding -= 1
        self.making -= completions
        if not self.outstanding:
            self._idle.set()

    def _is_back(self, completions: int) -> None:
        self.give_back(completions)
        self._room_again(self)

    @property
    def is_coming(self) -> bool:
        """Whether it is on its way up."""
        return self.coming is not None and not self.coming.done()

    async def come(self, wanted: Callable[[], tuple[str, str, Probe] | None]) -> None:
        """Comes up with the weights that are `wanted` (None: none yet). Raises `ReplicaLost`, and what starting or
        syncing raises."""
        from ray.exceptions import RayActorError

        began = time.monotonic()
        if self.leaves:
            await self._leave()
        while True:
            try:
                self.at_once = await self._patiently(self.handle.start.remote())
                self.started = True
                weights = wanted()
                if weights is None:
                    return
                try:
                    self.report = await self._patiently(self.handle.sync.remote(*weights))
                except SyncFailed:
                    if weights is wanted():
                        raise
                    continue  # others are wanted meanwhile, and those may have been dropped
                await self._look()  # notes the node that it is on now
                if weights is wanted():  # no others are wanted meanwhile
                    self.up, self.sync_s = True, time.monotonic() - began
                    self.exchange.life += 1
                    return
            except RayActorError as error:
                self.started = False
                await self._judge(error)
                await asyncio.sleep(LOOK_S)

    async def sleep(self) -> GpuMemory | None:
        """Has it give its GPU's memory up, until it comes again; None of one that is given up. Raises `CannotSleep`."""
        from ray.exceptions import RayError

        self.up = False
        if self.waiting:
            raise CannotSleep("a sampler waits for a machine")
        if self.coming is not None:
            await asyncio.wait([self.coming])
        if self.lost:
            return None
        try:
            return await _awaited(self.handle.sleep.remote())
        except CannotSleep:
            raise
        except RayError as error:
            raise CannotSleep(f"a sampler was lost: {error}") from error

    async def end(self) -> None:
        """Stops the engine and ends its process, or what waits for a machine. A handle that is dropped is not enough:
        its process keeps its CPUs and GPUs until this one's garbage is collected, and a trainer waits for them."""
        try:
            if self.started and not self.waiting:
                await asyncio.wait_for(_awaited(self.handle.shutdown.remote()), END_S)
        finally:
            if isinstance(self.handle, ActorHandle) and not self.lost:
                ray.kill(self._actor)

    async def _leave(self) -> None:
        """Answers what was asked and ends its process; Ray starts it again where no node is about to leave."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), LEAVE_S)
        self.leaves = False
        ray.kill(self._actor, no_restart=False)

    async def _patiently(self, call: Awaitable[T]) -> T:
        """The result of `call`, which may have to wait for a machine first."""
        result = asyncio.ensure_future(_awaited(call))
        waited_since: float | None = None
        try:
            while True:
                done, _ = await asyncio.wait([result], timeout=LOOK_S)
                if done:
                    return result.result()
                self.waiting = await self._has_no_machine(await self._look())
                if not self.waiting:
                    waited_since = None
                    continue
                waited_since = waited_since or time.monotonic()
                if time.monotonic() - waited_since > self._patience_s:
                    ray.kill(self._actor)
                    raise ReplicaLost(await asyncio.to_thread(gave_up, self._need, self._patience_s))
        finally:
            self.waiting = False
            result.cancel()

    async def _judge(self, error: Exception) -> None:
        """Raises `ReplicaLost` when a replica that died will not or should not come back; waits, with patience, while
        it has no machine."""
        since = time.monotonic()
        try:
            while True:
                state = await self._look()
                crashes = state.restarts - self._machines_lost
                if state.name == "DEAD" or crashes > MAX_CRASHES:
                    if state.name != "DEAD":
                        ray.kill(self._actor)
                    raise ReplicaLost(f"its process crashed and is not restarted (crash {max(crashes, 1)}): {error}")
                if not state.waits:
                    return
                self.waiting = await self._has_no_machine(state)
                if not self.waiting:
                    since = time.monotonic()
                if time.monotonic() - since > self._patience_s:
                    ray.kill(self._actor)
                    raise ReplicaLost(await asyncio.to_thread(gave_up, self._need, self._patience_s))
                await asyncio.sleep(LOOK_S)
        finally:
            self.waiting = False

    async def _has_no_machine(self, state: ActorState) -> bool:
        """Whether it waits for a machine, not for its process to start on one."""
        return state.waits and await asyncio.to_thread(self._lacking) > 0

    async def _look(self) -> ActorState:
        """The actor's state. Notes the node that it is on, and the loss of the one before."""
        if not isinstance(self.handle, ActorHandle):
            return ActorState("ALIVE")  # in this process, on no node that could be lost
        state = await asyncio.to_thread(actor_state, self.handle._actor_id.hex())
        if state.name == "ALIVE" and state.node and state.node != self.node:
            if self.node and self.node not in await asyncio.to_thread(_staying):
                self._machines_lost += 1
            self.node = state.node
        return state

    @property
    def _actor(self) -> ActorHandle[Any]:
        return cast("ActorHandle[Any]", self.handle)


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def _staying() -> set[str]:
    """The ids of the nodes that are there and stay."""
    return {node["NodeID"] for node in live_nodes()} - draining_nodes().keys()
