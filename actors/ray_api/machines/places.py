"""Places that a sampler and a trainer share: a GPU each, held for them while either of the two works there.

Owns: the group that holds them, which nobody else's process gets into, and who is put where.

Invariants
- Place `i` has the sampler `i` and the trainer `i` and nobody else. A GPU is in one place only.
- A place that is lost with its machine is asked for again. All are given back by `give_back`; those of an actor that
  died, by whoever wants places next (`actors.ray_api.machines.waiting.free_abandoned_places`), or when the job ends.
"""

from __future__ import annotations

from typing import Any

from ray.util import placement_group_table
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from actors.ray_api.machines.capacity import Need

_THERE = "CREATED"


class Places:
    """Asks for the places of `need`, on as few nodes as hold them. Not waited for: what is put there waits."""

    def __init__(self, need: Need) -> None:
        selectors = [dict(need.labels)] * need.count if need.labels else None
        bundles = [dict(need.resources)] * need.count
        self.group: PlacementGroup = placement_group(bundles, strategy="PACK", bundle_label_selector=selectors)

    def at(self, number: int) -> PlacementGroupSchedulingStrategy:
        """Has an actor put at the place of this number, also when it is started again."""
        return PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=number)

    def lacking(self) -> int:
        """How many of the places have no machine."""
        return lacking(self.group)

    def give_back(self) -> None:
        """Ends whatever is there."""
        remove_placement_group(self.group)


def lacking(group: PlacementGroup) -> int:
    """How many places of `group` have no machine: all of them until there is room for all."""
    table: dict[str, Any] = placement_group_table(group)
    if table.get("state") == _THERE:
        return 0
    nodes = table.get("bundles_to_node_id", {})
    return sum(not nodes.get(number) for number in range(group.bundle_count)) or group.bundle_count
