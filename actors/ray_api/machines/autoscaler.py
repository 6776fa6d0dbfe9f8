"""What the connected cluster has and what its autoscaler could start.

Owns: reading both, on a cluster that `ray up` started, on KubeRay, and on one without an autoscaler.

Invariant: a node that is about to leave (`ray drain-node`, a notice of preemption) does not count as there; the
autoscaler may put another in its place.
"""

from __future__ import annotations

import logging
from typing import Any

import ray
import yaml
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.ray_api.internals import (
    autoscaling_config,
    available_by_node,
    draining_nodes,
    launches,
    reported_types,
    types_by_address,
)
from actors.ray_api.machines.capacity import Capacity, Machine, NodeType
from actors.ray_api.nodes import head_node, live_nodes

logger = logging.getLogger(__name__)

GROUP_LABEL = "ray.io/node-group"
LOOK_S = 30.0  # how long the head node may take to tell
_UNREADABLE = (
    *(ray.exceptions.RayError, OSError, ValueError, LookupError, yaml.YAMLError),
    *(TypeError, AttributeError, AssertionError, ArithmeticError),  # of Ray's reading of a resource with a part missing
)


def cluster_capacity() -> Capacity:
    """What the connected cluster can hold."""
    types, most, unknown = startable_types()
    return Capacity(living_machines(), types, most, unknown)


def living_machines() -> tuple[Machine, ...]:
    """The machines that are there and stay."""
    leaving, by_address = draining_nodes(), types_by_address()
    return tuple(
        Machine(node["Resources"], node["Labels"], _kind(node, by_address))
        for node in live_nodes()
        if node["NodeID"] not in leaving
    )


def free_machines() -> tuple[dict[str, Machine], dict[str, Machine]]:
    """What is not used of each node that stays, and what each has in all, by the nodes' ids."""
    leaving, available = draining_nodes(), available_by_node()
    nodes = {node["NodeID"]: node for node in live_nodes() if node["NodeID"] not in leaving}
    whole = {
        name: Machine({kind: node["Resources"].get(kind, 0.0) for kind in ("CPU", "GPU")}, node["Labels"])
        for name, node in nodes.items()
    }
    free = {name: Machine(available.get(name, {}), machine.labels) for name, machine in whole.items()}
    return free, whole


def startable_types() -> tuple[tuple[NodeType, ...], int | None, bool]:
    """The types of machine that the cluster's autoscaler can start, how many of them in all (None: no limit of its
    own), and whether there is an autoscaler that does not tell."""
    reported = reported_types()
    if reported:
        most = {name: count if count >= 0 else 10**6 for name, _, count in reported}
        return tuple(NodeType(name, resources, most[name], None) for name, resources, _ in reported), None, False
    try:
        config = _on_head(autoscaling_config)
        found = types_in(config) if config is not None else ((), None)
    except _UNREADABLE as error:  # a file that cannot be read, Kubernetes that does not answer
        logger.warning("what the cluster's autoscaler could start is not known: %s: %s", type(error).__name__, error)
        return (), None, True
    return (*found, False)


def types_in(config: dict[str, Any]) -> tuple[tuple[NodeType, ...], int | None]:
    """The types of machine in an autoscaler's configuration, and how many may be there in all. The head's type is one
    of them where workers may be of it, and then the head counts in both numbers, as it does among those that are
    there."""
    most, head, types, heads = config.get("max_workers"), config.get("head_node_type"), [], 0
    for name, one in config["available_node_types"].items():
        number = _most(one, 0 if name == head else int(most or 0))
        if name != head or number:
            heads += name == head
            types.append(NodeType(name, one.get("resources") or {}, number + (name == head), one.get("labels") or {}))
    return tuple(types), None if most is None else int(most) + heads


def _most(type_: dict[str, Any], by_default: int) -> int:
    """How many machines of a type come. Where its resources are not told (computers of one's own that `ray up` starts
    Ray on), no wish brings one: those that are kept there in any case."""
    most = by_default if type_.get("max_workers") is None else int(type_["max_workers"])
    return most if type_.get("resources") else min(most, int(type_.get("min_workers") or 0))


def starting() -> str:
    """What the autoscaler is doing about machines that are missing, in words; "" when it does nothing."""
    pending, failures = launches()
    parts = [f"{count} {name} {'is' if count == 1 else 'are'} starting" for name, count in sorted(pending.items())]
    return "; ".join([*parts, *(f"could not start {failure}" for failure in failures[:2])])


def _on_head(function: Any) -> Any:
    """`function()` on the head node, here where this process is on it."""
    head = str(head_node()["NodeID"])
    if ray.get_runtime_context().get_node_id() == head:
        return function()
    there = NodeAffinitySchedulingStrategy(head, soft=False)
    return ray.get(ray.remote(function).options(num_cpus=0, scheduling_strategy=there).remote(), timeout=LOOK_S)


def _kind(node: dict[str, Any], by_address: dict[str, str]) -> str:
    """The name of a node's type. The autoscaler's list comes first: a node may inherit the label of what started it."""
    known = by_address.get(node["NodeManagerAddress"]) or by_address.get(node["NodeID"])
    return known or node["Labels"].get(GROUP_LABEL, "")
