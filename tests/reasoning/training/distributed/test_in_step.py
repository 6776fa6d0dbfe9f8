"""Workers read equally many parts of equal kinds, and count each sample once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.training.distributed.in_step import parts_in_step
from reasoning.training.samples import Pair, Sample

pytestmark = pytest.mark.training

samples = st.builds(
    lambda length, triplet, pair: Sample(
        (1,) * length, (2,), (3,) if triplet else None, (4,) if triplet else None,
        pair=Pair((5,), (6,)) if pair else None,
    ),
    st.integers(1, 6), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(samples, min_size=1, max_size=9), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(1, 3))
def test_every_worker_makes_the_same_calls(
    batch: list[Sample], workers: int, triplets: bool, kinds_apart: bool, most: int
) -> None:
    def divide(one: tuple[Sample, ...]) -> list[tuple[Sample, ...]]:
        return [one[start : start + most] for start in range(0, len(one), most)]

    plans = [
        parts_in_step(batch, rank, workers, divide, triplets=triplets, kinds_apart=kinds_apart)
        for rank in range(workers)
    ]
    kinds = [
        [{(triplets and s.is_triplet, s.pair is not None) for s in part.samples} for part in plan] for plan in plans
    ]
    assert len({len(plan) for plan in plans}) == 1
    if kinds_apart:
        assert all(len(kind) == 1 for of_one in kinds for kind in of_one)
        assert all(of_one == kinds[0] for of_one in kinds)
    counted = Counter(id(sample) for plan in plans for part in plan if part.counts for sample in part.samples)
    assert counted == Counter(id(sample) for sample in batch)
