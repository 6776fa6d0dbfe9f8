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
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
NODE_STARTS_S = 120.0
END_S = 10.0
STARTS = 3
_TOKEN = secrets.token_hex(32)
_RAY = (str(Path(sys.executable).with_name("ray")),)
MARK = "CHAOS_NODE"  # the variable that a node's processes inherit
STARTED = "Ray runtime started."

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
        alive = [] if parent.status() == psutil.STATUS_ZOMBIE else [parent]
        return [*alive, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_marked(pid: int, mark: str) -> None:
    """SIGKILL to the process, its descendants, and every process that was started under `mark`, until none is left, as
    when its machine is lost: those whose parents have ended already, too."""
    while found := [*tree(pid), *(one for one in psutil.process_iter() if _environment(one).get(MARK) == mark)]:
        for process in found:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=END_S)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
    except psutil.Error:
        return {}


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@dataclass(slots=True)
class _Node:
    """A node that was started: its process, what marks all its processes, what Ray said of it."""

    process: subprocess.Popen[bytes]
    mark: str
    log: Path

    @property
    def is_up(self) -> bool:
        return STARTED in self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        kill_marked(self.process.pid, self.mark)
        self.process.wait()


@dataclass(slots=True)
class Cluster:
    """A head and `workers` nodes of `cpus` logical CPUs each. What they log is kept in `folder`."""

    workers: int
    cpus: int
    folder: Path
    port: int = 0
    _head: _Node | None = None
    _nodes: list[_Node] = field(default_factory=list)
    _stranded: list[_Node] = field(default_factory=list)
    _started: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of every node and driver."""
        kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        ours = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return kept | ours | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN}

    def start(self) -> None:
        """Starts all nodes, on a port that nobody uses. Raises `RuntimeError` when they do not come up."""
        for _ in range(STARTS):  # on a busy machine Ray may give up on itself
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self._head = self._node("--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false")
            if self._comes_up(self._head):
                break
            self.lose_all()
        else:
            raise RuntimeError(f"the head did not start: see {self.folder}")
        for _ in range(self.workers):
            self.add_worker()
        self.wait()

    def wait(self) -> None:
        """Until all worker nodes that were started are there. Raises `RuntimeError` when they do not come."""
        if not all(self._comes_up(node) for node in self._nodes):
            raise RuntimeError(f"the nodes did not come up: see {self.folder}")

    def add_worker(self) -> None:
        self._nodes.append(self._node(f"--address={self.address}", f"--num-cpus={self.cpus}"))

    def lose_worker(self, chance: random.Random) -> None:
        """One of the worker nodes goes, with all that ran on it."""
        self._nodes.pop(chance.randrange(len(self._nodes))).kill()

    def lose_head(self) -> None:
        """The head goes, with all that ran on it. The workers go on until they notice; they are of no cluster then."""
        if self._head is not None:
            self._head.kill()
        self._stranded += self._nodes
        self._head, self._nodes = None, []

    def lose_all(self) -> None:
        self.lose_head()
        for node in self._stranded:
            node.kill()
        self._stranded = []

    @property
    def is_whole(self) -> bool:
        """Whether every node that should be there is."""
        return self._head is not None and not any(node.has_ended for node in (self._head, *self._nodes))

    def parts(self, name: str) -> list[psutil.Process]:
        """The processes of this cluster that are the part `name`, one of `TITLES`."""
        begins = tuple(TITLES[name])
        return [process for process, title in self._titles() if title.startswith(begins)]

    def parts_there(self) -> list[str]:
        """Those of `TITLES` that are there."""
        titles = [title for _, title in self._titles()]
        return [name for name, begins in TITLES.items() if any(title.startswith(tuple(begins)) for title in titles)]

    def _titles(self) -> list[tuple[psutil.Process, str]]:
        nodes = [node for node in (self._head, *self._nodes) if node is not None]
        return [(process, _title(process)) for node in nodes for process in tree(node.process.pid)]

    def _comes_up(self, node: _Node) -> bool:
        until = time.monotonic() + NODE_STARTS_S
        while not node.has_ended and time.monotonic() < until:
            if node.is_up:
                return True
            time.sleep(0.1)
        return False

    def _node(self, *options: str) -> _Node:
        """Each node has a temporary folder of its own, as on machines of their own. Its path must be short: sockets lie
        in it."""
        self._started += 1
        session = self.folder / f"ray{self._started}"
        log = self.folder / f"node-{self._started}.log"
        command = [*_RAY, "start", "--block", "--disable-usage-stats", f"--temp-dir={session}"]
        memory = f"--object-store-memory={128 * 1024**2}"
        mark = secrets.token_hex(8)
        environment = self.environment | {MARK: mark, "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as out:
            process = subprocess.Popen([*command, memory, *options], env=environment, cwd=ROOT, stdout=out, stderr=out)
        return _Node(process, mark, log)
