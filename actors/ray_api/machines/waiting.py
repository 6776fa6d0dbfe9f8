"""Waiting for machines: asking the cluster for them, saying what is missing, and giving up after a while.

Owns: the wait of whatever is started as a whole (the trainers of a round), and the words for what is missing.

Invariant: what is waited for is asked for. Ray's autoscaler starts machines for what is pending, so a wait holds a
placement group, which is given back when it is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ray import PlacementGroupID
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from actors.ray_api.internals import groups_of_dead_actors
from actors.ray_api.machines.autoscaler import cluster_capacity, living_machines, starting
from actors.ray_api.machines.capacity import Capacity, Need, impossible, table
from actors.ray_api.machines.wishes import Wish
from actors.ray_api.nodes import lost_nodes

LOOK_S = 1.0
QUIET_S = 3.0  # a wait this short is the ordinary hand-over of machines, and is not shown
HAND_OVER_S = 5.0  # for machines that others use, once there are enough without them


class MachinesMissing(RuntimeError):
    """The machines that were waited for did not come. The message says which, and what the cluster has."""


def wait_for_places(need: Need, patience_s: float, show: Callable[[str], None], fewest: int | None = None) -> int:
    """Waits until the cluster has room for `fewest` of `need` at once (None: for all), and tells `show` what is missing
    meanwhile ("" at the end). Returns for how many of all it then has room.

    Raises `MachinesMissing` after `patience_s`, and at once where the cluster could never have it: where it has lost
    none of its machines and none is about to leave, since one of somebody's own, which no autoscaler starts, may come
    back."""
    least = need if fewest is None else replace(need, count=fewest)
    _refuse_impossible(least)
    selectors = [dict(need.labels)] * least.count if need.labels else None
    group = placement_group([dict(need.resources)] * least.count, strategy="PACK", bundle_label_selector=selectors)
    started = time.monotonic()
    try:
        while not group.wait(LOOK_S):
            waited = time.monotonic() - started
            if waited > patience_s:
                raise MachinesMissing(gave_up(least, patience_s))
            if waited > QUIET_S:
                show(what_is_missing(least))
        return least.count + _room_for_more(need, least.count)
    finally:
        remove_placement_group(group)
        show("")


def _room_for_more(need: Need, held: int) -> int:
    """How many more than the `held` ones of `need` have room, where the machines that are there may need a moment to be
    handed over."""
    if need.count == held:
        return 0
    most = min(need.count, Capacity(living_machines()).places(need)) - held
    rest, until = Wish.of(replace(need, count=need.count - held)), time.monotonic() + HAND_OVER_S
    try:
        while (found := rest.granted()) < most and time.monotonic() < until:
            time.sleep(0.2)
        return found
    finally:
        rest.withdraw()


def _refuse_impossible(need: Need) -> None:
    there = cluster_capacity()
    if impossible([need], there) and not lost_nodes():
        lines = "\n".join(f"  {line}" for line in table([need], there))
        raise MachinesMissing(
            f"{need.named} of {need.each} do not fit the cluster. Ask for fewer or smaller ones "
            f"(cluster.{need.what}s, {need.what}_cpus, {need.what}_gpus), or take a larger cluster\n{lines}"
        )


def free_abandoned_places() -> None:
    """Gives back what a training holds whose controller died, a worker that died for those that it misses, or a
    coordinator that died for its samplers."""
    for group in groups_of_dead_actors():
        remove_placement_group(PlacementGroup(PlacementGroupID.from_hex(group)))


def what_is_missing(need: Need, waiting: int | None = None) -> str:
    """What `waiting` of `need` (None: all) wait for, in words: machines that are not there, or such as others use."""
    count = need.count if waiting is None else waiting
    doing, held = starting(), Capacity(living_machines()).places(need)
    if doing or held < need.count:
        return _place(need, count) + (f" ({doing})" if doing else "")
    return f"{_place(need, count)} that others use now"


def gave_up(need: Need, patience_s: float) -> str:
    """Why a wait was ended, and what to do."""
    machines = living_machines()
    there = "; ".join(f"{m.resources.get('CPU', 0):g} CPUs and {m.resources.get('GPU', 0):g} GPUs" for m in machines)
    return (
        f"waited {patience_s / 60:.3g} min for {what_is_missing(need)}. There now: {there or 'no machine'}. Free them, "
        "add machines to the cluster, ask for less, or wait longer (cluster.patience)"
    )


def _place(need: Need, count: int) -> str:
    """`count` places for such processes: a node that has a GPU is what people call a GPU node."""
    kind = "GPU node" if need.resources.get("GPU") else "node"
    return f"{kind}s for {count} {need.what}{'' if count == 1 else 's'} ({need.each})"
