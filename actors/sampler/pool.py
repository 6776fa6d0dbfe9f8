"""The pool of samplers that callers talk to, whatever back end its replicas have.

Owns: which replica gets a request, and bringing a lost replica back.

Invariants
- No request is lost by the death of a replica: the pool asks again.
- A replica that was brought back is synced before it is asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.sampler.replica import ReplicaHandle
from actors.watching.run import SamplerLook
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, SamplersLost, Sampling, StaleWeights

logger = logging.getLogger(__name__)

REVIVAL_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between attempts to bring a replica back; then it is lost


@dataclass(slots=True)
class _Member:
    """One replica as the pool sees it. `lives` counts how often it was brought back, so that the many requests that
    one death loses bring it back once; `sync_s` is how long that took."""

    handle: ReplicaHandle
    outstanding: int = 0
    lives: int = 0
    lost: bool = False
    revivals: int = 0
    version: str = ""  # of the weights it was proven to hold
    sync_s: float | None = None
    bringing_up: asyncio.Lock = field(default_factory=asyncio.Lock)


class SamplerPool:
    """The caller's side of `replicas` (handles of `SamplerReplica` actors): spreads requests, brings back the lost.

    Lives in one event loop. The pool owns its replicas' lifecycle; the creator of the actors kills them after
    `shutdown`."""

    def __init__(self, replicas: Sequence[ReplicaHandle]) -> None:
        if not replicas:
            raise ValueError("a sampler pool needs at least one replica")
        self._members = [_Member(handle) for handle in replicas]
        self._synced: tuple[str, str, Probe] | None = None

    async def start(self) -> None:
        """Starts every engine; `sync` does so too. Raises what starting an engine raises."""
        await asyncio.gather(*(member.handle.start.remote() for member in self._members))

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> list[ProbeReport]:
        """Takes every replica to `version`; one report a replica. Raises `SyncFailed`, `SamplersLost`."""
        self._synced = (version, checkpoint, probe)
        reports = await asyncio.gather(*(self._bring_up(member, None) for member in self._members))
        self._least_busy()  # raises when none is left
        return [report for report in reports if report is not None]

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        """`SamplerReplica.answer` by the replica with the least to do. A request lost with its replica goes again.

        Raises `StaleWeights` when the pool itself was not synced to `version`, `SamplersLost`, `PromptRefused`."""
        from ray.exceptions import RayActorError

        while True:
            if self._synced is None or self._synced[0] != version:
                raise StaleWeights(version, self._synced[0] if self._synced else "")
            member = self._least_busy()
            lives = member.lives
            member.outstanding += 1
            try:
                completions: list[Completion] = await member.handle.answer.remote(version, prompt, sampling)
                return completions
            except (StaleWeights, RayActorError):
                await self._bring_up(member, lives)
            finally:
                member.outstanding -= 1

    def looks(self) -> list[SamplerLook]:
        """How each replica is doing, as far as the pool knows."""
        return [
            SamplerLook(one.version, one.outstanding, one.revivals, one.sync_s if one.version else None)
            for one in self._members
        ]

    async def shutdown(self) -> None:
        """Stops every engine that still runs."""
        results = await asyncio.gather(
            *(member.handle.shutdown.remote() for member in self._members if not member.lost),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                logger.warning("a sampler could not be shut down: %s", result)

    def _least_busy(self) -> _Member:
        living = [member for member in self._members if not member.lost]
        if not living:
            raise SamplersLost("all samplers are lost and their restarts are used up; run the same command again")
        return min(living, key=lambda member: (member.bringing_up.locked(), member.outstanding))

    async def _bring_up(self, member: _Member, lives: int | None) -> ProbeReport | None:
        """Starts and syncs a replica, unless (with `lives`) another request has brought it up since that was read.
        None when there was nothing to do, or the replica is lost."""
        from ray.exceptions import RayActorError

        assert self._synced is not None
        async with member.bringing_up:
            for pause in REVIVAL_PAUSES_S:
                if member.lost or lives not in (None, member.lives):
                    return None
                member.version, began = "", time.monotonic()
                try:
                    await member.handle.start.remote()
                    report: ProbeReport = await member.handle.sync.remote(*self._synced)
                except RayActorError as error:
                    logger.warning("lost a sampler (%s); restarting it", type(error).__name__)
                    await asyncio.sleep(pause)
                else:
                    member.lives += 1
                    member.revivals += lives is not None
                    member.version, member.sync_s = self._synced[0], time.monotonic() - began
                    return report
            member.lost = True
            return None
