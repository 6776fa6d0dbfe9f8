"""A student without weights and a teacher without words: what is measured is everything around them.

Owns: an engine of fixed latency behind the real replica, and a classroom that sits the real exam with it.

Invariant: a question's completions depend on the question and the sample alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from actors.classroom import ClusterClassroom
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import SamplerReplica
from reasoning.files.resources import resource
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import Recipe, load_recipe
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.classroom import Answering, StudentSession
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.progress import Progress
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import TaskData
from reasoning.teacher.calls import Outcome, TeacherReply, TeacherRequest

VERSION = "simulated"
PROBE = Probe(VERSION, "float32", (), (), (), ())
STEP = "The coin is heads up. {name} flips the coin, so that it is now tails up. "
TOKENS = 100


class SimulatedReplica(SamplerReplica):
    """An engine that makes `at_once` completions at a time, each in `latency_s`, and answers so that `right` of them
    are right."""

    def __init__(self, at_once: int, latency_s: float, right: float = 1.0) -> None:
        super().__init__(EngineSettings(model=VERSION))
        self._seats, self._latency_s, self._right = at_once, latency_s, right
        self._free = asyncio.Semaphore(at_once)

    async def _start(self) -> None:
        """There is nothing to start."""

    async def _load(self, version: str, checkpoint: str) -> None:
        """There is nothing to load."""

    async def _prove(self, probe: Probe) -> ProbeReport:
        return ProbeReport(True, "")

    async def _stop(self) -> None:
        """There is nothing to stop."""

    def _is_death(self, error: Exception) -> bool:
        return False

    def _at_once(self) -> int:
        return self._seats

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        if not self._latency_s:
            await asyncio.sleep(0)  # others have their turn
            return [self._one(prompt, number) for number in range(sampling.samples)]
        return list(await asyncio.gather(*(self._timed(prompt, number) for number in range(sampling.samples))))

    async def _timed(self, prompt: str, number: int) -> Completion:
        async with self._free:
            await asyncio.sleep(self._latency_s)
        return self._one(prompt, number)

    def _one(self, prompt: str, number: int) -> Completion:
        drawn = hashlib.blake2b(f"{prompt} {number}".encode(), digest_size=4).digest()
        right = int.from_bytes(drawn) < self._right * 2**32
        steps = "".join(STEP.format(name=f"Person {one}") for one in range(5))
        return Completion(f"{steps}Answer: {'yes' if right else f'no {number}'}", True, TOKENS)


class ExamSession(StudentSession):
    """Sits the exam of round 1 on all of `problems` with whom `student` brings; its teacher says one word, at once."""

    held_replies = ClusterClassroom.held_replies

    def __init__(
        self,
        folder: Path,
        problems: Sequence[Problem],
        student: Callable[[], Awaitable[Answering]],
        recipe: Recipe | None = None,
    ) -> None:
        recipe = recipe or exam_recipe()
        data = TaskData(tuple(problems), (), ())
        super().__init__(recipe, RunDirectory(folder), data, run_prompts(recipe), Progress())
        self._student = student
        self.files(1).folder.mkdir(parents=True, exist_ok=True)

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        return TeacherReply(request.key, "Answer: yes", "stop", 1, 1, VERSION)

    async def student_at(self, round: int) -> Answering:
        return await self._student()


def simulated_classroom(folder: Path, questions: int, pool: SamplerPool) -> ExamSession:
    """A classroom for samplers that are simulated, with so many questions of its own making."""

    async def answer(prompt: str, sampling: Sampling) -> list[Completion]:
        return await pool.answer(VERSION, prompt, sampling)

    async def student() -> Answering:
        await pool.sync(VERSION, VERSION, PROBE)
        return answer

    asked = (
        Problem(VERSION, f"Is number {number} even or odd, or is it not?", "yes", AnswerKind.YES_NO, Split.TRAIN)
        for number in range(questions)
    )
    return ExamSession(folder, list(asked), student)


def exam_recipe() -> Recipe:
    """The quickstart recipe with an exam of all questions, of which each mistake is shown to the teacher."""
    recipe = load_recipe(resource("recipes", "quickstart.yaml"))
    exam = recipe.learning.exam.model_copy(update={"questions": None})
    learning = recipe.learning.model_copy(update={"exam": exam, "help": "tailored", "ladder": None})
    return recipe.model_copy(update={"learning": learning})
