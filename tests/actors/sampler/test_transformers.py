"""The sampler on `transformers` keeps the rules of every sampler, and answers many at once without mixing them up.

Most of it runs in this process: an actor's class is a class. (torch is imported in functions: actors of other tests
import this folder.)"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors.sampler.pool import SamplerPool
from actors.sampler.transformers import TransformersSampler
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, make_probe
from reasoning.student.sampling import Completion, PromptRefused, Sampling, StaleWeights, SyncFailed

pytestmark = pytest.mark.training

PROMPTS = [f"Question: {i} apples and {i * 7 % 5} pears?\nReasoning:" for i in range(20)]
GREEDY = Sampling(max_new_tokens=12)
EXAM = Sampling(samples=4, temperature=1.5, max_new_tokens=12, seed=1)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two T5, and a decoder."""
    from reasoning.student.checkpoint import save_student
    from tests.ascii_students import ascii_student
    from tests.tiny_t5 import tiny_t5_student

    root = tmp_path_factory.mktemp("students")
    students = {
        "A": tiny_t5_student(seed=0, tied=False, initializer_factor=2.0),
        "B": tiny_t5_student(seed=1, tied=False, initializer_factor=2.0),
        "decoder": ascii_student(seed=0),
    }
    for name, student in students.items():
        save_student(student.model, student.tokenizer, root / name)
    return {name: str(root / name) for name in students}


@pytest.fixture(scope="module")
def probes(checkpoints: dict[str, str]) -> dict[str, Probe]:
    return {name: make_probe(checkpoints[name], name, PROMPTS[:4]) for name in checkpoints}


def expected(checkpoint: str, prompts: list[str], sampling: Sampling) -> list[list[Completion]]:
    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator

    return Generator(load_student(checkpoint)).answer(prompts, sampling)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def started(checkpoint: str, **settings: Any) -> TransformersSampler:
    sampler = TransformersSampler(EngineSettings(model=checkpoint, **settings))
    await sampler.start()
    return sampler


async def ask(sampler: Any, version: str, prompts: list[str], sampling: Sampling) -> list[list[Completion]]:
    return list(await asyncio.gather(*(sampler.answer(version, prompt, sampling) for prompt in prompts)))


