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
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.collation import Rows, Segment, collate, collate_after_prompts, pad_right
from reasoning.training.losses import NOT_A_TARGET, cross_entropy_sum, prompt_weight, representation
from reasoning.training.samples import Sample, TokenIds

COMPLETIONS = (Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE)


class Reading(NamedTuple):
    """What a student makes of samples: the sum of weighted cross entropies over the tokens it predicts; and of the R
    samples that are triplets the representations of anchor, positive and negative, (R, D) each."""

    language: Tensor
    vectors: tuple[Tensor, ...] = ()


class Reader(Protocol):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> Reading:
        """Reads `samples`. Without `triplets`, or where none of them is one, no representation is computed."""


def make_reader(student: Any, objective: ObjectiveSection, pad: int, *, shares_prompt: bool) -> Reader:
    if student.config.is_encoder_decoder:
        return EncoderDecoder(student, objective, pad)
    if not shares_prompt:
        return SequencesApart(student, objective, pad)
    return (SharedPrompts if objective.prompt_gradient else CachedPrompts)(student, objective, pad)


class _Decoder:
    def __init__(self, student: Any, objective: ObjectiveSection, pad: int) -> None:
        self.student = student
        self.objective = objective
        self.pad = pad
        self._prompt_weight = prompt_weight(objective)
        self._keeps_logits = "logits_to_keep" in inspect.signature(student.forward).parameters

    @property
    def _device(self) -> torch.device:
        return next(self.student.parameters()).device  # type: ignore[no-any-return]

    def _run(self, rows: Rows, logits: int | Tensor, **options: Any) -> Any:
        """The student's output on `rows`, with logits of the last `logits` columns or of those that it lists."""
        if self._keeps_logits or isinstance(logits, Tensor):
            options["logits_to_keep"] = logits
        options = {"attention_mask": rows.attention_mask(self.student.dtype), "use_cache": False} | options
        return self.student(input_ids=rows.tokens_BT, position_ids=rows.positions_BT, **options)

    def _predicting(self, samples: Sequence[Sample], rows: Rows) -> int:
        """How many of the last columns of prompt and anchor predict what is trained: fewer if prompts are not."""
        if self._prompt_weight > 0.0:
            return rows.anchor_columns
        return rows.anchor_columns - max(0, min(len(sample.prompt) for sample in samples) - 1)

    def _language(self, rows: Rows, logits_BTV: Tensor) -> Tensor:
        """The language-model loss of prompts and anchors, summed; `logits_BTV` are of the last of their columns."""
        tokens_BT = rows.tokens_BT[:, : rows.anchor_columns]
        segments_BT = rows.segments_BT[:, : rows.anchor_columns]
        untrained_BT = segments_BT == Segment.PADDING
        if self._prompt_weight == 0.0:
            untrained_BT = untrained_BT | (segments_BT == Segment.PROMPT)
        # A column predicts the token after it. Targets are shifted, not logits, which would be copied.
        targets_BT = torch.full_like(tokens_BT, NOT_A_TARGET)
        targets_BT[:, :-1] = tokens_BT.masked_fill(untrained_BT, NOT_A_TARGET)[:, 1:]
        columns = logits_BTV.shape[1]
        if self._prompt_weight in (0.0, 1.0):
            return cross_entropy_sum(logits_BTV, targets_BT[:, -columns:])
        weights_BT = torch.ones_like(tokens_BT, dtype=torch.float32)
        weights_BT[:, :-1].masked_fill_(segments_BT[:, 1:] == Segment.PROMPT, self._prompt_weight)
        return cross_entropy_sum(logits_BTV, targets_BT[:, -columns:], weights_BT[:, -columns:])

    def _vectors(self, output: Any, rows: Rows, segment: Segment) -> Tensor:
        return representation(output.hidden_states[-1], rows.segments_BT == segment, self.objective.representation)


class SharedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> Reading:
        rows = collate(samples, self.pad, self._device, triplets=triplets)
        count = self._predicting(samples, rows)
        if not rows.has_triplets:
            return Reading(self._language(rows, self._run(rows, count).logits))
        columns = torch.arange(rows.anchor_columns - count, rows.anchor_columns, device=self._device)
        output = self._run(rows, columns, output_hidden_states=True)
        chosen = torch.tensor(_triplets(samples)).to(self._device)
        vectors = tuple(self._vectors(output, rows, segment)[chosen] for segment in COMPLETIONS)
        return Reading(self._language(rows, output.logits), vectors)


