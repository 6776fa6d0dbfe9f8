"""The pool of samplers that callers talk to, whatever back end its replicas have.

Owns: which replica gets a request, and bringing a lost replica back: `actors.sampler.member` says what a replica's
process does meanwhile.

Invariants
- No request is lost by the death of a replica: the pool asks another, or waits for one to come back.
- Requests travel in company (`actors.sampler.exchange`), and each is answered when its own answer comes.
- A replica that was brought back is synced before it is asked.
- A replica is asked for as many completions as keep its engine's queue full, and no more: what waits, waits here, and
  goes to whichever has room first. The last ones wait at no engine while another has nothing to do.
- The samplers that are up work while others are waited for. A machine that is lost or late is waited for with
  patience; a fault that comes back every time is not.
- A replica on a node that is about to leave gets no new requests, and moves when it has answered those that it has.
- Replicas that sleep are asked nothing: they wake, and are proven, with the next `sync`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence

from actors.ray_api.internals import asked_for, draining_nodes
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.places import Places
from actors.ray_api.machines.waiting import what_is_missing
from actors.sampler.admission import Admission
from actors.sampler.exchange import ReplicaGone
from actors.sampler.member import Member, ReplicaLost
from actors.sampler.replica import ReplicaHandle
from actors.watching.run import SamplerLook
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, Completion, GpuMemory, SamplersLost, Sampling, StaleWeights

logger = logging.getLogger(__name__)

PATIENCE_S = 1800.0
LEAVING_LOOK_S = 5.0  # between two looks at which nodes are about to leave
SETTLE_LOOK_S = 0.5
SLEEP_S = 120.0  # to answer what was asked, or give it up, and to give memory up


class SamplerPool:
    """The caller's side of `replicas` (handles of `SamplerReplica` actors): spreads requests, brings back the lost.

    `need` says what they take of a machine, for messages; `places` are those that are held for them. Lives in one event
    loop. The pool owns its replicas' lifecycle: their processes end, and their places go, with `shutdown`."""

    def __init__(
        self,
        replicas: Sequence[ReplicaHandle],
        need: Need | None = None,
        patience_s: float = PATIENCE_S,
        places: Places | None = None,
    ) -> None:
        if not replicas:
            raise ValueError("a sampler pool needs at least one replica")
        self._need = need or Need("sampler", len(replicas), {"CPU": 1.0})
        self.places = places
        self._lacking = places.lacking if places else functools.partial(asked_for, self._need.resources)
        self._admission = Admission[Member](self._take, Member.give_back)
        self._members = [
            Member(handle, self._need, patience_s, self._lacking, self._admission.serve, self._is_gone)
            for handle in replicas
        ]
        self._synced: tuple[str, str, Probe] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None  # what `_error` found last

    async def start(self) -> None:
        """Starts the engines; `sync` does so too. Returns when all that have a machine are up; the others follow when
        theirs comes. Raises what starting an engine raises, and `SamplersLost` when no machine comes."""
        await self._bring_up_all(lambda member: member.started)

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> list[ProbeReport]:
        """Takes the replicas to `version`; one report of each that is up. Those whose machine is still to come are
        synced when it does. Raises `SyncFailed`, `SamplersLost`."""
        self._synced = (version, checkpoint, probe)
        for member in self._members:
            member.up = False
        await self._bring_up_all(lambda member: member.up)
        return [member.report for member in self._members if member.up and member.report is not None]

    async def sleep(self, bound_s: float = SLEEP_S) -> list[GpuMemory]:
        """Has all replicas give their GPUs' memory up until the next `sync`, and returns what is free then of the GPU
        of each. Raises `CannotSleep` where one does not, or not within `bound_s`: what the others hold is not known
        then, and the pool is to be shut down."""
        self._synced = None
        try:
            async with asyncio.timeout(bound_s):
                looks = await asyncio.gather(*(member.sleep() for member in self._members))
        except TimeoutError:
            raise CannotSleep(f"not all samplers were asleep within {bound_s:.0f} s") from None
        return [look for look in looks if look is not None]

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        """`SamplerReplica.answer` by the replica with the least to do. A request lost with its replica goes again.

        Raises `StaleWeights` when the pool itself was not synced to `version`, `SamplersLost`, `PromptRefused`."""
        while True:
            if self._failure is not None:
                raise self._failure
            if not self._is_held(version):
                raise StaleWeights(version, self._synced[0] if self._synced else "")
            member = await self._admission.admitted(sampling.samples)
            if not self._is_held(version):  # it waited for long
                member.give_back(sampling.samples)
                self._admission.serve(member)
                continue
            life = member.exchange.life
            try:
                return await member.exchange.ask(version, prompt, sampling)
            except StaleWeights as error:
                if life == member.exchange.life:
                    self._is_gone(member, error)
            except ReplicaGone:
                continue  # what happened is logged, and its replica on its way back

    async def look_at_caches(self) -> None:
        """Asks each replica that is up how often its prefix cache helps. Raises `RayActorError`."""
        for member in self._members:
            if member.up:
                member.prefix_hits = await member.handle.prefix_hits.remote()

    def looks(self) -> list[SamplerLook]:
        """How each replica is doing, as far as the pool knows."""
        version = self._synced[0] if self._synced is not None else ""
        return [
            SamplerLook(
                version if one.up else "",
                one.outstanding,
                one.revivals,
                one.sync_s if one.up else None,
                one.prefix_hits if one.up else None,
            )
            for one in self._members
        ]

    async def shutdown(self) -> None:
        """Stops every engine that still runs, ends its process, and ends what waits for a machine."""
        tasks = [task for task in (self._watching, *(member.coming for member in self._members)) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        results = await asyncio.gather(*(member.end() for member in self._members), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                logger.warning("a sampler could not be shut down: %s", result)
        if self.places is not None:
            self.places.give_back()

    def waits_for(self) -> str:
        """Which machines are waited for, in words; "" when none is."""
        waiting = sum(member.waiting for member in self._members)
        waiting = min(waiting, self._lacking()) if waiting else 0
        return what_is_missing(self._need, waiting) if waiting else ""

    def _is_gone(self, member: Member, error: Exception) -> None:
        """A member has lost what it was asked: brings it back, once for all its requests."""
        if member.up:
            logger.warning("lost a sampler (%s); bringing it back", error)
            member.revivals += 1
            self._bring_up(member)

    def _bring_up(self, member: Member) -> None:
        """Has a member come up, unless it is on its way."""
        member.up = False
        if not member.is_coming:
            member.coming = asyncio.create_task(member.come(lambda: self._synced))
            member.coming.add_done_callback(self._has_come)
            self._failure = self._error()

    def _has_come(self, coming: asyncio.Task[None]) -> None:
        """A member is up, and has room; or it cannot come up, which may leave nobody to wait for."""
        if coming.cancelled():
            return
        self._failure = self._error()
        if self._failure is not None:
            self._admission.fail(self._failure)
        up = [member for member in self._members if member.up]
        self._admission.enough = sum(member.at_once for member in up) if len(up) > 1 else 0
        self._admission.serve()

    async def _bring_up_all(self, ready: Callable[[Member], bool]) -> None:
        """Returns when all members with a machine are `ready`, and at least one is."""
        self._watching = self._watching or asyncio.create_task(self._watch_leaving())
        for member in self._members:
            if not member.lost:
                self._bring_up(member)
        while True:
            if (error := self._error()) is not None:
                raise error
            coming = [member for member in self._members if member.is_coming]
            if all(member.waiting for member in coming) and any(ready(member) for member in self._members):
                return
            await _first([member.coming for member in coming if member.coming is not None])

    def _take(self, completions: int, at: Member | None) -> Member | None:
        """Takes room at the member with the least to do of those (or of `at` alone) that are up and have room; None
        where none has."""
        ahead = self._admission.waiting >= self._admission.enough
        asked = self._members if at is None else (at,)
        able = [member for member in asked if member.up and member.has_room(completions, ahead)]
        if not able:
            return None
        member = min(able, key=lambda member: member.making)
        member.take(completions)
        return member

    def _is_held(self, version: str) -> bool:
        """Whether the pool was last synced to `version`."""
        return self._synced is not None and self._synced[0] == version

    def _error(self) -> BaseException | None:
        """What ended the coming up of a member, but for its loss while others are there."""
        for member in self._members:
            if member.coming is not None and member.coming.done() and not member.coming.cancelled():
                error = member.coming.exception()
                if isinstance(error, ReplicaLost):
                    if not member.lost:
                        logger.warning("gave up a sampler: %s", error)
                    member.lost = str(error)
                elif error is not None:
                    return error
        if all(member.lost for member in self._members):
            reasons = dict.fromkeys(member.lost for member in self._members)
            return SamplersLost(f"no sampler is left: {'; '.join(reasons)}")
        return None

    async def _watch_leaving(self) -> None:
        """Moves the members on nodes that are about to leave (`ray drain-node`, a notice of preemption)."""
        from ray.exceptions import RayError

        while True:
            await asyncio.sleep(LEAVING_LOOK_S)
            leaving: dict[str, int] = {}
            with contextlib.suppress(RayError, RuntimeError):  # the cluster's control process has no time
                leaving = await asyncio.to_thread(draining_nodes)
            for member in self._members:
                if member.up and member.node in leaving:
                    logger.warning("the node of a sampler is about to leave; moving the sampler")
                    member.leaves = True
                    self._bring_up(member)


async def _first(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Waits for one of `tasks` to end, and at most a moment: what they wait for changes, too."""
    if tasks and not all(task.done() for task in tasks):
        await asyncio.wait(tasks, timeout=SETTLE_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(0.01)
