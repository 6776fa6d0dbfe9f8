"""What each worker computes of a step, where all must make the same calls of the student.

Owns: the order in which workers read their shares.

Invariants
- Every worker reads as many parts as the others, in the same order of kinds. Samples are of a kind when reading them
  makes the same calls of the student: with or without completions that are compared, with or without a pair.
- Each sample of the batch counts once. Who has no part left reads one that another worker counts, at no weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasoning.training.samples import Sample, share

Samples = tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Samples that go through the student together. `counts`: whether they do in this worker's loss."""

    samples: Samples
    counts: bool = True


def parts_in_step(
    batch: Sequence[Sample],
    rank: int,
    world_size: int,
    divide: Callable[[Samples], list[Samples]],
    *,
    triplets: bool,
    kinds_apart: bool = True,
) -> list[Part]:
    """The parts of worker `rank`: of each kind its share, as `divide` makes parts of it. `triplets`: whether
    completions are compared in this batch. Without `kinds_apart` all samples are of one kind."""
    kinds: dict[tuple[bool, bool], list[Sample]] = {}
    for sample in batch:
        kind = (triplets and sample.is_triplet, sample.pair is not None) if kinds_apart else (False, False)
        kinds.setdefault(kind, []).append(sample)
    parts: list[Part] = []
    for _, members in sorted(kinds.items()):
        shares = (share(members, other, world_size) for other in range(world_size))
        divided = [divide(one) if one else [] for one in shares]
        stand_in = Part((min(members, key=lambda sample: sample.length),), counts=False)
        parts += [Part(part) for part in divided[rank]]
        parts += [stand_in] * (max(map(len, divided)) - len(divided[rank]))
    return parts
