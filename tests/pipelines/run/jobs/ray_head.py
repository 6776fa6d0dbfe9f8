"""A Ray head as `ray start` makes it, with dashboard, job server and token: shared by the tests of submitting."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import ROOT


@dataclass(frozen=True)
class Head:
    """A running head: the job server's address, the cluster's own, its token, and where its session's files are."""

    address: str
    cluster: str
    token: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a user of this cluster."""
        of_ray = {"RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH"}
        kept = {name: value for name, value in os.environ.items() if name not in of_ray}
        return {**kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token, "PYTHONPATH": str(ROOT), **more}

    def get(self, path: str) -> str:
        """What the dashboard's API says."""
        asked = urllib.request.Request(f"{self.address}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30) as reply:
            return str(reply.read().decode())


@contextmanager
def ray_head(cpus: int = 4) -> Iterator[Head]:
    """Starts a head whose shell finds another `python` than the environment's, as on most machines."""
    folder = Path(tempfile.mkdtemp(prefix="th-", dir="/tmp"))  # short: sockets' paths are limited
    token = secrets.token_hex(32)
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(token, encoding="utf-8")
    cluster, dashboard, agent, client = _free_ports(4)
    host = "127.0.0.1"
    command = [
        *(str(Path(sys.executable).parent / "ray"), "start", "--head", f"--node-ip-address={host}"),
        *(f"--port={cluster}", f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}"),
        *(f"--ray-client-server-port={client}", f"--num-cpus={cpus}", f"--temp-dir={folder / 'r'}"),
        *("--dashboard-host=127.0.0.1", "--object-store-memory=200000000", "--disable-usage-stats"),
    ]
    environment = {
        "HOME": str(folder),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    try:
        started = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert started.returncode == 0, started.stdout + started.stderr
        head = Head(f"http://{host}:{dashboard}", f"{host}:{cluster}", token, folder)
        _wait_for_a_node(head)
        yield head
    finally:
        _end(folder)
        shutil.rmtree(folder, ignore_errors=True)


def tailor(head: Head, arguments: Sequence[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`tailor ...` as a person calls it in `folder`."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=head.environment(**environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    """The command line of `tailor ...`, of the code that is tested."""
    return [sys.executable, "-c", "from pipelines.cli import app; app()", *arguments]


def command_lines() -> Iterator[str]:
    """Every process's command line on this machine."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield " ".join(process.cmdline())


def _wait_for_a_node(head: Head) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):
            nodes = json.loads(head.get("/nodes?view=summary"))["data"]["summary"]
            if any(node.get("raylet", {}).get("state") == "ALIVE" for node in nodes):
                return
        time.sleep(0.5)
    raise AssertionError(f"no node came up at {head.address}")


def _end(folder: Path) -> None:
    """Ends this head's processes alone: `ray stop` would end every Ray of the machine."""
    ours = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("HOME") == str(folder):
                ours.append(process)
    for process in ours:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(ours, timeout=10)


def _free_ports(count: int) -> list[int]:
    with _bound(count) as sockets:
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _bound(count: int) -> Iterator[list[socket.socket]]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        yield sockets
    finally:
        for one in sockets:
            one.close()
