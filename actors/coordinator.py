"""The coordinator: one actor that takes a run from where its directory stands to its end.

Owns: the run's phase; the life of every other actor of the run.

Invariants
- What is next follows from `rounds.jsonl` alone (`reasoning.rounds.phase_order`); a phase is recorded when it is whole,
  so losing this actor, or everything, loses at most the work in flight.
- With shared placement the samplers are gone or asleep before the trainer starts, and the trainer is gone before they
  start or wake. With machines of their own, engines and workers come up while the teacher's last answers come in;
  neither does anything before its phase begins.
- Every actor it started is stopped when the run ends, whichever way it ends; what the teacher is answering then is paid
  for, and may end and be recorded.
- A directory has one run at a time.
- No torch in this process: on a GPU node it would claim memory that belongs to the samplers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

import ray

from actors.classroom import ClusterClassroom
from actors.journal.actor import Journal, JournalHandle
from actors.journal.sums import JournalSums
from actors.ray_api.handles import RemoteMethod
from actors.ray_api.nodes import this_node
from actors.ray_api.processes import collect_seldom
from actors.starting import Limiters, close_journal, start_journal, start_pool
from actors.storage.keeping import Home, unless_ended
from actors.teacher.pool import WorkersLost, permitted_per_second
from actors.training.trainer import Trainer, TrainerHandle
from actors.watching.logs import at, logged
from actors.watching.run import RunMetrics
from actors.watching.tracking.tracker import Tracker, tracker_of
from reasoning.prompts.run_prompts import RunPrompts
from reasoning.recipe.tailored import Recipe, RunRecipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord, PhaseStep, best_round, next_step
from reasoning.rounds.phases import perform
from reasoning.rounds.progress import Progress, Snapshot, TeacherFigures, teacher_seconds_left, totals_of
from reasoning.tasks.loading import TaskData
from reasoning.teacher.calls import TeacherSettings
from reasoning.training.report import LossPoint

if TYPE_CHECKING:
    from ray.actor import ActorHandle

logger = logging.getLogger(__name__)

# Before the teacher's last answer: an engine with CUDA graphs takes as long to come up, a trainer much less.
AHEAD_S = 120.0
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended: why, its finished phases, the best round by validation accuracy, and the journal's account."""

    reason: str
    records: tuple[PhaseRecord, ...]
    best_round: int | None
    journal: JournalSums


WorkT = TypeVar("WorkT")
OutcomeT = TypeVar("OutcomeT")


class CoordinatorHandle(Protocol[OutcomeT]):
    """The handle of a coordinator that is an actor. `run` returns what this kind of coordinator's `run` does."""

    run: RemoteMethod[[], OutcomeT]
    progress: RemoteMethod[[], Snapshot]


