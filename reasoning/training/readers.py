"""How a student reads samples: their language-model loss, and their completions' representations.

Owns: the calls of the model. Five readers give the same numbers; they differ in what is read how often, in padding, and
in whether the triplet loss trains what the student makes of the prompt.

- `PackedPrompts`, a decoder: all samples in one row, each prompt once, its completions beside one another, no padding;
  where the student can, what nobody reads of the last layer is not computed.
- `SharedPrompts`, a decoder that knows no packed row: a padded row a sample, each prompt once, its completions beside
  one another.
- `CachedPrompts`, the same for prompts that the triplet loss leaves alone: prompt and anchor first, then all three
  completions after the prompt's keys and values, detached. Each prompt is read once, each anchor twice.
- `SequencesApart`, a decoder that keeps a recurrent state, takes positions from its mask, or attends in windows: every
  prompt and completion as a sequence of its own, padded.
- `EncoderDecoder`: each prompt once, by the encoder, whose states serve every completion, detached or not.

A decoder whose logits are as `output_head.OutputHead` makes them is read up to its hidden states, and logits are made
of those that predict something, a piece at a time. The others' logits are whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from reasoning.training.collation import COMPLETIONS, PaddedSamples, Segment, collate, collate_after_prompts, pad_right
from reasoning.training.losses.cross_entropy import NOT_A_TARGET, cross_entropy_sum, hidden_cross_entropy_sum
from reasoning.training.losses.representation import representation
from reasoning.training.losses.term import Needs, Representations, StudentOutput, TokenWeights
from reasoning.training.output_head import OutputHead, decoder_of
from reasoning.training.packed.last_layer import leaves_out_unread
from reasoning.training.packed.packing import Reads, pack, packed_row
from reasoning.training.samples import Sample, Span, TokenIds
from reasoning.training.transformers_internals import detached_cache


@dataclass(frozen=True, slots=True)
class Reading:
    """How a decoder can be read so that its numbers stay the same (see `prompt_sharing.how_to_read`). `packed` implies
    `shares_prompt`; `from_hidden`: its logits are made of its hidden states; `leaves_out`: packed, its last layer
    computes what is read alone."""

    shares_prompt: bool = False
    packed: bool = False
    from_hidden: bool = False
    leaves_out: bool = False


class Reader(Protocol):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        """Reads `samples`. Without `triplets`, or where none of them is one, no representation is computed."""


def make_reader(student: Any, needs: Needs, pad: int, reading: Reading) -> Reader:
    """The reader that computes what `needs` says."""
    weights = needs.cross_entropy or TokenWeights(prompt=0.0, trained=False)
    representations = needs.representations or Representations()
    if student.config.is_encoder_decoder:
        return EncoderDecoder(student, weights, representations, pad)
    kind: Callable[..., Reader] = SequencesApart
    if reads_cached_prompts(needs, reading):
        kind = CachedPrompts if reading.shares_prompt else SequencesApart
    elif reading.shares_prompt:
        kind = PackedPrompts if reading.packed else SharedPrompts
    return kind(student, weights, representations, pad, from_hidden=reading.from_hidden)


def reads_cached_prompts(needs: Needs, reading: Reading) -> bool:
    """Whether a triplet loss that leaves prompts alone needs their keys and values in a cache: where they are not in
    one row with its completions, and where nothing else trains them, so that a row would take gradients in vain."""
    if needs.representations is None or needs.representations.prompt_gradient:
        return False
    return not (reading.packed and needs.cross_entropy is not None and needs.cross_entropy.trained)


class _Decoder:
    def __init__(
        self, student: Any, weights: TokenWeights, representations: Representations, pad: int, *, from_hidden: bool
    ) -> None:
        self.student = student
        self.weights = weights
        self.representations = representations
        self.pad = pad
        self.head = OutputHead(student) if from_hidden else None
        self._keeps_logits = "logits_to_keep" in inspect.signature(student.forward).parameters

    @property
    def _device(self) -> torch.device:
        return next(self.student.parameters()).device  # type: ignore[no-any-return]

    def _anchors(self, samples: Sequence[Sample], padded: PaddedSamples, *, hidden: bool, **options: Any) -> _Read:
        """Reads rows that begin with prompts and anchors: their language-model loss, with `hidden` the states too."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and (self.weights.trained or hidden)):
            if self.head is not None:
                output = self._run(padded, decoder_of(self.student), **options)
                states = output.last_hidden_state
                starts = [row * padded.tokens_BT.shape[1] for row in range(len(samples))]
                language = self._language(samples, starts, padded.tokens_BT.flatten(), states.flatten(0, 1))
                return _Read(language, states, output)
            count = self._predicting(samples, padded)
            logits: int | Tensor = count
            if padded.has_triplets:
                logits = torch.arange(padded.anchor_columns - count, padded.anchor_columns, device=self._device)
            if self._keeps_logits or isinstance(logits, Tensor):
                options["logits_to_keep"] = logits
            output = self._run(padded, self.student, output_hidden_states=hidden, **options)
            states = output.hidden_states[-1] if hidden else None
            return _Read(self._whole_language(padded, output.logits), states, output)

    def _completions(self, padded: PaddedSamples, **options: Any) -> Tensor:
        """The hidden states of rows of which no token is predicted."""
        if self.head is not None:
            return self._run(padded, decoder_of(self.student), **options).last_hidden_state  # type: ignore[no-any-return]
        if self._keeps_logits:
            options["logits_to_keep"] = 1
        return self._run(padded, self.student, output_hidden_states=True, **options).hidden_states[-1]  # type: ignore[no-any-return]

    def _run(self, padded: PaddedSamples, model: Any, **options: Any) -> Any:
        options = {"attention_mask": padded.attention_mask(self.student.dtype), "use_cache": False} | options
        return model(input_ids=padded.tokens_BT, position_ids=padded.positions_BT, **options)

    def _predicting(self, samples: Sequence[Sample], padded: PaddedSamples) -> int:
        """How many of the last columns of prompt and anchor predict what is trained: fewer if prompts are not."""
        if self.weights.prompt > 0.0:
            return padded.anchor_columns
        return padded.anchor_columns - max(0, min(len(sample.prompt) for sample in samples) - 1)

    def _language(
        self, samples: Sequence[Sample], starts: Sequence[int], tokens_N: Tensor, hidden_ND: Tensor
    ) -> Tensor:
        """The language-model loss, summed, of samples whose prompts and anchors begin at `starts` of N tokens."""
        assert self.head is not None
        weighed = self.weights.prompt not in (0.0, 1.0)
        places: list[int] = []
        weights: list[float] = []
        for sample, start in zip(samples, starts, strict=True):
            first = 0 if self.weights.prompt > 0.0 else max(0, len(sample.prompt) - 1)
            places += range(start + first, start + sample.length - 1)  # each predicts the token after it
            if weighed:
                of_prompt = max(0, len(sample.prompt) - 1)
                weights += [self.weights.prompt] * of_prompt + [1.0] * (sample.length - 1 - of_prompt)
        places_P = torch.tensor(places, dtype=torch.long).to(hidden_ND.device)
        weights_P = torch.tensor(weights).to(hidden_ND.device) if weighed else None
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.weights.trained):
            hidden_PD, targets_P = hidden_ND.index_select(0, places_P), tokens_N.index_select(0, places_P + 1)
            return hidden_cross_entropy_sum(
                hidden_PD, self.head, self.head.weights(), self.head.vocabulary, targets_P, weights_P
            )

    def _whole_language(self, padded: PaddedSamples, logits_BTV: Tensor) -> Tensor:
        """The same of `logits_BTV`, those of the last columns of prompts and anchors."""
        tokens_BT = padded.tokens_BT[:, : padded.anchor_columns]
        segments_BT = padded.segments_BT[:, : padded.anchor_columns]
        untrained_BT = segments_BT == Segment.PADDING
        if self.weights.prompt == 0.0:
            untrained_BT = untrained_BT | (segments_BT == Segment.PROMPT)
        # A column predicts the token after it. Targets are shifted, not logits, which would be copied.
        targets_BT = torch.full_like(tokens_BT, NOT_A_TARGET)
        targets_BT[:, :-1] = tokens_BT.masked_fill(untrained_BT, NOT_A_TARGET)[:, 1:]
        columns = logits_BTV.shape[1]
        if self.weights.prompt in (0.0, 1.0):
            return cross_entropy_sum(logits_BTV, targets_BT[:, -columns:])
        weights_BT = torch.ones_like(tokens_BT, dtype=torch.float32)
        weights_BT[:, :-1].masked_fill_(segments_BT[:, 1:] == Segment.PROMPT, self.weights.prompt)
        return cross_entropy_sum(logits_BTV, targets_BT[:, -columns:], weights_BT[:, -columns:])

    def _vectors(self, hidden_BTD: Tensor, padded: PaddedSamples, segment: Segment) -> Tensor:
        return representation(hidden_BTD, padded.compared(segment), self.representations.kind)


