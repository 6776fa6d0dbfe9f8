"""The nodes of the connected Ray cluster.

Owns: reading the cluster's node table, and the rule for when a cluster is one machine.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.ray_api.internals import draining_nodes

# The label of a node that `ray.init` started for one program: no other machine can join it.
LOCAL = {"tailor-cluster": "local"}
ANSWER_S = 2.0  # in which a node that is there takes a connection


def live_nodes() -> list[dict[str, Any]]:
    """Ray's entries for the nodes that are alive, each with its `Resources`."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def lost_nodes() -> list[dict[str, Any]]:
    """Ray's entries for the nodes that were there and are no more, or are about to leave."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    leaving = draining_nodes()
    return [node for node in nodes if not node["Alive"] or node["NodeID"] in leaving]


def silent_nodes(ids: Collection[str]) -> set[str]:
    """Those of the nodes with these ids that take no connection. Ray believes for some time that they are there."""
    return {node["NodeID"] for node in live_nodes() if node["NodeID"] in ids and not _takes_connections(node)}


def _takes_connections(node: dict[str, Any]) -> bool:
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), ANSWER_S).close()
    except OSError:
        return False
    return True


def head_node() -> dict[str, Any]:
    """Ray's entry for the head node."""
    return next(node for node in live_nodes() if "node:__internal_head__" in node["Resources"])


def this_node() -> NodeAffinitySchedulingStrategy:
    """For actors that live and die with the process that starts them: actors without CPUs are else put anywhere, on a
    spot machine, too."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def this_node_leaves() -> bool:
    """Whether the node that this process is on is about to leave the cluster."""
    return ray.get_runtime_context().get_node_id() in draining_nodes()


def on_one_node() -> bool:
    """Whether the cluster is a single machine and stays so. A head that others may join, or whose autoscaler may start
    others, is not."""
    nodes = live_nodes()
    return len(nodes) == 1 and LOCAL.items() <= nodes[0]["Labels"].items()