class AnyCoordinator(ABC, Generic[WorkT, OutcomeT]):
    """Does the work of one run, piece by piece: what that is, and which is next, is for each kind of run to say.
    `base_urls` gives the addresses of the teachers that the run serves itself, by application; `home` is where the run
    is kept."""

    def __init__(
        self,
        recipe: Recipe,
        directory: RunDirectory,
        data: TaskData,
        prompts: RunPrompts,
        base_urls: Mapping[str, str],
        home: Home,
    ) -> None:
        self._recipe = recipe
        self._directory = directory
        self._data = data
        self._prompts = prompts
        self._base_urls = dict(base_urls)
        self._home, self._keeper = home, home.keeper()
        self._metrics = RunMetrics(recipe.name)
        self._waiting = ""
        self._tracker = Tracker({})
        self._progress = Progress(self._ended)
        self._journal: JournalHandle | None = None
        self._classroom: ClusterClassroom | None = None

    @abstractmethod
    async def run(self) -> OutcomeT:
        """From the last finished work to the end of the run."""

    @abstractmethod
    def next_work(self) -> WorkT | Finished:
        """What follows from what is finished."""

    @abstractmethod
    def trains(self, work: WorkT) -> bool:
        """Whether `work` needs the trainer's machines."""

    def tracked(self) -> RunRecipe:
        """The recipe whose run is told to trackers."""
        return self._recipe

    def recorded(self, record: PhaseRecord) -> None:
        """A phase has finished, and its record is kept."""
        snapshot = self._progress.snapshot
        self._tracker.recorded(record, snapshot.label, snapshot.teacher.cost)

    @abstractmethod
    def before(self) -> list[RunDirectory]:
        """Where the finished phases are that this start goes on from."""

    @abstractmethod
    async def do(self, classroom: ClusterClassroom, work: WorkT) -> None:
        """Does one piece of work to its end and records it."""

    async def progress(self) -> Snapshot:
        """What the run is doing now."""
        return self._progress.snapshot

    async def training_point(self, point: LossPoint) -> None:
        """Called by the training workers after a step, fire and forget."""
        done = point.step + 1  # they count from 0
        self._progress.show(done=done, total=point.steps, loss=point.total, tokens_per_s=point.tokens_per_s)
        self._metrics.trained(point)
        self._tracker.trained(point, self._progress.snapshot.label)

    async def told_to_train(self, run_name: str) -> None:
        """Called by training workers that came up early; returns when their examples are there."""
        if self._classroom is not None:
            await self._classroom.told_to_train(run_name)

    async def waiting(self, who: str, what: str) -> None:
        """Called by the trainer while it waits for machines, fire and forget; `what` is "" when it no longer does."""
        self._progress.wait(who, what)

    async def finish(self) -> tuple[str, JournalSums]:
        """Does all that is left. Returns why nothing is left, and the journal's account."""
        collect_seldom()
        watching = asyncio.create_task(self._watch())
        finished = False
        try:
            await asyncio.to_thread(self._keeper.open)
            outcome = await unless_ended(self._keeper.ended, self._finish())
            finished = True
            return outcome
        finally:
            watching.cancel()
            self._ended(self._progress.snapshot)
            self._metrics.closed()
            await asyncio.to_thread(self._tracker.close, finished=finished)
            await self._stop()
            await asyncio.to_thread(self._keeper.close)

    async def _finish(self) -> tuple[str, JournalSums]:
        journal = self._journal = start_journal(self._home.journal, self._recipe.name)
        logger.info("the run begins, in %s", self._home.shown)
        self._progress.show(**await asyncio.to_thread(totals_of, self.before()))
        self._metrics.resumed(self._progress.snapshot)
        self._tracker = tracker_of(self.tracked(), self._home.folder)
        for directory in self.before():
            self._tracker.resumed(directory.finished())
        while not isinstance(work := self.next_work(), Finished):
            classroom = self._classroom = self._classroom or self._open_classroom(journal)
            if self.trains(work) and self._recipe.cluster.placement == "shared":
                await classroom.make_way()
            await self.do(classroom, work)
        self._journal = None
        logger.info("the run has ended: %s", work.reason)
        return work.reason, await close_journal(journal, self._recipe.name)

    def _open_classroom(self, journal: JournalHandle) -> ClusterClassroom:
        first = self._recipe.teacher.first
        settings = [self._teacher_settings(section) for section in (self._recipe.teacher, first) if section is not None]
        # The same endpoint, key and model have one limiter, whichever teacher asks there.
        limiters = Limiters((endpoint for one in settings for endpoint in one.endpoints), self._recipe.name)
        workers, patience = self._recipe.teacher.workers, self._recipe.cluster.patience
        labels = self._recipe.cluster.teacher_labels
        pools = [start_pool(one, journal, workers, limiters, labels) for one in settings]
        return ClusterClassroom(
            self._recipe,
            self._directory,
            self._data,
            self._prompts,
            self._progress,
            teacher=pools[0],
            first_teacher=pools[-1],
            trainer=cast(
                TrainerHandle,
                ray.remote(logged(Trainer, "trainer", self._recipe.name))
                .options(num_cpus=0, scheduling_strategy=this_node())
                .remote(60 * patience),
            ),
            keeper=self._keeper,
            recorded=self.recorded,
            reporter=ray.get_runtime_context().current_actor,
        )

    def _teacher_settings(self, section: TeacherSection) -> TeacherSettings:
        return section.settings(self._base_urls, run=self._recipe.name, max_cost=self._recipe.teacher.max_cost)

    async def _watch(self) -> None:
        """Keeps what is shown of the run fresh: the live line's figures, what is waited for, and the metrics."""
        while True:
            wanted = time.monotonic() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self._look(self._progress.snapshot)
            self._metrics.coordinator(self._home.journal, time.monotonic() - wanted)
            self._metrics.trackers(self._tracker.failed())
            pool = self._classroom.sampler if self._classroom is not None else None
            if pool is not None:
                with contextlib.suppress(ray.exceptions.RayError):
                    await pool.look_at_caches()
                looks = pool.looks()
                self._metrics.samplers(looks)
                hits = [look.prefix_hits for look in looks if look.prefix_hits is not None]
                self._progress.show(prefix_hits=sum(hits) / len(hits) if hits else None)
            with contextlib.suppress(ray.exceptions.RayError):
                self._progress.wait("samplers", await asyncio.to_thread(pool.waits_for) if pool is not None else "")
            if self._classroom is not None and self._journal is not None:
                with contextlib.suppress(ray.exceptions.RayError, WorkersLost):
                    if self._is_time_to_look_ahead():
                        self.look_ahead(self._classroom)
                    await show_teachers(self._progress, self._metrics, self._classroom, self._recipe.teacher.max_cost)

    def look_ahead(self, classroom: ClusterClassroom) -> None:
        """Has what comes next start, while the teacher's last answers come in: the samplers' engines."""
        classroom.start_samplers()

    def _is_time_to_look_ahead(self) -> bool:
        """Not where samplers and trainer take turns, nor hours before, when machines would be paid for and wait."""
        left = teacher_seconds_left(self._progress.snapshot, time.time())
        return left is not None and left < AHEAD_S and self._recipe.cluster.placement == "dedicated"

    def _look(self, snapshot: Snapshot) -> None:
        """Measures a snapshot, and says which machines are waited for where that has changed."""
        if snapshot.waiting != self._waiting:
            logger.info("waits for %s", snapshot.waiting or "nothing any more")
            self._waiting = snapshot.waiting
        at(snapshot.round, snapshot.phase)
        self._metrics.look(snapshot)

    def _ended(self, snapshot: Snapshot) -> None:
        """Takes the last snapshot of a phase."""
        self._look(snapshot)
        self._metrics.ended(snapshot)
        if snapshot.total or snapshot.done:  # nothing was begun before
            what, seconds = snapshot.label or f"round {snapshot.round}", time.time() - snapshot.phase_started
            logger.info("%s %s ended after %.1f s", what, snapshot.phase, seconds)

    async def _stop(self) -> None:
        classroom, self._classroom = self._classroom, None
        if classroom is not None:
            for task in classroom.pending.values():
                task.cancel()
            await classroom.ahead.drop()
            with contextlib.suppress(ray.exceptions.RayError):
                await classroom.stop_samplers()
            await asyncio.gather(*(pool.close() for pool in {classroom.teacher, classroom.first_teacher}))
            ray.kill(cast("ActorHandle[Trainer]", classroom.trainer))
        if self._journal is not None:
            ray.kill(cast("ActorHandle[Journal]", self._journal))


