"""What a round's data costs: exam and feedback together, over the longer of the two alone.

    python -m bench.round [--questions 300] [--in-flight 8 16 64] [--turns 1]

One sampler on vLLM (an actor, as in a run), the embedded student, the teacher pool as a run starts it (journal,
limiter, a worker), and a provider (`serve.provider`) in a process of its own that takes 50 to 500 ms for an answer.
Three measurements of the same questions, in turns: the exam with a teacher that says one word at once; the feedback on
its mistakes, which are all there; and a round's exam and feedback as they are. A measurement's journal is new, and the
sampler's prefix cache is empty at its beginning. `--in-flight` is how many requests the teacher takes at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import ray

from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle
from actors.sampler.sync import bring_to, probe_prompts
from actors.sampler.vllm import VllmSampler
from actors.starting import close_journal, start_journal, start_pool
from actors.teacher.pool import TeacherPool
from bench.refusals import count
from bench.scaling.simulated import VERSION, ExamSession
from pipelines.run.cluster import connect
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.tailored import Recipe, parse_recipe
from reasoning.rounds.classroom import Answering
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phases import exam
from reasoning.student.engine import EngineSettings
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import Outcome, TeacherReply, TeacherRequest
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import ProviderProcess

LATENCY = LatencyArgs(kind="uniform", median_s=0.275, spread=9 / 11)  # 50 to 500 ms
RECIPE = """
name: round
task: {{name: coin_flip, source: generated, train: {questions}, validation: 2, test: 2}}
student: {{max_new_tokens: 128}}
teacher: {{kind: openai, model: faulty-teacher, base_url: "{url}", api_key_env: null, max_in_flight: {in_flight}}}
learning: {{rationales_per_mistake: 2, exam: {{samples: 4}}}}
"""


class RoundClassroom(ExamSession):
    """A round whose teacher is asked for real."""

    teacher: TeacherPool | None = None  # None: it says one word, at once

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        if self.teacher is None:
            return TeacherReply(request.key, "Answer: yes", "stop", 1, 1, VERSION)
        return await self.teacher.ask(request)


class Rounds:
    """Exams and feedback by one sampler that is an actor."""

    def __init__(self, recipe: Recipe) -> None:
        settings = EngineSettings(model=str(EMBEDDED_STUDENT), dtype="float32")
        actor = ray.remote(VllmSampler).options(num_cpus=1, max_concurrency=1000)
        self._pool = SamplerPool([cast(ReplicaHandle, actor.remote(settings))])
        self._problems = load_problems(recipe.task, recipe.seed).train
        self._syncs = 0

    async def student(self, recipe: Recipe) -> Answering:
        """The student, its prefix cache empty."""
        self._syncs += 1
        prompts = probe_prompts(run_prompts(recipe).form, self._problems)
        return await bring_to(self._pool, f"sync {self._syncs}", str(EMBEDDED_STUDENT), prompts)

    async def start(self) -> None:
        await self._pool.start()

    async def exam_alone(self, recipe: Recipe, folder: Path) -> float:
        classroom = self._classroom(recipe, folder, await self.student(recipe))
        return await _timed(exam(classroom, 1))

    async def feedback_alone(self, recipe: Recipe, folder: Path) -> float:
        """On the mistakes of the exam in `folder`."""
        return await self._with_teacher(self._classroom(recipe, folder, None), folder / "alone.sqlite", exams=False)

    async def together(self, recipe: Recipe, folder: Path) -> float:
        classroom = self._classroom(recipe, folder, await self.student(recipe))
        return await self._with_teacher(classroom, folder / "together.sqlite", exams=True)

    async def _with_teacher(self, classroom: RoundClassroom, journal_file: Path, exams: bool) -> float:
        journal = start_journal(journal_file)
        settings = classroom.recipe.teacher.settings()
        classroom.teacher = start_pool(settings, journal, classroom.recipe.teacher.workers)
        await classroom.teacher.progress()  # its workers are up

        async def round() -> None:
            if exams:
                await exam(classroom, 1)
            await feedback(classroom, 1)

        seconds = await _timed(round())
        await classroom.teacher.close()
        await close_journal(journal)
        return seconds

    def _classroom(self, recipe: Recipe, folder: Path, answering: Answering | None) -> RoundClassroom:
        async def student() -> Answering:
            assert answering is not None
            return answering

        return RoundClassroom(folder, self._problems, student, recipe)


async def _timed(work: Any) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def measure(asked: argparse.Namespace, url: str) -> list[dict[str, float]]:
    """A row for each number of requests in flight: medians over turns."""
    recipes = {
        number: parse_recipe(RECIPE.format(questions=asked.questions, url=url, in_flight=number), "bench.round")
        for number in asked.in_flight
    }
    rounds = Rounds(next(iter(recipes.values())))
    await rounds.start()
    rows = []
    for number, recipe in recipes.items():
        turns: list[dict[str, float]] = []
        for _ in range(asked.turns):
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
                exam_s = await rounds.exam_alone(recipe, Path(one))
                feedback_s = await rounds.feedback_alone(recipe, Path(one))
                both_s = await rounds.together(recipe, Path(two))
            turns.append({"exam_s": exam_s, "feedback_s": feedback_s, "both_s": both_s})
        row = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
        row |= {"in_flight": number, "ratio": row["both_s"] / max(row["exam_s"], row["feedback_s"])}
        rows.append(row)
        print(
            f"{number:4d} in flight: exam {row['exam_s']:6.1f} s, feedback {row['feedback_s']:6.1f} s, "
            f"together {row['both_s']:6.1f} s: {row['ratio']:.2f} of the longer",
            flush=True,
        )
    return rows


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=count, default=300)
    parser.add_argument("--in-flight", type=count, nargs="+", default=[8, 16, 64])
    parser.add_argument("--turns", type=count, default=1)
    asked = parser.parse_args(arguments)
    connect(None)
    with ProviderProcess(ProviderArgs(latency=LATENCY)) as provider:
        print(json.dumps(asyncio.run(measure(asked, f"http://127.0.0.1:{provider.port}/v1"))))


if __name__ == "__main__":
    main(sys.argv[1:])
