"""The life of one batch, from its handing over to the last recorded result.

Owns: what is known of the batch, who waits for its lines, and the order of steps. What counts as its end is
`actors.batch_api.watch`.

Invariants
- The journal knows the batch before anything is uploaded, and its name at the provider before any request waits for it.
- A batch ends in the journal when every line's outcome is recorded, or when it is certain that it was never handed
  over. Otherwise it stays open, whatever the requests that wait for it are told.
- It was never handed over if the provider still does not list it after twice `hand_over_s`. The process that made it
  creates nothing after `hand_over_s`, so it and the process that takes over never both send its requests.
- A result is recorded before it is returned; each waiting request gets a result, or the reason that there is none.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from actors.batch_api.client import CallFailed
from actors.batch_api.endpoint import DAY_S, BatchEndpoint
from actors.batch_api.files import Disposition, LineResult, ResultReader, failed_line
from actors.batch_api.remote import RemoteBatch, says_too_much
from actors.batch_api.watch import BatchWatch
from actors.endpoint.usage import NOTHING_USED, Usage, booked, worst_tokens
from actors.journal.actor import Ended, OpenBatch
from actors.teacher.retries import backoff
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherRequest

_LINES_A_CALL = 256
_REQUESTS_A_CALL = 4096
_FoundT = TypeVar("_FoundT")


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How a batch is doing: counts are the provider's, `since` is Unix time. `remote_id` None: it is being handed over,
    or looked for."""

    remote_id: str | None
    status: str
    completed: int
    failed: int
    total: int
    since: float


