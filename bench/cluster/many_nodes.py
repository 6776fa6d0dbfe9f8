"""A run on as many nodes as fit one machine: submitted to the head, placed, finished.

    python -m bench.cluster.many_nodes [--nodes 200] [--keep-gib 5] [--questions 2000]

Real: a raylet with its agents for each node, the job server, the run's preflight on every node, the coordinator and
all that it starts, the training on a node of its own. Simulated: the student's engine (half a second an answer) and the
teacher (the offline one). The head has no CPUs for work; every other node has one, and a sampler, but for the
trainer's.

Nodes are added one after the other until there are `--nodes`, or until the machine has less memory left than
`--keep-gib` and `SAMPLER_GIB` for each. Printed: how many that were, the seconds from the submission to the first
answer, the nodes that had a sampler, what each phase took, and the coordinator's processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.scaling.simulated import SimulatedReplica
from reasoning.student.engine import EngineSettings

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.5
AGENT_S = 120
GIB = 1024**3
SAMPLER_GIB = 0.25
AT_ONCE, LATENCY_S = 16, 0.5
RECIPE = """
name: many
seed: 3
task: {{name: coin_flip, source: generated, train: {questions}, validation: 10, test: 100}}
teacher: {{kind: offline, error_rate: 0}}
learning:
  rounds: 1
  first_questions: 40
  exam: {{samples: 2}}
  first_training: {{epochs: 1, batch_size: 8}}
  training: {{epochs: 1, batch_size: 8}}
cluster: {{samplers: {samplers}, patience: 10}}
"""


class OnManyNodes(SimulatedReplica):
    """A sampler of the run, without an engine."""

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(AT_ONCE, LATENCY_S)


def simulate() -> None:
    """Has a process of the run sample with `OnManyNodes`."""
    import actors.sampler.start as start

    start.back_end = lambda recipe: OnManyNodes


def drive(recipe: Path, storage: Path) -> None:
    """The submitted job: the run, with simulated samplers."""
    import ray
    from rich.console import Console

    from pipelines.run.tailored import run
    from reasoning.recipe.tailored import load_recipe

    ray.init(log_to_driver=False, runtime_env={"worker_process_setup_hook": f"{__spec__.name}.simulate"})
    run(load_recipe(recipe).replace(storage_path=str(storage)), str(recipe), Console(width=120))


def add_nodes(cluster: Any, most: int, keep_gib: float) -> int:
    """Adds workers as long as they and a sampler on each fit; how many."""
    for number in range(most):
        needed = keep_gib + number * SAMPLER_GIB
        if psutil.virtual_memory().available < needed * GIB:
            return number
        cluster.add_node(num_cpus=1, object_store_memory=80 * 1024**2, labels={"part": f"node{number}"})
    return most


def submitted(jobs: Any, entrypoint: str) -> str:
    """The job's id. The head's agent, which starts jobs, comes a while after the head."""
    until = time.monotonic() + AGENT_S
    while True:
        try:
            return str(jobs.submit_job(entrypoint=entrypoint, entrypoint_resources={"node:__internal_head__": 0.001}))
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_S)


def samplers_by_node() -> dict[str, int]:
    from ray.util.state import list_actors

    found: dict[str, int] = {}
    for actor in list_actors(limit=10_000, detail=False):
        if actor.class_name == OnManyNodes.__name__ and actor.state == "ALIVE" and actor.node_id:
            found[actor.node_id] = found.get(actor.node_id, 0) + 1
    return found


def coordinator_cpu_s() -> float:
    for process in psutil.process_iter():
        try:
            if " ".join(process.cmdline()).startswith("ray::Coordinator"):
                times = process.cpu_times()
                return times.user + times.system
        except psutil.Error:
            continue
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description="A run on as many nodes as fit this machine.")
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--keep-gib", type=float, default=5.0)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--drive", nargs=2, type=Path, metavar=("RECIPE", "STORAGE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(*options.drive)
        return
    with tempfile.TemporaryDirectory(prefix="many") as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    os.environ |= {"PYTHONPATH": str(ROOT), "RAY_enable_worker_prestart": "0"}
    os.environ["RAY_TMPDIR"] = str(folder)  # or this cluster would be what another program's `ray.init()` joins
    from ray.cluster_utils import Cluster
    from ray.job_submission import JobStatus, JobSubmissionClient

    from reasoning.files.tables import read_table
    from reasoning.records import Attempt
    from reasoning.rounds.directory import RunDirectory

    began = time.monotonic()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = {"dashboard_port": port, "dashboard_agent_listen_port": 0}  # beside any other Ray of this machine
    head = {"num_cpus": 0, "include_dashboard": True, "object_store_memory": 200 * 1024**2, **ports}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        workers = add_nodes(cluster, options.nodes - 1, options.keep_gib)
        print(f"{workers + 1} nodes are there after {time.monotonic() - began:.0f} s", flush=True)
        recipe, storage = folder / "many.yaml", folder / "runs"
        recipe.write_text(RECIPE.format(questions=options.questions, samplers=workers - 1), encoding="utf-8")
        directory = RunDirectory(storage / "many")
        exam = directory.round(1).exam_log

        os.environ["RAY_ADDRESS"] = cluster.address
        jobs = JobSubmissionClient(f"http://{cluster.webui_url}")
        began = time.monotonic()
        entry = [sys.executable, "-m", "bench.cluster.many_nodes", "--drive", str(recipe), str(storage)]
        job = submitted(jobs, shlex.join(entry))
        used: dict[str, int] = {}
        first = cpu = 0.0
        while (status := jobs.get_job_status(job)) not in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED):
            if not first and exam.exists() and exam.stat().st_size:
                first, used = time.monotonic() - began, samplers_by_node()
                print(f"the first answer of the exam came {first:.0f} s after the submission", flush=True)
            cpu = coordinator_cpu_s() or cpu
            time.sleep(LOOK_S)
        print(f"the job ended after {time.monotonic() - began:.0f} s: {status}", flush=True)
        if status != JobStatus.SUCCEEDED:
            sys.exit(jobs.get_job_logs(job)[-6000:])
        attempts = read_table(directory.round(1).exam, Attempt)
        print(f"{len(used)} nodes had {sum(used.values())} samplers; the coordinator took {cpu:.0f} s of a core")
        print(f"attempts: {len(attempts)}, of {len({one.problem_id for one in attempts})} questions")
        for record in directory.finished():
            print(json.dumps({"round": record.round, "phase": record.phase, "seconds": round(record.seconds, 1)}))
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
