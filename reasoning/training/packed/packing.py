"""How samples lie in one row without padding, and in which blocks its attention is computed.

Owns: the packed row of a group of samples.

Invariants
- A sample is `prompt anchor` and, where completions are compared, its branches: completions that see the prompt and
  themselves, at the positions that they have right after it. A token sees nothing of another sample.
- Where the anchor is no branch (`prompt_gradient`), a branch begins where its completion parts from the anchor, at the
  latest with its last token: what both begin with lies there once, as the anchor's.
- No padding goes through linear layers, norms and the like. Attention alone lays sequences of like length side by side,
  padded on the right to the longest of their block, so that it costs what the sequences cost and not the square of the
  row; it needs no mask but for branches.
- Every token is a query of one block, once.
- The last layer can have a layout of its own: keys and values of all, but of branches the queries alone that are read
  (see `last_layer`). What it gives the others is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from reasoning.training.collation import COMPLETIONS, Segment, completion_of
from reasoning.training.samples import Sample, TokenIds

SHORTEST = 0.75  # of a block's longest sequence: shorter ones begin a block of their own
SMALL_BLOCK = 4  # sequences; with fewer a call costs more than the padding it saves

MOST_READ = 0.9  # of a row's tokens: with more, that the last layer leaves the others out is not worth its gathering

Laid = TypeVar("Laid")


@dataclass(frozen=True, slots=True)
class Reads:
    """Whose last hidden states are read: always those of anchors, and of a prompt the last, which predicts the anchor.

    `prompts`: all of theirs. `ends`: of a branch the last one that is compared alone, and not all that are."""

    prompts: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class AttentionBlock:
    """B sequences whose attention is computed together: where in the row their Q queries and K keys are.

    `seen_B1QK`: which keys a query sees; None: those up to its own, the keys being the queries. No gradient flows to
    the first `cut` of the keys."""

    queries_BQ: Tensor
    keys_BK: Tensor
    seen_B1QK: Tensor | None = None
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """The places of the queries, or of the keys, of all blocks, one block after the other, and how many are of each:
    those that take a gradient, and before them in each block those that take none (None: no block has such).
    `rows`: the sequences of each block."""

    trained_N: Tensor
    trained_sizes: list[int]
    cut_N: Tensor | None
    cut_sizes: list[int]
    rows: list[int]


@dataclass(frozen=True, slots=True)
class AttentionLayout:
    """The attention of a row of T tokens. `gathered`: for queries, keys and values. `places_T`: where among the queries
    of all blocks, flattened and one block after the other, each token is."""

    blocks: tuple[AttentionBlock, ...]
    gathered: tuple[Gathered, Gathered, Gathered]
    places_T: Tensor


@dataclass(frozen=True, slots=True)
class LastLayer:
    """What the last layer computes: attention with `layout`, and the rest for the N tokens that are read."""

    layout: AttentionLayout
    read_N: Tensor


@dataclass(frozen=True, slots=True)
class PackedSamples:
    """Samples as one row of T tokens. `starts`: where each sample begins. `compared`: where what is compared lies, for
    anchors, positives and negatives one tuple a triplet. `last`: None where the last layer is like the others."""

    tokens_T: Tensor
    positions_T: Tensor
    layout: AttentionLayout
    starts: tuple[int, ...]
    compared: tuple[tuple[tuple[int, ...], ...], ...]
    last: LastLayer | None = None


class PackedRow(Tensor):
    """An empty mask of four dimensions, the form that `transformers` hands to the layers as it is, with a layout.
    `last`: the last layer's row, and the tokens of it that are read; None: it takes this one."""

    attention: AttentionLayout
    last: tuple[PackedRow, Tensor] | None


def packed_row(packed: PackedSamples, like: Tensor) -> PackedRow:
    """The mask of `packed`, of the kind of `like`."""
    row = _row(packed.layout, like)
    if packed.last is not None:
        row.last = _row(packed.last.layout, like), packed.last.read_N
    return row


def _row(layout: AttentionLayout, like: Tensor) -> PackedRow:
    row: PackedRow = like.new_empty((1, 1, 1, 0)).as_subclass(PackedRow)
    row.attention, row.last = layout, None
    return row


