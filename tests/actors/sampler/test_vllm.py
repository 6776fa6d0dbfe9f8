"""The sampler on vLLM answers with the weights it was asked for, proven, on a real engine.

Slow parts (about 25 s each on two cores): the engine starts once for the module, once after its process was killed,
and once for each of two students with another vocabulary. (torch is imported in functions: every actor here imports
this module.)"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.sampler.pool import SamplerPool
from actors.sampler.vllm import VllmSampler
from reasoning.prompts.student_forms import student_prompt
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, make_probe
from reasoning.student.sampling import Completion, PromptRefused, Sampling, StaleWeights, SyncFailed

PROMPTS = [f"Question: {i} apples and {i * 7 % 5} pears?\nReasoning:" for i in range(20)]
GREEDY = Sampling(max_new_tokens=24)


class Switchable(VllmSampler):
    """A sampler whose cure for tied embeddings on CPU can be switched off, and that tells its engine's process."""

    cured = True

    async def set_cured(self, cured: bool) -> None:
        self.cured = cured

    async def _take_weights(self, checkpoint: str) -> None:
        if self.cured:
            await super()._take_weights(checkpoint)
        else:
            await self._engine.collective_rpc("reload_weights", kwargs={"weights_path": checkpoint})

    async def process(self) -> int:
        return os.getpid()

    async def engine_processes(self) -> list[int]:
        return [
            child.pid for child in psutil.Process().children() if "resource_tracker" not in " ".join(child.cmdline())
        ]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tied students A and B, and an untied one whose vocabulary has grown by a padding token."""
    from reasoning.student.checkpoint import add_missing_pad_token, save_student
    from tests.ascii_students import ascii_student

    root = tmp_path_factory.mktemp("students")
    grown = ascii_student(seed=2, pad=False)
    assert add_missing_pad_token(grown.model, grown.tokenizer)
    students = {"A": ascii_student(seed=0, tied=True, pad=False), "B": ascii_student(seed=1, tied=True, pad=False)}
    students["grown"] = grown
    students["thinking"] = _thinking_student()
    for name, student in students.items():
        save_student(student.model, student.tokenizer, root / name)
    return {name: str(root / name) for name in students}


def _thinking_student() -> Any:
    """Its marks of thinking are special tokens, which it writes where it would write two of its commonest letters."""
    from collections import Counter

    import torch

    from reasoning.student.generation import Generator
    from tests.ascii_students import ascii_student

    student = ascii_student(seed=3)
    said = Generator(student).answer(PROMPTS, GREEDY)
    letters = Counter("".join(completion.text for (completion,) in said)).most_common(2)
    student.tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|im_end|>"]})
    student.model.resize_token_embeddings(len(student.tokenizer))
    with torch.no_grad():
        head = student.model.get_output_embeddings().weight
        head[258:] = 0.0
        for mark, (letter, _) in zip(("[THINK]", "[/THINK]"), letters, strict=True):
            head[student.tokenizer.convert_tokens_to_ids(mark)] = 1.1 * head[student.tokenizer(letter).input_ids[0]]
    return student


@pytest.fixture(scope="module")
def probes(checkpoints: dict[str, str]) -> dict[str, Probe]:
    return {name: make_probe(checkpoints[name], name, PROMPTS[:4]) for name in ("A", "B", "grown")}


@pytest.fixture(scope="module")
def replica(ray_cluster: None, checkpoints: dict[str, str]) -> Iterator[Any]:
    import ray

    settings = EngineSettings(model=checkpoints["A"], max_model_len=512, kv_cache_gib=0.25)
    handle = ray.remote(Switchable).options(num_cpus=1, max_restarts=2, max_concurrency=1000).remote(settings)
    ray.get(handle.start.remote())
    yield handle
    engines = ray.get(handle.engine_processes.remote())
    ray.kill(handle)
    deadline = time.monotonic() + 20
    while any(map(is_running, engines)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert engines and not any(map(is_running, engines)), "an engine outlived its actor"


def expected_texts(checkpoint: str) -> list[str]:
    """What `transformers` says."""
    from tests.ascii_students import greedy_texts

    return greedy_texts(checkpoint, PROMPTS, GREEDY.max_new_tokens)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def ask(target: Any, version: str, prompts: list[str], sampling: Sampling) -> list[list[Completion]]:
    call = target.answer if isinstance(target, SamplerPool) else target.answer.remote
    return list(await asyncio.gather(*(call(version, prompt, sampling) for prompt in prompts)))


@pytest.mark.engine
def test_unsynced_replica_answers_nothing(replica: Any) -> None:
    import ray

    with pytest.raises(StaleWeights, match="not been synced") as caught:
        ray.get(replica.answer.remote("A", PROMPTS[0], GREEDY))
    assert (caught.value.asked, caught.value.held) == ("A", "")


@pytest.mark.engine
def test_tied_student_answers_with_its_new_weights_and_the_probe_refutes_the_stale_head(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    assert ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"])).ok
    ray.get(replica.answer.remote("A", PROMPTS[0], GREEDY))  # fills the prefix cache with A's keys and values
    ray.get(replica.set_cured.remote(False))
    with pytest.raises(SyncFailed, match="the probe failed after the weight swap"):
        ray.get(replica.sync.remote("B", checkpoints["B"], probes["B"]))
    assert ray.get(replica.version.remote()) == ""
    with pytest.raises(StaleWeights):
        ray.get(replica.answer.remote("A", PROMPTS[0], GREEDY))

    ray.get(replica.set_cured.remote(True))
    report = ray.get(replica.sync.remote("B", checkpoints["B"], probes["B"]))
    assert report.ok
    assert ray.get(replica.sync.remote("B", checkpoints["B"], probes["B"])) == report
    answers = run(ask(replica, "B", PROMPTS, GREEDY))
    assert [completion.text for (completion,) in answers] == expected_texts(checkpoints["B"])
    assert not any(completion.complete for (completion,) in answers if completion.tokens == 24)


@pytest.mark.engine
def test_wrong_weights_and_missing_ones_are_refused(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe], tmp_path: Path
) -> None:
    import ray

    with pytest.raises(SyncFailed, match="the probe failed after the weight swap"):
        ray.get(replica.sync.remote("A", checkpoints["B"], probes["A"]))
    with pytest.raises(SyncFailed, match="nowhere"):
        ray.get(replica.sync.remote("A", str(tmp_path / "nowhere"), probes["A"]))
    assert ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"])).ok


@pytest.mark.engine
def test_an_exam_can_be_repeated(replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]) -> None:
    import ray

    ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"]))
    exam = Sampling(samples=4, temperature=0.7, max_new_tokens=16, seed=1)
    first, again = run(ask(replica, "A", PROMPTS, exam)), run(ask(replica, "A", PROMPTS[::-1], exam))[::-1]
    assert first == again
    other = run(ask(replica, "A", PROMPTS, Sampling(samples=4, temperature=0.7, max_new_tokens=16, seed=2)))
    assert first != other
    assert all(len({completion.text for completion in four}) > 1 for four in first)


@pytest.mark.engine
def test_many_long_seeded_prompts_at_once(replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]) -> None:
    """More prompt tokens than one engine step takes: prompts prefilled in pieces would kill a CPU engine here."""
    import ray

    ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"]))
    prompts = [f"{i}{'x' * 470}" for i in range(24)]
    answers = run(ask(replica, "A", prompts, Sampling(samples=2, temperature=0.7, max_new_tokens=8, seed=0)))
    assert [len(two) for two in answers] == [2] * 24
    with pytest.raises(PromptRefused, match="512"):
        ray.get(replica.answer.remote("A", "y" * 600, GREEDY))


@pytest.mark.engine
def test_samples_of_a_prompt_and_prompts_with_a_common_beginning_share_the_prefix_cache(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    two = Sampling(samples=2, temperature=0.7, max_new_tokens=8, seed=0)
    for version in ("B", "A"):
        ray.get(replica.sync.remote(version, checkpoints[version], probes[version]))
        assert ray.get(replica.prefix_hits.remote()) is None  # a new version finds nothing of the one before
        run(ask(replica, version, [f"{i}{'x' * 400}" for i in range(4)], two))
        assert ray.get(replica.prefix_hits.remote()) > 0.8
    ray.get(replica.sync.remote("B", checkpoints["B"], probes["B"]))
    run(ask(replica, "B", [f"{'x' * 400}{i}" for i in range(8)], GREEDY))
    assert 0.5 < ray.get(replica.prefix_hits.remote()) < 1.0


@pytest.mark.engine
def test_stop_ends_an_answer_and_the_limit_cuts_it(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"]))
    (whole,) = ray.get(replica.answer.remote("A", PROMPTS[0], GREEDY))
    assert not whole.complete and whole.tokens == 24
    stop = next(character for character in whole.text[4:] if character.isascii())
    (stopped,) = ray.get(replica.answer.remote("A", PROMPTS[0], Sampling(max_new_tokens=24, stop=(stop,))))
    assert stopped.complete and stopped.text == whole.text.partition(stop)[0]


@pytest.mark.engine
def test_both_back_ends_read_and_end_a_chat_alike(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    """A question that spells special tokens, and an end that the template writes and the model's files do not name."""
    import ray

    from reasoning.prompts.frame import Frame
    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator

    ray.get(replica.sync.remote("A", checkpoints["A"], probes["A"]))
    generator = Generator(load_student(checkpoints["A"]))
    questions = [f"{i} apples</s>?" for i in range(6)]
    (unended,) = generator.answer([questions[0]], GREEDY)[0]
    frame = Frame("</s>", "</s>", ((0, 4),), ((0, 4),), end=unended.text[3], opening=False)
    prompts = [f"</s>{question}</s>" for question in questions]
    samplings = [Sampling(max_new_tokens=24, marks=frame.marks(prompt)) for prompt in prompts]
    said = [ray.get(replica.answer.remote("A", *asked)) for asked in zip(prompts, samplings, strict=True)]
    assert said == generator.answer(prompts, samplings)
    assert {completion.complete for (completion,) in said} == {True, False}
    with pytest.raises(PromptRefused, match="512"):
        ray.get(replica.answer.remote("A", "y" * 600, samplings[0]))


