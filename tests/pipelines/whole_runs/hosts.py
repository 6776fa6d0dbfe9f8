"""Hosts on one machine: network namespaces with addresses of their own on a bridge, a real `ray start` in each.

Owns: the bridge, the namespaces, their processes, and their end. Needs root and `ip` of iproute2.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from tests.conftest import ROOT
from tests.pipelines.whole_runs.fake_autoscaler import TOKEN

NETWORK = "10.77.0"
PORT = 6379


def can_have_hosts() -> bool:
    """Whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Hosts:
    """A bridge and the hosts on it, by name. Use as a context manager; nothing of it stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._tag = f"tl{os.getpid() % 10_000}"

    def __enter__(self) -> Hosts:
        _ip("link", "add", self._tag, "type", "bridge")
        _ip("link", "set", self._tag, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in [name for name in self._names if name]:
            self.remove(name)
        _ip("link", "del", self._tag)
        for session in Path("/tmp").glob(f"{self._tag}*"):
            shutil.rmtree(session, ignore_errors=True)

    def add(self, name: str) -> str:
        """A new host; its address."""
        number = len(self._names) + 1
        space, outer, inner = self._space(name), f"{self._tag}o{number}", f"{self._tag}i{number}"
        self._names.append(name)
        _ip("netns", "add", space)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", outer, "master", self._tag, "up")
        _ip("link", "set", inner, "netns", space)
        _ip("-n", space, "addr", "add", f"{NETWORK}.{number}/24", "dev", inner)
        _ip("-n", space, "link", "set", inner, "up")
        _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", space, "route", "add", "default", "dev", inner)  # Ray finds its own address by asking for a route
        return f"{NETWORK}.{number}"

    def cut_off(self, name: str) -> None:
        """Takes the host's cable out: its processes go on."""
        _ip("link", "set", self._outer(name), "down")

    def connect(self, name: str) -> None:
        _ip("link", "set", self._outer(name), "up")

    def remove(self, name: str) -> None:
        """A host is gone at once: none of its connections is closed in order."""
        self.cut_off(name)
        self.end_processes(name)
        _ip("netns", "del", self._space(name))
        self._names[self._names.index(name)] = ""  # numbers are not given twice

    def end_processes(self, name: str) -> None:
        while processes := self._processes(name):
            for process in processes:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
            psutil.wait_procs(processes, timeout=10)

    def runs(self, name: str, title: str) -> bool:
        """Whether the host has a process whose command line begins with `title`, or with a path that ends in it."""
        for process in self._processes(name):
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if line.startswith(title) or line.split(" ", 1)[0].endswith(f"/{title}"):
                    return True
        return False

    def _processes(self, name: str) -> list[psutil.Process]:
        listed = subprocess.run(["ip", "netns", "pids", self._space(name)], capture_output=True, text=True, check=False)
        found = []
        for pid in listed.stdout.split():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(pid)))
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def start_ray(self, name: str, address: str, *, head: str | None = None, cpus: int = 0, **labels: str) -> None:
        """`ray start` on the host: a head without CPUs for work, or (with the head's address) a worker. One after the
        other: the hosts share a file system, and raylets that start at once take the same socket's name."""
        role = (
            ["--head", f"--port={PORT}", "--dashboard-host=127.0.0.1"] if head is None else [f"--address={head}:{PORT}"]
        )
        marks = [f"--labels={','.join(f'{key}={value}' for key, value in labels.items())}"] if labels else []
        self.run(
            name,
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", *role, f"--node-ip-address={address}"),
                *(f"--num-cpus={cpus}", "--num-gpus=0", "--object-store-memory=100000000", *marks),
                f"--temp-dir={self._session(name)}",
            ],
        )

    def run(self, name: str, command: list[str]) -> None:
        """A command on the host, to its end."""
        done = subprocess.run(
            self._command(name, command), env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str, command: list[str], log: Path, **variables: str) -> subprocess.Popen[bytes]:
        """A program on the host, its output in `log`."""
        with log.open("ab") as out:
            return subprocess.Popen(
                self._command(name, command), cwd=ROOT, env=environment() | variables, stdout=out, stderr=out
            )

    def _command(self, name: str, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self._space(name), *command]

    def _space(self, name: str) -> str:
        return f"{self._tag}-{name}"

    def _outer(self, name: str) -> str:
        return f"{self._tag}o{self._names.index(name) + 1}"

    def _session(self, name: str) -> str:
        return f"/tmp/{self._tag}{name}"  # short: sockets lie below it


def environment() -> dict[str, str]:
    """That of every process of this cluster: a token, and no other cluster's address."""
    kept = {key: value for key, value in os.environ.items() if key not in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")}
    ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    return kept | ours | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
