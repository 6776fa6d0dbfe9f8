"""A worker of the teacher pool that asks by the Batch API: cheaper, within hours.

Owns: the tries of one request, the announcement of batches, and the taking over of those that others left.

Invariants
- The journal is looked up before anything is sent, told before each sending, and has the reply before anyone uses it.
- What may be in a batch under way is never put into another: a request whose key is in an open batch of the journal, of
  any of this teacher's endpoints, waits for that one. Batches that a dead worker or run left are taken over.
- Nothing is sent without the money for its worst case at the batch price: what fits goes, the rest waits for what is
  under way to cost less. Where there is a cap, it is found out first what requests cost (`actors.batch_api.trial`).
- A request is tried as often as the settings permit; a line that expired in a batch of which some was answered, and a
  batch that the provider had no room for while others were there, do not count.

The life of one batch is `actors.batch_api.job`, the provider's API `actors.batch_api.client`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.batch_api.accumulator import Accumulator
from actors.batch_api.endpoint import BatchEndpoint
from actors.batch_api.files import Disposition, LineResult, fitting, input_line
from actors.batch_api.job import BatchJob, BatchStatus
from actors.batch_api.trial import Stage, Trial
from actors.endpoint.usage import worst_tokens
from actors.journal.actor import Ended, JournalHandle, OpenBatch, Sending, StartRefusal, sending_id
from actors.teacher.retries import backoff
from actors.teacher.wait_group import WaitGroup
from actors.teacher.worker_base import WorkerBase, no_money
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherReply, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import NANO

_SENDINGS_A_CALL = 256
_POLLS = 10  # before those who wait for a batch's end look around by themselves
_SETTLING_MARGIN_S = 60.0  # what is sent one by one has settled its cost after its timeout, and this

# What came of asking for a place in a batch: the line's result, or the journal's word, an outcome or why not now.
_Answer = LineResult | Outcome | StartRefusal


@dataclass(slots=True, eq=False)
class _Wanted:
    """A request that waits for a batch. `sends`: how often it was sent before."""

    request: TeacherRequest
    key: str
    sends: int
    came: asyncio.Future[_Answer]

    def resolve(self, came: _Answer | Exception) -> None:
        if self.came.done():
            return
        if isinstance(came, Exception):
            self.came.set_exception(came)
        else:
            self.came.set_result(came)


class BatchWorker(WorkerBase):
    """Asks one endpoint of a teacher, number `number` of the settings. `journal` is an actor handle. A batch is created
    within `hand_over_s` after it was announced, or never."""

    def __init__(
        self,
        settings: TeacherSettings,
        journal: JournalHandle,
        *,
        number: int = 0,
        backoff_s: float = 2.0,
        hand_over_s: float = 300.0,
    ) -> None:
        super().__init__(settings, journal)
        self._settings = settings
        self._journal = journal
        self._critical = WaitGroup()
        self._endpoints = [
            BatchEndpoint(settings, each, journal, self._critical, backoff_s, hand_over_s)
            for each in range(len(settings.endpoints))
        ]
        self._here = self._endpoints[number]
        batch = self._here.batch
        self._accumulator = Accumulator(self._submit, batch.max_requests, batch.linger_s, self._draining)
        self._jobs: dict[str, BatchJob] = {}
        self._job_tasks: set[asyncio.Task[None]] = set()
        self._job_ended = asyncio.Event()  # set, and replaced, whenever a batch has ended
        self._opening: asyncio.Task[None] | None = None
        self._no_money_since: float | None = None  # and nothing in sight that could settle
        self._trial = Trial(self._here)
        self._alone: str | None = None  # the request that goes before all others

    async def batches(self) -> tuple[BatchStatus, ...]:
        """The batches under way, the oldest first."""
        return tuple(sorted((job.status() for job in self._jobs.values()), key=lambda status: status.since))

    async def answer(self, request: TeacherRequest, key: str) -> Outcome:
        try:
            self._line(request, key)
        except UnicodeEncodeError as error:
            return TeacherFailure(key, FailureKind.BAD_REQUEST, f"a message is not valid text: {error.reason}", 1)
        await self._adopt_once()
        return await self._until_it_ends(request, key)

    async def _until_it_ends(self, request: TeacherRequest, key: str) -> Outcome:
        sends = attempts = 0
        while True:
            wanted = _Wanted(request, key, sends, asyncio.get_running_loop().create_future())
            if not self._join_job(wanted):
                self._accumulator.add(wanted)
            came = await self._result_of(wanted)
            if isinstance(came, TeacherReply | TeacherFailure):
                return came  # answered by another worker or run since the look-up
            if isinstance(came, LineResult):
                sends += 1
                others = any(not job.over_capacity for job in self._jobs.values())
                waits = came.disposition is Disposition.OVER_CAPACITY and others
                attempts += came.disposition is not Disposition.RETRY_UNCOUNTED and not waits
                if came.disposition is Disposition.FINAL or attempts >= self._settings.attempts:
                    return came.outcome
                wait_s = backoff(self._here.backoff_s, max(attempts, 1))
                await (self._until_a_job_ends() if waits else asyncio.sleep(wait_s))
            elif came is StartRefusal.NO_MONEY:
                return no_money(self._settings, key, sends)
            elif came is StartRefusal.NO_MONEY_YET:
                await self._until_a_job_ends()
            else:  # in flight in another living run: its outcome will be in the journal
                await asyncio.sleep(self._here.batch.poll_s * random.uniform(0.5, 1.0))
            recorded = await self.look_up(key)
            if recorded is not None:
                return recorded

    async def close(self) -> None:
        for at in self._endpoints:
            await at.endpoint.close()
            await at.client.close()

    async def _result_of(self, wanted: _Wanted) -> _Answer:
        try:
            came = await wanted.came
            if self._alone == wanted.key and isinstance(came, LineResult):
                self._trial.learn(came.usage)
            return came
        finally:
            self._alone = None if self._alone == wanted.key else self._alone

    async def _wait_until_recorded(self, grace_s: float) -> int:
        """What is at the provider stays there, and is taken over by the next worker: only what would be cut short is
        waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._critical.wait()
        return sum(job.unrecorded for job in self._jobs.values())

    # Announcing -------------------------------------------------------------------------------------------------------

    async def _submit(self, going: Sequence[_Wanted]) -> None:
        """Announces what may be sent and sets off with it. Every request in `going` is resolved, or is in a batch
        that will resolve it."""
        with self._critical.task():
            try:
                await self._adopt_jobs_with({wanted.key for wanted in going})
                new = [wanted for wanted in going if not self._join_job(wanted)]
                started = await self._start(await self._tried(new))
                lines = (((wanted, id), self._line(wanted.request, wanted.key)) for wanted, id in started)
                for part in fitting(lines):
                    await self._hand_over([item for item, _ in part], b"".join(line for _, line in part))
            except Exception as error:  # noqa: BLE001 - the journal's, above all: the callers that wait must see it
                for wanted in going:
                    if self._job_with(wanted.key) is None:
                        wanted.resolve(error)
            await asyncio.sleep(0)  # a batch that was just made is under way before this is over

    async def _tried(self, wanted: Sequence[_Wanted]) -> Sequence[_Wanted]:
        """Those of `wanted` that may go together by what is known of their cost. The others are resolved, with their
        outcome or with the word that they must wait."""
        while wanted and self._trial.stage is Stage.ASK and not self._draining.is_set():
            came = await self._trial.ask(wanted[0].request, wanted[0].key)
            if came is not None:
                wanted[0].resolve(came)
                wanted = wanted[1:]
        if self._trial.stage is not Stage.ALONE:
            return wanted if self._trial.stage is Stage.KNOWN else ()
        first, later = (wanted[:1], wanted[1:]) if self._alone is None else ((), wanted)
        for one in first:
            self._alone = one.key
        for one in later:
            one.resolve(StartRefusal.NO_MONEY_YET)
        return first

    async def _start(self, wanted: Sequence[_Wanted]) -> list[tuple[_Wanted, str]]:
        """Those of `wanted` that may be sent, each with its sending. The others are resolved with the reason."""
        started: list[tuple[_Wanted, str]] = []
        short: list[_Wanted] = []
        why: StartRefusal | None = None
        for first in range(0, len(wanted), _SENDINGS_A_CALL):
            some = wanted[first : first + _SENDINGS_A_CALL]
            sendings = [self._sending(one) for one in some]
            try:
                answers = await self._journal.start.remote(sendings)
            except Exception as error:  # noqa: BLE001 - what is announced already goes
                for one in wanted[first:]:
                    one.resolve(error)
                break
            refused = 0
            for one, sending, answer in zip(some, sendings, answers, strict=True):
                if answer is None:
                    started.append((one, sending.id))
                elif answer is StartRefusal.NO_MONEY or answer is StartRefusal.NO_MONEY_YET:
                    short.append(one)
                    why, refused = answer, refused + 1
                else:
                    one.resolve(answer)
            if refused == len(some):  # what comes next would be refused as well
                short += wanted[first + _SENDINGS_A_CALL :]
                break
        if started or not short:
            self._no_money_since = None
        may_wait = bool(started) or (why is StartRefusal.NO_MONEY_YET and await self._may_settle())
        for one in short:
            one.resolve(StartRefusal.NO_MONEY_YET if may_wait else StartRefusal.NO_MONEY)
        return started

    async def _may_settle(self) -> bool:
        """Whether something is under way that may still cost less than its worst case."""
        if self._jobs or any([await self._journal.open_batches.remote(one.name) for one in self._endpoints]):
            self._no_money_since = None
            return True
        now = time.monotonic()
        self._no_money_since = now if self._no_money_since is None else self._no_money_since
        settles_s = max(endpoint.timeout_s for endpoint in self._settings.endpoints) + _SETTLING_MARGIN_S
        return now - self._no_money_since <= settles_s

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
            places=self.places,
        )

    # Batches ----------------------------------------------------------------------------------------------------------

    async def _hand_over(self, started: Sequence[tuple[_Wanted, str]], content: bytes) -> None:
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
        job = BatchJob(self._here, OpenBatch(id, None, sends, made_at), content, until)
        for wanted, _ in started:
            job.promise(wanted.request, wanted.key, wanted.sends + 1, wanted.came)
        self._run_job(job)

    async def _adopt_once(self) -> None:
        """Once: takes over the batches of this endpoint that a dead worker or run left."""
        opening = self._opening
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = asyncio.create_task(self._adopt(self._here, lambda batch: self._here.made(batch.id)))
            self._opening = opening
        await asyncio.shield(opening)

    async def _adopt_jobs_with(self, keys: set[str]) -> None:
        for endpoint in self._endpoints:
            await self._adopt(endpoint, lambda batch: not keys.isdisjoint(batch.sends))

    async def _adopt(self, endpoint: BatchEndpoint, wanted: Callable[[OpenBatch], bool]) -> None:
        found = await self._journal.open_batches.remote(endpoint.name)
        for batch in found:
            if batch.id not in self._jobs and wanted(batch):
                self._run_job(BatchJob(endpoint, batch))

    def _run_job(self, job: BatchJob) -> None:
        self._jobs[job.id] = job
        task = asyncio.create_task(self._run_to_its_end(job), name=job.id)
        self._job_tasks.add(task)
        task.add_done_callback(self._job_tasks.discard)

    async def _run_to_its_end(self, job: BatchJob) -> None:
        try:
            await job.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers that wait must see it
            job.fail(error)
        finally:
            del self._jobs[job.id]
            if job.over_capacity:
                self._accumulator.most = max(1, min(self._accumulator.most, len(job.sends) // 2))
            self._job_ended.set()
            self._job_ended = asyncio.Event()

    async def _until_a_job_ends(self) -> None:
        """Waits until a batch of this worker has ended, or for a while: others may have ended elsewhere."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._job_ended.wait(), self._here.batch.poll_s * (_POLLS if self._jobs else 1))

    def _join_job(self, wanted: _Wanted) -> bool:
        """Lets a request wait for the batch under way that holds it; False if no batch does."""
        job = self._job_with(wanted.key)
        if job is not None:
            job.promise(wanted.request, wanted.key, wanted.sends + 1, wanted.came)
        return job is not None

    def _job_with(self, key: str) -> BatchJob | None:
        return next((job for job in self._jobs.values() if job.holds(key)), None)