def test_it_answers_with_the_version_it_was_asked_for_or_not_at_all(
    checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    async def exam() -> None:
        sampler = TransformersSampler(EngineSettings(model=checkpoints["A"]))
        with pytest.raises(SyncFailed, match="not been started"):
            await sampler.sync("A", checkpoints["A"], probes["A"])
        await sampler.start()
        with pytest.raises(StaleWeights, match="not been synced"):
            await sampler.answer("A", PROMPTS[0], GREEDY)
        for name in ("A", "B", "decoder"):
            report = await sampler.sync(name, checkpoints[name], probes[name])
            assert report.ok
            assert await sampler.sync(name, checkpoints[name], probes[name]) is report
            assert await ask(sampler, name, PROMPTS, EXAM) == expected(checkpoints[name], PROMPTS, EXAM)
        with pytest.raises(StaleWeights, match="'decoder'"):
            await sampler.answer("A", PROMPTS[0], GREEDY)
        await sampler.shutdown()
        assert await sampler.version() == ""

    run(exam())


def test_other_weights_and_missing_ones_leave_it_stale(
    checkpoints: dict[str, str], probes: dict[str, Probe], tmp_path: Path
) -> None:
    async def exam() -> None:
        sampler = await started(checkpoints["A"])
        await sampler.sync("A", checkpoints["A"], probes["A"])
        with pytest.raises(SyncFailed, match="the probe failed after the weight swap"):
            await sampler.sync("A2", checkpoints["B"], probes["A"])
        with pytest.raises(StaleWeights):
            await sampler.answer("A", PROMPTS[0], GREEDY)
        with pytest.raises(SyncFailed, match="nowhere"):
            await sampler.sync("A", str(tmp_path / "nowhere"), probes["A"])
        assert await sampler.version() == ""
        assert (await sampler.sync("A", checkpoints["A"], probes["A"])).ok
        await sampler.shutdown()

    run(exam())


def test_answers_of_all_kinds_at_once_reach_those_who_asked(
    checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    kinds = [GREEDY, EXAM, Sampling(samples=2, temperature=0.7, top_p=0.8, max_new_tokens=5, seed=3)]

    async def exam() -> list[list[Completion]]:
        sampler = await started(checkpoints["A"])
        await sampler.sync("A", checkpoints["A"], probes["A"])
        asked = [sampler.answer("A", prompt, kinds[i % 3]) for i, prompt in enumerate(PROMPTS)]
        said = list(await asyncio.gather(*asked))
        await sampler.shutdown()
        return said

    said = run(exam())
    for i, kind in enumerate(kinds):
        assert said[i::3] == expected(checkpoints["A"], PROMPTS[i::3], kind)


def test_a_refused_prompt_and_an_asker_who_left_harm_nobody(
    checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    async def exam() -> list[list[Completion]]:
        sampler = await started(checkpoints["decoder"], max_model_len=100)
        await sampler.sync("decoder", checkpoints["decoder"], probes["decoder"])
        left = [asyncio.ensure_future(sampler.answer("decoder", prompt, EXAM)) for prompt in PROMPTS]
        await asyncio.sleep(0)
        stay = [asyncio.ensure_future(sampler.answer("decoder", prompt, GREEDY)) for prompt in PROMPTS]
        with pytest.raises(PromptRefused, match="context of 100"):
            await sampler.answer("decoder", "x" * 100, GREEDY)
        for one in left:
            one.cancel()
        said = list(await asyncio.gather(*stay))
        assert (await sampler.sync("decoder again", checkpoints["decoder"], probes["decoder"])).ok
        await sampler.shutdown()
        return said

    assert run(exam()) == expected(checkpoints["decoder"], PROMPTS, GREEDY)


def test_the_event_loop_goes_on_while_the_student_writes(checkpoints: dict[str, str], probes: dict[str, Probe]) -> None:
    async def exam() -> None:
        sampler = await started(checkpoints["A"])
        await sampler.sync("A", checkpoints["A"], probes["A"])
        long = Sampling(samples=8, temperature=1.0, max_new_tokens=80, seed=0)
        writing = asyncio.ensure_future(ask(sampler, "A", PROMPTS, long))
        turns = 0
        while not writing.done():
            assert await sampler.version() == "A"
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 5
        await sampler.shutdown()

    run(exam())


def test_an_error_while_writing_is_the_askers_to_see(checkpoints: dict[str, str], probes: dict[str, Probe]) -> None:
    async def exam() -> None:
        sampler = await started(checkpoints["A"])
        await sampler.sync("A", checkpoints["A"], probes["A"])
        with pytest.raises(AttributeError):
            await sampler.answer("A", PROMPTS[0], Sampling(stop=(1,)))  # type: ignore[arg-type]
        assert await ask(sampler, "A", PROMPTS[:2], GREEDY) == expected(checkpoints["A"], PROMPTS[:2], GREEDY)
        await sampler.shutdown()

    run(exam())


class Mortal(TransformersSampler):
    """One that tells its process."""

    async def process(self) -> int:
        return os.getpid()


@pytest.fixture
def replica(ray_cluster: None, checkpoints: dict[str, str]) -> Any:
    import ray

    settings = EngineSettings(model=checkpoints["A"])
    handle = ray.remote(Mortal).options(num_cpus=0.5, max_restarts=1, max_concurrency=1000).remote(settings)
    yield handle
    ray.kill(handle)


@pytest.mark.slow
def test_a_pool_brings_a_killed_replica_back_and_loses_no_request(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    """About 20 s on two cores: the libraries are imported by two processes, one after the other."""
    sampling = Sampling(samples=8, temperature=1.0, max_new_tokens=100, seed=0)

    async def exam() -> list[list[Completion]]:
        pool = SamplerPool([replica])
        await pool.start()
        (report,) = await pool.sync("A", checkpoints["A"], probes["A"])
        assert report.ok
        answers = asyncio.ensure_future(ask(pool, "A", PROMPTS, sampling))
        process = await replica.process.remote()
        os.kill(process, 9)
        said = await answers
        assert await replica.process.remote() != process
        await pool.shutdown()
        return said

    assert run(exam()) == expected(checkpoints["A"], PROMPTS, sampling)
