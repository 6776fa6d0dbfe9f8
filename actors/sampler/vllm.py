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
from reasoning.student.decoded_text import Decoder, cut_before
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.loading import load_config
from reasoning.student.probe import Following, Probe, ProbeReport, tolerance
from reasoning.student.sampling import Completion, PromptRefused, Sampling, SyncFailed
from reasoning.student.vllm_internals import end_with_this_process, has_experts, is_engine_death, take_weights

if TYPE_CHECKING:
    from vllm import AsyncLLMEngine, CompletionOutput, RequestOutput, SamplingParams

RESET_S = 5.0  # how long the prefix cache may refuse to be reset: a finished request's blocks are freed a step later


class VllmSampler(SamplerReplica):
    """One replica on vLLM."""

    _engine: AsyncLLMEngine  # there from the start on, as is its tokenizer
    _encoder: Encoder
    _decoder: Decoder

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
        tokenizer = engine.get_tokenizer()
        self._engine, self._encoder, self._decoder = engine, Encoder(tokenizer), Decoder(tokenizer)

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        from vllm.exceptions import VLLMClientError

        try:
            output = await self._generate(*self._request(prompt, sampling))
        except (VLLMClientError, ValueError) as error:
            raise PromptRefused(f"{error} (prompt starts {prompt[:80]!r})") from error
        return [
            Completion(self._text(output, one, sampling), one.finish_reason == "stop", len(one.token_ids))
            for one in sorted(output.outputs, key=lambda one: one.index)
        ]

    def _text(self, output: RequestOutput, one: CompletionOutput, sampling: Sampling) -> str:
        """vLLM's text, which holds no special token; with the marks of thinking where a student has such."""
        if not self._decoder.keeps_marks:
            return one.text
        by_text = isinstance(one.stop_reason, str)
        ended = one.finish_reason == "stop" and not by_text
        text = self._decoder.text(one.token_ids[:-1] if ended else one.token_ids, output.prompt_token_ids or ())
        cut = cut_before(text, sampling.stop) if by_text else None
        return text if cut is None else cut

    def _request(self, prompt: str, sampling: Sampling) -> tuple[Any, SamplingParams]:
        """The prompt as it is read, and how it is answered."""
        from vllm import TokensPrompt

        if sampling.marks is None:
            return prompt, self._parameters(prompt, sampling, ())
        read = TokensPrompt(prompt_token_ids=self._encoder.prompt(prompt, sampling.marks))
        return read, self._parameters(prompt, sampling, (self._encoder.end(sampling.marks.end),))

    def _parameters(self, prompt: str, sampling: Sampling, ends: tuple[int, ...]) -> SamplingParams:
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

    async def _stop(self) -> None:
        self._engine.shutdown()

    def _is_death(self, error: Exception) -> bool:
        return is_engine_death(error)

    async def _load(self, version: str, checkpoint: str) -> None:
        await self._take_weights(checkpoint)
        await self._reset_prefix_cache(version, checkpoint)

    async def _take_weights(self, checkpoint: str) -> None:
        """In place, in milliseconds, where vLLM can; otherwise a new engine is started with them."""
        new = load_config(checkpoint).get_text_config()
        # Training gave the student a padding token: an engine's embeddings have the size it was started with.
        grown = new.vocab_size != self._engine.model_config.hf_config.get_text_config().vocab_size
        if grown or (has_experts(new) and not self._settings.gpus):
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

        following = Following(probe)
        while asked := following.asked():
            outputs = await asyncio.gather(
                *(
                    self._generate(
                        TokensPrompt(prompt_token_ids=[*probe.prompts[number], *tail]),
                        SamplingParams(
                            temperature=0.0, max_tokens=wanted, ignore_eos=True, logprobs=2, flat_logprobs=False
                        ),
                    )
                    for number, tail, wanted in asked
                )
            )
            for (number, _, _), output in zip(asked, outputs, strict=True):
                answer = output.outputs[0]
                best = [
                    sorted((one.logprob for one in step.values()), reverse=True)[:2] for step in answer.logprobs or ()
                ]
                steps = zip(answer.token_ids, best, strict=True)
                following.heard(number, [(token, first, second) for token, (first, second) in steps])
        dtype = str(self._engine.model_config.dtype).removeprefix("torch.")
        return following.judged(tolerance(probe.dtype, dtype, rounding=probe.rounding))

    async def _generate(self, prompt: Any, parameters: SamplingParams) -> RequestOutput:
        outputs: list[RequestOutput] = [
            output async for output in self._engine.generate(prompt, parameters, f"request-{next(self._request_ids)}")
        ]
        return outputs[-1]
