"""A run on a cluster whose machines come when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import phases_of
from tests.conftest import ROOT
from tests.pipelines.whole_runs.fake_autoscaler import FakeCluster, autoscaling_cluster
from tests.pipelines.whole_runs.micro_run import write_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NODES = """
import ray
ray.init(log_to_driver=False, logging_level="ERROR")
print(sum(node["Alive"] for node in ray.nodes()))
"""


def run_on(cluster: FakeCluster, recipe: Path, storage: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)],
        cwd=ROOT,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def workers(cluster: FakeCluster) -> int:
    """How many nodes the cluster has besides its head."""
    command = [sys.executable, "-c", NODES]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=120, check=True)
    return int(done.stdout.split()[-1]) - 1


def test_a_run_asks_for_machines_that_are_not_there_and_finishes(tmp_path: Path) -> None:
    """In cluster.yaml's shape: a head without CPUs for work, up to two workers, none of which is there. Two minutes on
    two cores, half of it the starts of Ray's nodes. What could never be there is refused before. Whether a wait is
    shown depends on how fast they are, and is the subject of the tests of `actors.ray_api.machines.waiting`."""
    recipe = write_recipe(tmp_path)
    plain = recipe.read_text(encoding="utf-8")
    with autoscaling_cluster(tmp_path, {"CPU": 2}, most=2) as cluster:
        recipe.write_text(plain + "cluster: {sampler: transformers, sampler_cpus: 3}\n", encoding="utf-8")
        refused = run_on(cluster, recipe, tmp_path / "runs")
        assert refused.returncode == 2, refused.stdout + refused.stderr
        assert "no room for 1 sampler of 3 CPUs each" in refused.stderr
        assert "could come: up to 2 x worker (2 CPUs), 2 in all" in refused.stderr
        assert not (tmp_path / "runs").exists()

        recipe.write_text(plain + "cluster: {sampler: transformers, sampler_cpus: 2, trainer_cpus: 2}\n", "utf-8")
        before = workers(cluster)
        finished = run_on(cluster, recipe, tmp_path / "runs")
        after = workers(cluster)
    assert (before, after) == (0, 2)
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-4000:]
    assert "are not there yet. The cluster's autoscaler is asked for them" in finished.stdout
    records = RunDirectory(tmp_path / "runs" / "micro").finished()
    assert [(r.round, r.phase) for r in records] == [(i, phase) for i in (0, 1) for phase in phases_of(i)]
