"""The whole method in one process: teacher, student and training, without Ray, HTTP or vLLM. Start reading here.

A run is a sequence of rounds, and a round is five phases. Each reads the files of the phases before it and writes its
own (`reasoning.rounds.phases`; source: Tailored Learning, arXiv 2310.13332):

1. `exam`: the student answers training questions by sampling. Wrong answers are its mistakes. Round 0 has no exam.
2. `feedback`: the teacher explains each mistake. In round 0 it answers questions without seeing any.
3. `select_examples`: correct rationales become positives, the student's wrong answers negatives.
4. `train`: the student of the round before is fine-tuned on these examples.
5. `evaluate` (`reasoning.rounds.evaluation`): the new student answers validation and test questions greedily.

`run_in_process` sets up a run, `run_phases` is the loop, `next_step` (`reasoning.rounds.phase_order`) says which phase
comes next and when to stop, and `perform` does it. A phase asks its student and its teacher through a classroom.
`InProcessClassroom` is the simplest one: it calls the offline teacher, samples the student with `transformers`, and
trains it here. A run on a cluster has the same loop and the same phases, and another classroom (`actors.classroom`).
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from reasoning.files.durable import new_folder
from reasoning.files.tables import read_table
from reasoning.offline.teacher import OfflineTeacher, Teacher
from reasoning.offline.word_tokens import count_tokens
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import Recipe
from reasoning.records import Example, ScoredAttempt
from reasoning.rounds.classroom import Answering, Classroom
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.epochs import claim_epochs
from reasoning.rounds.evaluation import EpochExams
from reasoning.rounds.phase_order import Finished, PhaseRecord, next_step
from reasoning.rounds.phases import perform
from reasoning.rounds.progress import Progress
from reasoning.student.checkpoint import load_student, save_student
from reasoning.student.generation import Generator
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.teacher.prices import NANO, Price
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.report import FineTuneReport

STATE = "state"  # beside the epochs: what their training goes on from


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a run may spend on its teacher: `tokens`, prompts and completions together, or `dollars` at a `price`. Round
    0 may take `first_share` of it (None: as much as any other round), the later rounds the rest in equal parts."""

    tokens: int | None = None
    dollars: float | None = None
    price: Price | None = None
    first_share: float | None = None

    def cost(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Of one request: tokens, or nanodollars."""
        if self.price is None:
            return prompt_tokens + completion_tokens
        return self.price.cost(prompt_tokens, completion_tokens)

    def up_to(self, round: int, rounds: int) -> float:
        """What may be spent by the end of `round` of 0..`rounds`."""
        whole = int(self.dollars * NANO) if self.dollars is not None else self.tokens
        if whole is None:
            return float("inf")
        if self.first_share is None:
            return whole * (round + 1) // (rounds + 1)
        return whole * (self.first_share + (1 - self.first_share) * (round / rounds if rounds else 1.0))


def run_in_process(
    recipe: Recipe,
    folder: Path,
    allowance: Allowance | None = None,
    kind: type[InProcessClassroom] | None = None,
    device: str = "cpu",
) -> tuple[list[PhaseRecord], InProcessClassroom]:
    """Runs `recipe` to its end in the new `folder`, with an `allowance` for its teacher and the student on `device`.
    Returns the finished phases and the classroom (of this `kind`), which knows what was spent."""
    disable_progress_bar()
    torch.manual_seed(recipe.seed)
    directory = RunDirectory(folder)
    directory.claim(recipe)
    data = load_problems(recipe.task, recipe.seed)
    classroom = (kind or InProcessClassroom)(recipe, directory, data, allowance, torch.device(device))
    return asyncio.run(run_phases(classroom)), classroom


async def run_phases(classroom: InProcessClassroom) -> list[PhaseRecord]:
    """Does one phase after another, from the first of round 0, until the recipe has nothing left to do."""
    done: list[PhaseRecord] = []
    learning = classroom.recipe.learning
    while not isinstance(step := next_step(done, learning.rounds, learning.patience), Finished):
        classroom.current_round = step.round
        started = time.monotonic()
        metrics = await perform(classroom, step.round, step.phase)
        done.append(PhaseRecord(step.round, step.phase, time.monotonic() - started, metrics))
        classroom.directory.append(done[-1])
    return done


class InProcessClassroom(Classroom):
    """Asks the offline teacher, samples the student with `transformers`, and trains it, all in this process.

    The allowance of a round is its share, and what earlier rounds left. A request that would exceed it fails as rate
    limited. `prompt_tokens` and `completion_tokens` count what was spent so far; the limit in force is that of
    `current_round`."""

    def __init__(
        self,
        recipe: Recipe,
        directory: RunDirectory,
        data: TaskData,
        allowance: Allowance | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(recipe, directory, data, run_prompts(recipe), Progress())
        self._device = device or torch.device("cpu")
        self._teacher: Teacher = OfflineTeacher(recipe.teacher.error_rate, recipe.seed)
        self._allowance = allowance or Allowance()
        self._student: tuple[str, _PromptBatcher] | None = None
        self._cost = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.current_round = 0

    @property
    def spent(self) -> int:
        """The teacher's tokens so far."""
        return self.prompt_tokens + self.completion_tokens

    # The teacher

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        content = request.messages[-1][1]
        (text,) = self._teacher.complete(content, 1, request.temperature or 0.0, request.sample)
        asked, answered = count_tokens(content), count_tokens(text)
        cost = self._allowance.cost(asked, answered)
        if self._cost + cost > self._allowance.up_to(self.current_round, self.recipe.learning.rounds):
            return TeacherFailure(request.key, FailureKind.RATE_LIMITED, "the budget of this round is spent", 0)
        self._cost += cost
        self.prompt_tokens += asked
        self.completion_tokens += answered
        return TeacherReply(request.key, text, "stop", asked, answered, request.model)

    # The student

    async def student_at(self, round: int) -> Answering:
        return self._answering(self.checkpoint(round))

    async def student_after(self, round: int, epoch: int) -> Answering:
        return self._answering(str(self.files(round).after(epoch).student))

    def _answering(self, checkpoint: str) -> Answering:
        """Loads the student at `checkpoint`, unless it is the one in memory; it answers in the recipe's dtype."""
        if self._student is None or self._student[0] != checkpoint:
            asked = self.recipe.student.dtype
            student = load_student(checkpoint, torch.float32 if asked == "auto" else getattr(torch, asked))
            student.model.to(self._device).eval()
            self._student = (checkpoint, _PromptBatcher(Generator(student)))
        return self._student[1].answer

    # Training

    async def fine_tune(self, round: int) -> FineTuneReport:
        learning, training, files = self.recipe.learning, self.training(round), self.files(round)
        student = load_student(self.checkpoint(round - 1), grow=self.recipe.student.grow_embeddings)
        scored = read_table(files.scores, ScoredAttempt) if files.scores.exists() else []
        run = FineTuning(
            student.model,
            student.tokenizer,
            read_table(files.examples, Example),
            training,
            learning.objective,
            self.recipe.seed + round,
            rank=0,
            world_size=1,
            dtype=self.recipe.student.dtype,
            frame=self.prompts.form.frame,
            device=self._device,
            scored=scored,
        )
        seconds, exams = 0.0, EpochExams(self, round, beside=True) if training.epoch == "best" else None
        if exams is not None:
            await self._go_on(run, exams, files)
        while run.passes < training.epochs:
            started = time.monotonic()
            run.learn_pass(run.passes, None)
            seconds += time.monotonic() - started
            if exams is not None:  # at once, so that the best one so far and the last are all that is kept
                if not await self.epoch_is_made(round, run.passes):
                    save_student(student.model, student.tokenizer, files.after(run.passes).student)
                with new_folder(files.epochs / STATE) as part:
                    run.save(part)
                await exams.sit(run.passes)
        save_student(student.model, student.tokenizer, files.student)
        shutil.rmtree(files.epochs / STATE, ignore_errors=True)
        return replace(run.report(), seconds=seconds)

    async def _go_on(self, run: FineTuning, exams: EpochExams, files: RoundFiles) -> None:
        """Takes `run` to where it had come to when it was killed, if it was."""
        claim_epochs(files, run.identity)
        if (files.epochs / STATE).exists():
            run.load(files.epochs / STATE)
        for epoch in range(1, run.passes + 1):
            await exams.sit(epoch)


class _PromptBatcher:
    """Batches prompts: answers all those that arrived in one turn of the event loop in one call of the generator."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._waiting: list[tuple[str, Sampling, asyncio.Future[list[Completion]]]] = []

    async def answer(self, prompt: str, sampling: Sampling) -> list[Completion]:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._answer_all)
        future: asyncio.Future[list[Completion]] = loop.create_future()
        self._waiting.append((prompt, sampling, future))
        return await future

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        answers = self._generator.answer([prompt for prompt, _, _ in waiting], [sampling for _, sampling, _ in waiting])
        for (_, _, future), completions in zip(waiting, answers, strict=True):
            future.set_result(completions)
