"""Which nodes a number of equal processes fill, so that whole nodes stay free for others.

Owns: the choice. Ray's own placement fills each node to a half before it takes the next, after which a trainer that
wants all GPUs of a node finds none.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.ray_api.machines.autoscaler import free_machines
from actors.ray_api.machines.capacity import Capacity, Machine, Need


def packing_nodes(need: Need) -> list[str]:
    """For each process of `need` the id of the connected cluster's node that it should go to, as far as there is room
    now."""
    return packed(need, *free_machines())


def packed(need: Need, free: Mapping[str, Machine], whole: Mapping[str, Machine]) -> list[str]:
    """For each process a node's id, as far as `free` (what is not used of the nodes) has room. Nodes of which something
    is used already are filled first; of the others those that are filled to the brim; `whole` says what each has."""
    room = {node: Capacity((machine,)).places(need) for node, machine in free.items()}
    used = {node: any(free[node].resources.get(k, 0.0) < v for k, v in whole[node].resources.items()) for node in free}
    chosen: list[str] = []
    for node in sorted((node for node in free if used[node]), key=lambda node: room[node]):
        chosen += [node] * min(room[node], need.count - len(chosen))
    rest = {node: room[node] for node in free if not used[node] and room[node]}
    while rest and len(chosen) < need.count:
        left = need.count - len(chosen)
        enough = [node for node in rest if rest[node] >= left]
        node = min(enough, key=lambda one: rest[one]) if enough else max(rest, key=lambda one: rest[one])
        chosen += [node] * min(rest.pop(node), left)
    return chosen
