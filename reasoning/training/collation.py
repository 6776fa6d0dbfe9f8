"""How samples lie in padded tensors.

Owns: token ids, positions, segments and attention masks of a group of samples.

Invariants
- A row of a decoder is `prompt anchor | positive | negative`: three padded blocks that share one copy of the prompt;
  or, where the prompt is in a cache already, `anchor | positive | negative`. Completions see the prompt and themselves,
  at the positions they would have right after it: what the model computes for each equals what it computes for prompt
  and completion alone.
- Padding is known by segment, never by token id (the padding token may be the end-of-sequence token), and is seen by
  nothing but itself.
- A block is as wide as its longest member in this group, not in the whole data (paper B's code pads to the latter).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from reasoning.training.samples import Sample, Span, TokenIds


class Segment(IntEnum):
    """What a token belongs to."""

    PADDING = 0
    PROMPT = 1
    ANCHOR = 2
    POSITIVE = 3
    NEGATIVE = 4


COMPLETIONS = (Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE)  # of a triplet, those that are compared


@dataclass(frozen=True, slots=True)
class PaddedSamples:
    """A group of samples as tensors of shape (rows, columns); the first `anchor_columns` hold prompt and anchor.
    `compared_BT`: the columns of completions that are compared; None: all of theirs."""

    tokens_BT: Tensor
    positions_BT: Tensor
    segments_BT: Tensor
    anchor_columns: int
    compared_BT: Tensor | None = None

    def compared(self, segment: Segment) -> Tensor:
        """(B, T): where a completion's vector is taken from."""
        own_BT = self.segments_BT == segment
        return own_BT if self.compared_BT is None else own_BT & self.compared_BT

    @property
    def has_triplets(self) -> bool:
        return self.anchor_columns < self.tokens_BT.shape[1]

    def attention_mask(self, dtype: torch.dtype, cached_BC: Tensor | None = None) -> Tensor:
        """(B, T) of 0 and 1 when a row is one sequence; else additive, (B, 1, T, T): 0 where seen, the lowest number of
        `dtype` where not, the form that both `sdpa` and `eager` attention of `transformers` take.

        With `cached_BC`, the segments of C columns that a cache holds, (B, 1, T, C + T): their prompts are seen."""
        if not self.has_triplets:
            return (self.segments_BT != Segment.PADDING).long()
        keys_BK = self.segments_BT if cached_BC is None else torch.cat([cached_BC, self.segments_BT], dim=1)
        columns_K = torch.arange(keys_BK.shape[1], device=keys_BK.device)
        columns_T = columns_K[-self.segments_BT.shape[1] :]
        query_BT1, key_B1K = self.segments_BT[:, :, None], keys_BK[:, None, :]
        is_new_K = columns_K >= columns_T[0]
        seen_BTK = (columns_T[:, None] >= columns_K[None, :]) & (
            (key_B1K == Segment.PROMPT) | ((query_BT1 == key_B1K) & (key_B1K != Segment.PADDING) & is_new_K)
        )
        seen_BTK = seen_BTK | (
            columns_T[:, None] == columns_K[None, :]
        )  # a padding query sees itself: no empty softmax
        mask_BTK = torch.zeros(seen_BTK.shape, dtype=dtype, device=seen_BTK.device)
        return mask_BTK.masked_fill(~seen_BTK, torch.finfo(dtype).min)[:, None]


def collate(samples: Sequence[Sample], pad: int, device: torch.device, *, triplets: bool) -> PaddedSamples:
    """Rows for `samples`, each block padded on the right to its longest member with token `pad`.

    With `triplets`, positives and negatives of those samples that have both are laid beside their anchors."""
    blocks = [_Block([(*s.prompt, *s.anchor) for s in samples], [0] * len(samples), Segment.ANCHOR)]
    if triplets and any(sample.is_triplet for sample in samples):
        blocks += _completions(samples, (Segment.POSITIVE, Segment.NEGATIVE))
    return _rows(samples, blocks, pad, device, prompts=True)


