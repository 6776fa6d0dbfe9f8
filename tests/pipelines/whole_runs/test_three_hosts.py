"""A run that is submitted to three hosts, of which one is cut off and comes back, and one is lost and replaced."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.records import Attempt
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import phases_of
from reasoning.training.distributed.state import PROGRESS_FILE
from tests.pipelines.run.jobs.ray_head import command
from tests.pipelines.whole_runs.hosts import Hosts, can_have_hosts
from tests.pipelines.whole_runs.micro_run import write_recipe

CUT_OFF_S = 180
LOST_S = 180  # Ray takes a host that does not answer for dead after about a minute
LABELS = "sampler_labels: {part: sampler}, trainer_labels: {part: trainer}, patience: 8"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not can_have_hosts(), reason="network namespaces need root"),
]


def test_a_run_on_three_hosts_outlives_a_lost_host_and_a_cut_cable(tmp_path: Path) -> None:
    """Eight minutes, three of which the sampler's host is cut off. The head has no CPUs for work; one worker samples,
    the other trains. They share a folder, as hosts do by a network file system."""
    recipe, storage, log = write_recipe(tmp_path, questions=60, epochs=12), tmp_path / "runs", tmp_path / "run.log"
    text = f"{recipe.read_text('utf-8')}cluster: {{sampler: transformers, {LABELS}}}\n"
    recipe.write_text(text, encoding="utf-8")
    directory = RunDirectory(storage / "micro")
    exam = directory.round(1).exam_log

    def until(what: Callable[[], bool], wait_s: float = 240) -> None:
        deadline = time.monotonic() + wait_s
        while not what():
            assert run.poll() is None and time.monotonic() < deadline, said(log)[-6000:]
            time.sleep(0.2)

    with Hosts(tmp_path) as hosts:
        head = hosts.add("head")
        hosts.start_ray("head", head)
        cut = hosts.add("one")
        hosts.start_ray("one", cut, head=head, cpus=2, part="sampler")
        hosts.start_ray("two", hosts.add("two"), head=head, cpus=2, part="trainer")
        run = submitted(hosts, recipe, storage, log)

        until(lambda: any(directory.training.rglob(PROGRESS_FILE)))  # a first pass is trained
        assert hosts.runs("two", "ray::RayTrainWorker") and hosts.runs("head", "ray::Coordinator")
        hosts.remove("two")
        until(lambda: "waiting for nodes for 1 trainer" in said(log), LOST_S)
        hosts.start_ray("three", hosts.add("three"), head=head, cpus=2, part="trainer")

        until(lambda: exam.exists() and exam.read_bytes().count(b"\n") >= 8, 400)
        assert hosts.runs("one", "ray::TransformersSampler")
        hosts.cut_off("one")
        since = time.monotonic()
        until(lambda: "waiting for nodes for 1 sampler" in said(log), LOST_S)
        time.sleep(max(0.0, since + CUT_OFF_S - time.monotonic()))
        hosts.connect("one")
        # A node that was taken for dead ends itself when it hears so. Then systemd or Kubernetes starts it again.
        until(lambda: not hosts.runs("one", "raylet"))
        hosts.start_ray("one", cut, head=head, cpus=2, part="sampler")
        assert run.wait(400) == 0, said(log)[-6000:]
    records = [(record.round, record.phase) for record in directory.finished()]
    assert records == [(i, phase) for i in (0, 1) for phase in phases_of(i)]
    attempts = exam_attempts(directory)
    assert len(attempts) == len(set(attempts)) == 120  # each question twice, and no attempt twice


def submitted(hosts: Hosts, recipe: Path, storage: Path, log: Path) -> subprocess.Popen[bytes]:
    """`tailor submit` on the head, which follows the run to its end."""
    arguments = ["submit", str(recipe), "--address", "http://127.0.0.1:8265", "--storage", str(storage)]
    return hosts.start("head", command(*arguments), log)


def said(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")


def exam_attempts(directory: RunDirectory) -> list[tuple[str, int]]:
    return [(attempt.problem_id, attempt.sample) for attempt in read_table(directory.round(1).exam, Attempt)]