class Coordinator(AnyCoordinator[PhaseStep, RunOutcome]):
    """Runs one recipe of tailored learning in its directory. A thin shell: phases are in `reasoning.rounds.phases`,
    their order in `reasoning.rounds.phase_order`."""

    async def run(self) -> RunOutcome:
        """From the last finished phase to the end of the run."""
        reason, journal = await self.finish()
        records = self._directory.finished()
        return RunOutcome(reason, tuple(records), best_round(records), journal)

    def next_work(self) -> PhaseStep | Finished:
        learning = self._recipe.learning
        return next_step(self._directory.finished(), learning.rounds, learning.patience)

    def trains(self, work: PhaseStep) -> bool:
        return work.phase is Phase.TRAIN

    def before(self) -> list[RunDirectory]:
        return [self._directory]

    def look_ahead(self, classroom: ClusterClassroom) -> None:
        """The engines, and the workers of the round's training."""
        super().look_ahead(classroom)
        snapshot = self._progress.snapshot
        if snapshot.phase in (Phase.EXAM, Phase.FEEDBACK, Phase.SELECT):
            classroom.prepare_training(snapshot.round)

    async def do(self, classroom: ClusterClassroom, work: PhaseStep) -> None:
        started = time.monotonic()
        metrics = await perform(classroom, work.round, work.phase)
        record = PhaseRecord(work.round, work.phase, time.monotonic() - started, metrics)
        await classroom.record(self._directory, record)


async def show_teachers(
    progress: Progress, metrics: RunMetrics, classroom: ClusterClassroom, max_cost: float | None
) -> None:
    """Puts the figures of the run's teachers into its progress, and into Ray's metrics. The money is that of the run,
    whichever teacher spent it."""
    looks = [await pool.progress() for pool in {classroom.teacher, classroom.first_teacher}]
    waits = [look.eta_s for look in looks if look.eta_s is not None]
    figures = TeacherFigures(
        open=sum(look.counts.open for look in looks),
        per_second=sum(look.per_second for look in looks),
        permitted_per_second=permitted_per_second(looks),
        cost=looks[0].spending.settled,
        reserved=looks[0].spending.reserved,
        max_cost=max_cost,
        open_circuits=tuple(sorted({name for look in looks for name in look.open_circuits})),
        eta_s=max(waits) if waits else None,
    )
    progress.show(teacher=figures)
    metrics.teachers(figures)
    metrics.limiters({id: one for look in looks for id, one in look.limiters.items()})