@dataclass(frozen=True, slots=True)
class _Read:
    language: Tensor
    hidden_BTD: Any  # None where they were not asked for and not needed
    output: Any


class PackedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        device = self._device
        reads = Reads(prompts=self.weights.prompt > 0.0, ends=self.representations.kind == "last")
        packed = pack(
            samples,
            device,
            triplets=triplets,
            prompt_gradient=self.representations.prompt_gradient,
            reads=reads if leaves_out_unread(self.student) else None,
        )
        options = {
            "input_ids": packed.tokens_T[None],
            "position_ids": packed.positions_T[None],
            "attention_mask": packed_row(packed, next(self.student.parameters())),
            "use_cache": False,
        }
        hidden_TD = decoder_of(self.student)(**options).last_hidden_state[0]
        language = self._language(samples, packed.starts, packed.tokens_T, hidden_TD)
        return StudentOutput(language, tuple(self._packed_vectors(hidden_TD, kind) for kind in packed.compared))

    def _packed_vectors(self, hidden_TD: Tensor, places: Sequence[Sequence[int]]) -> Tensor:
        width = max(map(len, places))
        places_RC = torch.tensor([[*place, *[0] * (width - len(place))] for place in places], dtype=torch.long)
        is_token_RC = torch.arange(width) < torch.tensor([[len(place)] for place in places])
        hidden_RCD = hidden_TD[places_RC.to(hidden_TD.device)]
        return representation(hidden_RCD, is_token_RC.to(hidden_TD.device), self.representations.kind)


class SharedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        padded = collate(samples, self.pad, self._device, triplets=triplets)
        read = self._anchors(samples, padded, hidden=padded.has_triplets)
        if not padded.has_triplets:
            return StudentOutput(read.language)
        chosen = torch.tensor(_triplets(samples)).to(self._device)
        vectors = (self._vectors(read.hidden_BTD, padded, segment)[chosen] for segment in COMPLETIONS)
        return StudentOutput(read.language, tuple(vectors))


class SequencesApart(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        chosen = _triplets(samples) if triplets else []
        padded = collate(samples, self.pad, self._device, triplets=False)
        read = self._anchors(samples, padded, hidden=bool(chosen))
        if not chosen:
            return StudentOutput(read.language)
        vectors = [self._vectors(read.hidden_BTD, padded, Segment.ANCHOR)[torch.tensor(chosen).to(self._device)]]
        spans = _spans(samples, chosen)
        for completions, compared in zip(_completions(samples, chosen)[1:], spans[1:], strict=True):
            alone = [
                Sample(samples[row].prompt, text, compared=(span, span, span) if span else None)
                for row, text, span in zip(chosen, completions, compared, strict=True)
            ]
            padded = collate(alone, self.pad, self._device, triplets=False)
            vectors.append(self._vectors(self._completions(padded), padded, Segment.ANCHOR))
        return StudentOutput(read.language, tuple(vectors))


class CachedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        chosen = _triplets(samples) if triplets else []
        padded = collate(samples, self.pad, self._device, triplets=False)
        read = self._anchors(samples, padded, hidden=False, use_cache=bool(chosen))
        if not chosen:
            return StudentOutput(read.language)
        width = max(len(samples[row].prompt) for row in chosen)
        places = torch.tensor(chosen).to(self._device)
        cached_RC = padded.segments_BT[places, :width]
        after = collate_after_prompts([samples[row] for row in chosen], self.pad, self._device)
        hidden_RTD = self._completions(
            after,
            attention_mask=after.attention_mask(self.student.dtype, cached_RC),
            past_key_values=detached_cache(read.output.past_key_values, places, width),
            use_cache=True,
        )
        return StudentOutput(read.language, tuple(self._vectors(hidden_RTD, after, segment) for segment in COMPLETIONS))


class EncoderDecoder:
    """A completion enters the decoder shifted right, so that the state in its last column has read all of it and
    predicts its end. The mean of a whole one is over the columns that predict it."""

    def __init__(self, student: Any, weights: TokenWeights, representations: Representations, pad: int) -> None:
        self.student = student
        self.weights = weights
        self.representations = representations
        self.pad = pad

    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        from transformers.modeling_outputs import BaseModelOutput

        device = next(self.student.parameters()).device
        chosen = _triplets(samples) if triplets else []
        trained = self.weights.trained or self.representations.prompt_gradient
        with torch.set_grad_enabled(torch.is_grad_enabled() and trained):
            prompts_BS, is_prompt_BS = pad_right([sample.prompt for sample in samples], self.pad, device)
            states_BSD = self.student.get_encoder()(input_ids=prompts_BS, attention_mask=is_prompt_BS).last_hidden_state
            targets_BT, is_token_BT = pad_right([sample.anchor for sample in samples], NOT_A_TARGET, device)
            output = self.student(
                encoder_outputs=BaseModelOutput(last_hidden_state=states_BSD),
                attention_mask=is_prompt_BS,
                decoder_input_ids=self.student.prepare_decoder_input_ids_from_labels(targets_BT),
                decoder_attention_mask=is_token_BT,
                use_cache=False,
                output_hidden_states=bool(chosen),
            )
            language = cross_entropy_sum(output.logits, targets_BT)
        if not chosen:
            return StudentOutput(language)
        chosen_R = torch.tensor(chosen).to(device)
        groups = _completions(samples, chosen)
        spans = _spans(samples, chosen)
        states_RSD, is_prompt_RS = states_BSD[chosen_R], is_prompt_BS[chosen_R]
        if not self.representations.prompt_gradient:
            return StudentOutput(language, self._compare(groups, spans, states_RSD.detach(), is_prompt_RS))
        hidden_RTD = output.decoder_hidden_states[-1][chosen_R]
        anchors_RD = self._vectors(hidden_RTD, is_token_BT[chosen_R], spans[0])
        return StudentOutput(language, (anchors_RD, *self._compare(groups[1:], spans[1:], states_RSD, is_prompt_RS)))

    def _compare(
        self, groups: list[list[TokenIds]], spans: list[list[Span | None]], states_RSD: Tensor, is_prompt_RS: Tensor
    ) -> tuple[Tensor, ...]:
        """Representations of groups of completions of the same prompts: read together, without logits."""
        completions = [completion for group in groups for completion in group]
        targets_GT, is_token_GT = pad_right(completions, NOT_A_TARGET, states_RSD.device)
        output = self.student.get_decoder()(
            input_ids=self.student.prepare_decoder_input_ids_from_labels(targets_GT),
            attention_mask=is_token_GT,
            encoder_hidden_states=states_RSD.repeat(len(groups), 1, 1),
            encoder_attention_mask=is_prompt_RS.repeat(len(groups), 1),
            use_cache=False,
        )
        compared = [span for group in spans for span in group]
        return self._vectors(output.last_hidden_state, is_token_GT, compared).chunk(len(groups))

    def _vectors(self, hidden_BTD: Tensor, is_token_BT: Tensor, spans: list[Span | None]) -> Tensor:
        """Of a part of a completion they are those that have read it: a column later than those that predict it."""
        columns_T = torch.arange(is_token_BT.shape[1], device=is_token_BT.device)
        bounds_B2 = torch.tensor([(span[0] + 1, span[1] + 1) if span else (0, len(columns_T)) for span in spans])
        bounds_B2 = bounds_B2.to(is_token_BT.device)
        compared_BT = (columns_T >= bounds_B2[:, :1]) & (columns_T < bounds_B2[:, 1:]) & is_token_BT.bool()
        return representation(hidden_BTD, compared_BT, self.representations.kind)


def _triplets(samples: Sequence[Sample]) -> list[int]:
    return [row for row, sample in enumerate(samples) if sample.is_triplet]


def _completions(samples: Sequence[Sample], rows: list[int]) -> list[list[TokenIds]]:
    """Anchors, positives and negatives of the samples at `rows`, which are triplets."""
    return [[getattr(samples[row], name) for row in rows] for name in ("anchor", "positive", "negative")]


def _spans(samples: Sequence[Sample], rows: list[int]) -> list[list[Span | None]]:
    """The parts of those completions that are compared; None: the whole."""
    return [[compared[place] if (compared := samples[row].compared) else None for row in rows] for place in range(3)]
