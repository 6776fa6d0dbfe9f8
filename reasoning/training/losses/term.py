"""What a term of a loss is: one summand, what it needs of the student, and what it is called in reports.

Owns: the contract between losses, readers and the training loop. No torch when imported: a recipe is checked with it.

A quantity that no term needs yet becomes a field of `Needs`, a field of `StudentOutput`, and a computation in the
readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from reasoning.training.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor

Stated = TypeVar("Stated")


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """The weights of the cross entropies that are summed: `prompt` for a token of the prompt, 1 for one of the anchor.

    `trained`: whether a gradient is wanted. Without one the sum is only measured."""

    prompt: float
    trained: bool = True


@dataclass(frozen=True, slots=True)
class Representations:
    """One vector for each completion of a triplet, made by `kind` (see `representation`).

    `prompt_gradient`: whether their gradient flows through what the student makes of the prompt."""

    kind: str = "last"
    prompt_gradient: bool = True


@dataclass(frozen=True, slots=True)
class Pairs:
    """Right and wrong continuations of one prompt, of this `kind` (see
    `reasoning.training.mistakes.comparisons`).

    `of`: what is computed of them, the `log_probability` of each, now and before the training; or the student's
    `next_tokens` along the wrong one, with and without having been shown the right one; or those along an `attempt` of
    its own, which a teacher has scored and which is then all that there is (`scored_tokens`)."""

    kind: Literal["whole", "step", "attempt"] = "whole"
    of: Literal["log_probability", "next_tokens", "scored_tokens"] = "log_probability"


@dataclass(frozen=True, slots=True)
class Needs:
    """What is computed of the student's outputs; None is not computed."""

    cross_entropy: TokenWeights | None = None
    representations: Representations | None = None
    pairs: Pairs | None = None


@dataclass(frozen=True, slots=True)
class StudentOutput:
    """What a reader computes of samples: the sum of weighted cross entropies over the tokens that the student predicts;
    and of the R samples that are triplets the representations of anchor, positive and negative, (R, D) each. These are
    missing when no sample is a triplet, or when none of the batch's is asked for.

    Of the P samples with a pair: `log_probabilities`, (P, 2), right and wrong, the sum over a continuation's tokens,
    and `reference`, the same of the student before the training; or, of the N tokens of their wrong continuations,
    `next_tokens`, logits (N, V) of the student as it is asked, and `shown_next_tokens`, of the student that has been
    shown the right one, without gradient; or, where a teacher has scored them, `next_tokens` and the ids that it
    `listed` (N, L; negative where there is none) with its log-probabilities, `teacher` (N, L)."""

    cross_entropy: Tensor
    representations: tuple[Tensor, ...] = ()
    log_probabilities: Tensor | None = None
    reference: Tensor | None = None
    next_tokens: Tensor | None = None
    shown_next_tokens: Tensor | None = None
    listed: Tensor | None = None
    teacher: Tensor | None = None


class Term(Protocol):
    """One summand of a loss: `weight` * `sum` / the `count` of the whole batch."""

    @property
    def name(self) -> str:
        """The field of `report.LossPoint` that reports it."""

    @property
    def weight(self) -> float:
        """What it counts in the loss that is trained; 0: it is measured, not trained."""

    @property
    def needs(self) -> Needs: ...

    def count(self, sample: Sample, *, encoder_decoder: bool) -> int:
        """What `sample` adds to the count that the sum is divided by: 0 when the sample has nothing for this term."""

    def sum(self, output: StudentOutput) -> Tensor:
        """Its sum over the samples that were read, a scalar; zero without gradient when there is nothing to sum."""


def merged(terms: Sequence[Term]) -> Needs:
    """What `terms` need together: the student is read once for all. Raises `ValueError` when two disagree."""
    return Needs(
        _agreed([term.needs.cross_entropy for term in terms]),
        _agreed([term.needs.representations for term in terms]),
        _agreed([term.needs.pairs for term in terms]),
    )


def _agreed(stated: list[Stated | None]) -> Stated | None:
    distinct = list(dict.fromkeys(one for one in stated if one is not None))
    if len(distinct) > 1:
        raise ValueError(f"terms of one loss need different things of one reading: {distinct[0]} and {distinct[1]}")
    return distinct[0] if distinct else None
