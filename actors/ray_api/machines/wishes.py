"""Places that are wished for while work goes on without them.

Owns: asking the cluster for one place after another, and holding those that it grants.

Invariants
- A wish is a placement group a place: Ray's autoscaler starts machines for those that are pending, and nobody else gets
  one that is granted. It ends with `withdraw`; that of an actor that died, when the next waits for places
  (`actors.ray_api.machines.waiting.free_abandoned_places`), or with the job.
- Any process may ask what is granted.
"""

from __future__ import annotations

from dataclasses import dataclass

from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group

from actors.ray_api.machines.capacity import Need


@dataclass(frozen=True, slots=True)
class Wish:
    """Places that were asked for, each with what one process takes."""

    groups: tuple[PlacementGroup, ...] = ()

    @classmethod
    def of(cls, need: Need) -> Wish:
        """Asks for a place for each process of `need`."""
        selectors = [dict(need.labels)] if need.labels else None
        return cls(
            tuple(
                placement_group([dict(need.resources)], strategy="PACK", bundle_label_selector=selectors)
                for _ in range(need.count)
            )
        )

    def granted(self) -> int:
        """How many places are there now. One whose machine is lost is asked for again."""
        return sum(placement_group_table(group).get("state") == "CREATED" for group in self.groups)

    def withdraw(self) -> None:
        """Gives back what was granted, and asks for no more."""
        for group in self.groups:
            remove_placement_group(group)