class SequencesApart(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> Reading:
        chosen = _triplets(samples) if triplets else []
        rows = collate(samples, self.pad, self._device, triplets=False)
        output = self._run(rows, self._predicting(samples, rows), output_hidden_states=bool(chosen))
        language = self._language(rows, output.logits)
        if not chosen:
            return Reading(language)
        vectors = [self._vectors(output, rows, Segment.ANCHOR)[torch.tensor(chosen).to(self._device)]]
        for completions in _completions(samples, chosen)[1:]:
            alone = [Sample(samples[row].prompt, text) for row, text in zip(chosen, completions, strict=True)]
            rows = collate(alone, self.pad, self._device, triplets=False)
            vectors.append(self._vectors(self._run(rows, 1, output_hidden_states=True), rows, Segment.ANCHOR))
        return Reading(language, tuple(vectors))


class CachedPrompts(_Decoder):
    def read(self, samples: Sequence[Sample], *, triplets: bool) -> Reading:
        chosen = _triplets(samples) if triplets else []
        rows = collate(samples, self.pad, self._device, triplets=False)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.objective.loss != "contrastive"):
            output = self._run(rows, self._predicting(samples, rows), use_cache=bool(chosen))
            language = self._language(rows, output.logits)
        if not chosen:
            return Reading(language)
        width = max(len(samples[row].prompt) for row in chosen)
        places = torch.tensor(chosen).to(self._device)
        cached_RC = rows.segments_BT[places, :width]
        after = collate_after_prompts([samples[row] for row in chosen], self.pad, self._device)
        output = self._run(
            after,
            1,
            attention_mask=after.attention_mask(self.student.dtype, cached_RC),
            past_key_values=_detached(output.past_key_values, places, width),
            use_cache=True,
            output_hidden_states=True,
        )
        return Reading(language, tuple(self._vectors(output, after, segment) for segment in COMPLETIONS))


def _detached(cache: Any, rows: Tensor, columns: int) -> Any:
    """Some rows and the first columns of a cache, without the way back to what computed them."""
    from transformers import DynamicCache

    kept = [(layer.keys.detach(), layer.values.detach()) for layer in cache.layers]
    return DynamicCache([(keys[rows, :, :columns], values[rows, :, :columns]) for keys, values in kept])


class EncoderDecoder:
    """A completion enters the decoder shifted right, so that the state in its last column has read all of it and
    predicts its end. The mean is over the columns that predict the completion."""

    def __init__(self, student: Any, objective: ObjectiveSection, pad: int) -> None:
        self.student = student
        self.objective = objective
        self.pad = pad

    def read(self, samples: Sequence[Sample], *, triplets: bool) -> Reading:
        from transformers.modeling_outputs import BaseModelOutput

        device = next(self.student.parameters()).device
        chosen = _triplets(samples) if triplets else []
        trained = self.objective.loss != "contrastive" or self.objective.prompt_gradient
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
            return Reading(language)
        rows = torch.tensor(chosen).to(device)
        groups = _completions(samples, chosen)
        if not self.objective.prompt_gradient:
            return Reading(language, self._compare(groups, states_BSD[rows].detach(), is_prompt_BS[rows]))
        anchors_RD = self._vectors(output.decoder_hidden_states[-1], is_token_BT)[rows]
        return Reading(language, (anchors_RD, *self._compare(groups[1:], states_BSD[rows], is_prompt_BS[rows])))

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
        return representation(hidden_BTD, is_token_BT.bool(), self.objective.representation)


def _triplets(samples: Sequence[Sample]) -> list[int]:
    return [row for row, sample in enumerate(samples) if sample.is_triplet]


def _completions(samples: Sequence[Sample], rows: list[int]) -> list[list[TokenIds]]:
    """Anchors, positives and negatives of the samples at `rows`, which are triplets."""
    return [[getattr(samples[row], name) for row in rows] for name in ("anchor", "positive", "negative")]
