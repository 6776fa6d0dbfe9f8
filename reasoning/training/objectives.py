"""What a student is trained to do: imitate rationales, and learn from its own mistakes.

Owns: the module that turns a micro-batch into the loss to train on.

Invariants
- Values and gradients equal those of the plain computation: every sequence alone, no shared prompt, no padding.
- Gradients flow through everything, the shared prompt included, unless `prompt_gradient` is off: then the triplet
  loss's do not flow through what the student makes of the prompt (a decoder's keys and values, an encoder's states), as
  in paper A's code. The language-model loss's always do.

Source: paper A, learning from feedback and from self-reflection; METHOD.md, losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reasoning.training.losses.table import total
from reasoning.training.losses.term import Term, merged
from reasoning.training.mistakes.pair_reading import Continued, PairReader
from reasoning.training.readers import Reading, make_reader
from reasoning.training.samples import Sample

MIN_COUNT = 1e-6  # a term of which the whole batch has nothing is 0, not 0 / 0


class Objective(nn.Module):
    """A student and the terms of its loss: one module, so that data-parallel training wraps every forward pass at once.

    `reading` is of decoders, and what the student allows (see `prompt_sharing`). The numbers are the same, but only a
    student whose prompts are shared can do without `prompt_gradient`."""

    def __init__(self, student: Any, terms: Sequence[Term], pad: int, reading: Reading) -> None:
        super().__init__()
        self.student = student
        self.terms = tuple(terms)
        self.needs = merged(self.terms)
        self.reader = make_reader(student, self.needs, pad, reading)
        pairs, shares = self.needs.pairs, reading.shares_prompt
        self.pairs = PairReader(student, pairs, pad, shares_prompt=shares) if pairs is not None else None

    def counts(self, batch: Sequence[Sample]) -> tuple[int, ...]:
        """What each term's sum over `batch` is divided by."""
        apart = self.student.config.is_encoder_decoder
        return tuple(sum(term.count(sample, encoder_decoder=apart) for sample in batch) for term in self.terms)

    def reads_triplets(self, counts: Sequence[int]) -> bool:
        """Whether completions are compared in a batch with these `counts`."""
        return any(
            count > 0 and term.needs.representations is not None for term, count in zip(self.terms, counts, strict=True)
        )

    def reference(self, sequences: Sequence[Continued]) -> list[float]:
        """What the student gives continuations now (see `PairReader.reference`)."""
        assert self.pairs is not None
        return self.pairs.reference(sequences)

    def forward(self, samples: tuple[Sample, ...], counts: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Loss of `samples` as their part of a batch with `counts`, one a term.

        Returns the loss to back-propagate and the terms' own losses, detached, shape (terms,): summed over the batch's
        parts they are the batch's losses. Where no triplet counts, none is computed."""
        output = self.reader.read(samples, triplets=self.reads_triplets(counts))
        if self.pairs is not None:
            output = self.pairs.add(output, samples)
        losses = [term.sum(output) / max(count, MIN_COUNT) for term, count in zip(self.terms, counts, strict=True)]
        return total(self.terms, losses), torch.stack([loss.detach() for loss in losses])
