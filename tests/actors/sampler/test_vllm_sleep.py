"""A sampler's engine asleep, by vLLM's own rules for it: its core and its executor, with workers that keep books.

About 10 s: vLLM is imported. No engine runs, and no GPU is there: what its allocator does to memory is not shown."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.sampler import settling
from actors.sampler.vllm import VllmSampler
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, StaleWeights
from reasoning.student.vllm_internals import WorkerExtension

pytestmark = pytest.mark.engine

PROBE = Probe("v", "float32", (), (), (), ())
GIB = 2**30


class Worker:
    """One worker: which parts of its memory are mapped, and which weights are in them."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.mapped, self.weights = log, {"weights", "kv_cache"}, "base"

    def sleep(self, level: int) -> None:
        assert level == 2
        self.log.append("sleep")
        self.mapped, self.weights = set(), ""

    def wake_up(self, tags: list[str]) -> None:
        self.log.append(f"wake {tags[0]}")
        self.mapped |= set(tags)

    def reload_weights(self, weights_path: str) -> None:
        assert "weights" in self.mapped, "weights go where memory is"
        self.log.append("reload")
        self.weights = weights_path

    def refresh_heads(self) -> None: ...

    def gpu_memory(self) -> tuple[int, int]:
        return (10 if self.mapped else 78) * GIB, 80 * GIB