class BatchJob:
    """One batch, as the journal has it."""

    def __init__(self, at: BatchEndpoint, batch: OpenBatch, content: bytes | None = None, until: float = 0.0) -> None:
        """`content`: the input file of a batch that is to be created, before `until` (monotonic time); None: it was
        made before, here or by another process."""
        self.id = batch.id
        self.sends = batch.sends
        self.over_capacity = False
        self._open = set(batch.sends)
        self._at = at
        self._made_at = batch.created_at
        self._remote_id = batch.remote_id
        self._priced = at.made(batch.id)  # else its price may be another one
        self._input = content
        self._made_here = content is not None
        self._until = until
        self._handed_over: RemoteBatch | None = None
        self._watch: BatchWatch | None = None
        self._requests: dict[str, TeacherRequest] = {}
        self._numbers: dict[str, int] = {}  # how often a request was sent, this time included
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    def holds(self, key: str) -> bool:
        """Whether the outcome of `key` in this batch is still to be recorded."""
        return key in self._open

    @property
    def unrecorded(self) -> int:
        return len(self._open)

    def status(self) -> BatchStatus:
        seen = self._seen
        if seen is None:
            return BatchStatus(self._remote_id, "handing over", 0, 0, len(self.sends), self._made_at)
        counts = seen.counts
        total = counts.total or len(self.sends)
        return BatchStatus(self._remote_id, seen.status, counts.completed, counts.failed, total, self._made_at)

    @property
    def _seen(self) -> RemoteBatch | None:
        return (self._watch and self._watch.seen) or self._handed_over

    def promise(self, request: TeacherRequest, key: str, sends: int, came: asyncio.Future[Any]) -> None:
        """Puts the `LineResult` of a request that this batch `holds` into `came`, or the error that kept it from being
        recorded. `sends`: how often it was sent, this batch included."""
        self._requests[key], self._numbers[key] = request, sends
        self._waiting[key] = came

    async def run(self) -> None:
        """Runs the batch to its end. Raises `JournalError`."""
        if not self._open:  # another process has recorded everything but the end
            await self._end_with([])
            return
        content, self._input = self._input, None
        if content is not None:
            await self._hand_over(content)
            del content  # up to 190 MB, for hours
        elif self._remote_id is None:
            await self._look_for_it()
        if not self._open:
            return  # it was never handed over
        assert self._remote_id is not None
        self._watch = BatchWatch(self._at, self._remote_id, self._open, self._is_history)
        found = await self._poll(self._watch.look)
        if found is None:
            await self._give_up(
                f"the provider no longer knows batch {self._remote_id}, or no longer has its results", None
            )
            return
        await self._read(*found)

    def fail(self, error: Exception) -> None:
        """Fails every request that waits, because nothing could be recorded."""
        waiting, self._waiting, self._open = self._waiting, {}, set()
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # if no caller waits any more, asyncio must not log it as never retrieved

    # Handing over -----------------------------------------------------------------------------------------------------

    async def _hand_over(self, content: bytes) -> None:
        with self._at.critical.task():
            try:
                batch = await self._at.client.hand_over(self.id, content, self._made_at, self._until)
            except CallFailed as failed:  # it was certainly not created
                self.over_capacity = says_too_much(str(failed))
                kind = FailureKind.RATE_LIMITED if self.over_capacity else failed.kind
                how = Disposition.OVER_CAPACITY if self.over_capacity else None
                await self._end_with([failed_line(key, kind, str(failed), how) for key in self._open])
                return
            if batch is not None:
                await self._known_as(batch)
        if batch is None:
            await self._look_for_it()

    async def _look_for_it(self) -> None:
        """Finds the batch that may have been created, or ends it."""

        async def look() -> bool | None:
            late = time.time() > self._made_at + 2 * self._at.hand_over_s  # before the look, which takes its time
            batch = await self._at.client.find(self.id, self._made_at)
            if batch is not None:
                await self._known_as(batch)
                return True
            return False if late else None

        found = await self._poll(look)
        if found is None:
            await self._give_up("the provider does not list its batches, so this one cannot be found", None)
        elif not found:
            await self._give_up("the batch was never handed over", Usage())

    async def _known_as(self, batch: RemoteBatch) -> None:
        await self._at.journal.batch_sent.remote(self.id, batch.id)
        self._remote_id, self._handed_over = batch.id, batch

    # Waiting ----------------------------------------------------------------------------------------------------------

    async def _poll(self, look: Callable[[], Awaitable[_FoundT | None]]) -> _FoundT | None:
        """What `look` finds, however often it must be asked. None: the provider has no such thing any more.

        The waiting requests fail when the provider refuses to say, or cannot be reached for longer than the settings'
        patience. The batch stays open, and polling continues."""
        patience_s = self._at.teacher.rate_limit_patience_s
        failing_since: float | None = None
        failures = 0
        while True:
            wait_s = self._at.batch.poll_s
            try:
                found = await look()
                if found is not None:
                    return found
                failing_since, failures = None, 0
                if self._is_history():
                    late = f"the batch has no results yet (its status: {self._status})"
                    self._resolve_failed(CallFailed(FailureKind.TIMEOUT, late, refused=False))
            except CallFailed as failed:
                if failed.kind is FailureKind.NOT_FOUND and self._is_history():
                    return None
                failures += 1
                now = time.monotonic()
                failing_since = now if failing_since is None else failing_since
                just_made = failed.kind is FailureKind.NOT_FOUND and self._made_here and now < self._until
                passing = failed.kind.transient or just_made
                if not passing or now - failing_since >= patience_s:
                    self._resolve_failed(failed)
                asked_s = min(failed.retry_after_s or 0.0, patience_s)
                wait_s = max(min(wait_s, backoff(self._at.backoff_s, failures)), asked_s)
            await asyncio.sleep(wait_s)

    @property
    def _status(self) -> str:
        return self._seen.status if self._seen is not None else "not known"

    def _is_history(self) -> bool:
        """Whether nothing of this batch can be running any more."""
        return time.time() > self._made_at + self._at.window_s + DAY_S

    def _resolve_failed(self, failed: CallFailed) -> None:
        shown = self._remote_id or f"that is called {self.id} in its metadata"
        why = f"{failed} (batch {shown} goes on at {self._at.name}; its results are fetched when this is fixed)"
        for key in list(self._waiting):
            self._resolve(failed_line(key, failed.kind, why, Disposition.FINAL))

    # Recording --------------------------------------------------------------------------------------------------------

    async def _read(self, ended: RemoteBatch, files: Sequence[bytes]) -> None:
        at, self.over_capacity = self._at, ended.over_capacity
        adopted = [key for key in self._open if key not in self._requests]  # no caller has asked for them here yet
        for first in range(0, len(adopted), _REQUESTS_A_CALL):
            some = adopted[first : first + _REQUESTS_A_CALL]
            self._requests = {**await at.journal.requests.remote(some), **self._requests}
        reading = ResultReader(at.endpoint, at.client.api_key, ended, list(self._open), self._requests)
        with at.critical.task():
            await self._end_with(reading.results(files))

    async def _give_up(self, why: str, usage: Usage | None) -> None:
        """Ends a batch without results. `usage` None: its lines may have been answered and paid for."""
        await self._end_with([failed_line(key, FailureKind.SERVER, why, usage=usage) for key in self._open])

    async def _end_with(self, results: Iterable[LineResult]) -> None:
        """Records `results`, one for each line, and then the end of the batch."""
        coming = iter(results)
        while some := list(islice(coming, _LINES_A_CALL)):
            await self._record([_numbered(result, self._numbers.get(result.outcome.key, 1)) for result in some])
        await self._at.journal.batch_ended.remote(self.id)

    async def _record(self, results: Sequence[LineResult]) -> None:
        ended = [
            Ended(
                self.sends[result.outcome.key],
                result.outcome,
                result.usage.prompt_tokens if result.usage else 0,
                result.usage.completion_tokens if result.usage else 0,
                self._cost(result.usage, self._requests.get(result.outcome.key)),
                result.usage is None or result.usage.certain,
                place=self._at.fingerprint if self._priced else self.id,  # else another one, which is not known here
            )
            for result in results
        ]
        await self._at.journal.end.remote(ended)
        seconds = time.time() - self._made_at
        for result, one in zip(results, ended, strict=True):
            self._at.metrics.sent(self._at.name, result.outcome, result.usage, one.cost or 0, seconds)
            self._open.discard(result.outcome.key)
            self._resolve(result)

    def _cost(self, usage: Usage | None, request: TeacherRequest | None) -> int | None:
        """Nanodollars; None where only the worst case is known."""
        if usage == NOTHING_USED:
            return 0
        price = self._at.price
        if not self._priced or (price and request is None and not (usage and usage.certain)):
            return None
        worst = price.cost(*worst_tokens(request), batch=True) if price and request else 0
        return booked(usage, price, worst, batch=True)

    def _resolve(self, result: LineResult) -> None:
        future = self._waiting.pop(result.outcome.key, None)
        if future is not None and not future.done():
            future.set_result(result)


def _numbered(result: LineResult, sends: int) -> LineResult:
    """A failure that says how often its request was sent."""
    if not isinstance(result.outcome, TeacherFailure):
        return result
    return dataclasses.replace(result, outcome=dataclasses.replace(result.outcome, attempts=sends))
