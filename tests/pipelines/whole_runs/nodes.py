"""A Ray cluster of several nodes on this machine, each of `ray start`, which can be told to leave and can be lost.

Owns: the nodes' processes, and their end. The head has no CPUs for work.
"""

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
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench.chaos.machines import MARK, STARTED, kill_marked, tree
from tests.actors.ray_api.machines.test_notice import metadata
from tests.conftest import ROOT

STARTS_S = 120
RAY = (sys.executable, "-m", "ray.scripts.scripts")
# Says a node's id by the label `part`; the public command for it needs the dashboard.
ID = """
import sys, ray
ray.init(log_to_driver=False, logging_level="ERROR")
print([node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Labels"].get("name") == sys.argv[1]][0])
"""


class Nodes:
    """The cluster's nodes, by name. Use as a context manager; nothing of it stays."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nd"))  # short: sockets lie below it
        self._nodes: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.environment = os.environ | {
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "PYTHONPATH": str(ROOT),
            # A lost node is known of within seconds; by default it takes about a minute.
            "RAY_health_check_initial_delay_ms": "1000",
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_timeout_ms": "3000",
        }

    def __enter__(self) -> Nodes:
        self._start(
            "head", "--head", f"--port={self.address.split(':')[1]}", "--num-cpus=0", "--include-dashboard=false"
        )
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._nodes):
            self.lose(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, name: str, part: str, cpus: int = 2) -> None:
        """A node with the labels `name` and `part`."""
        self._start(name, f"--address={self.address}", f"--num-cpus={cpus}", f"--labels=name={name},part={part}")

    def drain(self, name: str, seconds: int) -> None:
        """Announces that a node will leave in so many seconds, as AWS does to what waits for it on a spot machine."""
        node = self._said(sys.executable, "-c", ID, name).split()[-1]
        when = datetime.now(UTC) + timedelta(seconds=seconds)
        action = {"action": "terminate", "time": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
        with metadata(lambda path: (200, json.dumps(action))) as at:
            self._said(sys.executable, "-m", "actors.ray_api.machines.notice", "aws", "--metadata", at, "--node", node)

    def lose(self, name: str) -> None:
        """Ends a node's processes at once, as the loss of its machine does."""
        process, mark = self._nodes.pop(name)
        kill_marked(process.pid, mark)
        process.wait()

    def runs(self, name: str, title: str) -> bool:
        """Whether a process whose title begins so is on the node."""
        for process in tree(self._nodes[name][0].pid):
            with suppress(psutil.Error):
                if " ".join(process.cmdline()).startswith(title):
                    return True
        return False

    def _start(self, name: str, *options: str) -> None:
        log, mark = self._folder / f"{name}.log", secrets.token_hex(8)
        usual = ("--block", "--disable-usage-stats", "--num-gpus=0", f"--object-store-memory={100 * 1024**2}")
        environment = {key: value for key, value in self.environment.items() if key != "RAY_ADDRESS"}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*RAY, "start", *usual, f"--temp-dir={self._folder / name}", *options],
                env=environment | {MARK: mark, "PYTHONUNBUFFERED": "1"},
                stdout=out,
                stderr=out,
            )
        self._nodes[name] = process, mark
        until = time.monotonic() + STARTS_S
        while STARTED not in log.read_text("utf-8", errors="replace"):
            assert process.poll() is None and time.monotonic() < until, log.read_text("utf-8", errors="replace")[-4000:]
            time.sleep(0.2)

    def _said(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