class Engine:
    """An `AsyncLLMEngine` whose core and executor decide by vLLM's own code; each call is one that it has."""

    def __init__(self, vocabulary: int) -> None:
        self.log: list[str] = []
        self.worker, self.paused, self.ended = Worker(self.log), False, False
        text = SimpleNamespace(vocab_size=vocabulary)
        self.model_config = SimpleNamespace(hf_config=SimpleNamespace(get_text_config=lambda: text))
        self.executor: Any = SimpleNamespace(is_sleeping=False, sleeping_tags=set(), collective_rpc=self._each)
        for method in ("sleep", "wake_up"):
            setattr(self.executor, method, lambda *args, m=method: getattr(self._parts()[1], m)(self.executor, *args))
        self.core: Any = SimpleNamespace(
            model_executor=self.executor, pause_scheduler=self._pause, resume_scheduler=self._resume
        )

    @staticmethod
    def _parts() -> tuple[Any, Any]:
        from vllm.v1.engine.core import EngineCore
        from vllm.v1.executor.abstract import Executor

        return EngineCore, Executor

    def _each(self, method: str, kwargs: dict[str, Any]) -> list[Any]:
        return [getattr(self.worker, method)(**kwargs)]

    def _pause(self, mode: str, clear_cache: bool) -> None:
        assert clear_cache and mode == "abort"
        self.paused = True

    def _resume(self) -> None:
        self.log.append("works")
        self.paused = False

    async def sleep(self, level: int = 1, mode: str = "abort") -> None:
        self._parts()[0].sleep(self.core, level, mode)

    async def wake_up(self, tags: list[str] | None = None) -> None:
        self._parts()[0].wake_up(self.core, tags)

    async def collective_rpc(
        self,
        method: str,
        timeout: float | None = None,  # noqa: ASYNC109  (vLLM's)
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> list[Any]:
        assert hasattr(WorkerExtension, method) or method == "reload_weights"
        return self._each(method, kwargs or {})

    def shutdown(self, timeout: float | None = None) -> None:
        self.ended = True


class Sampler(VllmSampler):
    """The sampler, with engines that are books. `vocabulary` is that of the next."""

    def __init__(self, settings: EngineSettings, vocabulary: int) -> None:
        super().__init__(settings)
        self.vocabulary, self.engines, self.fails = vocabulary, list[Engine](), False
        self.lacks_allocator = False

    async def _start_engine(self, settings: EngineSettings) -> None:
        self._may_sleep = settings.sleeps
        if settings.sleeps and self.lacks_allocator:
            raise RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {'0': 1}")
        self.engines.append(Engine(self.vocabulary))
        self._engine: Any = self.engines[-1]
        self._engine.worker.weights = settings.model
        self._student: Any = SimpleNamespace(forget=self._forgotten)

    async def _forgotten(self) -> bool:
        self._engine.log.append("forget")
        return True

    def _at_once(self) -> int:
        return 1

    async def _prove(self, probe: Probe) -> ProbeReport:
        assert not self._engine.paused and self._engine.worker.mapped == {"weights", "kv_cache"}
        wrong = self.fails and len(self.engines) == 1
        return ProbeReport(not wrong, "other tokens")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LOOK_S", 0.01)


def sampler(student: Path, sleeps: bool = True, vocabulary: int | None = None) -> Sampler:
    from reasoning.student.loading import load_config

    own = load_config(str(student)).get_text_config().vocab_size
    return Sampler(EngineSettings(model="base", gpus=1.0, sleeps=sleeps), vocabulary or own)


@pytest.mark.usefixtures("quick")
def test_an_engine_sleeps_and_wakes_as_vllm_permits(embedded_student: Path) -> None:
    async def scenario() -> None:
        one = sampler(embedded_student)
        await one.start()
        for _ in range(2):
            assert (await one.sleep()).free == 78 * GIB
            (engine,) = one.engines
            assert engine.paused and engine.executor.is_sleeping
            with pytest.raises(StaleWeights):
                await one.answer("", "?", None)  # type: ignore[arg-type]
            await one.sync("v", str(embedded_student), PROBE)
            order = ["sleep", "wake weights", "reload", "wake kv_cache", "works", "forget"]
            assert engine.log == order and engine.worker.weights == str(embedded_student)
            assert not engine.executor.is_sleeping and not engine.executor.sleeping_tags
            engine.log.clear()

    asyncio.run(scenario())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("reason", ["grown", "wrong", "no memory"])
def test_an_engine_that_cannot_take_the_weights_makes_way_for_a_new_one(reason: str, embedded_student: Path) -> None:
    """A student that grew, a probe that fails, memory that is not there: the new engine has the new weights."""

    async def scenario() -> None:
        one = sampler(embedded_student, vocabulary=7 if reason == "grown" else None)
        await one.start()
        await one.sleep()
        one.fails = reason == "wrong"
        if reason == "no memory":
            one.engines[0].worker.wake_up = refuse  # type: ignore[method-assign]
        await one.sync("v", str(embedded_student), PROBE)
        old, new = one.engines
        assert old.ended and not new.ended and new.worker.weights == str(embedded_student)
        assert await one.version() == "v" and (await one.sleep()).free == 78 * GIB

    asyncio.run(scenario())


def refuse(tags: list[str]) -> None:
    raise RuntimeError("CUDA Error: out of memory")


def test_an_engine_that_was_not_started_for_it_does_not_sleep(embedded_student: Path) -> None:
    async def scenario() -> None:
        one = sampler(embedded_student, sleeps=False)
        await one.start()
        with pytest.raises(CannotSleep, match="cannot sleep here"):
            await one.sleep()
        assert one.engines[0].log == []

    asyncio.run(scenario())


def test_an_engine_that_does_not_start_able_to_sleep_starts_unable_to(embedded_student: Path) -> None:
    async def scenario() -> None:
        one = sampler(embedded_student)
        one.lacks_allocator = True
        await one.start()
        await one.sync("v", str(embedded_student), PROBE)
        with pytest.raises(CannotSleep, match="cannot sleep here"):
            await one.sleep()
        await one.sync("v", str(embedded_student), PROBE)
        assert len(one.engines) == 1 and "sleep" not in one.engines[0].log

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["sleep", "wake_up", "collective_rpc", "shutdown"])
def test_the_books_take_what_vllms_engine_takes(method: str) -> None:
    from vllm import AsyncLLMEngine

    own = inspect.signature(getattr(Engine, method)).parameters
    real = inspect.signature(getattr(AsyncLLMEngine, method)).parameters
    assert [(name, one.default) for name, one in own.items()] == [(name, one.default) for name, one in real.items()]


@pytest.mark.parametrize("method", ["sleep", "wake_up"])
def test_the_books_workers_take_what_vllms_workers_take(method: str) -> None:
    from vllm.v1.worker.gpu_worker import Worker as RealWorker

    own, real = (list(inspect.signature(getattr(one, method)).parameters) for one in (Worker, RealWorker))
    assert own == real