@dataclass(frozen=True, slots=True)
class _Branch:
    """A completion's own tokens, those before them, and those of its own that are read."""

    before: range
    own: range
    read: range


def pack(
    samples: Sequence[Sample],
    device: torch.device,
    *,
    triplets: bool,
    prompt_gradient: bool = True,
    reads: Reads | None = None,
) -> PackedSamples:
    """`samples` in one row, with `triplets` the completions of those that are one.

    Without `prompt_gradient` anchors lie there twice: once after their prompts, for the language-model loss, and once
    as a branch, from which no gradient flows to what the student makes of the prompt. `reads`: what is read of the last
    layer, which then computes no more where that saves something; None: everything."""
    tokens: list[int] = []
    positions: list[int] = []
    starts: list[int] = []
    whole: list[range] = []
    branches: list[_Branch] = []
    compared: list[list[tuple[int, ...]]] = [[], [], []]
    read: list[int] = []
    ends = reads is not None and reads.ends
    for sample in samples:
        start, prompt = len(tokens), len(sample.prompt)
        starts.append(start)
        tokens += (*sample.prompt, *sample.anchor)
        positions += range(sample.length)
        whole.append(range(start, len(tokens)))
        read += range(start if reads is None or reads.prompts else start + max(0, prompt - 1), len(tokens))
        if not (triplets and sample.is_triplet):
            continue
        for places, segment in zip(compared, COMPLETIONS, strict=True):
            if segment == Segment.ANCHOR and prompt_gradient:
                places.append(_compared(sample, segment, range(start + prompt, len(tokens)), ends=ends))
                continue
            completion = completion_of(sample, segment)
            shared = prompt + (_shared(sample.anchor, completion) if prompt_gradient else 0)
            own = range(len(tokens), len(tokens) + prompt + len(completion) - shared)
            tokens += completion[shared - prompt :]
            positions += range(shared, prompt + len(completion))
            lies = (*range(start + prompt, start + shared), *own)
            places.append(_compared(sample, segment, lies, ends=ends))
            of_own = [place for place in places[-1] if place in own]
            read += of_own
            if shared:  # attention takes some query of a branch, also where none of its own is read
                of_branch = range(of_own[0], of_own[-1] + 1) if of_own else own[:1]
                branches.append(_Branch(range(start, start + shared), own, of_branch))
            else:  # it branches off nothing
                whole.append(own)
    alike = _alike(branches, lambda one: len(one.before) + len(one.own))
    causal = [_causal(group) for group in _alike(whole, len)]
    branching = [_branching(group, prompt_gradient=prompt_gradient) for group in alike]
    layout = _layout(causal + branching, len(tokens), device)
    last = None
    if reads is not None and len(read) <= MOST_READ * len(tokens):
        of_read = [_read_alone(block, group) for block, group in zip(branching, alike, strict=True)]
        of_last = _layout(causal + of_read, len(tokens), device, layout)
        last = LastLayer(of_last, torch.tensor(read).to(device))
    ids = torch.tensor([tokens, positions]).to(device)
    return PackedSamples(
        ids[0],
        ids[1],
        layout,
        tuple(starts),
        tuple(map(tuple, compared)) if compared[0] else (),
        last,
    )


def _shared(anchor: TokenIds, completion: TokenIds) -> int:
    """With how many tokens both begin. The last is always a completion's own."""
    longest = min(len(anchor), len(completion) - 1)
    return next((place for place in range(longest) if anchor[place] != completion[place]), max(0, longest))


def _compared(sample: Sample, segment: Segment, completion: Sequence[int], *, ends: bool) -> tuple[int, ...]:
    """What is compared of a completion whose tokens lie at `completion`, with `ends` the last of it."""
    span = sample.compared[COMPLETIONS.index(segment)] if sample.compared else None
    places = tuple(completion[slice(*span)] if span else completion)
    return places[-1:] if ends else places


def _layout(
    blocks: Sequence[AttentionBlock], tokens: int, device: torch.device, same_keys: AttentionLayout | None = None
) -> AttentionLayout:
    queries = _gathered([block.queries_BQ for block in blocks], [0] * len(blocks), device)
    keys = (
        same_keys.gathered[1]
        if same_keys is not None
        else _gathered([block.keys_BK for block in blocks], [block.cut for block in blocks], device)
    )
    return AttentionLayout(
        tuple(_moved(block, device) for block in blocks),
        (queries, keys, keys),
        _places(blocks, tokens).to(device),
    )


