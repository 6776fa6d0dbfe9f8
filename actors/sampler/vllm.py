"""The student sampler on vLLM: an engine in an actor.

Owns: one vLLM engine, how weights get into it, and what it is asked to prove them. Versions and the order of a swap are
`actors.sampler.replica`'s; what vLLM does not promise to keep is in `reasoning.student.vllm_internals`.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from actors.sampler.replica import SamplerReplica
from reasoning.prompts.encoding import Encoder
from reasoning.records import stable_id
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.loading import load_config
from reasoning.student.probe import Probe, ProbeReport, compare, tolerance
from reasoning.student.sampling import Completion, PromptRefused, Sampling, SyncFailed
from reasoning.student.vllm_internals import end_with_this_process, is_engine_death, take_weights

if TYPE_CHECKING:
    from vllm import AsyncLLMEngine, RequestOutput, SamplingParams

RESET_S = 5.0  # how long the prefix cache may refuse to be reset: a finished request's blocks are freed a step later


class VllmSampler(SamplerReplica):
    """One replica on vLLM."""

    _engine: AsyncLLMEngine  # there from the start on, as is its tokenizer
    _encoder: Encoder

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self._request_ids = itertools.count()

    async def _start(self) -> None:
        await self._start_engine(self._settings)

    async def _start_engine(self, settings: EngineSettings) -> None:
        prepare_process(settings)
        from vllm import AsyncEngineArgs, AsyncLLMEngine

        engine = AsyncLLMEngine.from_engine_args(AsyncEngineArgs(disable_log_stats=True, **engine_options(settings)))
        await end_with_this_process(engine)
        self._engine, self._encoder = engine, Encoder(engine.get_tokenizer())

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        from vllm.exceptions import VLLMClientError

        try:
            output = await self._generate(*self._request(prompt, sampling))
        except (VLLMClientError, ValueError) as error:
            raise PromptRefused(f"{error} (prompt starts {prompt[:80]!r})") from error
        return [
            Completion(text=one.text, complete=one.finish_reason == "stop", tokens=len(one.token_ids))
            for one in sorted(output.outputs, key=lambda one: one.index)
        ]

    def _request(self, prompt: str, sampling: Sampling) -> tuple[Any, SamplingParams]:
        """The prompt as it is read, and how it is answered."""
        from vllm import TokensPrompt

        if sampling.marks is None:
            return prompt, _parameters(prompt, sampling, ())
        read = TokensPrompt(prompt_token_ids=self._encoder.prompt(prompt, sampling.marks))
        return read, _parameters(prompt, sampling, (self._encoder.end(sampling.marks.end),))

    async def _stop(self) -> None:
        self._engine.shutdown()

    def _is_death(self, error: Exception) -> bool:
        return is_engine_death(error)

    async def _load(self, version: str, checkpoint: str) -> None:
        await self._take_weights(checkpoint)
        await self._reset_prefix_cache(version, checkpoint)

    async def _take_weights(self, checkpoint: str) -> None:
        if _vocabulary(checkpoint) != self._engine.model_config.hf_config.get_text_config().vocab_size:
            # Training gave the student a padding token: an engine's embeddings have the size it was started with.
            self._engine.shutdown()
            await self._start_engine(self._settings.model_copy(update={"model": checkpoint}))
            return
        await take_weights(self._engine, checkpoint)

    async def _reset_prefix_cache(self, version: str, checkpoint: str) -> None:
        for _ in range(int(RESET_S / 0.05)):
            if await self._engine.reset_prefix_cache():
                return
            await asyncio.sleep(0.05)
        raise SyncFailed(version, checkpoint, f"the prefix cache could not be reset within {RESET_S:.0f} s")

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
            atol=tolerance(probe.dtype, dtype, rounding=probe.rounding),
        )

    async def _generate(self, prompt: Any, parameters: SamplingParams) -> RequestOutput:
        outputs: list[RequestOutput] = [
            output async for output in self._engine.generate(prompt, parameters, f"request-{next(self._request_ids)}")
        ]
        return outputs[-1]


def _vocabulary(checkpoint: str) -> int:
    return int(load_config(checkpoint).get_text_config().vocab_size)


def _parameters(prompt: str, sampling: Sampling, ends: tuple[int, ...]) -> SamplingParams:
    """`ends`: tokens that end the answer beside those that the model's files name."""
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
        stop_token_ids=list(ends),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
