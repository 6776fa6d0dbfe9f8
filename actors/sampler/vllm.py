"""The student sampler on vLLM: an engine in an actor; and the pool that callers of any sampler talk to.

Owns: one vLLM engine (`StudentSampler`); which replica gets a request, and bringing a lost replica back
(`SamplerPool`). Versions and swaps are `actors.sampler.replica`'s.

Invariant: no request is lost by the death of a replica, the pool asks again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from actors.sampler.replica import SamplerReplica
from reasoning.records import stable_id
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.probe import Probe, ProbeReport, compare, tolerance
from reasoning.student.sampling import Completion, PromptRefused, SamplersLost, Sampling, StaleWeights, SyncFailed

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams

logger = logging.getLogger(__name__)

SamplerSettings = EngineSettings

RESET_S = 5.0  # how long the prefix cache may refuse to be reset: a finished request's blocks are freed a step later
REVIVAL_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between attempts to bring a replica back; then it is lost


class StudentSampler(SamplerReplica):
    """One replica on vLLM."""

    def __init__(self, settings: SamplerSettings) -> None:
        super().__init__(settings)
        self._engine: Any = None
        self._request_ids = itertools.count()

    async def _start(self) -> None:
        await self._start_engine(self._settings)

    async def _start_engine(self, settings: SamplerSettings) -> None:
        prepare_process(settings)
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(disable_log_stats=True, **engine_options(settings)))
        await engine.collective_rpc("exit_with", args=(os.getpid(),))
        self._engine = engine

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        from vllm.exceptions import VLLMClientError

        try:
            output = await self._generate(prompt, _parameters(prompt, sampling))
        except (VLLMClientError, ValueError) as error:
            raise PromptRefused(f"{error} (prompt starts {prompt[:80]!r})") from error
        return [
            Completion(text=one.text, complete=one.finish_reason == "stop", tokens=len(one.token_ids))
            for one in sorted(output.outputs, key=lambda one: one.index)
        ]

    async def _stop(self) -> None:
        engine, self._engine = self._engine, None
        engine.shutdown()

    def _is_death(self, error: Exception) -> bool:
        from vllm.v1.engine.exceptions import EngineDeadError

        return isinstance(error, EngineDeadError)

    async def _load(self, version: str, checkpoint: str) -> None:
        await self._take_weights(checkpoint)
        await self._reset_prefix_cache(version, checkpoint)

    async def _take_weights(self, checkpoint: str) -> None:
        if _vocabulary(checkpoint) != self._engine.model_config.hf_config.get_text_config().vocab_size:
            # Training gave the student a padding token: an engine's embeddings have the size it was started with.
            self._engine.shutdown()
            await self._start_engine(replace(self._settings, model=checkpoint))
            return
        await self._engine.collective_rpc("reload_weights", kwargs={"weights_path": checkpoint})
        await self._engine.collective_rpc("refresh_heads")

    async def _reset_prefix_cache(self, version: str, checkpoint: str) -> None:
        for _ in range(int(RESET_S / 0.05)):
            if await self._engine.reset_prefix_cache():
                return
            await asyncio.sleep(0.05)
        raise SyncFailed(version, checkpoint, f"the prefix cache refused to be reset for {RESET_S:.0f} s")

    async def _prove(self, probe: Probe) -> ProbeReport:
        """Greedy answers of the engine to the probe's prompts, judged. The reference fixes each answer's length, so
        that the two sides need not agree on what ends one."""
        from vllm import SamplingParams, TokensPrompt

        outputs = await asyncio.gather(
            *(
                self._generate(
                    TokensPrompt(prompt_token_ids=list(prompt)),
                    SamplingParams(
                        temperature=0.0, max_tokens=len(tokens), ignore_eos=True, logprobs=2, flat_logprobs=False
                    ),
                )
                for prompt, tokens in zip(probe.prompts, probe.tokens, strict=True)
            )
        )
        answers = [output.outputs[0] for output in outputs]
        steps = [
            [sorted((one.logprob for one in step.values()), reverse=True)[:2] for step in answer.logprobs or ()]
            for answer in answers
        ]
        dtype = str(self._engine.model_config.dtype).removeprefix("torch.")
        return compare(
            probe,
            tokens=[answer.token_ids for answer in answers],
            logprobs=[[best for best, _ in answer] for answer in steps],
            runners_up=[[second for _, second in answer] for answer in steps],
            atol=tolerance(probe.dtype, dtype),
        )

    async def _generate(self, prompt: Any, parameters: SamplingParams) -> RequestOutput:
        outputs: list[RequestOutput] = [
            output async for output in self._engine.generate(prompt, parameters, f"request-{next(self._request_ids)}")
        ]
        return outputs[-1]


def _vocabulary(checkpoint: str) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(checkpoint).get_text_config().vocab_size)


def _parameters(prompt: str, sampling: Sampling) -> SamplingParams:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    seed = None if sampling.seed is None else int(stable_id(sampling.seed, prompt), 16) % 2**31
    return SamplingParams(
        n=sampling.samples,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        seed=seed,
        stop=list(sampling.stop),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


@dataclass(slots=True)
class _Replica:
    """One actor as its caller sees it. `lives` counts how often it was brought back, so that the many requests that
    one death loses bring it back once."""

    handle: Any
    outstanding: int = 0
    lives: int = 0
    lost: bool = False
    bringing_up: asyncio.Lock = field(default_factory=asyncio.Lock)


class SamplerPool:
    """The caller's side of `replicas` (handles of `SamplerReplica` actors): spreads requests, brings back the lost.

    Lives in one event loop. The pool owns its replicas' lifecycle; whoever created the actors kills them after
    `shutdown`."""

    def __init__(self, replicas: Sequence[Any]) -> None:
        if not replicas:
            raise ValueError("a sampler pool needs at least one replica")
        self._replicas = [_Replica(handle) for handle in replicas]
        self._synced: tuple[str, str, Probe] | None = None

    async def start(self) -> None:
        """Starts every engine; `sync` does so too. Raises what starting an engine raises."""
        await asyncio.gather(*(replica.handle.start.remote() for replica in self._replicas))

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> list[ProbeReport]:
        """Takes every replica to `version`; one report a replica. Raises `SyncFailed`, `SamplersLost`."""
        self._synced = (version, checkpoint, probe)
        reports = await asyncio.gather(*(self._bring_up(replica, None) for replica in self._replicas))
        self._least_busy()  # raises when none is left
        return [report for report in reports if report is not None]

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        """`SamplerReplica.answer` by the replica with the least to do. A request lost with its replica goes again.

        Raises `StaleWeights` when the pool itself was not synced to `version`, `SamplersLost`, `PromptRefused`."""
        from ray.exceptions import RayActorError

        while True:
            if self._synced is None or self._synced[0] != version:
                raise StaleWeights(version, self._synced[0] if self._synced else "")
            replica = self._least_busy()
            lives = replica.lives
            replica.outstanding += 1
            try:
                completions: list[Completion] = await replica.handle.answer.remote(version, prompt, sampling)
                return completions
            except (StaleWeights, RayActorError):
                await self._bring_up(replica, lives)
            finally:
                replica.outstanding -= 1

    async def shutdown(self) -> None:
        """Stops every engine that still runs."""
        results = await asyncio.gather(
            *(replica.handle.shutdown.remote() for replica in self._replicas if not replica.lost),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                logger.warning("a sampler could not be shut down: %s", result)

    def _least_busy(self) -> _Replica:
        living = [replica for replica in self._replicas if not replica.lost]
        if not living:
            raise SamplersLost("every sampler is lost and its restarts are used up; run the same command again")
        return min(living, key=lambda replica: (replica.bringing_up.locked(), replica.outstanding))

    async def _bring_up(self, replica: _Replica, lives: int | None) -> ProbeReport | None:
        """Starts and syncs a replica, unless (with `lives`) another request has brought it up since that was read.
        None when there was nothing to do, or the replica is lost."""
        from ray.exceptions import RayActorError

        assert self._synced is not None
        async with replica.bringing_up:
            for pause in REVIVAL_PAUSES_S:
                if replica.lost or lives not in (None, replica.lives):
                    return None
                try:
                    await replica.handle.start.remote()
                    report: ProbeReport = await replica.handle.sync.remote(*self._synced)
                except RayActorError as error:
                    logger.warning("a sampler is gone (%s); bringing it back", type(error).__name__)
                    await asyncio.sleep(pause)
                else:
                    replica.lives += 1
                    return report
            replica.lost = True
            return None
