"""A part is found among the processes of the nodes alone, and a lost machine takes all its processes along."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.chaos.machines import MARK, Cluster, kill_marked, tree


def test_a_cluster_that_was_not_started_has_no_parts(tmp_path: Path) -> None:
    cluster = Cluster(workers=1, cpus=1, folder=tmp_path)
    assert cluster.parts("engine") == [] and cluster.parts_there() == [] and not cluster.is_whole
    cluster.lose_all()


def test_a_machine_is_killed_whole_with_what_has_lost_its_parent() -> None:
    """The parent ends at once; its child is no descendant of anything by then."""
    child = "import time; time.sleep(60)"
    program = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid)"
    variables = os.environ | {MARK: "a machine"}
    parent = subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    parent.wait(20)
    assert tree(parent.pid) == [] and psutil.pid_exists(orphan)
    kill_marked(parent.pid, "another machine")
    assert psutil.pid_exists(orphan)
    kill_marked(parent.pid, "a machine")
    until = time.monotonic() + 20
    while psutil.pid_exists(orphan) and psutil.Process(orphan).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)
