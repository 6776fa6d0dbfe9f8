"""A worker of the teacher pool that asks by the Batch API: cheaper, within hours.

Owns: the tries of one request, the announcement of batches, and the taking over of those that others left.

Invariants
- The journal is looked up before anything is sent, told before each sending, and has the reply before anyone uses it.
- What may be in a batch under way is never put into another: a request whose key is in an open batch of the journal, of
  any of this teacher's endpoints, waits for that one. Batches that a dead worker or run left are taken over.
- Nothing is sent without the money for its worst case at the batch price: what fits goes, the rest waits for what is
  under way to cost less.
- A request is tried as often as the settings permit; a line that expired in a batch of which some was answered, and a
  batch that the provider had no room for while others were there, do not count.

The life of one batch is `actors.batch_api.flight`, the provider's API `actors.batch_api.client`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.batch_api.endpoint import BatchEndpoint, Calm
from actors.batch_api.files import Fate, LineResult, fitting, input_line
from actors.batch_api.flight import BatchStatus, Flight
from actors.batch_api.gathering import Gathering
from actors.endpoint.replies import worst_tokens
from actors.journal.actor import Ended, OpenBatch, Refusal, Sending, sending_id
from actors.teacher.asker import Asker, Outcome
from actors.teacher.worker import backoff
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import NANO

_SENDINGS_A_CALL = 256
_POLLS = 10  # before those who wait for a batch's end look around by themselves
_SETTLING_MARGIN_S = 60.0  # what is sent one by one has settled its cost after its timeout, and this

# What came of asking for a place in a batch: the line's result, or the journal's word, an outcome or why not now.
_Came = LineResult | Outcome | Refusal


@dataclass(slots=True, eq=False)
class _Wanted:
    """A request that waits for a batch. `sends`: how often it was sent before."""

    request: TeacherRequest
    key: str
    sends: int
    came: asyncio.Future[_Came]

    def tell(self, came: _Came | Exception) -> None:
        if self.came.done():
            return
        if isinstance(came, Exception):
            self.came.set_exception(came)
        else:
            self.came.set_result(came)


class BatchWorker(Asker):
    """Asks one endpoint of a teacher, number `mine` of the settings. `journal` is an actor handle. A batch is created
    within `hand_over_s` after it was announced, or never."""

    def __init__(
        self,
        settings: TeacherSettings,
        journal: Any,
        *,
        mine: int = 0,
        backoff_s: float = 2.0,
        hand_over_s: float = 300.0,
    ) -> None:
        super().__init__(settings.name, journal)
        self._settings = settings
        self._journal = journal
        self._calm = Calm()
        self._endpoints = [
            BatchEndpoint(settings, number, journal, self._calm, backoff_s, hand_over_s)
            for number in range(len(settings.endpoints))
        ]
        self._here = self._endpoints[mine]
        batch = self._here.batch
        self._gathering = Gathering(self._go, batch.max_requests, batch.linger_s, self._draining)
        self._flights: dict[str, Flight] = {}
        self._flying: set[asyncio.Task[None]] = set()
        self._landed = asyncio.Event()  # set, and replaced, whenever a batch has ended
        self._opening: asyncio.Task[None] | None = None
        self._short_since: float | None = None  # of money, with nothing in sight that could settle

    async def batches(self) -> tuple[BatchStatus, ...]:
        """The batches under way, the oldest first."""
        return tuple(sorted((flight.status() for flight in self._flights.values()), key=lambda status: status.since))

    async def answer(self, request: TeacherRequest, key: str) -> Outcome:
        try:
            self._line(request, key)
        except UnicodeEncodeError as error:
            return TeacherFailure(key, FailureKind.BAD_REQUEST, f"a message is not valid text: {error.reason}", 1)
        await self._open()
        return await self._until_it_ends(request, key)

    async def _until_it_ends(self, request: TeacherRequest, key: str) -> Outcome:
        sends = attempts = 0
        while True:
            wanted = _Wanted(request, key, sends, asyncio.get_running_loop().create_future())
            if not self._join(wanted):
                self._gathering.add(wanted)
            came = await wanted.came
            if isinstance(came, TeacherReply | TeacherFailure):
                return came  # answered by another worker or run since the look-up
            if isinstance(came, LineResult):
                sends += 1
                waits = came.fate is Fate.TOO_MUCH and any(not flight.too_much for flight in self._flights.values())
                attempts += came.fate is not Fate.AGAIN_FREE and not waits
                if came.fate is Fate.FINAL or attempts >= self._settings.attempts:
                    return came.outcome
                await (self._a_landing() if waits else asyncio.sleep(backoff(self._here.backoff_s, max(attempts, 1))))
            elif came is Refusal.NO_MONEY:
                return self._no_money(key, sends)
            elif came is Refusal.NO_MONEY_YET:
                await self._a_landing()
            else:  # in flight of another living run: its outcome will be in the journal
                await asyncio.sleep(self._here.batch.poll_s * random.uniform(0.5, 1.0))
            recorded = await self.look_up(key)
            if recorded is not None:
                return recorded

    async def _wait_for_flights(self, grace_s: float) -> int:
        """What is at the provider stays there, and is taken over by the next worker: only what would be cut short is
        waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._calm.wait()
        return sum(flight.unrecorded for flight in self._flights.values())

    def _no_money(self, key: str, sends: int) -> TeacherFailure:
        why = (
            f"the cap of ${self._settings.max_cost:g} could be passed: raise teacher.max_cost and start the same "
            "command again; it goes on from here"
        )
        return TeacherFailure(key, FailureKind.BUDGET, why, sends)

    # Announcing -------------------------------------------------------------------------------------------------------

    async def _go(self, going: Sequence[_Wanted]) -> None:
        """Announces what may be sent and sets off with it. Everybody in `going` is told what came of it, or is in a
        batch that will tell."""
        with self._calm.work():
            try:
                await self._take_over_what_holds({wanted.key for wanted in going})
                started = await self._start([wanted for wanted in going if not self._join(wanted)])
                lines = (((wanted, id), self._line(wanted.request, wanted.key)) for wanted, id in started)
                for part in fitting(lines):
                    await self._set_off([item for item, _ in part], b"".join(line for _, line in part))
            except Exception as error:  # noqa: BLE001 - the journal's, above all: those who wait must hear of it
                for wanted in going:
                    if self._holding(wanted.key) is None:
                        wanted.tell(error)
            await asyncio.sleep(0)  # a batch that was just made is under way before this is over

    async def _start(self, wanted: Sequence[_Wanted]) -> list[tuple[_Wanted, str]]:
        """Those of `wanted` that may be sent, each with its sending. The others are told why not."""
        started: list[tuple[_Wanted, str]] = []
        short: list[_Wanted] = []
        why: Refusal | None = None
        for first in range(0, len(wanted), _SENDINGS_A_CALL):
            some = wanted[first : first + _SENDINGS_A_CALL]
            sendings = [self._sending(one) for one in some]
            try:
                answers: list[Outcome | Refusal | None] = await self._journal.start.remote(sendings)
            except Exception as error:  # noqa: BLE001 - what is announced already goes
                for one in wanted[first:]:
                    one.tell(error)
                break
            refused = 0
            for one, sending, answer in zip(some, sendings, answers, strict=True):
                if answer is None:
                    started.append((one, sending.id))
                elif answer is Refusal.NO_MONEY or answer is Refusal.NO_MONEY_YET:
                    short.append(one)
                    why, refused = answer, refused + 1
                else:
                    one.tell(answer)
            if refused == len(some):  # what comes next would be refused as well
                short += wanted[first + _SENDINGS_A_CALL :]
                break
        if started or not short:
            self._short_since = None
        may_wait = bool(started) or (why is Refusal.NO_MONEY_YET and await self._may_settle())
        for one in short:
            one.tell(Refusal.NO_MONEY_YET if may_wait else Refusal.NO_MONEY)
        return started

    async def _may_settle(self) -> bool:
        """Whether something is under way that may still cost less than its worst case."""
        if self._flights or any([await self._journal.open_batches.remote(one.name) for one in self._endpoints]):
            self._short_since = None
            return True
        now = time.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        settles_s = max(endpoint.timeout_s for endpoint in self._settings.endpoints) + _SETTLING_MARGIN_S
        return now - self._short_since <= settles_s

    def _line(self, request: TeacherRequest, key: str) -> bytes:
        return input_line(key, self._here.endpoint.body(request))

    def _sending(self, wanted: _Wanted) -> Sending:
        price, cap = self._here.price, self._settings.max_cost
        return Sending(
            id=sending_id(),
            key=wanted.key,
            request=wanted.request,
            run=self._settings.run,
            endpoint=self._here.name,
            worst_cost=price.cost(*worst_tokens(wanted.request), batch=True) if price else 0,
            cap=int(cap * NANO) if cap is not None else None,
        )

    # Batches ----------------------------------------------------------------------------------------------------------

    async def _set_off(self, started: Sequence[tuple[_Wanted, str]], content: bytes) -> None:
        id = self._here.name_of(uuid.uuid4().hex)
        sends = {wanted.key: sending for wanted, sending in started}
        until, made_at = time.monotonic() + self._here.hand_over_s, time.time()
        try:
            await self._journal.batch_made.remote(id, self._here.name, self._settings.run, sends)
        except Exception:
            with contextlib.suppress(Exception):  # the journal can take less than ever; that error is the one to tell
                why = "the batch could not be recorded, and was not sent"
                unsent = [TeacherFailure(key, FailureKind.SERVER, why, 0) for key in sends]
                await self._journal.end.remote([Ended(sends[one.key], one) for one in unsent])
            raise
        flight = Flight(self._here, OpenBatch(id, None, sends, made_at), content, until)
        for wanted, _ in started:
            flight.promise(wanted.request, wanted.key, wanted.sends + 1, wanted.came)
        self._fly(flight)

    async def _open(self) -> None:
        """Once: takes over the batches of this endpoint that a dead worker or run left."""
        opening = self._opening
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = asyncio.create_task(self._take_over(self._here, lambda batch: self._here.made(batch.id)))
            self._opening = opening
        await asyncio.shield(opening)

    async def _take_over_what_holds(self, keys: set[str]) -> None:
        for endpoint in self._endpoints:
            await self._take_over(endpoint, lambda batch: not keys.isdisjoint(batch.sends))

    async def _take_over(self, endpoint: BatchEndpoint, wanted: Callable[[OpenBatch], bool]) -> None:
        found: list[OpenBatch] = await self._journal.open_batches.remote(endpoint.name)
        for batch in found:
            if batch.id not in self._flights and wanted(batch):
                self._fly(Flight(endpoint, batch))

    def _fly(self, flight: Flight) -> None:
        self._flights[flight.id] = flight
        task = asyncio.create_task(self._to_its_end(flight), name=flight.id)
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)

    async def _to_its_end(self, flight: Flight) -> None:
        try:
            await flight.fly()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            flight.lose(error)
        finally:
            del self._flights[flight.id]
            if flight.too_much:
                self._gathering.most = max(1, min(self._gathering.most, len(flight.sends) // 2))
            self._landed.set()
            self._landed = asyncio.Event()

    async def _a_landing(self) -> None:
        """Waits until a batch of this worker has ended, or for a while: others may have ended elsewhere."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._landed.wait(), self._here.batch.poll_s * (_POLLS if self._flights else 1))

    def _join(self, wanted: _Wanted) -> bool:
        """Lets a request wait for the batch under way that holds it; False: there is none."""
        flight = self._holding(wanted.key)
        if flight is not None:
            flight.promise(wanted.request, wanted.key, wanted.sends + 1, wanted.came)
        return flight is not None

    def _holding(self, key: str) -> Flight | None:
        return next((flight for flight in self._flights.values() if flight.holds(key)), None)
