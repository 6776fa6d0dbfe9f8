"""A run outlives the nodes it runs on: that of its sampler, and that of its trainer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import phases_of
from tests.conftest import ROOT
from tests.pipelines.whole_runs.micro_run import write_recipe

# A program that holds a cluster of several nodes, and adds and kills nodes as its standard input says.
CLUSTER = """
import subprocess
import sys
from ray.cluster_utils import Cluster

def drain(node):
    order = ["--node-id", node.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
    command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", cluster.address, *order]
    subprocess.run([*command, "--deadline-remaining-seconds", "100"], check=True, stdout=sys.stderr)

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = {}
print(cluster.address, flush=True)
for line in sys.stdin:
    word, name = line.split()
    if word == "add":
        nodes[name] = cluster.add_node(num_cpus=2, labels={"part": name.split("-")[0]})
    elif word == "drain":
        drain(nodes[name])
    else:
        cluster.remove_node(nodes.pop(name), allow_graceful=False)
    print("done", flush=True)
"""


class Nodes:
    """The cluster's nodes, by name; what stands before a dash is the node's label."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.address = self._line()

    def add(self, name: str) -> None:
        self._say(f"add {name}")

    def drain(self, name: str) -> None:
        """Announces that a node is going to leave, as a spot machine's notice does."""
        self._say(f"drain {name}")

    def kill(self, name: str) -> None:
        """Ends a node's processes at once, as the loss of its machine does."""
        self._say(f"kill {name}")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _say(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        assert self._line() == "done"

    def _line(self) -> str:
        assert self._process.stdout is not None
        while True:
            line = self._process.stdout.readline()
            assert line, "the cluster's process has ended"
            if line.startswith("done") or (":" in line and line[0].isdigit() and " " not in line.strip()):
                return line.strip()


def until(what: Callable[[], bool], log: Path, wait_s: float = 240) -> None:
    deadline = time.monotonic() + wait_s
    while not what():
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_outlives_its_samplers_node_and_its_trainers(tmp_path: Path) -> None:
    """The sampler's node is killed in the exam and a new one comes after twenty seconds; the trainer's in fine-tuning.
    Three minutes on two cores: a whole run, five starts of nodes."""
    recipe, storage, log = write_recipe(tmp_path, questions=40, epochs=12), tmp_path / "runs", tmp_path / "run.log"
    labels = "sampler_labels: {part: sampler}, trainer_labels: {part: trainer}, patience: 5"
    recipe.write_text(f"{recipe.read_text('utf-8')}cluster: {{sampler: transformers, {labels}}}\n", encoding="utf-8")
    directory = RunDirectory(storage / "micro")

    def said() -> str:
        return log.read_text("utf-8", errors="replace")

    def has_finished(count: int) -> bool:
        return directory.path.exists() and len(directory.finished()) >= count

    nodes = Nodes()
    try:
        nodes.add("sampler-1")
        nodes.add("trainer-1")
        with log.open("wb") as out:
            run = subprocess.Popen(
                [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)],
                cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=_environment(nodes.address),
            )  # fmt: skip
        until(lambda: has_finished(2) and directory.training.exists() and "loss" in said(), log)
        nodes.kill("trainer-1")
        until(lambda: "waiting for nodes for 1 trainer (1 CPU each, part=trainer)" in said(), log)
        nodes.add("trainer-2")
        exam = directory.round(1).exam_log
        until(lambda: exam.exists() and exam.read_bytes().count(b"\n") >= 8, log)
        nodes.kill("sampler-1")
        until(lambda: "waiting for nodes for 1 sampler (1 CPU each, part=sampler)" in said(), log)
        time.sleep(20)
        nodes.add("sampler-2")
        assert run.wait(400) == 0, said()[-4000:]
    finally:
        nodes.end()
    records = [(record.round, record.phase) for record in directory.finished()]
    assert records == [(i, phase) for i in (0, 1) for phase in phases_of(i)]


def _environment(address: str) -> dict[str, str]:
    return os.environ | {"RAY_ADDRESS": address}


POOL = """
import asyncio, sys, ray
from actors.sampler import pool as pools
from actors.sampler.pool import SamplerPool
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, Sampling

pools.LEAVING_LOOK_S = 0.5

class Sampler:
    async def start(self): ...
    async def shutdown(self): ...
    async def sync(self, version, checkpoint, probe): return ProbeReport(True, "")
    async def answer(self, version, prompt, sampling):
        await asyncio.sleep(float(prompt))
        return [Completion(ray.get_runtime_context().get_node_labels()["part"], True, 1)]

async def main():
    options = dict(num_cpus=2, max_restarts=-1, max_concurrency=9)
    pool = SamplerPool([ray.remote(Sampler).options(**options).remote()])
    await pool.sync("v", "", Probe("v", "float32", (), (), (), ()))
    asked = asyncio.create_task(pool.answer("v", "8", Sampling()))
    await asyncio.sleep(1)
    print("asked", flush=True)
    sys.stdin.readline()
    print((await asked)[0].text, (await pool.answer("v", "0", Sampling()))[0].text, flush=True)
    await pool.shutdown()

ray.init(log_to_driver=False, logging_level="ERROR")
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_sampler_leaves_a_node_that_is_to_go_when_it_has_answered() -> None:
    """Half a minute: four starts of nodes. Nothing is asked twice, and what comes after is asked elsewhere."""
    nodes = Nodes()
    try:
        nodes.add("old-1")
        program = subprocess.Popen(
            [sys.executable, "-c", POOL],
            cwd=ROOT, env=_environment(nodes.address), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert program.stdin is not None and program.stdout is not None
        assert program.stdout.readline() == "asked\n"
        nodes.drain("old-1")
        nodes.add("new-1")
        said, _ = program.communicate("\n", timeout=120)
        assert said == "old new\n"
    finally:
        nodes.end()
