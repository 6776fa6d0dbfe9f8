"""What the phases of a run share: its problems, its files, the handles of the actors at work, and the way to ask them.

Owns: asking the teacher once per request, and bringing the samplers to a round's checkpoint.

Invariants
- A request to the teacher that is under way is never started again: whoever wants it awaits the same task.
- A sampler is asked only after its weights were proven by the probe of that very checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ray

from actors.sampler import SamplerPool
from actors.samplers import start_samplers
from actors.teacher import TeacherPool
from reasoning.probe import Probe, load_probe, save_probe
from reasoning.progress import ProgressBoard
from reasoning.prompts import plain_request, student_prompt, tailored_request
from reasoning.recipe import EndpointSection, Recipe
from reasoning.records import Mistake, Problem
from reasoning.run_directory import RoundFiles, RunDirectory
from reasoning.tasks import TASKS, TaskData
from reasoning.teacher_calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

PROBE_PROMPTS = 4

Outcome = TeacherReply | TeacherFailure
T = TypeVar("T")


class TeacherRefused(RuntimeError):
    """The teacher cannot answer this run's questions. What it answered so far is in the journal; the same command
    goes on from there once the cause is mended."""


@dataclass
class Classroom:
    """One run's people and papers. `teacher` answers mistakes, `first_teacher` round 0's plain questions."""

    recipe: Recipe
    directory: RunDirectory
    data: TaskData
    teacher: TeacherPool
    first_teacher: TeacherPool
    trainer: Any
    reporter: Any
    board: ProgressBoard
    sampler: SamplerPool | None = None
    pending: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)
    _synced: str = ""

    def __post_init__(self) -> None:
        self.train_by_id = {problem.id: problem for problem in self.data.train}

    @property
    def max_new_tokens(self) -> int:
        return self.recipe.student.max_new_tokens or TASKS[self.recipe.task.name].max_new_tokens

    @property
    def probe_prompts(self) -> tuple[str, ...]:
        """What a sampler is asked to prove that it holds the right weights."""
        return tuple(student_prompt(problem.question) for problem in self.data.train[:PROBE_PROMPTS])

    def files(self, round: int) -> RoundFiles:
        return self.directory.round(round)

    def checkpoint(self, round: int) -> str:
        """The student at the end of `round`; before round 0, the recipe's own."""
        return str(self.files(round).student) if round >= 0 else self.recipe.student.source

    def ask_teacher(self, problem: Problem, mistake: Mistake | None, samples: int) -> list[asyncio.Task[Outcome]]:
        """Starts (or joins) the teacher's `samples` answers to a mistake, or to the bare question when it is None."""
        section: EndpointSection = self.recipe.teacher if mistake else self.recipe.teacher.for_first
        messages = (
            tailored_request(problem.question, mistake.text, problem.answer)
            if mistake
            else plain_request(problem.question)
        )
        requests = [
            TeacherRequest(
                endpoint=section.name,
                model=section.model,
                messages=tuple((message["role"], message["content"]) for message in messages),
                temperature=section.temperature,
                max_tokens=section.max_tokens,
                sample=sample,
            )
            for sample in range(samples)
        ]
        pool = self.teacher if mistake else self.first_teacher
        for request in requests:
            if request.key not in self.pending:
                self.pending[request.key] = asyncio.create_task(self._ask(pool, request))
        return [self.pending[request.key] for request in requests]

    async def _ask(self, pool: TeacherPool, request: TeacherRequest) -> Outcome:
        self.board.add(teacher_asked=1)
        outcome = await pool.ask(request)
        if isinstance(outcome, TeacherReply):
            self.board.add(teacher_answered=1, teacher_tokens_total=outcome.prompt_tokens + outcome.completion_tokens)
            return outcome
        self.board.add(teacher_failed=1)
        if outcome.kind in (FailureKind.AUTHENTICATION, FailureKind.QUOTA):
            raise TeacherRefused(f"{request.endpoint}: {outcome.kind}: {outcome.message}")
        return outcome

    async def samplers_at(self, round: int) -> tuple[SamplerPool, str]:
        """The samplers, started if need be and brought to the checkpoint of `round` (-1: the recipe's own) by a proven
        swap, with the version to ask them for."""
        if self.sampler is None:
            self.sampler = await start_samplers(self.recipe)
        version = version_of(round)
        if self._synced == version:
            return self.sampler, version
        checkpoint, file = self.checkpoint(round), self.files(round).probe
        if round >= 0 and file.exists():
            probe = load_probe(file)
        else:
            probe = await probe_in_own_process.remote(checkpoint, version, self.probe_prompts)
            if round >= 0:
                save_probe(probe, file)
        await self.sampler.sync(version, checkpoint, probe)
        self._synced = version
        return self.sampler, version

    async def stop_samplers(self) -> None:
        """Ends the samplers and gives their GPUs back. Nothing happens when none is up."""
        pool, self.sampler, self._synced = self.sampler, None, ""
        if pool is not None:
            await pool.shutdown()


def version_of(round: int) -> str:
    """The name of the weights at the end of `round` (-1: the recipe's own student)."""
    return f"round-{round:03d}" if round >= 0 else "base"


@ray.remote(num_cpus=0)
def probe_in_own_process(checkpoint: str, version: str, prompts: Sequence[str]) -> Probe:
    """`make_probe` in a process of its own: torch and the reference model stay out of the caller's."""
    from reasoning.probe import make_probe

    return make_probe(checkpoint, version, prompts)


async def gather_all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order. On the first failure the rest is cancelled and awaited, and that failure is raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
