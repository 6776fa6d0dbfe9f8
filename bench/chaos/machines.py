"""A small Ray cluster of several nodes on this machine, made to lose its parts.

Owns: the nodes (a head without CPUs for work, and workers), their replacement, and finding a part of a run among the
processes. Everything that is started here is ended by `lose_all`; nothing else is ever signalled.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
NODE_STARTS_S = 120.0
STARTS = 3
_TOKEN = secrets.token_hex(32)
_RAY = (str(Path(sys.executable).with_name("ray")),)
_COUNT = """
import sys, time, ray
ray.init(log_to_driver=False)
while ray.cluster_resources().get("CPU", 0) < float(sys.argv[1]):
    time.sleep(0.2)
"""

# The parts that are a process of their own, by what their title begins with.
TITLES: Mapping[str, tuple[str, ...]] = {
    "teacher worker": ("ray::_WorkerProcess",),
    "limiter": ("ray::RateLimiter",),
    "journal": ("ray::Journal",),
    "sampler": ("ray::VllmSampler", "ray::TransformersSampler"),
    "engine": ("VLLM::EngineCore",),
    "trainer": ("ray::Trainer",),
    "trainer worker": ("ray::RayTrainWorker", "ray::_RayTrainWorker"),
    "train controller": ("ray::TrainController",),
    "coordinator": ("ray::Coordinator",),
    "served teacher": ("ray::ServeReplica",),
}


def tree(pid: int) -> list[psutil.Process]:
    """The process and all its descendants that are alive."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_tree(pid: int) -> None:
    """SIGKILL to the process and every descendant, as when its machine is lost."""
    for process in tree(pid):
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@dataclass(slots=True)
class Cluster:
    """A head and `workers` nodes of `cpus` logical CPUs each."""

    workers: int
    cpus: int
    log: Path
    port: int = 0
    _head: subprocess.Popen[bytes] | None = None
    _nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of every node and driver. The temporary folder's path must be short: sockets lie in it."""
        kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        ours = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return kept | ours | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN}

    def start(self) -> None:
        """Starts all nodes, on a port that nobody uses. Raises `RuntimeError` when the head does not come up."""
        for _ in range(STARTS):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            folder = tempfile.mkdtemp(prefix="chaos-")
            self._head = self._node(
                "--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}"
            )
            if self._head_answers():
                break
            self.lose_all()
        else:
            raise RuntimeError(f"the head did not start: see {self.log}")
        for _ in range(self.workers):  # one after another: two that start at once take the same socket's name
            self.add_worker()
            self.wait()

    def wait(self) -> None:
        """Until all worker nodes that were started are there. Raises `RuntimeError` when they do not come."""
        command = [sys.executable, "-c", _COUNT, str(len(self._nodes) * self.cpus)]
        environment = self.environment | {"RAY_ADDRESS": self.address}
        try:
            subprocess.run(command, env=environment, capture_output=True, timeout=NODE_STARTS_S, check=True)
        except subprocess.SubprocessError as error:
            raise RuntimeError(f"the nodes did not come up: see {self.log}") from error

    def _head_answers(self) -> bool:
        """Whether the head came up: on a busy machine Ray may give up on itself."""
        until = time.monotonic() + NODE_STARTS_S
        command = [*_RAY, "health-check", "--address", self.address]
        while self._head is not None and self._head.poll() is None and time.monotonic() < until:
            if subprocess.run(command, env=self.environment, capture_output=True).returncode == 0:
                return True
            time.sleep(0.5)
        return False

    def add_worker(self) -> None:
        self._nodes.append(self._node(f"--address={self.address}", f"--num-cpus={self.cpus}"))

    def lose_worker(self, chance: random.Random) -> None:
        """One of the worker nodes goes, with all that ran on it."""
        node = self._nodes.pop(chance.randrange(len(self._nodes)))
        kill_tree(node.pid)
        node.wait()

    def lose_all(self) -> None:
        for node in (self._head, *self._nodes):
            if node is not None:
                kill_tree(node.pid)
                node.wait()
        self._head, self._nodes = None, []

    def parts_alive(self) -> bool:
        """Whether every node that should be there is."""
        return self._head is not None and all(node.poll() is None for node in (self._head, *self._nodes))

    def parts(self, name: str) -> list[psutil.Process]:
        """The processes of this cluster that are the part `name`, one of `TITLES`."""
        begins: Sequence[str] = TITLES[name]
        nodes = [node for node in (self._head, *self._nodes) if node is not None]
        return [one for node in nodes for one in tree(node.pid) if _title(one).startswith(tuple(begins))]

    def _node(self, *options: str) -> subprocess.Popen[bytes]:
        command = [*_RAY, "start", "--block", "--disable-usage-stats"]
        memory = f"--object-store-memory={128 * 1024**2}"
        with self.log.open("ab") as out:
            return subprocess.Popen(
                [*command, memory, *options], env=self.environment, cwd=ROOT, stdout=out, stderr=out
            )
