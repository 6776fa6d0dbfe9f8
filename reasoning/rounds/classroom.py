"""What the phases of a run share: its problems, its files, its prompts, and the way to ask student and teacher.

Owns: asking the teacher once per request, in one step or two. Who answers, and who trains, is for subclasses to say:
actors on a cluster (`actors.classroom`), or this very process.

Invariants
- A request to the teacher that is under way is never started again: whoever wants it awaits the same task.
- The student answers with the checkpoint of the round it is asked for, and with no other.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from reasoning.prompts.run_prompts import RunPrompts
from reasoning.prompts.teacher_prompts import Messages, TeacherPrompt, joined_reply
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.recipe.training import TrainingSection
from reasoning.records import Mistake, Problem
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import TaskData, spec_of
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.training.report import FineTuneReport

Answering = Callable[[str, Sampling], Awaitable[list[Completion]]]
T = TypeVar("T")


class TeacherRefused(RuntimeError):
    """The teacher cannot answer this run's questions. What it answered so far is in the journal; the same command
    goes on from there once the cause is mended."""


class Classroom(ABC):
    """One run's people and papers."""

    def __init__(
        self, recipe: Recipe, directory: RunDirectory, data: TaskData, prompts: RunPrompts, progress: Progress
    ) -> None:
        self.recipe = recipe
        self.directory = directory
        self.data = data
        self.prompts = prompts
        self.progress = progress
        self.pending: dict[str, asyncio.Task[Outcome]] = {}
        self.train_by_id = {problem.id: problem for problem in data.train}

    @abstractmethod
    async def student_at(self, round: int) -> Answering:
        """What asks the student with the checkpoint of `round` (-1: the recipe's own)."""

    @abstractmethod
    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        """The teacher's answer to one request; `first`: of the teacher of round 0's rationales."""

    @abstractmethod
    async def fine_tune(self, round: int) -> FineTuneReport:
        """Trains the checkpoint of the round before on the examples of `round`, into the student of `round`."""

    async def student_after(self, round: int, epoch: int) -> Answering:
        """What asks the student as it was after `epoch` (from 1) of the training of `round`."""
        raise NotImplementedError(f"{type(self).__name__} keeps no student of a single epoch")

    def turn_to(self, recipe: Recipe, directory: RunDirectory, prompts: RunPrompts) -> None:
        """Goes on with the papers of another run on the same problems, whose base student and teacher are the same."""
        self.recipe, self.directory, self.prompts = recipe, directory, prompts

    def training(self, round: int) -> TrainingSection:
        """How the training of `round` runs."""
        learning = self.recipe.learning
        return learning.training if round else learning.first_training

    @property
    def max_new_tokens(self) -> int:
        return self.recipe.student.max_new_tokens or spec_of(self.recipe.task).max_new_tokens

    def files(self, round: int) -> RoundFiles:
        return self.directory.round(round)

    def checkpoint(self, round: int) -> str:
        """The student at the end of `round`; before round 0, the recipe's own."""
        return str(self.files(round).student) if round >= 0 else self.recipe.student.source

    def ask_teacher(self, problem: Problem, mistake: Mistake | None, samples: int) -> list[asyncio.Task[Outcome]]:
        """Starts (or joins) the teacher's `samples` answers to a mistake, or to the bare question when it is None.

        Feedback that does not show the mistake is a further sample of the bare question's answer each round."""
        if mistake is None:
            return self.ask_samples(self.prompts.first, problem, None, samples, first=True)
        prompt = self.prompts.feedback
        if prompt.shows_mistake:
            return self.ask_samples(prompt, problem, mistake, samples, first=False)
        start = self.recipe.learning.first_rationales + (mistake.round - 1) * samples
        return self.ask_samples(prompt, problem, None, samples, first=False, start=start)

    def ask_samples(
        self,
        prompt: TeacherPrompt,
        problem: Problem,
        mistake: Mistake | None,
        samples: int,
        *,
        first: bool,
        start: int = 0,
    ) -> list[asyncio.Task[Outcome]]:
        """Starts (or joins) `samples` answers to `prompt`, numbered from `start`."""
        messages = prompt.first(problem, mistake)
        requests = [self._request(messages, n, first, prompt.count) for n in range(start, start + samples)]
        for request in requests:
            if request.key not in self.pending:
                asked = self._ask(request, prompt, problem, mistake, first)
                self.pending[request.key] = asyncio.create_task(asked)
        return [self.pending[request.key] for request in requests]

    def _request(self, messages: Messages, sample: int, first: bool, count: int = 1) -> TeacherRequest:
        section: TeacherSection = self.recipe.teacher.for_first if first else self.recipe.teacher
        return TeacherRequest(
            endpoint=section.name,
            model=section.model,
            messages=messages,
            temperature=section.temperature,
            max_tokens=section.max_tokens * count,  # of each of the new questions that it asks for
            sample=sample,
        )

    async def _ask(
        self, request: TeacherRequest, prompt: TeacherPrompt, problem: Problem, mistake: Mistake | None, first: bool
    ) -> Outcome:
        reasoned = await self._ask_once(request, first)
        if prompt.then is None or isinstance(reasoned, TeacherFailure):
            return reasoned
        asks_answer = self._request(prompt.second(problem, mistake, reasoned.text), request.sample, first)
        answered = await self._ask_once(asks_answer, first)
        if isinstance(answered, TeacherFailure):
            return answered
        return replace(
            reasoned,
            text=joined_reply(reasoned.text, answered.text),
            finish_reason=reasoned.finish_reason if reasoned.truncated else answered.finish_reason,
            prompt_tokens=reasoned.prompt_tokens + answered.prompt_tokens,
            completion_tokens=reasoned.completion_tokens + answered.completion_tokens,
        )

    async def _ask_once(self, request: TeacherRequest, first: bool) -> Outcome:
        self.progress.add(teacher_asked=1)
        outcome = await self.ask(request, first=first)
        if isinstance(outcome, TeacherReply):
            self.progress.add(
                teacher_answered=1, teacher_tokens_total=outcome.prompt_tokens + outcome.completion_tokens
            )
            return outcome
        self.progress.fail(outcome.kind.value)
        if outcome.kind.ends_the_run:
            raise TeacherRefused(f"{request.endpoint}: {outcome.kind}: {outcome.message}")
        return outcome


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
