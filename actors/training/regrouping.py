"""When a training stops at a checkpoint to go on with other workers: where it may train with fewer than all.

Owns: that decision, which all workers take together, and the wish for the places of those that are missing.

Invariants
- A training regroups where its state has just been kept within a pass, so that no step is made twice; workers that came
  up early may do so before their first step.
- It does so for machines that have come, and for such as are about to leave while enough others stay. How many it then
  has is the trainer's to find out: here it is known that they are enough.
- Places are wished for by workers that have theirs, who else might lose them to the wish.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.wishes import Wish
from actors.ray_api.nodes import this_node_leaves
from actors.training.ranks import from_all


class Regroups(Exception):
    """A training has kept its state and ends here, to go on with other workers."""


@dataclass(frozen=True, slots=True)
class Group:
    """Of how many workers a training may be (`fewest`; None: of all alone), and the places that its first worker wishes
    for."""

    fewest: int | None = None
    wish: Wish = field(default_factory=Wish)

    def regroups(self) -> bool:
        """Whether it is time to. Every worker asks at the same step, and hears the same."""
        if self.fewest is None:
            return False
        told = from_all((this_node_leaves(), self.wish.granted()))
        return worthwhile(self.fewest, len(told), sum(leaves for leaves, _ in told), told[0][1])


@contextmanager
def group_of(need: Need, fewest: int | None) -> Iterator[Group]:
    """The group of which this worker is one, while it trains. `need`: that of all."""
    import ray.train

    context = ray.train.get_context()
    missing = need.count - context.get_world_size() if fewest is not None and context.get_world_rank() == 0 else 0
    wish = Wish.of(replace(need, count=missing))
    try:
        yield Group(fewest, wish)
    finally:
        wish.withdraw()


def worthwhile(fewest: int, workers: int, leaving: int, granted: int) -> bool:
    """Whether `workers`, of whom some are on machines that are `leaving`, do better to stop: as many more as were
    `granted` can join."""
    return bool(leaving or granted) and workers - leaving + granted >= fewest
