"""How samples lie in one padded tensor.

Owns: token ids, positions, segments and attention masks of a group of samples.

Invariants
- A row is `prompt anchor | positive | negative`: three padded blocks that share one copy of the prompt. Positive and
  negative see the prompt and themselves, at the positions they would have right after it: what the model computes for
  each equals what it computes for prompt and completion alone.
- Padding is known by segment, never by token id (the padding token may be the end-of-sequence token), and is seen by
  nothing but itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from reasoning.batches import Sample, TokenIds


class Segment(IntEnum):
    """What a token belongs to."""

    PADDING = 0
    PROMPT = 1
    ANCHOR = 2
    POSITIVE = 3
    NEGATIVE = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """A group of samples as tensors of shape (rows, columns); the first `anchor_columns` hold prompt and anchor."""

    tokens_BT: Tensor
    positions_BT: Tensor
    segments_BT: Tensor
    anchor_columns: int

    @property
    def has_triplets(self) -> bool:
        return self.anchor_columns < self.tokens_BT.shape[1]

    def attention_mask(self, dtype: torch.dtype) -> Tensor:
        """(B, T) of 0 and 1 when a row is one sequence; else additive, (B, 1, T, T): 0 where seen, the lowest number of
        `dtype` where not, the form that both `sdpa` and `eager` attention of `transformers` take."""
        if not self.has_triplets:
            return (self.segments_BT != Segment.PADDING).long()
        columns = torch.arange(self.segments_BT.shape[1], device=self.segments_BT.device)
        query_BT1, key_B1T = self.segments_BT[:, :, None], self.segments_BT[:, None, :]
        seen_BTT = (columns[:, None] >= columns[None, :]) & (
            (key_B1T == Segment.PROMPT) | ((query_BT1 == key_B1T) & (key_B1T != Segment.PADDING))
        )
        seen_BTT = seen_BTT | (columns[:, None] == columns[None, :])  # a padding query sees itself: no empty softmax
        mask_BTT = torch.zeros(seen_BTT.shape, dtype=dtype, device=seen_BTT.device)
        return mask_BTT.masked_fill(~seen_BTT, torch.finfo(dtype).min)[:, None]


def collate(samples: Sequence[Sample], pad: int, device: torch.device, *, triplets: bool) -> Rows:
    """Rows for `samples`, each block padded on the right to its longest member with token `pad`.

    With `triplets`, positives and negatives of those samples that have both are laid beside their anchors."""
    prompts = [len(sample.prompt) for sample in samples]
    columns = [
        _Block([(*s.prompt, *s.anchor) for s in samples], [0] * len(samples), Segment.ANCHOR),
    ]
    anchor_columns = columns[0].width
    if triplets and any(sample.is_triplet for sample in samples):
        columns += [
            _Block([(s.positive or ()) if s.is_triplet else () for s in samples], prompts, Segment.POSITIVE),
            _Block([(s.negative or ()) if s.is_triplet else () for s in samples], prompts, Segment.NEGATIVE),
        ]
    tokens, positions, segments = [], [], []
    for row, sample in enumerate(samples):
        tokens.append([token for block in columns for token in block.tokens(row, pad)])
        positions.append([position for block in columns for position in block.positions(row)])
        segments.append([segment for block in columns for segment in block.segments(row)])
        segments[-1][: len(sample.prompt)] = [Segment.PROMPT] * len(sample.prompt)
    made = torch.tensor([tokens, positions, segments], dtype=torch.long)
    if device.type == "cuda":  # one copy, not waited for
        made = made.pin_memory().to(device, non_blocking=True)
    return Rows(made[0], made[1], made[2], anchor_columns)


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
