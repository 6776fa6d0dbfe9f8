"""The classroom of a run on a cluster: its teacher, student and trainer are actors.

Owns: the handles of the actors at work, and bringing the samplers to a round's checkpoint.

Invariant: a sampler is asked only after its weights were proven by the probe of that very checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray

from actors.sampler.start import start_samplers
from actors.sampler.vllm import SamplerPool
from actors.starting import TeacherPool
from actors.trainer import ProbeOrder, TrainingJob, epoch_version
from reasoning.prompts.run_prompts import RunPrompts
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.classroom import Answering, Classroom
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.progress import Progress
from reasoning.student.probe import Probe, load_probe, save_probe
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import TaskData
from reasoning.teacher.calls import Outcome, TeacherRequest
from reasoning.training.report import FineTuneReport

PROBE_PROMPTS = 4


class ClusterClassroom(Classroom):
    """`teacher` answers mistakes, `first_teacher` round 0's plain questions; `reporter` is sent a training's losses."""

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
        trainer: Any,
        reporter: Any,
    ) -> None:
        super().__init__(recipe, directory, data, prompts, progress)
        self.teacher = teacher
        self.first_teacher = first_teacher
        self.trainer = trainer
        self.reporter = reporter
        self.sampler: SamplerPool | None = None
        self._synced = ""

    @property
    def probe_prompts(self) -> tuple[str, ...]:
        """What a sampler is asked to prove that it holds the right weights."""
        return tuple(self.prompts.form.prompt(problem.question) for problem in self.data.train[:PROBE_PROMPTS])

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        return await (self.first_teacher if first else self.teacher).ask(request)

    async def student_at(self, round: int) -> Answering:
        """The samplers, started if need be and brought to the checkpoint of `round` by a proven swap."""
        files = self.files(round) if round >= 0 else None
        return await self._student(self.version(round), self.checkpoint(round), files)

    async def student_after(self, round: int, epoch: int) -> Answering:
        files = self.files(round).after(epoch)
        return await self._student(epoch_version(self.version(round), epoch), str(files.student), files)

    def version(self, round: int) -> str:
        """The name of the weights at the end of `round` (-1: the recipe's own student)."""
        return f"{self.directory.path.name}/round-{round:03d}" if round >= 0 else "base"

    async def _student(self, version: str, checkpoint: str, files: RoundFiles | None) -> Answering:
        if self.sampler is None:
            self.sampler = await start_samplers(self.recipe)
        pool = self.sampler
        if self._synced != version:
            await pool.sync(version, checkpoint, await self._probe(files, checkpoint, version))
            self._synced = version

        async def answer(prompt: str, sampling: Sampling) -> list[Completion]:
            return await pool.answer(version, prompt, sampling)

        return answer

    async def _probe(self, files: RoundFiles | None, checkpoint: str, version: str) -> Probe:
        if files is not None and files.probe.exists():
            return load_probe(files.probe)
        probe: Probe = await probe_in_own_process.remote(checkpoint, version, self.probe_prompts)
        if files is not None:
            save_probe(probe, files.probe)
        return probe

    async def fine_tune(self, round: int) -> FineTuneReport:
        files, training, cluster = self.files(round), self.training(round), self.recipe.cluster
        job = TrainingJob(
            run_name=f"{self.recipe.name}-{self.recipe.fingerprint()}-round-{round:03d}",
            storage=str(self.directory.training),
            checkpoint_in=self.checkpoint(round - 1),
            examples=str(files.examples),
            checkpoint_out=str(files.student),
            epochs_out=str(files.epochs) if training.epoch == "best" else None,
            training=training,
            objective=self.recipe.learning.objective,
            seed=self.recipe.seed + round,
            workers=cluster.trainers,
            cpus=cluster.trainer_cpus,
            gpus=cluster.trainer_gpus,
            dtype=self.recipe.student.dtype,
            reporter=self.reporter,
            probe=ProbeOrder(self.version(round), self.probe_prompts, str(files.probe)),
        )
        report: FineTuneReport = await self.trainer.train.remote(job)
        return report

    async def stop_samplers(self) -> None:
        """Ends the samplers and gives their GPUs back. Nothing happens when none is up."""
        pool, self.sampler, self._synced = self.sampler, None, ""
        if pool is not None:
            await pool.shutdown()


@ray.remote(num_cpus=0)
def probe_in_own_process(checkpoint: str, version: str, prompts: Sequence[str]) -> Probe:
    """`make_probe` in a process of its own: torch and the reference model stay out of the caller's."""
    from reasoning.student.probe import make_probe

    return make_probe(checkpoint, version, prompts)
