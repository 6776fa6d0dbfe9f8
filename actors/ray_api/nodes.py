"""The nodes of the connected Ray cluster.

Owns: reading the cluster's node table, and the rule for when a cluster is one machine.
"""

from __future__ import annotations

from typing import Any

import ray


def live_nodes() -> list[dict[str, Any]]:
    """Ray's entries for the nodes that are alive, each with its `Resources`."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def on_one_node() -> bool:
    """Whether the cluster is a single machine."""
    return len(live_nodes()) == 1