@pytest.mark.engine
def test_both_back_ends_keep_the_marks_of_thinking(replica: Any, checkpoints: dict[str, str]) -> None:
    """They are special tokens, which are otherwise left out of a text."""
    import ray

    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator

    probe = make_probe(checkpoints["thinking"], "thinking", PROMPTS[:4])
    assert ray.get(replica.sync.remote("thinking", checkpoints["thinking"], probe)).ok
    generator = Generator(load_student(checkpoints["thinking"]))
    said = run(ask(replica, "thinking", PROMPTS, GREEDY))
    assert said == generator.answer(PROMPTS, GREEDY)
    assert any("[THINK]" in completion.text for (completion,) in said)


@pytest.mark.slow
@pytest.mark.engine
def test_killed_engine_comes_back_synced_and_no_request_is_lost(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    async def exam() -> tuple[list[list[Completion]], list[list[Completion]]]:
        pool = SamplerPool([replica])
        await pool.sync("B", checkpoints["B"], probes["B"])
        sampling = Sampling(samples=4, temperature=0.7, max_new_tokens=200, seed=3)
        expected = await ask(pool, "B", PROMPTS, sampling)
        answers = asyncio.gather(*(pool.answer("B", prompt, sampling) for prompt in PROMPTS))
        (engine,) = await replica.engine_processes.remote()
        os.kill(engine, signal.SIGKILL)
        return expected, await answers

    expected, answers = run(exam())
    assert answers == expected
    assert ray.get(replica.version.remote()) == "B"


@pytest.mark.slow
@pytest.mark.engine
def test_an_engine_that_is_killed_while_it_starts_is_started_again(
    ray_cluster: None, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    settings = EngineSettings(model=checkpoints["A"], max_model_len=512, kv_cache_gib=0.25)
    handle: Any = ray.remote(Switchable).options(num_cpus=1, max_restarts=3, max_concurrency=1000).remote(settings)

    async def kill_the_first() -> None:
        actor = psutil.Process(await handle.process.remote())
        while True:
            for child in actor.children():
                if "EngineCore" in " ".join(child.cmdline()):
                    child.kill()
                    return
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        pool = SamplerPool([handle])
        killing = asyncio.create_task(kill_the_first())
        (report,) = await pool.sync("A", checkpoints["A"], probes["A"])
        await asyncio.wait_for(killing, 1)
        assert report.ok and len(await ask(pool, "A", PROMPTS, GREEDY)) == len(PROMPTS)
        await pool.shutdown()

    run(asyncio.wait_for(scenario(), 300))


@pytest.mark.slow
@pytest.mark.engine
def test_an_engine_that_cannot_start_says_why(ray_cluster: None, checkpoints: dict[str, str]) -> None:
    import ray

    settings = EngineSettings(model=checkpoints["A"], max_model_len=512, kv_cache_gib=1e-6)
    handle: Any = ray.remote(Switchable).options(num_cpus=1, max_restarts=3, max_concurrency=1000).remote(settings)
    with pytest.raises(RuntimeError, match="the student's engine did not start: ValueError: "):
        ray.get(handle.start.remote())
    ray.kill(handle)


@pytest.mark.engine
def test_student_with_a_new_padding_token_is_taken_on(
    replica: Any, checkpoints: dict[str, str], probes: dict[str, Probe]
) -> None:
    import ray

    assert ray.get(replica.sync.remote("grown", checkpoints["grown"], probes["grown"])).ok
    answers = run(ask(replica, "grown", PROMPTS, GREEDY))
    assert [completion.text for (completion,) in answers] == expected_texts(checkpoints["grown"])


@pytest.mark.engine
def test_both_back_ends_say_the_same_for_the_embedded_student(replica: Any, embedded_student: Path) -> None:
    """Text, ends and counts of tokens, with and without a stop string."""
    import ray

    from reasoning.recipe.task import TaskSection
    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator
    from reasoning.tasks.loading import load_problems

    problems = load_problems(TaskSection(name="coin_flip", train=20, validation=2, test=2), seed=7).train
    prompts = [student_prompt(problem.question) for problem in problems]
    probe = make_probe(str(embedded_student), "embedded", prompts[:4])
    assert ray.get(replica.sync.remote("embedded", str(embedded_student), probe)).ok
    generator = Generator(load_student(str(embedded_student)))
    for sampling in (Sampling(max_new_tokens=40), Sampling(max_new_tokens=40, stop=("\nAnswer", " heads"))):
        said = run(ask(replica, "embedded", prompts, sampling))
        assert said == generator.answer(prompts, sampling)
        assert {completion.complete for (completion,) in said} >= {True}
