"""The student sampler on vLLM: an engine in an actor.

Owns: one vLLM engine, and when new weights need a new one. Versions and the order of a swap are
`actors.sampler.replica`'s; how an engine is asked and proves its weights is `reasoning.student.vllm_engine`'s.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from actors.sampler.engine_start import Printed, cause_in, was_killed, with_keys
from actors.sampler.sleeping import SleepingReplica
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.loading import load_config
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import CannotSleep, Completion, GpuMemory, Sampling, SyncFailed
from reasoning.student.vllm_engine import RESET_S, StudentEngine
from reasoning.student.vllm_internals import (
    can_sleep,
    end_with_this_process,
    gpu_memory,
    has_experts,
    is_engine_death,
    take_weights,
)

if TYPE_CHECKING:
    from vllm import AsyncLLMEngine

logger = logging.getLogger(__name__)


class VllmSampler(SleepingReplica):
    """One replica on vLLM."""

    _engine: AsyncLLMEngine  # there from the start on
    _student: StudentEngine
    _may_sleep = False

    async def _start(self) -> None:
        """One that can sleep, where that is wanted and starts."""
        try:
            await self._start_engine(self._settings)
        except (RuntimeError, ValueError) as error:
            if not self._may_sleep or self._is_death(error):
                raise
            logger.warning("the engine did not start as one that sleeps (%s); starting one that does not", error)
            self._settings = self._settings.model_copy(update={"sleeps": False})
            await self._start_engine(self._settings)

    async def _start_engine(self, settings: EngineSettings) -> None:
        prepare_process(settings)
        from vllm import AsyncEngineArgs, AsyncLLMEngine

        self._may_sleep = settings.sleeps and can_sleep()
        settings = settings.model_copy(update={"sleeps": self._may_sleep})
        printed = Printed()
        try:
            engine = AsyncLLMEngine.from_engine_args(
                AsyncEngineArgs(disable_log_stats=True, **engine_options(settings))
            )
        except RuntimeError as error:
            if cause := cause_in(printed.text()):  # which a process that is killed has no time to say
                told = with_keys(cause, on_gpu=settings.gpus > 0)
                raise RuntimeError(f"the student's engine did not start: {told}") from error
            raise
        await end_with_this_process(engine)
        self._engine, self._student = engine, StudentEngine(engine)

    def _at_once(self) -> int:
        return self._engine.vllm_config.scheduler_config.max_num_seqs

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        return await self._student.complete(prompt, sampling)

    async def prefix_hits(self) -> float | None:
        return self._student.prefix_hits if self._started else None

    async def _stop(self) -> None:
        self._engine.shutdown()

    def _is_death(self, error: Exception) -> bool:
        return is_engine_death(error) or was_killed(error)

    async def _load(self, version: str, checkpoint: str) -> None:
        await self._take_weights(checkpoint)
        await self._forget(version, checkpoint)

    async def _take_weights(self, checkpoint: str) -> None:
        """In place, in milliseconds, where vLLM can; otherwise a new engine is started with them."""
        if self._needs_new_engine(checkpoint):
            await self._renew(checkpoint)
        else:
            await take_weights(self._engine, checkpoint)

    async def _sleep(self) -> None:
        """At level 2: neither weights nor cache are kept, new ones come. What remains is CUDA's own and its graphs."""
        if not self._may_sleep:
            raise CannotSleep("vLLM's engines cannot sleep here")
        await self._engine.sleep(level=2)

    async def _gpu_memory(self) -> GpuMemory:
        return GpuMemory(*await gpu_memory(self._engine))

    async def _wake(self, version: str, checkpoint: str) -> None:
        """The cache's memory comes last: reading weights takes some for a moment."""
        if self._needs_new_engine(checkpoint):
            await self._renew(checkpoint)
            return
        await self._engine.wake_up(tags=["weights"])
        await self._take_weights(checkpoint)
        await self._engine.wake_up(tags=["kv_cache"])
        await self._forget(version, checkpoint)

    async def _renew(self, checkpoint: str) -> None:
        self._engine.shutdown()
        await self._start_engine(self._settings.model_copy(update={"model": checkpoint}))

    async def _forget(self, version: str, checkpoint: str) -> None:
        if not await self._student.forget():
            raise SyncFailed(version, checkpoint, f"the prefix cache could not be reset within {RESET_S:.0f} s")

    def _needs_new_engine(self, checkpoint: str) -> bool:
        new = load_config(checkpoint).get_text_config()
        # Training gave the student a padding token: an engine's embeddings have the size it was started with.
        grown = new.vocab_size != self._engine.model_config.hf_config.get_text_config().vocab_size
        return grown or (has_experts(new) and not self._settings.gpus)

    async def _prove(self, probe: Probe) -> ProbeReport:
        return await self._student.prove(probe)
