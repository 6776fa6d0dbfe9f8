"""Completions of a loaded student, made in this process by `transformers`, many at once.

Owns: turning prompts into padded batches, and answers into completions. What is drawn and what ends is
`reasoning.student.decoding`'s, the loop `generate`'s.

Invariants
- Tokens are read and written as the sampler on vLLM does: a prompt by its marks (`reasoning.prompts.encoding`), padding
  hidden by a real attention mask, text as `reasoning.student.decoded_text` has it.
- A seeded completion depends on prompt, seed and sample number alone: each row draws from random numbers of its own,
  and what else is in its batch moves only the last bits of its logits (in float32 that changes a token next to never).
- Nothing but what is asked for decides: the model's own `generation_config` (repetition penalties, top-k, forced
  tokens) is laid aside while it answers, then put back, as is its training mode.
- A prompt is read once, however many samples it gets. Rows that have ended leave the batch.

Measured with the embedded student on one core: `generate` is as fast as a loop of our own over `forward`; rows that
leave make it 30 % (greedy) to 45 % (four samples) faster, prompts read once for four samples a third. Against a plain
`generate` and vLLM: `bench.sampling.back_ends`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, StoppingCriteriaList
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutput

from reasoning.prompts.encoding import Encoder
from reasoning.student.checkpoint import Student
from reasoning.student.decoded_text import TAIL, Decoder, cut_before
from reasoning.student.decoding import Draw, Ending, Request, SampleRow, logits_processors, rows_of
from reasoning.student.probe import Following, Probe, ProbeReport, end_tokens, tolerance
from reasoning.student.sampling import Completion, PromptRefused, Sampling

# Tokens (prompt and new ones, padding counted) that are in a batch together. On a CPU a larger batch is not faster (see
# bench.sampling.back_ends); on a GPU the number is halved, for good, whenever the memory does not suffice.
TOKENS_AT_ONCE = {"cpu": 16_384, "cuda": 131_072}


def batches(rows: Sequence[SampleRow], tokens_at_once: int) -> list[list[int]]:
    """Indices of `rows` in groups to generate together: alike in temperature, top_p, stops and end, near in prompt
    length, at most `tokens_at_once` padded tokens each (or one row)."""
    kinds: dict[object, list[int]] = {}
    for index, row in enumerate(rows):
        sampling = row.request.sampling
        end = sampling.marks.end if sampling.marks else None
        kinds.setdefault((sampling.temperature, sampling.top_p, sampling.stop, end), []).append(index)
    groups: list[list[int]] = []
    for members in kinds.values():
        group: list[int] = []
        limit = 0
        for index in sorted(members, key=lambda index: len(rows[index].request.tokens)):
            request = rows[index].request
            limit = max(limit, request.limit)
            if group and (len(group) + 1) * (len(request.tokens) + limit) > tokens_at_once:
                groups.append(group)
                group, limit = [], request.limit
            group.append(index)
        groups.append(group)
    return groups


def padded_tokens(rows: Sequence[SampleRow]) -> int:
    """How many tokens a batch of `rows` holds at most, padding counted."""
    longest = max(len(row.request.tokens) for row in rows) + max(row.request.limit for row in rows)
    return len(rows) * longest


class Generator:
    """Answers prompts with `student` on the device that its model is on. One thread at a time."""

    def __init__(self, student: Student, max_model_len: int | None = None, tokens_at_once: int | None = None) -> None:
        """`max_model_len`: the longest context in tokens, where it is to be shorter than the model's own."""
        self._model, self._tokenizer = student.model, student.tokenizer
        self._encoder = Encoder(student.tokenizer, encoder_decoder=student.is_encoder_decoder)
        self._decoder = Decoder(student.tokenizer)
        self._reads_apart = student.is_encoder_decoder  # the prompt is the encoder's, the answer stands alone
        self._device: torch.device = next(student.model.parameters()).device
        self._own_ends = sorted(end_tokens(student.model) | {int(student.tokenizer.eos_token_id)})
        pad = student.tokenizer.pad_token_id
        rows = student.model.get_input_embeddings().weight.shape[0]
        self._pad: int = self._own_ends[0] if pad is None or pad >= rows else int(pad)  # any will do: it is not seen
        lengths = [length for length in (context_length(student.model.config), max_model_len) if length is not None]
        self._context = min(lengths, default=None)
        self.tokens_at_once = tokens_at_once or TOKENS_AT_ONCE.get(self._device.type, TOKENS_AT_ONCE["cpu"])

    def answer(self, prompts: Sequence[str], sampling: Sampling | Sequence[Sampling]) -> list[list[Completion]]:
        """Each prompt's completions, in order. `sampling`: one for all, or one a prompt. Raises `PromptRefused`."""
        samplings = [sampling] * len(prompts) if isinstance(sampling, Sampling) else sampling
        requests = [self.request(prompt, asked) for prompt, asked in zip(prompts, samplings, strict=True)]
        rows = rows_of(requests)
        made: dict[int, Completion] = {}
        for group in batches(rows, self.tokens_at_once):
            made |= zip(group, self.generate([rows[index] for index in group]), strict=True)
        completions = iter([made[index] for index in range(len(rows))])
        return [[next(completions) for _ in range(request.sampling.samples)] for request in requests]

    def request(self, prompt: str, sampling: Sampling) -> Request:
        """Tokenises `prompt`. Raises `PromptRefused` when it is empty or the context has no room for an answer."""
        marks = sampling.marks
        read = self._tokenizer(prompt).input_ids if marks is None else self._encoder.prompt(prompt, marks)
        tokens = tuple(int(token) for token in read)
        limit = sampling.max_new_tokens
        if self._context is not None:
            room = self._context - (0 if self._reads_apart else len(tokens))
            limit = min(limit, room)
            if room < 1 or len(tokens) > self._context:
                what = f"the prompt has {len(tokens)} tokens, too long for a context of {self._context}"
                raise PromptRefused(f"{what} (prompt starts {prompt[:80]!r})")
        if not tokens:
            raise PromptRefused("the prompt is empty")
        return Request(prompt, tokens, sampling, limit)

    def generate(self, rows: Sequence[SampleRow]) -> list[Completion]:
        """The completions of one group of `batches`, in order.

        A group that a GPU's memory does not hold is answered in halves, and later ones should be made by the smaller
        `tokens_at_once`. Raises `torch.OutOfMemoryError` when one row is too much."""
        try:
            with torch.inference_mode(), self._as_asked():
                return self._generate(rows)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            self.tokens_at_once = max(1, min(self.tokens_at_once, padded_tokens(rows)) // 2)
        torch.cuda.empty_cache()
        half = len(rows) // 2
        return self.generate(rows[:half]) + self.generate(rows[half:])

    def prove(self, probe: Probe) -> ProbeReport:
        """Judges this student's own greedy answers to the probe's prompts, made in one padded batch. The reference
        fixes each answer's length: nothing ends one here."""
        dtype = str(self._model.dtype).removeprefix("torch.")
        probe = probe.held_in(dtype)
        following = Following(probe)
        with torch.inference_mode(), self._as_asked():
            while asked := following.asked():
                prompts = [probe.prompts[number] for number, _, _ in asked]
                tails = [tail for _, tail, _ in asked]
                config = self._config(max(wanted for _, _, wanted in asked), output_logits=True)
                if self._reads_apart and any(tails):  # answers of different lengths: one by one
                    del asked[1:]
                    inputs = self._answered(prompts[0], tails[0])
                else:
                    inputs = self._read([(*prompt, *tail) for prompt, tail in zip(prompts, tails, strict=True)])
                output = self._model.generate(**inputs, generation_config=config)
                logits_PSV = torch.stack(output.logits, dim=1).float()
                values_PS2 = logits_PSV.log_softmax(dim=-1).topk(2).values
                # Of two tokens that are exactly as likely `generate` went on with this one.
                taken_PS = output.sequences[:, -values_PS2.shape[1] :]
                for (number, _, wanted), taken, values in zip(asked, taken_PS, values_PS2, strict=True):
                    steps = zip(taken.tolist(), values[:, 0].tolist(), values[:, 1].tolist(), strict=True)
                    following.heard(number, list(steps)[:wanted])
        return following.judged(tolerance(probe.dtype, dtype, rounding=probe.rounding))

    def _answered(self, prompt: Sequence[int], tail: Sequence[int]) -> dict[str, Any]:
        """`generate`'s inputs for an encoder-decoder to go on after `tail` of an answer."""
        start = self._model.config.decoder_start_token_id
        return self._read([prompt]) | {"decoder_input_ids": torch.tensor([[start, *tail]], device=self._device)}

    def _generate(self, rows: Sequence[SampleRow]) -> list[Completion]:
        prompts = list(dict.fromkeys(row.request.tokens for row in rows))
        place = {prompt: index for index, prompt in enumerate(prompts)}
        which_B = torch.tensor([place[row.request.tokens] for row in rows], device=self._device)
        inputs = self._read(prompts)
        output = self._model.generate(**inputs, generation_config=self._config(1, output_logits=True))
        # Every row draws its own first token from its prompt's logits; the one that `generate` took is dropped.
        tokens_BT, inputs = output.sequences[:, :-1][which_B], _select(inputs, which_B)
        drawing, ending = Draw(rows, tokens_BT.shape[1], self._device), self._ending(rows, tokens_BT.shape[1])
        processors = logits_processors(rows[0].request.sampling, drawing)
        first_B1 = processors(tokens_BT, output.logits[0].float()[which_B]).argmax(dim=-1, keepdim=True)
        tokens_BT = torch.cat([tokens_BT, first_B1], dim=1)
        ending(tokens_BT)
        cache = output.past_key_values  # of prompts; from the second turn on of rows
        ending.may_pause = isinstance(cache, Cache) and "past_key_values" in _arguments(self._model)
        while True:
            going_B = ending.leave(tokens_BT)
            if not len(going_B):
                return [self._completion(*made) for made in zip(rows, ending.made(), strict=True)]
            tokens_BT, inputs = tokens_BT[going_B], _select(inputs, going_B)
            drawing.keep(going_B)
            if ending.may_pause:
                cache.reorder_cache(which_B[going_B])
                which_B = torch.arange(len(going_B), device=self._device)
            output = self._model.generate(
                **self._continued(inputs, tokens_BT, cache if ending.may_pause else None),
                generation_config=self._config(ending.steps_left, eos_token_id=self._ends(rows[0].request)),
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([ending]),
            )
            tokens_BT, cache = output.sequences, output.past_key_values

    def _read(self, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """`generate`'s inputs for `prompts`: a decoder's padded on the left, an encoder's on the right and encoded."""
        longest = max(map(len, prompts))
        pads = [longest - len(prompt) for prompt in prompts]
        if self._reads_apart:
            tokens = [[*prompt, *[self._pad] * pad] for prompt, pad in zip(prompts, pads, strict=True)]
            mask = [[1] * len(prompt) + [0] * pad for prompt, pad in zip(prompts, pads, strict=True)]
        else:
            tokens = [[*[self._pad] * pad, *prompt] for prompt, pad in zip(prompts, pads, strict=True)]
            mask = [[0] * pad + [1] * len(prompt) for prompt, pad in zip(prompts, pads, strict=True)]
        tokens_PT = torch.tensor(tokens, device=self._device)
        mask_PT = torch.tensor(mask, device=self._device)
        if not self._reads_apart:
            return {"input_ids": tokens_PT, "attention_mask": mask_PT}
        encoded = self._model.get_encoder()(input_ids=tokens_PT, attention_mask=mask_PT, return_dict=True)
        return {"encoder_outputs": BaseModelOutput(encoded.last_hidden_state), "attention_mask": mask_PT}

    def _continued(self, inputs: dict[str, Any], tokens_BT: Tensor, cache: Any) -> dict[str, Any]:
        """`generate`'s inputs to go on after `tokens_BT`, of which `cache` holds all but the last."""
        mask_BT = inputs["attention_mask"]
        if self._reads_apart:
            answer = {"decoder_input_ids": tokens_BT, "decoder_attention_mask": torch.ones_like(tokens_BT)}
            return {**inputs, **answer, "past_key_values": cache}
        new_BT = mask_BT.new_ones(len(tokens_BT), tokens_BT.shape[1] - mask_BT.shape[1])
        whole = {"input_ids": tokens_BT, "attention_mask": torch.cat([mask_BT, new_BT], dim=1)}
        return whole | ({} if cache is None else {"past_key_values": cache})

    def _config(self, new_tokens: int, **more: Any) -> GenerationConfig:
        config = self._model.config
        return GenerationConfig(
            max_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=self._pad,
            bos_token_id=getattr(config, "bos_token_id", None),
            decoder_start_token_id=getattr(config, "decoder_start_token_id", None),
            return_dict_in_generate=True,
            **more,
        )

    @contextmanager
    def _as_asked(self) -> Iterator[None]:
        """For inference, and without the model's own opinion on how to decode."""
        own, training = self._model.generation_config, self._model.training
        self._model.generation_config = GenerationConfig()
        self._model.eval()
        try:
            yield
        finally:
            self._model.generation_config = own
            self._model.train(training)

    def _ending(self, rows: Sequence[SampleRow], width: int) -> Ending:
        stop = rows[0].request.sampling.stop
        return Ending(rows, width, self._ends(rows[0].request), self._has_stop if stop else None, self._device)

    def _ends(self, request: Request) -> list[int]:
        """The tokens that end its answer: all that the model knows, and the one that its form ends with."""
        marks = request.sampling.marks
        return sorted({*self._own_ends, *([self._encoder.end(marks.end)] if marks is not None else [])})

    def _has_stop(self, row: SampleRow, tokens: list[int]) -> bool:
        stops = row.request.sampling.stop
        window = max(len(stop.encode()) for stop in stops) + TAIL  # a token is a byte or more
        tail = self._decoder.text(tokens[-window:])
        return any(stop in tail for stop in stops) and any(stop in self._text(row, tokens) for stop in stops)

    def _completion(self, row: SampleRow, tokens: list[int]) -> Completion:
        ended = tokens[-1] in self._ends(row.request)
        text = self._text(row, tokens[:-1] if ended else tokens)
        cut = cut_before(text, row.request.sampling.stop)
        return Completion(text if cut is None else cut, ended or cut is not None, len(tokens))

    def _text(self, row: SampleRow, tokens: list[int]) -> str:
        return self._decoder.text(tokens, () if self._reads_apart else row.request.tokens)


def context_length(config: Any) -> int | None:
    """Positions that a model has, None when they do not end (relative ones, as T5's)."""
    length = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return int(length) if isinstance(length, int) and length > 0 else None


def _arguments(model: Any) -> set[str]:
    return set(inspect.signature(model.forward).parameters)


def _select(inputs: dict[str, Any], rows_B: Tensor) -> dict[str, Any]:
    return {
        name: BaseModelOutput(value.last_hidden_state[rows_B]) if name == "encoder_outputs" else value[rows_B]
        for name, value in inputs.items()
    }
