"""A training of two workers on two nodes of this machine, of which one leaves and another comes: prints as JSON what
happened. A process has one Ray at a time, so it has one of its own.

    python -m tests.actors.training.two_nodes FOLDER lost|drained|early

`early`: the workers come up before their examples are there, and the second node does between the two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group_table

from actors.ray_api.machines.notice import drain
from actors.ray_api.nodes import this_node
from actors.training.trainer import Trainer
from reasoning.training.report import LossPoint
from tests.actors.training.jobs import QUESTIONS, elastic_job

NOTICE_S = 300.0  # longer than what is left of the training
STEP_S = 0.15  # so that a node comes while steps are left


class Witness:
    """Hears of each step and of what is waited for, and says when the examples are there."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.waits: list[str] = []
        self.asked = 0
        self.there = asyncio.Event()

    async def training_point(self, point: LossPoint) -> None:
        self.steps.append(point.step)

    async def waiting(self, who: str, what: str) -> None:
        self.waits.append(what)

    async def told_to_train(self, run_name: str) -> None:
        self.asked += 1
        await self.there.wait()

    async def examples_are_there(self) -> None:
        self.there.set()

    async def heard(self) -> tuple[list[int], list[str], int]:
        return self.steps, self.waits, self.asked


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def slow_steps() -> None:
    """In each worker: a step takes a while."""
    from actors.training.states import CheckpointDue

    usual = CheckpointDue.__call__

    def slow(self: CheckpointDue) -> bool:
        time.sleep(STEP_S)
        return usual(self)

    CheckpointDue.__call__ = slow  # type: ignore[method-assign]


def main(folder: Path, how: str) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(1 if how == "early" else 2)]
    os.environ["RAY_ADDRESS"] = cluster.address
    hook = {"worker_process_setup_hook": slow_steps}
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR", runtime_env=hook)
    said = _Said()
    logging.getLogger("actors.training.trainer").addHandler(said)
    logging.getLogger("actors.training.trainer").setLevel(logging.INFO)
    witness: Any = ray.remote(Witness).options(num_cpus=0, scheduling_strategy=this_node()).remote()
    trainer, job, failed = Trainer(patience_s=60.0), elastic_job(folder, witness), []

    def train() -> None:
        try:
            trainer.train(job)
        except Exception as error:  # noqa: BLE001  (told by the main thread)
            failed.append(repr(error))

    def until(there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 240
        while not there():
            assert not failed and time.monotonic() < deadline, (failed, said.lines)
            time.sleep(0.1)

    def starts() -> list[str]:
        return [line.partition(" with ")[2] for line in said.lines if line.startswith("trains ")]

    def steps() -> list[int]:
        return list(ray.get(witness.heard.remote())[0])

    training = threading.Thread(target=train)
    if how == "early":
        trainer.prepare(job)
        until(lambda: ray.get(witness.heard.remote())[2] == 1)
        cluster.add_node(num_cpus=1)  # for the worker that is wished for
        until(lambda: [group["state"] for group in placement_group_table().values()].count("CREATED") == 2)
        ray.get(witness.examples_are_there.remote())
        training.start()
    else:
        training.start()
        until(lambda: len(steps()) > 2 * QUESTIONS // 8)  # into the second pass: a state was kept
        if how == "drained":
            drain(NOTICE_S, nodes[1].node_id)
        else:
            cluster.remove_node(nodes[1], allow_graceful=False)
        before = steps()
        until(lambda: len(starts()) == 2 and len(steps()) > len(before) + 12)
        cluster.add_node(num_cpus=1)
    training.join()
    made, waits, _ = ray.get(witness.heard.remote())
    told = {"failed": failed, "starts": starts(), "steps": made, "waits": waits, "said": said.lines}
    print("\n" + json.dumps(told))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
