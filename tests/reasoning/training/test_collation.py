"""Samples side by side in padded tensors: what stands where, and what sees what."""

from __future__ import annotations

import torch
from hypothesis import given, settings

from reasoning.training.collation import Segment, collate, collate_after_prompts, pad_right
from reasoning.training.samples import Sample, micro_batches
from tests.reasoning.training.losses.plain_losses import batches

CPU = torch.device("cpu")
TRIPLET = Sample((5, 6), (8, 1), (9, 10, 1), (7, 1))
ALONE = Sample((5,), (8, 9, 10, 1))


@settings(deadline=None)
@given(batches)
def test_a_micro_batch_is_padded_to_its_own_longest_sample(drawn: list[Sample]) -> None:
    """Paper B's code pads every sample to the longest of the whole set."""
    for samples in micro_batches(drawn, 60, 20, triplets=True):
        padded = collate(samples, 0, CPU, triplets=False)
        assert padded.tokens_BT.shape == (len(samples), max(sample.length for sample in samples))


def test_completions_stand_beside_one_another_at_the_positions_after_their_prompt() -> None:
    padded = collate([TRIPLET, ALONE], 0, CPU, triplets=True)
    assert padded.tokens_BT.tolist() == [
        [5, 6, 8, 1, 0, 9, 10, 1, 7, 1],
        [5, 8, 9, 10, 1, 0, 0, 0, 0, 0],
    ]
    assert padded.positions_BT[0].tolist() == [0, 1, 2, 3, 0, 2, 3, 4, 2, 3]
    assert padded.anchor_columns == 5
    p, a, pos, neg = Segment.PROMPT, Segment.ANCHOR, Segment.POSITIVE, Segment.NEGATIVE
    assert padded.segments_BT[0].tolist() == [p, p, a, a, 0, pos, pos, pos, neg, neg]


def test_a_completion_sees_its_prompt_and_itself_alone() -> None:
    padded = collate([TRIPLET], 0, CPU, triplets=True)
    seen = padded.attention_mask(torch.float32)[0, 0] == 0
    assert [column for column, sees in enumerate(seen[-1]) if sees] == [0, 1, 7, 8]  # the negative's end
    assert [column for column, sees in enumerate(seen[3]) if sees] == [0, 1, 2, 3]  # the anchor's end


def test_padding_is_known_by_segment_even_where_it_is_the_end_of_sequence() -> None:
    padded = collate([TRIPLET, ALONE], 1, CPU, triplets=False)
    assert padded.attention_mask(torch.float32).tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    tokens, is_token = pad_right([(8, 1), (8, 9, 1)], 1, CPU)
    assert (tokens.tolist(), is_token.tolist()) == ([[8, 1, 1], [8, 9, 1]], [[1, 1, 0], [1, 1, 1]])


def test_after_a_cached_prompt_only_completions_are_laid_out_and_the_prompt_is_seen() -> None:
    padded = collate_after_prompts([TRIPLET], 0, CPU)
    assert padded.tokens_BT.tolist() == [[8, 1, 9, 10, 1, 7, 1]]
    assert padded.positions_BT.tolist() == [[2, 3, 2, 3, 4, 2, 3]]
    cached = torch.tensor([[int(Segment.PROMPT)] * 2 + [int(Segment.PADDING)]])
    seen = padded.attention_mask(torch.float32, cached)[0, 0] == 0
    assert [column for column, sees in enumerate(seen[-1]) if sees] == [0, 1, 3 + 5, 3 + 6]
