"""The classroom of a run on a cluster: its teacher, student and trainer are actors.

Owns: the handles of the actors at work, their start ahead of time, and bringing the samplers to a round's checkpoint.

Invariants
- A sampler is asked only after its weights were proven by the probe of that very checkpoint.
- Workers of a training that came up early are told to begin by that training's own phase, when its examples are kept.
- Where samplers sleep while a training works on their GPUs, that is tried once: when they do not all sleep, leave too
  little memory, or the training ends beside them, they end, and take turns by restarts as long as this process lives.
- With machines of their own, samplers examine a training's epochs while it goes on; where they take turns with the
  trainer, after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray

from actors.sampler.pool import SamplerPool
from actors.sampler.start import make_samplers, take_turns_asleep
from actors.sampler.sync import bring_to, probe_prompts
from actors.sampler.turns import put_to_sleep
from actors.starting import TeacherPool
from actors.storage.keeping import RunKeeper
from actors.storage.places import file_here, is_file_there
from actors.training.epochs import ProbeOrder, epoch_version
from actors.training.job import ReporterHandle, TrainingJob
from actors.training.trainer import TrainerHandle, TrainingCrowded
from reasoning.prompts.run_prompts import RunPrompts
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.asking import TokenIds, read_as_tokens
from reasoning.rounds.classroom import Answering, Classroom
from reasoning.rounds.directory import ClaimedDirectory, RoundFiles, RunDirectory
from reasoning.rounds.evaluation import examine_meanwhile
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.progress import Progress
from reasoning.tasks.loading import TaskData
from reasoning.teacher.calls import Outcome, TeacherRequest
from reasoning.training.report import FineTuneReport

logger = logging.getLogger(__name__)


class ClusterClassroom(Classroom):
    """`teacher` answers mistakes, `first_teacher` round 0's plain questions; `reporter` is sent a training's losses,
    `recorded` is called with each phase that has finished."""

    asks_ahead = True
    held_replies = 8192  # some 20 MB; the journal has them all

    def __init__(
        self,
        recipe: Recipe,
        directory: RunDirectory,
        data: TaskData,
        prompts: RunPrompts,
        progress: Progress,
        *,
        teacher: TeacherPool,
        first_teacher: TeacherPool,
        trainer: TrainerHandle,
        reporter: ReporterHandle,
        keeper: RunKeeper,
        recorded: Callable[[PhaseRecord], None],
    ) -> None:
        super().__init__(recipe, directory, data, prompts, progress)
        self.teacher = teacher
        self.first_teacher = first_teacher
        self.trainer = trainer
        self.reporter = reporter
        self._keeper = keeper
        self._recorded = recorded
        self.sampler: SamplerPool | None = None
        self._sleeps = take_turns_asleep(recipe)
        self._asleep = False  # the samplers, now
        self._engines: asyncio.Task[None] | None = None  # the start of the samplers' engines
        self._told: dict[str, asyncio.Event] = {}  # by the name of a training: set when its examples are there
        self._synced: tuple[str, Answering] | None = None  # the version the samplers hold, and what asks them

    @property
    def probe_prompts(self) -> tuple[str, ...]:
        """What a sampler is asked to prove that it holds the right weights."""
        return probe_prompts(self.prompts.form, self.data.train)

    async def record(self, directory: ClaimedDirectory[Any], record: PhaseRecord) -> None:
        await asyncio.to_thread(self._keeper.record, directory, record)
        self._recorded(record)

    async def keep_epoch(self, round: int, best: int) -> None:
        await asyncio.to_thread(self._keeper.keep_epoch, self.files(round), best, self.training(round).epochs)

    async def drop_epoch(self, round: int, epoch: int) -> None:
        await asyncio.to_thread(self._keeper.drop_epoch, self.files(round), epoch)

    def place_of(self, path: Path) -> str:
        """How every node names a file or folder of the run."""
        return self._keeper.home.place_of(path)

    def checkpoint(self, round: int) -> str:
        return self.place_of(self.files(round).student) if round >= 0 else super().checkpoint(round)

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        return await (self.first_teacher if first else self.teacher).ask(request)

    async def student_at(self, round: int) -> Answering:
        """The samplers, started if need be and brought to the checkpoint of `round` by a proven swap."""
        files = self.files(round) if round >= 0 else None
        return await self._student(self.version(round), self.checkpoint(round), files)

    async def student_after(self, round: int, epoch: int) -> Answering:
        files = self.files(round).after(epoch)
        await asyncio.to_thread(file_here, self.place_of(files.probe))
        return await self._student(epoch_version(self.version(round), epoch), self.place_of(files.student), files)

    async def epoch_is_made(self, round: int, epoch: int) -> bool:
        files = self.files(round).after(epoch)  # the probe is stored after the student
        return files.evaluation.exists() or await asyncio.to_thread(is_file_there, self.place_of(files.probe))

    def version(self, round: int) -> str:
        """The name of the weights at the end of `round` (-1: the recipe's own student)."""
        return f"{self.directory.path.name}/round-{round:03d}" if round >= 0 else "base"

    async def _student(self, version: str, checkpoint: str, files: RoundFiles | None) -> Answering:
        try:
            sampler, engines = self.start_samplers()
            if not engines.done() and self.progress.snapshot.phase != Phase.TRAIN:  # a training does not wait for it
                self.progress.wait("engine", "the student's engine to start")
            await asyncio.shield(engines)
            if self._synced is None or self._synced[0] != version:
                if self._asleep:
                    self.progress.wait("engine", "the samplers to wake up")
                kept = files.probe if files is not None else None
                answering = await bring_to(sampler, version, checkpoint, self.probe_prompts, kept)
                self._synced, self._asleep = (version, answering), False
            return self._synced[1]
        finally:
            self.progress.wait("engine", "")

    async def fine_tune(self, round: int) -> FineTuneReport:
        if self._engines is not None and self._engines.done():
            self._engines.result()  # an engine that cannot start is told before the training, not after it
        job = self._job(round)
        if job.epochs_out is not None:
            await asyncio.to_thread(self._claim_epochs, job, self.files(round))
        self._may_train(job.run_name).set()
        training = self._train(job, round)
        return await (examine_meanwhile(self, round, training) if job.examined_meanwhile else training)

    def _claim_epochs(self, job: TrainingJob, files: RoundFiles) -> None:
        identity = job.identity()
        if job.report(identity) is None:  # it is not done
            self._keeper.claim_epochs(files, identity)

    async def _train(self, job: TrainingJob, round: int) -> FineTuneReport:
        try:
            report = await self.trainer.train.remote(job)
        except TrainingCrowded as error:
            await self._end_sleeping(str(error))
            report = await self.trainer.train.remote(self._job(round))
        await asyncio.to_thread(file_here, self.place_of(self.files(round).probe))
        return report

    def prepare_training(self, round: int) -> None:
        """Has the workers that train `round` come up meanwhile; `fine_tune` has them begin."""
        job = self._job(round)
        if job.run_name not in self._told:
            self._may_train(job.run_name)
            self.trainer.prepare.remote(job)

    async def told_to_train(self, run_name: str) -> None:
        """Returns when the examples of the job of this name are there."""
        await self._may_train(run_name).wait()

    def _may_train(self, run_name: str) -> asyncio.Event:
        return self._told.setdefault(run_name, asyncio.Event())

    def _job(self, round: int) -> TrainingJob:
        files, training, cluster = self.files(round), self.training(round), self.recipe.cluster
        places = self.sampler.places if self.sampler is not None and self._asleep else None
        return TrainingJob(
            run_name=f"{self.recipe.name}-{self.recipe.fingerprint()}-round-{round:03d}",
            storage=self.place_of(self.directory.training),
            checkpoint_in=self.checkpoint(round - 1),
            examples=self.place_of(files.examples),
            checkpoint_out=self.place_of(files.student),
            epochs_out=self.place_of(files.epochs) if training.epoch == "best" else None,
            examined_meanwhile=training.epoch == "best" and cluster.placement == "dedicated",
            training=training,
            objective=self.recipe.learning.objective,
            seed=self.recipe.seed + round,
            workers=cluster.trainers,
            fewest=cluster.fewest_trainers,
            cpus=cluster.trainer_cpus,
            gpus=cluster.trainer_gpus,
            labels=cluster.trainer_labels,
            dtype=self.recipe.student.dtype,
            reporter=self.reporter,
            frame=self.prompts.form.frame,
            grow=self.recipe.student.grow_embeddings,
            checkpoint_s=60.0 * cluster.checkpoint_minutes,
            scores=self.place_of(files.scores) if self._learns_scores(round) else None,
            probe=ProbeOrder(self.version(round), self.probe_prompts, self.place_of(files.probe)),
            beside=places.group if places is not None else None,
        )

    def start_samplers(self) -> tuple[SamplerPool, asyncio.Task[None]]:
        """The samplers and the start of their engines, which goes on meanwhile. `student_at` waits for it, and raises
        what it raised."""
        if self.sampler is None or self._engines is None:
            self.sampler = make_samplers(self.recipe, self._sleeps)
            self._engines = asyncio.create_task(self.sampler.start())
        return self.sampler, self._engines

    def _learns_scores(self, round: int) -> bool:
        return bool(round) and self.recipe.learning.objective.loss == "on_policy"

    async def token_ids(self, prompts: Sequence[str], texts: Sequence[str]) -> list[tuple[TokenIds, TokenIds]]:
        """In a process of its own, which may import what this one must not."""
        reading = ray.remote(num_cpus=0)(read_as_tokens)
        return await reading.remote(self.recipe.student.source, prompts, texts, self.prompts.form.frame)

    async def make_way(self) -> None:
        """Frees the GPUs of samplers for a training there: has them sleep, or ends them. Nothing happens when there is
        none."""
        if self.sampler is None or not self._sleeps:
            return await self.stop_samplers()
        self._synced = None
        self.progress.wait("engine", "the samplers to give up their GPUs' memory")
        try:
            problem = await put_to_sleep(self.sampler)
        finally:
            self.progress.wait("engine", "")
        self._asleep = True
        if problem:
            await self._end_sleeping(problem)

    async def _end_sleeping(self, problem: str) -> None:
        logger.warning("samplers end before trainings from now on, and do not sleep: %s", problem)
        self._sleeps = False
        await self.stop_samplers()

    async def stop_samplers(self) -> None:
        """Ends the samplers, also such as are starting, and gives their GPUs back. Nothing happens when there is
        none."""
        pool, self.sampler, self._synced, self._asleep = self.sampler, None, None, False
        engines, self._engines = self._engines, None
        if engines is not None:
            engines.cancel()
            await asyncio.gather(engines, return_exceptions=True)
        if pool is not None:
            await pool.shutdown()