def collate_after_prompts(samples: Sequence[Sample], pad: int, device: torch.device) -> PaddedSamples:
    """Rows of the three completions of those samples that are triplets, at the positions after their prompts."""
    blocks = _completions(samples, (Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE))
    return _rows(samples, blocks, pad, device, prompts=False)


def pad_right(sequences: Sequence[TokenIds], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and where they are tokens (1) or padding (0), both (B, T), T the length of the longest."""
    block = _Block(sequences, [0] * len(sequences), Segment.ANCHOR)
    rows = [block.tokens(row, pad) for row in range(len(sequences))]
    made = _to([rows, [block.segments(row) for row in range(len(sequences))]], device)
    return made[0], (made[1] != Segment.PADDING).long()


def completion_of(sample: Sample, segment: Segment) -> TokenIds:
    """One of the completions of `sample`; of nothing where it has none of that kind."""
    names = {Segment.ANCHOR: "anchor", Segment.POSITIVE: "positive", Segment.NEGATIVE: "negative"}
    return getattr(sample, names[segment]) or ()


def _completions(samples: Sequence[Sample], segments: Sequence[Segment]) -> list[_Block]:
    starts = [len(sample.prompt) for sample in samples]
    return [
        _Block([completion_of(s, segment) if s.is_triplet else () for s in samples], starts, segment)
        for segment in segments
    ]


def _rows(
    samples: Sequence[Sample], blocks: list[_Block], pad: int, device: torch.device, *, prompts: bool
) -> PaddedSamples:
    tokens, positions, segments = [], [], []
    for row, sample in enumerate(samples):
        tokens.append([token for block in blocks for token in block.tokens(row, pad)])
        positions.append([position for block in blocks for position in block.positions(row)])
        segments.append([segment for block in blocks for segment in block.segments(row)])
        if prompts:
            segments[-1][: len(sample.prompt)] = [Segment.PROMPT] * len(sample.prompt)
    if all(sample.compared is None for sample in samples):
        made = _to([tokens, positions, segments], device)
        return PaddedSamples(made[0], made[1], made[2], blocks[0].width)
    compared = [
        [
            int(start <= position - len(sample.prompt) < end)
            for block in blocks
            for start, end in [_span(sample, block)]
            for position in block.positions(row)
        ]
        for row, sample in enumerate(samples)
    ]
    made = _to([tokens, positions, segments, compared], device)
    return PaddedSamples(made[0], made[1], made[2], blocks[0].width, made[3].bool())


def _span(sample: Sample, block: _Block) -> Span:
    """The part of the completion in `block` that is compared."""
    spans = sample.compared or ((0, block.width),) * 3
    return spans[block.segment - Segment.ANCHOR]


def _to(lists: list[list[list[int]]], device: torch.device) -> Tensor:
    made = torch.tensor(lists, dtype=torch.long)
    if device.type == "cuda":  # one copy, not waited for
        made = made.pin_memory().to(device, non_blocking=True)
    return made


class _Block:
    """One column block: a sequence a row, from a start position, padded on the right to the longest."""

    def __init__(self, sequences: Sequence[TokenIds], starts: Sequence[int], segment: Segment) -> None:
        self.sequences = sequences
        self.starts = starts
        self.segment = segment
        self.width = max(len(sequence) for sequence in sequences)

    def tokens(self, row: int, pad: int) -> list[int]:
        return [*self.sequences[row], *[pad] * (self.width - len(self.sequences[row]))]

    def positions(self, row: int) -> list[int]:
        length = len(self.sequences[row])
        return [*range(self.starts[row], self.starts[row] + length), *[0] * (self.width - length)]

    def segments(self, row: int) -> list[int]:
        length = len(self.sequences[row])
        return [*[int(self.segment)] * length, *[int(Segment.PADDING)] * (self.width - length)]
