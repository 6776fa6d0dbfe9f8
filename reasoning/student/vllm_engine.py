"""An engine of vLLM as a student is asked by it: in its form, with its ends, and with proof of its weights.

Owns: how a prompt and its sampling become a request of vLLM's, how the answer is read, how weights are taken on in
place, and what the engine is asked to prove them. Versions and the order of a swap belong to the callers: the samplers
of a run and the served student. What vLLM does not promise to keep is in `reasoning.student.vllm_internals`.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from reasoning.prompts.encoding import Encoder
from reasoning.records import stable_id
from reasoning.student.decoded_text import Decoder, cut_before
from reasoning.student.loading import load_tokenizer
from reasoning.student.probe import Following, Probe, ProbeReport, tolerance
from reasoning.student.sampling import Completion, PromptRefused, Sampling
from reasoning.student.vllm_internals import take_weights

if TYPE_CHECKING:
    from vllm import AsyncLLMEngine, CompletionOutput, RequestOutput, SamplingParams

    from reasoning.student.vllm_internals import ServedAdapter

RESET_S = 5.0  # how long the prefix cache may refuse to be reset: a finished request's blocks are freed a step later


class StudentEngine:
    """A started engine, asked as a student is: the one whose weights it has, or the one that `adapter` makes of it."""

    def __init__(self, engine: AsyncLLMEngine, adapter: ServedAdapter | None = None) -> None:
        self.tokenizer = load_tokenizer(engine.model_config.tokenizer)  # as trainers read; vLLM's may be another class
        self._adapter = adapter
        self._engine, self._encoder, self._decoder = engine, Encoder(self.tokenizer), Decoder(self.tokenizer)
        self._request_ids = itertools.count()
        self._read = self._found = 0  # tokens of prompts, and those of them that the prefix cache had

    async def complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        """The completions of `prompt` in their order. Raises `PromptRefused`, and the engine's own death."""
        from vllm.exceptions import VLLMClientError

        try:
            output = await self._generate(*self._request(prompt, sampling))
        except (VLLMClientError, ValueError) as error:
            raise PromptRefused(f"{error} (prompt starts {prompt[:80]!r})") from error
        self._read += len(output.prompt_token_ids or ())
        self._found += output.num_cached_tokens or 0
        return [
            Completion(self._text(output, one, sampling), one.finish_reason == "stop", len(one.token_ids))
            for one in sorted(output.outputs, key=lambda one: one.index)
        ]

    async def take(self, checkpoint: str) -> bool:
        """Takes on the weights in `checkpoint`, of the same shapes, or the adapter there, in place; whether the prefix
        cache, which holds the old ones', could be emptied within `RESET_S`. Raises `ValueError` where an adapter cannot
        be loaded, and the old one answers on."""
        if self._adapter is not None:
            await self._adapter.load(checkpoint)
        else:
            await take_weights(self._engine, checkpoint)
        return await self.forget()

    @property
    def prefix_hits(self) -> float | None:
        """The share of prompts' tokens that the prefix cache had, since it was emptied; None before the first prompt.
        Of a prompt with several samples it is that of the one that ended last, which shares it with the others."""
        return self._found / self._read if self._read else None

    async def forget(self) -> bool:
        """Empties the prefix cache; False where requests keep it for longer than `RESET_S`."""
        self._read = self._found = 0
        for _ in range(int(RESET_S / 0.05)):
            if await self._engine.reset_prefix_cache():
                return True
            await asyncio.sleep(0.05)
        return False

    async def prove(self, probe: Probe) -> ProbeReport:
        """Greedy answers of the engine to the probe's prompts, judged. The reference fixes each answer's length, so
        that the two sides need not agree on what ends one."""
        from vllm import SamplingParams, TokensPrompt

        dtype = str(self._engine.model_config.dtype).removeprefix("torch.")
        probe = probe.held_in(dtype)
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
        return following.judged(tolerance(probe.dtype, dtype, rounding=probe.rounding))

    def _text(self, output: RequestOutput, one: CompletionOutput, sampling: Sampling) -> str:
        """vLLM's text, which holds no special token; with the marks of thinking where a student has such."""
        if not self._decoder.keeps_marks:
            return str(one.text)
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

    async def _generate(self, prompt: Any, parameters: SamplingParams) -> RequestOutput:
        adapter = None if self._adapter is None else self._adapter.request
        name = f"student-{next(self._request_ids)}" if adapter is None else f"{adapter.name}-{next(self._request_ids)}"
        outputs: list[RequestOutput] = [
            output async for output in self._engine.generate(prompt, parameters, name, lora_request=adapter)
        ]
        return outputs[-1]
