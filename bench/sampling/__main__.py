"""The exam through the actors beside its peers, on the same student and questions, in one run.

    python -m bench.sampling [--student FOLDER] [--questions 150] [--turns 3] [--threads 1]

`exam` is a round's own: the real pool, one sampler that is an actor, and in this process what a run's coordinator does
meanwhile: prompts, seeds, grading, the log, the mistakes (for which the teacher has one word, at once), the table. Its
peers are each in a process of their own as well, with the same number of threads:

- `LLM.generate` of the same vLLM, given all prompts with the same sampling at once;
- the reference loop: `transformers`' `generate` in batches of four questions, four samples each, 128 tokens whatever is
  said, as the published code of Tailored Learning has it; on a part of the questions, since it takes its time.

Every turn asks questions of its own, the same to all, one peer after the other; the first is warm-up. Figures are
medians over turns of questions a second.
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
from bench.refusals import count
from bench.scaling.simulated import ExamSession, exam_recipe
from pipelines.run.cluster import connect
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.records import Problem
from reasoning.rounds.classroom import Answering
from reasoning.rounds.phases import exam
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.sampling import Sampling
from reasoning.tasks.loading import load_problems

EXAM, LLM_GENERATE, REFERENCE = "exam", "LLM.generate", "reference loop"
REFERENCE_BATCH = 4
NEW_TOKENS = 128


class BarePeer:
    """vLLM's `LLM`, as a script has it."""

    def __init__(self, settings: EngineSettings) -> None:
        prepare_process(settings)
        from vllm import LLM

        options = engine_options(settings)
        del options["worker_extension_cls"]
        self._llm = LLM(**options)

    def seconds(self, prompts: Sequence[str], samplings: Sequence[Sampling]) -> float:
        from vllm import SamplingParams

        parameters = [
            SamplingParams(
                n=one.samples,
                temperature=one.temperature,
                top_p=one.top_p,
                max_tokens=one.max_new_tokens,
                seed=one.seed,
                stop=list(one.stop),
            )
            for one in samplings
        ]
        began = time.perf_counter()
        self._llm.generate(list(prompts), parameters, use_tqdm=False)
        return time.perf_counter() - began


class ReferenceLoop:
    """`generate`, batch by batch, to the last token."""

    def __init__(self, student: str) -> None:
        from reasoning.student.checkpoint import load_student

        self._student = load_student(student)
        self._student.model.eval()

    def seconds(self, prompts: Sequence[str], samplings: Sequence[Sampling]) -> float:
        import torch

        model, tokenizer, sampling = self._student.model, self._student.tokenizer, samplings[0]
        tokenizer.padding_side = "left"
        began = time.perf_counter()
        for start in range(0, len(prompts), REFERENCE_BATCH):
            batch = list(prompts[start : start + REFERENCE_BATCH])
            inputs = tokenizer(batch, return_tensors="pt", padding=True, return_token_type_ids=False)
            with torch.inference_mode():
                model.generate(
                    **inputs,
                    do_sample=True,
                    temperature=sampling.temperature,
                    top_k=0,
                    top_p=sampling.top_p,
                    num_return_sequences=sampling.samples,
                    min_new_tokens=NEW_TOKENS,
                    max_new_tokens=NEW_TOKENS,
                )
        return time.perf_counter() - began


class Exams:
    """Exams by one sampler that is an actor."""

    def __init__(self, student: str, settings: EngineSettings, computing: dict[str, Any]) -> None:
        actor = ray.remote(VllmSampler).options(max_concurrency=1000, **computing)
        self._student, self._pool = student, SamplerPool([cast(ReplicaHandle, actor.remote(settings))])

    async def ready(self, problems: Sequence[Problem]) -> None:
        prompts = probe_prompts(run_prompts(exam_recipe()).form, problems)
        await self._pool.start()
        self._answering = await bring_to(self._pool, "student", self._student, prompts)

    async def seconds(self, problems: Sequence[Problem]) -> float:
        async def student() -> Answering:
            return self._answering

        with tempfile.TemporaryDirectory() as folder:
            classroom = ExamSession(Path(folder) / "run", problems, student)
            began = time.perf_counter()
            await exam(classroom, 1)
            return time.perf_counter() - began


async def measure(asked: argparse.Namespace) -> dict[str, list[float]]:
    """Questions a second of each, by turn; without the warm-up."""
    settings = EngineSettings(model=asked.student, dtype="float32")
    remote: Any = ray.remote
    # All three are there from the beginning, and two wait while one computes.
    computing: dict[str, Any] = {"num_cpus": 0.1, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(asked.threads)}}}
    peers = {
        LLM_GENERATE: remote(BarePeer).options(**computing).remote(settings),
        REFERENCE: remote(ReferenceLoop).options(**computing).remote(asked.student),
    }
    exams, recipe = Exams(asked.student, settings, computing), exam_recipe()
    section = recipe.task.model_copy(update={"train": asked.questions * (asked.turns + 1)})
    problems, form = load_problems(section, recipe.seed).train, run_prompts(recipe).form
    exam_section = recipe.learning.exam
    await exams.ready(problems)
    speeds: dict[str, list[float]] = {name: [] for name in (EXAM, *peers)}
    for turn in range(asked.turns + 1):
        questions = problems[turn * asked.questions : (turn + 1) * asked.questions]
        prompts = [form.prompt(problem.question) for problem in questions]
        samplings = [
            Sampling(exam_section.samples, exam_section.temperature, exam_section.top_p, NEW_TOKENS, number, form.stop)
            for number in range(len(questions))
        ]
        seconds = {EXAM: await exams.seconds(questions)}
        for name, peer in peers.items():
            part = min(asked.reference, len(questions)) if name == REFERENCE else len(questions)
            taken = await peer.seconds.remote(prompts[:part], samplings[:part])
            seconds[name] = taken * len(questions) / part
        if turn:
            for name, taken in seconds.items():
                speeds[name].append(len(questions) / taken)
            told = "  ".join(f"{name} {each[-1]:.2f}" for name, each in speeds.items())
            print(f"turn {turn}, questions/s:  {told}", flush=True)
    return speeds


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default=str(EMBEDDED_STUDENT), help="a Hugging Face folder; default: the embedded")
    parser.add_argument("--questions", type=count, default=150)
    parser.add_argument("--reference", type=count, default=16, help="questions that the reference loop is asked")
    parser.add_argument("--turns", type=count, default=3)
    parser.add_argument("--threads", type=count, default=1, help="of each process that computes")
    asked = parser.parse_args(arguments)
    connect(None)
    speeds = asyncio.run(measure(asked))
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    for name, each in speeds.items():
        print(f"{name:16s} {medians[name]:8.2f} questions/s   ({', '.join(f'{one:.2f}' for one in each)})")
    for name in (LLM_GENERATE, REFERENCE):
        print(f"exam over {name:16s} {medians[EXAM] / medians[name]:6.2f}")
    print(json.dumps({"questions_per_s": speeds, "threads": asked.threads, "questions": asked.questions}))


if __name__ == "__main__":
    main(sys.argv[1:])
