"""What the phases of a run share: its problems, its files, its prompts, and the way to ask student and teacher.

Owns: asking the teacher once per request, in one step or two. Who answers, and who trains, is for subclasses to say:
actors on a cluster (`actors.classroom`), or this very process.

Invariants
- A request to the teacher that is under way is never started again: every caller awaits the same task.
- Where a journal keeps the teacher's replies, only some of those that came ahead of their phase are held. Whoever
  wants another one asks again, which asks the journal, and counts once.
- The student answers with the checkpoint of the round it is asked for, and with no other.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from reasoning.prompts.run_prompts import RunPrompts
from reasoning.prompts.teacher_prompts import joined_reply
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.training import TrainingSection
from reasoning.rounds.asking import AnswersAhead, TokenIds, read_as_tokens
from reasoning.rounds.directory import ClaimedDirectory, RoundFiles, RunDirectory
from reasoning.rounds.epochs import drop, promote
from reasoning.rounds.phase_order import PhaseRecord
from reasoning.rounds.progress import Progress
from reasoning.rounds.requests import Ask, Group, Query, RequestBuilder, prompt_of
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import TaskData, spec_of
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.training.report import FineTuneReport

Answering = Callable[[str, Sampling], Awaitable[list[Completion]]]
T = TypeVar("T")


class TeacherRefused(RuntimeError):
    """The teacher cannot answer this run's questions. What it answered so far is in the journal; the same command
    continues from there once the cause is fixed."""


class TeacherSession(ABC):
    """A run as far as it needs its teacher alone: its files and prompts, and the way to ask. `held_replies`: how many
    that came ahead of their phase are held; None: all, since nothing else keeps them."""

    held_replies: int | None = None

    def __init__(
        self, recipe: Recipe, directory: RunDirectory, data: TaskData, prompts: RunPrompts, progress: Progress
    ) -> None:
        self.recipe = recipe
        self.directory = directory
        self.data = data
        self.prompts = prompts
        self.progress = progress
        self.pending: dict[str, asyncio.Task[Outcome]] = {}
        self._came: deque[str] = deque()  # the keys of requests that were asked ahead and are answered, oldest first
        self._let_go: set[int] = set()  # parts of the keys of those whose replies are no longer held
        self.train_by_id = {problem.id: problem for problem in data.train}

    @abstractmethod
    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        """The teacher's answer to one request; `first`: of the teacher of round 0's rationales."""

    async def token_ids(self, prompts: Sequence[str], texts: Sequence[str]) -> list[tuple[TokenIds, TokenIds]]:
        """Each prompt and the completion after it as this run's student reads them."""
        source, frame = self.recipe.student.source, self.prompts.form.frame
        return await asyncio.to_thread(read_as_tokens, source, prompts, texts, frame)

    async def record(self, directory: ClaimedDirectory[Any], record: PhaseRecord) -> None:
        """Records a finished phase, whose files are whole, in `directory`."""
        directory.append(record)

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

    @property
    def requests(self) -> RequestBuilder:
        """What this run asks its teacher."""
        return RequestBuilder(self.recipe, self.prompts, self.data.train, self.train_by_id)

    def start_asking(self, query: Query) -> asyncio.Task[Outcome]:
        """Starts (or joins) the teacher's answer to `query`."""
        return self.start_asking_together((query,))

    def start_asking_together(self, group: Group) -> asyncio.Task[Outcome]:
        """Starts (or joins) the teacher's answer to a whole `group`; how it is taken apart is for the caller."""
        return self._started(self.requests.of_group(group), group)

    def ask_ahead(self, group: Group) -> None:
        """Starts (or joins) the teacher's answer to `group`, whose phase comes later: its reply may be let go until
        then, where it is kept elsewhere."""
        request = self.requests.of_group(group)
        self._started(request, group).add_done_callback(lambda task: self._has_come(request.key, task))

    def _started(self, request: TeacherRequest, group: Group) -> asyncio.Task[Outcome]:
        if request.key not in self.pending:
            first, counts = group[0].ask is Ask.RATIONALES, self._is_new(request.key)
            if len(group) == 1:
                asking = self._ask(request, group[0], first=first, counts=counts)
            else:
                asking = self.ask_once(request, first=first, counts=counts)
            self.pending[request.key] = asyncio.create_task(asking)
        return self.pending[request.key]

    def _has_come(self, key: str, task: asyncio.Task[Outcome]) -> None:
        if task.cancelled() or task.exception() is not None or not isinstance(task.result(), TeacherReply):
            return
        self._came.append(key)
        if self.held_replies is not None and len(self._came) > self.held_replies:
            oldest = self._came.popleft()
            if self.pending.pop(oldest, None) is not None:
                self._let_go.add(_part_of(oldest))

    def _is_new(self, key: str) -> bool:
        """Whether a request was not counted yet."""
        return _part_of(key) not in self._let_go

    def phase_has_ended(self) -> None:
        """Forgets what was asked: what the phase made of it is written."""
        self.pending.clear()
        self._came.clear()
        self._let_go.clear()

    async def _ask(self, request: TeacherRequest, query: Query, *, first: bool, counts: bool) -> Outcome:
        reasoned = await self.ask_once(request, first=first, counts=counts)
        if prompt_of(self.prompts, query.ask).then is None or isinstance(reasoned, TeacherFailure):
            return reasoned
        answered = await self.ask_once(self.requests.second(query, reasoned.text), first=first, counts=counts)
        if isinstance(answered, TeacherFailure):
            return answered
        return replace(
            reasoned,
            text=joined_reply(reasoned.text, answered.text),
            finish_reason=reasoned.finish_reason if reasoned.truncated else answered.finish_reason,
            prompt_tokens=reasoned.prompt_tokens + answered.prompt_tokens,
            completion_tokens=reasoned.completion_tokens + answered.completion_tokens,
        )

    async def ask_once(self, request: TeacherRequest, *, first: bool, counts: bool = True) -> Outcome:
        """The teacher's answer to one request, told to whoever watches unless it was before (`counts`). Raises
        `TeacherRefused` where nothing more can be had."""
        if counts:
            self.progress.add(teacher_asked=1)
        outcome = await self.ask(request, first=first)
        if isinstance(outcome, TeacherReply):
            tokens = outcome.prompt_tokens + outcome.completion_tokens
            if counts:
                self.progress.add(teacher_answered=1, teacher_tokens_total=tokens)
            return outcome
        self.progress.fail(outcome.kind.value)
        if outcome.kind.ends_the_run:
            raise TeacherRefused(f"{request.endpoint}: {outcome.kind}: {outcome.message}")
        return outcome


