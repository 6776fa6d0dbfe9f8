"""A Ray cluster on this machine whose autoscaler starts nodes: Ray's fake provider, in the shape of cluster.yaml.

Owns: its configuration, its processes, and their end. The head has no CPUs for work.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

HEAD_ID = "f" * 51 + "00000"  # what Ray's fake provider takes its own head for
TOKEN = "tailor-tests-" + "0123456789abcdef" * 2
NOTHING: dict[str, Any] = {
    **{key: [] for key in ("cluster_synced_files", "initialization_commands", "setup_commands")},
    **{f"{node}_{key}": [] for node in ("head", "worker") for key in ("setup_commands", "start_ray_commands")},
}


@dataclass(frozen=True)
class FakeCluster:
    """Its address, and the environment that a program needs to join it."""

    address: str
    environment: dict[str, str]


@contextmanager
def autoscaling_cluster(
    folder: Path, worker: dict[str, float], most: int, idle_minutes: float = 5
) -> Iterator[FakeCluster]:
    """A head alone, and up to `most` workers with these resources, which come when they are asked for."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    here = _own_address()
    config = NOTHING | {
        "cluster_name": "tailor-test",
        "max_workers": most,
        "idle_timeout_minutes": idle_minutes,
        "upscaling_speed": 1.0,
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        "auth": {"ssh_user": "nobody"},
        "provider": {
            "type": "fake_multinode",
            "gcs_address": f"{here}:{port}",
            "head_node_id": HEAD_ID,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": dict(worker), "node_config": {}, "min_workers": 0, "max_workers": most},
        },
        "head_node_type": "ray.head.default",
    }
    (folder / "autoscaler.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    started_by = environment | {
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    }
    sessions = f"/tmp/tailor-{os.getpid()}-{port}"  # short: sockets lie below it
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={port}", "--num-cpus=0"),
        *("--num-gpus=0", "--include-dashboard=false", f"--temp-dir={sessions}", "--object-store-memory=100000000"),
        f"--autoscaling-config={folder / 'autoscaler.yaml'}",
    ]
    try:
        subprocess.run(command, env=started_by, check=True, capture_output=True, timeout=120)
        yield FakeCluster(f"{here}:{port}", environment | {"RAY_ADDRESS": f"{here}:{port}"})
    finally:
        end_processes(sessions)


def end_processes(named: str) -> None:
    """Ends every process whose command line names a cluster's folder; its workers end with them."""
    found = [p for p in psutil.process_iter(["cmdline"]) if any(named in part for part in p.info["cmdline"] or [])]
    for process in found:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=10)
    time.sleep(1)


def _own_address() -> str:
    """This machine's address, as Ray takes it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
