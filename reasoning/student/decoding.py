"""What is drawn and what ends, row by row, while `generate` steps through a batch.

Owns: the rows of a batch, the processor that draws each row's token, the criterion that says which rows have ended.

Invariants
- A row draws with random numbers of its own, which depend on prompt, seed and sample number alone.
- A token whose probability is 0 is never drawn.
- A row ends once: what `generate` appends to it afterwards is not part of what it said.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from reasoning.records import stable_id
from reasoning.student.sampling import Sampling

SHRINK_EVERY = 4  # steps between two counts of the rows that still go on
SHRINK_BELOW = 0.9  # share of a batch at which those that have ended leave it


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to answer, as the model reads it; `limit` is how many new tokens sampling and context allow."""

    prompt: str
    tokens: tuple[int, ...]
    sampling: Sampling
    limit: int


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One completion to be made: number `sample` (from 0) of `request`'s."""

    request: Request
    sample: int


def rows_of(requests: Iterable[Request]) -> list[SampleRow]:
    """One row a sample, those of a request side by side."""
    return [SampleRow(request, sample) for request in requests for sample in range(request.sampling.samples)]


def logits_processors(sampling: Sampling, drawing: Draw) -> LogitsProcessorList:
    """What makes the token that is asked for the one with the largest score."""
    if sampling.temperature == 0.0:
        return LogitsProcessorList()
    warpers: list[LogitsProcessor] = []
    if sampling.temperature != 1.0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_p < 1.0:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    return LogitsProcessorList([*warpers, drawing])


class Draw(LogitsProcessor):
    """Draws each row's token from its distribution with the row's own random numbers: one a step, in [0, 1), at which
    the cumulative distribution is inverted. The token drawn keeps the score 0, all others get minus infinity."""

    def __init__(self, rows: Sequence[SampleRow], width: int, device: torch.device) -> None:
        """`width`: columns of the tokens before the first drawn one."""
        self._width = width
        self._uniform_BS = torch.zeros(len(rows), max(row.request.limit for row in rows))
        for index, row in enumerate(rows):
            if row.request.sampling.temperature > 0.0:
                self._uniform_BS[index, : row.request.limit] = _uniform(row)
        self._uniform_BS = self._uniform_BS.to(device)

    def keep(self, rows_B: Tensor) -> None:
        self._uniform_BS = self._uniform_BS[rows_B]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        uniform_B1 = self._uniform_BS[:, input_ids.shape[1] - self._width, None]
        return torch.full_like(scores, -torch.inf).scatter_(1, draw(scores, uniform_B1), 0.0)


def draw(scores_BV: Tensor, uniform_B1: Tensor) -> Tensor:
    """Tokens (B, 1) with the probabilities softmax(`scores_BV`): the first at which the cumulative distribution exceeds
    `uniform_B1`, in [0, 1). A token of probability 0 is never drawn."""
    cumulative_BV = scores_BV.softmax(dim=-1).cumsum(dim=-1)
    drawn_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    return drawn_B1.clamp(max=scores_BV.shape[1] - 1)  # NaN scores do not crash


def _uniform(row: SampleRow) -> Tensor:
    sampling = row.request.sampling
    generator = torch.Generator()
    if sampling.seed is None:
        generator.manual_seed(random.SystemRandom().getrandbits(63))
    else:
        generator.manual_seed(int(stable_id(sampling.seed, row.request.prompt, row.sample), 16) >> 1)
    return torch.rand(row.request.limit, generator=generator)


class Ending(StoppingCriteria):
    """Which rows have ended, and what they said. Pauses `generate` when enough of them have.

    A row ends with an end token, at its limit, or at a stop string. Rows are those of the batch at its start; those
    that `generate` holds at present are `_present_B` of them."""

    def __init__(
        self,
        rows: Sequence[SampleRow],
        width: int,
        ends: Sequence[int],
        has_stop: Callable[[SampleRow, list[int]], bool] | None,
        device: torch.device,
    ) -> None:
        self._rows, self._width, self._has_stop = rows, width, has_stop
        self._ends = torch.tensor(ends, device=device)
        self._limit_B = torch.tensor([row.request.limit for row in rows], device=device)
        self._length_B = torch.zeros_like(self._limit_B)  # 0: goes on
        self._present_B = torch.arange(len(rows), device=device)
        self._made_BS = torch.zeros(len(rows), max(row.request.limit for row in rows), dtype=torch.long, device=device)
        self._step = 0
        self.may_pause = False

    @property
    def steps_left(self) -> int:
        return int(self._limit_B[self._present_B].max()) - self._step

    def __call__(self, input_ids: Tensor, scores: Any = None, **kwargs: Any) -> Tensor:
        """(B,) of the rows present: whether each has ended; all true for a pause."""
        self._step = input_ids.shape[1] - self._width
        present_B = self._present_B
        ends_B = torch.isin(input_ids[:, -1], self._ends) | (self._limit_B[present_B] <= self._step)
        if self._has_stop is not None:
            ends_B |= self._stopped(input_ids, self._length_B[present_B] == 0)
        lengths_B = self._length_B[present_B]
        lengths_B = torch.where((lengths_B == 0) & ends_B, self._step, lengths_B)
        self._length_B[present_B] = lengths_B
        ended_B = lengths_B > 0
        if self.may_pause and self._step % SHRINK_EVERY == 0:
            going = len(ended_B) - int(ended_B.sum())
            if going <= SHRINK_BELOW * len(ended_B):
                return torch.ones_like(ended_B)
        return ended_B

    def _stopped(self, input_ids: Tensor, going_B: Tensor) -> Tensor:
        rows = self._present_B.tolist()
        said = input_ids[:, self._width :].tolist()
        stopped = [
            going and self._has_stop is not None and self._has_stop(self._rows[row], tokens)
            for row, tokens, going in zip(rows, said, going_B.tolist(), strict=True)
        ]
        return torch.tensor(stopped, device=going_B.device)

    def leave(self, tokens_BT: Tensor) -> Tensor:
        """Takes down what the rows present have said; those that have ended leave. Indices of those that go on."""
        said_BS = tokens_BT[:, self._width :]
        self._made_BS[self._present_B, : said_BS.shape[1]] = said_BS
        going_B = (self._length_B[self._present_B] == 0).nonzero()[:, 0]
        self._present_B = self._present_B[going_B]
        return going_B

    def made(self) -> list[list[int]]:
        """Each row's new tokens, with the one that ended it."""
        made = zip(self._made_BS.tolist(), self._length_B.tolist(), strict=True)
        return [tokens[:length] for tokens, length in made]