class StudentSession(TeacherSession):
    """A run as far as it examines its student, too. `ahead` has the answers of the student that were asked for before
    their phase; where `asks_ahead`, whoever comes first is answered first, so that this delays nobody."""

    asks_ahead = False

    def __init__(
        self, recipe: Recipe, directory: RunDirectory, data: TaskData, prompts: RunPrompts, progress: Progress
    ) -> None:
        super().__init__(recipe, directory, data, prompts, progress)
        self.ahead = AnswersAhead()

    @abstractmethod
    async def student_at(self, round: int) -> Answering:
        """What asks the student with the checkpoint of `round` (-1: the recipe's own)."""


class Classroom(StudentSession):
    """A run with a teacher to ask and a student to examine and to train. `examined` has the tables of epochs' answers
    that this process has counted, and how many texts of each could not be graded."""

    def __init__(
        self, recipe: Recipe, directory: RunDirectory, data: TaskData, prompts: RunPrompts, progress: Progress
    ) -> None:
        super().__init__(recipe, directory, data, prompts, progress)
        self.examined: dict[Path, int] = {}

    @abstractmethod
    async def fine_tune(self, round: int) -> FineTuneReport:
        """Trains the checkpoint of the round before on the examples of `round`, into the student of `round`."""

    async def keep_epoch(self, round: int, best: int) -> None:
        """Makes the student of epoch `best` that of `round` (which is the last epoch's until then), and drops the
        others' weights. Done again after a crash at any point, it ends the same."""
        promote(self.files(round), best, self.training(round).epochs)

    async def stop_samplers(self) -> None:
        """Ends whatever answers for the student in processes of its own. Who asks next has it start anew."""

    async def epoch_is_made(self, round: int, epoch: int) -> bool:
        """Whether the student after `epoch` of the training of `round` can be examined, or was."""
        own = self.files(round).after(epoch)
        return own.student.exists() or own.evaluation.exists()

    async def drop_epoch(self, round: int, epoch: int) -> None:
        """Drops the weights after `epoch`, which another epoch has beaten. Done again, it ends the same."""
        drop(self.files(round), epoch)

    @abstractmethod
    async def student_after(self, round: int, epoch: int) -> Answering:
        """What asks the student as it was after `epoch` (from 1) of the training of `round`."""


def _part_of(key: str) -> int:
    """Enough of a request's key (hexadecimal) to know it by: a tenth of its memory."""
    return int(key[:15], 16)


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


async def do_all(work: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """Does all of `work`, `at_once` of it at a time, each begun when there is room for it. On the first failure the
    rest is cancelled and awaited, or never begun, and that failure is raised."""
    left = iter(work)

    async def some() -> None:
        for one in left:
            await one

    await gather_all(some() for _ in range(at_once))