def _alike(sequences: Sequence[Laid], length: Callable[[Laid], int]) -> list[list[Laid]]:
    """`sequences` in groups of like `length`."""
    groups: list[list[Laid]] = []
    for one in sorted(sequences, key=length, reverse=True):
        if groups and (len(groups[-1]) < SMALL_BLOCK or length(one) >= SHORTEST * length(groups[-1][0])):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _causal(sequences: Sequence[range]) -> AttentionBlock:
    places_BQ = _padded(sequences)
    return AttentionBlock(places_BQ, places_BQ)


def _branching(branches: Sequence[_Branch], *, prompt_gradient: bool) -> AttentionBlock:
    prompts_BP = _padded([branch.before for branch in branches])
    queries_BQ = _padded([branch.own for branch in branches])
    (rows, columns), width = queries_BQ.shape, prompts_BP.shape[1]
    lengths_B = torch.tensor([len(branch.before) for branch in branches])
    seen_BQK = torch.ones(rows, columns, width + columns, dtype=torch.bool)
    seen_BQK[:, :, :width] = (torch.arange(width) < lengths_B[:, None])[:, None]
    seen_BQK[:, :, width:] = torch.ones(columns, columns, dtype=torch.bool).tril()
    keys_BK = torch.cat([prompts_BP, queries_BQ], dim=1)
    return AttentionBlock(queries_BQ, keys_BK, seen_BQK[:, None], 0 if prompt_gradient else width)


def _read_alone(block: AttentionBlock, branches: Sequence[_Branch]) -> AttentionBlock:
    """That of `_branching`, for the queries alone that are read."""
    assert block.seen_B1QK is not None
    columns_BQ = _padded([branch.read for branch in branches]) - block.queries_BQ[:, :1]
    rows_B1 = torch.arange(len(branches))[:, None]
    seen_BQK = block.seen_B1QK[rows_B1, 0, columns_BQ]
    return replace(block, queries_BQ=block.queries_BQ[rows_B1, columns_BQ], seen_B1QK=seen_BQK[:, None])


def _padded(sequences: Sequence[range]) -> Tensor:
    """Places, (B, longest): each sequence's, then its last place again, of which nothing is kept."""
    starts_B1 = torch.tensor([[sequence.start] for sequence in sequences])
    ends_B1 = torch.tensor([[sequence.stop] for sequence in sequences])
    longest = max(len(sequence) for sequence in sequences)
    return torch.minimum(starts_B1 + torch.arange(longest), ends_B1 - 1)


def _places(blocks: Sequence[AttentionBlock], tokens: int) -> Tensor:
    """Where each token's query is; of a token that is none, which nobody reads, some place."""
    places_T = torch.zeros(tokens, dtype=torch.long)
    before = 0
    for block in blocks:
        queries_BQ = block.queries_BQ
        is_first_BQ = torch.ones_like(queries_BQ, dtype=torch.bool)
        is_first_BQ[:, 1:] = queries_BQ[:, 1:] != queries_BQ[:, :-1]
        places_T[queries_BQ[is_first_BQ]] = before + is_first_BQ.flatten().nonzero()[:, 0]
        before += queries_BQ.numel()
    return places_T


def _gathered(places: Sequence[Tensor], cuts: Sequence[int], device: torch.device) -> Gathered:
    trained = [one[:, cut:].flatten() for one, cut in zip(places, cuts, strict=True)]
    before = [one[:, :cut].flatten() for one, cut in zip(places, cuts, strict=True)]
    return Gathered(
        torch.cat(trained).to(device),
        [len(one) for one in trained],
        torch.cat(before).to(device) if any(cuts) else None,
        [len(one) for one in before],
        [len(one) for one in places],
    )


def _moved(block: AttentionBlock, device: torch.device) -> AttentionBlock:
    seen = None if block.seen_B1QK is None else block.seen_B1QK.to(device)
    return AttentionBlock(block.queries_BQ, block.keys_BK, seen, block.cut)  # whose places `gathered` has there
