"""Samples in one row: where each token stands, and what it sees."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.training.packed.packing import AttentionLayout, PackedSamples, Reads, pack
from reasoning.training.samples import Sample
from tests.reasoning.training.losses.plain_losses import batches

CPU = torch.device("cpu")
TRIPLET = Sample((5, 6), (8, 1), (9, 10, 1), (7, 1))
ALONE = Sample((5,), (8, 9, 10, 1), None, (4, 1))


def _queries(layout: AttentionLayout) -> Iterator[tuple[int, set[int]]]:
    """Each query of each block, and the keys that it sees."""
    for block in layout.blocks:
        seen = block.seen_B1QK
        if seen is None:
            width = block.queries_BQ.shape[1]
            seen = torch.ones(width, width, dtype=torch.bool).tril().expand(len(block.queries_BQ), 1, width, width)
        for row, row_queries in enumerate(block.queries_BQ.tolist()):
            for column, query in enumerate(row_queries):
                keys = zip(block.keys_BK[row].tolist(), seen[row, 0, column], strict=True)
                yield query, {key for key, sees in keys if sees}


def _seen(packed: PackedSamples) -> dict[int, set[int]]:
    """What each token of the row sees; fails where a token is not the query of exactly one block's column."""
    places = packed.layout.places_T.tolist()
    queries, keys = zip(*_queries(packed.layout), strict=True)
    assert sorted(set(places)) == sorted(places)
    assert [queries[place] for place in places] == list(range(len(places)))
    return {token: keys[place] for token, place in enumerate(places)}


def test_no_padding_lies_between_samples_and_branches_stand_after_their_prompt() -> None:
    packed = pack([TRIPLET, ALONE], CPU, triplets=True)
    assert packed.tokens_T.tolist() == [5, 6, 8, 1, 9, 10, 1, 7, 1, 5, 8, 9, 10, 1]
    assert packed.positions_T.tolist() == [0, 1, 2, 3, 2, 3, 4, 2, 3, 0, 1, 2, 3, 4]
    assert packed.starts == (0, 9)
    assert packed.compared == (((2, 3),), ((4, 5, 6),), ((7, 8),))


def test_a_branch_sees_its_prompt_and_itself_and_an_anchor_its_sample_alone() -> None:
    seen = _seen(pack([TRIPLET, ALONE], CPU, triplets=True))
    assert seen[3] == {0, 1, 2, 3}  # the anchor's end
    assert seen[6] == {0, 1, 4, 5, 6}  # the positive's
    assert seen[8] == {0, 1, 7, 8}  # the negative's
    assert seen[9] == {9}
    assert seen[13] == {9, 10, 11, 12, 13}


def test_where_nothing_is_compared_only_prompts_and_anchors_are_laid_out() -> None:
    packed = pack([TRIPLET, ALONE], CPU, triplets=False)
    assert packed.tokens_T.tolist() == [5, 6, 8, 1, 5, 8, 9, 10, 1]
    assert packed.compared == ()


def test_a_prompt_without_gradient_has_its_anchor_twice() -> None:
    packed = pack([TRIPLET], CPU, triplets=True, prompt_gradient=False)
    assert packed.tokens_T.tolist() == [5, 6, 8, 1, 8, 1, 9, 10, 1, 7, 1]
    assert packed.compared == (((4, 5),), ((6, 7, 8),), ((9, 10),))
    assert [block.cut for block in packed.layout.blocks] == [0, 2]
    assert packed.layout.gathered[1].cut_N is not None
    assert packed.layout.gathered[1].cut_N.tolist() == [0, 1] * 3


def test_a_completion_without_a_prompt_is_a_sequence_of_its_own() -> None:
    seen = _seen(pack([Sample((), (8, 1), (9, 1), (8, 7, 1))], CPU, triplets=True))
    assert seen == {0: {0}, 1: {0, 1}, 2: {2}, 3: {2, 3}, 4: {0, 4}, 5: {0, 4, 5}}  # but for what begins as the anchor


@settings(deadline=None)
@given(batches, st.booleans(), st.booleans())
def test_every_token_sees_what_it_sees_alone(samples: list[Sample], triplets: bool, prompt_gradient: bool) -> None:
    packed = pack(samples, CPU, triplets=triplets, prompt_gradient=prompt_gradient)
    seen = _seen(packed)
    compared = [sample for sample in samples if sample.is_triplet]
    for sample, start in zip(samples, packed.starts, strict=True):
        assert tuple(packed.tokens_T[start : start + sample.length].tolist()) == (*sample.prompt, *sample.anchor)
        assert all(seen[start + i] == set(range(start, start + i + 1)) for i in range(sample.length))
    prompts = [
        set(range(start, start + len(sample.prompt)))
        for sample, start in zip(samples, packed.starts, strict=True)
        if sample.is_triplet
    ]
    for kind, side in zip(packed.compared, ("anchor", "positive", "negative"), strict=bool(packed.compared)):
        for places, sample, prompt in zip(kind, compared, prompts, strict=True):
            assert tuple(packed.tokens_T[list(places)].tolist()) == getattr(sample, side)
            assert packed.positions_T[list(places)].tolist() == [len(prompt) + i for i in range(len(places))]
            assert all(seen[token] == prompt | set(places[: i + 1]) for i, token in enumerate(places))


def test_what_completions_begin_with_as_the_anchor_does_lies_there_once() -> None:
    sample = Sample((5, 6), (8, 9, 10, 1), (8, 9, 1), (8, 9, 10, 7, 1))
    packed = pack([sample], CPU, triplets=True)
    assert packed.tokens_T.tolist() == [5, 6, 8, 9, 10, 1, 1, 7, 1]
    assert packed.compared == (((2, 3, 4, 5),), ((2, 3, 6),), ((2, 3, 4, 7, 8),))
    assert _seen(packed)[6] == {0, 1, 2, 3, 6}
    apart = pack([sample], CPU, triplets=True, prompt_gradient=False)
    assert len(apart.tokens_T) == 2 + 4 + 4 + 3 + 5  # gradients of anchor and branch differ there


def test_what_is_read_is_the_end_of_what_is_compared() -> None:
    sample = Sample((5, 6), (8, 9, 10, 1), (8, 9, 11, 12, 1), (7, 1), compared=((0, 2), (1, 4), (0, 1)))
    packed = pack([sample], CPU, triplets=True, reads=Reads(prompts=False, ends=True))
    assert packed.compared == (((3,),), ((7,),), ((9,),))
    assert packed.last is not None
    assert packed.last.read_N.tolist() == [1, 2, 3, 4, 5, 7, 9]
    whole, last = (dict(_queries(layout)) for layout in (packed.layout, packed.last.layout))
    assert set(last) == {0, 1, 2, 3, 4, 5, 7, 9}
    assert all(last[query] == whole[query] for query in last)


def test_a_row_that_is_read_nearly_whole_has_a_last_layer_like_the_others() -> None:
    assert pack([ALONE], CPU, triplets=True, reads=Reads(prompts=True, ends=True)).last is None
