"""A part is found among the processes of the nodes alone, and what is killed takes its children along."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.chaos.machines import Cluster, kill_tree, tree


def test_a_cluster_that_was_not_started_has_no_parts(tmp_path: Path) -> None:
    cluster = Cluster(workers=1, cpus=1, log=tmp_path / "nodes.log")
    assert cluster.parts("engine") == [] and not cluster.parts_alive()
    cluster.lose_all()


def test_a_tree_is_killed_whole() -> None:
    sleep = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    parent = subprocess.Popen([sys.executable, "-c", sleep])
    until = time.monotonic() + 20
    while len(tree(parent.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    child = tree(parent.pid)[1].pid
    kill_tree(parent.pid)
    parent.wait(20)
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until + 20
        time.sleep(0.01)
