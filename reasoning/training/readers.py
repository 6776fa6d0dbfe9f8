"""How a student reads samples: their language-model loss, and their completions' representations.

Owns: the calls of the model. Four readers give the same numbers; they differ in what is read how often, and in whether
the triplet loss trains what the student makes of the prompt.

- `SharedPrompts`, a decoder: each prompt once, its completions beside one another.
- `SequencesApart`, a decoder that keeps a recurrent state, takes positions from its mask, or attends in windows: every
  prompt and completion as a sequence of its own.
- `CachedPrompts`, a decoder whose prompts the triplet loss leaves alone: prompt and anchor first, then all three
  completions after the prompt's keys and values, detached. Each prompt is read once, each anchor twice.
- `EncoderDecoder`: each prompt once, by the encoder, whose states serve every completion, detached or not.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from reasoning.training.collation import PaddedSamples, Segment, collate, collate_after_prompts, pad_right
from reasoning.training.losses.cross_entropy import NOT_A_TARGET, cross_entropy_sum
from reasoning.training.losses.representation import representation
from reasoning.training.losses.term import Needs, Representations, StudentOutput, TokenWeights
from reasoning.training.samples import Sample, TokenIds
from reasoning.training.transformers_internals import detached_cache

COMPLETIONS = (Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE)


class Reader(Protocol):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        """Reads `samples`. Without `triplets`, or where none of them is one, no representation is computed."""


def make_reader(student: Any, needs: Needs, pad: int, *, shares_prompt: bool) -> Reader:
    """The reader that computes what `needs` says."""
    weights = needs.cross_entropy or TokenWeights(prompt=0.0, trained=False)
    representations = needs.representations or Representations()
    if student.config.is_encoder_decoder:
        return EncoderDecoder(student, weights, representations, pad)
    if not shares_prompt:
        return SequencesApart(student, weights, representations, pad)
    kind = SharedPrompts if representations.prompt_gradient else CachedPrompts
    return kind(student, weights, representations, pad)


class _Decoder:
    def __init__(self, student: Any, weights: TokenWeights, representations: Representations, pad: int) -> None:
        self.student = student
        self.weights = weights
        self.representations = representations
        self.pad = pad
        self._keeps_logits = "logits_to_keep" in inspect.signature(student.forward).parameters

    @property
    def _device(self) -> torch.device:
        return next(self.student.parameters()).device  # type: ignore[no-any-return]

    def _run(self, padded: PaddedSamples, logits: int | Tensor, **options: Any) -> Any:
        """The student's output on `rows`, with logits of the last `logits` columns or of those that it lists."""
        if self._keeps_logits or isinstance(logits, Tensor):
            options["logits_to_keep"] = logits
        options = {"attention_mask": padded.attention_mask(self.student.dtype), "use_cache": False} | options
        return self.student(input_ids=padded.tokens_BT, position_ids=padded.positions_BT, **options)

    def _predicting(self, samples: Sequence[Sample], padded: PaddedSamples) -> int:
        """How many of the last columns of prompt and anchor predict what is trained: fewer if prompts are not."""
        if self.weights.prompt > 0.0:
            return padded.anchor_columns
        return padded.anchor_columns - max(0, min(len(sample.prompt) for sample in samples) - 1)

    def _language(self, padded: PaddedSamples, logits_BTV: Tensor) -> Tensor:
        """The language-model loss of prompts and anchors, summed; `logits_BTV` are of the last of their columns."""
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

    def _vectors(self, output: Any, padded: PaddedSamples, segment: Segment) -> Tensor:
        return representation(output.hidden_states[-1], padded.segments_BT == segment, self.representations.kind)


class SharedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        padded = collate(samples, self.pad, self._device, triplets=triplets)
        count = self._predicting(samples, padded)
        if not padded.has_triplets:
            return StudentOutput(self._language(padded, self._run(padded, count).logits))
        columns = torch.arange(padded.anchor_columns - count, padded.anchor_columns, device=self._device)
        output = self._run(padded, columns, output_hidden_states=True)
        chosen = torch.tensor(_triplets(samples)).to(self._device)
        vectors = tuple(self._vectors(output, padded, segment)[chosen] for segment in COMPLETIONS)
        return StudentOutput(self._language(padded, output.logits), vectors)


class SequencesApart(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        chosen = _triplets(samples) if triplets else []
        padded = collate(samples, self.pad, self._device, triplets=False)
        output = self._run(padded, self._predicting(samples, padded), output_hidden_states=bool(chosen))
        language = self._language(padded, output.logits)
        if not chosen:
            return StudentOutput(language)
        vectors = [self._vectors(output, padded, Segment.ANCHOR)[torch.tensor(chosen).to(self._device)]]
        for completions in _completions(samples, chosen)[1:]:
            alone = [Sample(samples[row].prompt, text) for row, text in zip(chosen, completions, strict=True)]
            padded = collate(alone, self.pad, self._device, triplets=False)
            vectors.append(self._vectors(self._run(padded, 1, output_hidden_states=True), padded, Segment.ANCHOR))
        return StudentOutput(language, tuple(vectors))


class CachedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> StudentOutput:
        chosen = _triplets(samples) if triplets else []
        padded = collate(samples, self.pad, self._device, triplets=False)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.weights.trained):
            output = self._run(padded, self._predicting(samples, padded), use_cache=bool(chosen))
            language = self._language(padded, output.logits)
        if not chosen:
            return StudentOutput(language)
        width = max(len(samples[row].prompt) for row in chosen)
        places = torch.tensor(chosen).to(self._device)
        cached_RC = padded.segments_BT[places, :width]
        after = collate_after_prompts([samples[row] for row in chosen], self.pad, self._device)
        output = self._run(
            after,
            1,
            attention_mask=after.attention_mask(self.student.dtype, cached_RC),
            past_key_values=detached_cache(output.past_key_values, places, width),
            use_cache=True,
            output_hidden_states=True,
        )
        return StudentOutput(language, tuple(self._vectors(output, after, segment) for segment in COMPLETIONS))


class EncoderDecoder:
    """A completion enters the decoder shifted right, so that the state in its last column has read all of it and
    predicts its end. The mean is over the columns that predict the completion."""

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
        if not self.representations.prompt_gradient:
            return StudentOutput(language, self._compare(groups, states_BSD[chosen_R].detach(), is_prompt_BS[chosen_R]))
        anchors_RD = self._vectors(output.decoder_hidden_states[-1], is_token_BT)[chosen_R]
        return StudentOutput(
            language, (anchors_RD, *self._compare(groups[1:], states_BSD[chosen_R], is_prompt_BS[chosen_R]))
        )

    def _compare(self, groups: list[list[TokenIds]], states_RSD: Tensor, is_prompt_RS: Tensor) -> tuple[Tensor, ...]:
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
        return self._vectors(output.last_hidden_state, is_token_GT).chunk(len(groups))

    def _vectors(self, hidden_BTD: Tensor, is_token_BT: Tensor) -> Tensor:
        return representation(hidden_BTD, is_token_BT.bool(), self.representations.kind)


def _triplets(samples: Sequence[Sample]) -> list[int]:
    return [row for row, sample in enumerate(samples) if sample.is_triplet]


def _completions(samples: Sequence[Sample], rows: list[int]) -> list[list[TokenIds]]:
    """Anchors, positives and negatives of the samples at `rows`, which are triplets."""
    return [[getattr(samples[row], name) for row in rows] for name in ("anchor", "positive", "negative")]
