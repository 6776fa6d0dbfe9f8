"""A Ray of two nodes on this machine, looked at: prints what was found as JSON. A process has one Ray at a time, so it
has one of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from pipelines.run.doctor.checks import Check
from pipelines.run.doctor.environment import examine_nodes
from pipelines.run.doctor.nodes import facts_of_nodes
from reasoning.recipe.tailored import parse_recipe


def main(storage: Path) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    recipe = parse_recipe(f"storage: {{path: '{storage}'}}", "mine.yaml")
    checks: list[Check] = examine_nodes(recipe)
    facts = facts_of_nodes(str(storage), ["/no/such/folder"])
    told = {
        "checks": {check.subject: [check.state, check.found] for check in checks},
        "nodes": len(facts),
        "errors": [one.error + one.unreached for one in facts],
        "offsets": [one.offset_s for one in facts],
        "seen": [one.storage is not None and one.storage.seen for one in facts],
        "absent": [one.absent for one in facts],
    }
    ray.shutdown()
    cluster.shutdown()
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
