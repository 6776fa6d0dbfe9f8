"""A run acts on the notice that its nodes are about to leave: that of its trainer, and that of its sampler."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.watching.tracking.event_files import FOLDER
from bench.chaos.standstill import STEP, work_of
from reasoning.files.tables import read_table
from reasoning.records import Attempt
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import phases_of
from tests.conftest import ROOT
from tests.pipelines.whole_runs.nodes import Nodes

NOTICE_S = 100
REGISTERED = "checkpoint_manager_snapshot.json"
RECIPE = """
name: leaving
seed: 3
task: {name: coin_flip, source: generated, train: 320, validation: 10, test: 10}
student: {max_new_tokens: 96}
teacher: {kind: offline, error_rate: 0}
learning:
  rounds: 1
  first_questions: 320
  exam: {questions: 60, samples: 2}
  first_training: {epochs: 1, batch_size: 1}
  training: {epochs: 1, batch_size: 8}
cluster: {sampler: transformers, sampler_labels: {part: sampler}, trainer_labels: {part: trainer}, patience: 8}
"""
pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]


def test_a_run_leaves_the_nodes_that_are_about_to_leave(tmp_path: Path) -> None:
    """Four minutes on two cores. The training of round 0 has one pass, which ends without a checkpoint where nothing
    is announced: the one that it goes on from on another node is that of the notice. In round 1's exam the sampler
    answers what it has and moves, while its old node is still there."""
    recipe, storage, log = tmp_path / "leaving.yaml", tmp_path / "runs", tmp_path / "run.log"
    recipe.write_text(RECIPE, encoding="utf-8")
    directory = RunDirectory(storage / "leaving")
    exam = directory.round(1).exam_log

    def said() -> str:
        return log.read_text("utf-8", errors="replace")

    def until(what: Callable[[], bool], wait_s: float = 240) -> None:
        deadline = time.monotonic() + wait_s
        while not what():
            assert run.poll() is None and time.monotonic() < deadline, said()[-6000:]
            time.sleep(0.1)

    with Nodes() as nodes:
        nodes.add("old-sampler", "sampler")
        nodes.add("old-trainer", "trainer")
        command = [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)]
        with log.open("wb") as out:
            run = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=nodes.environment)
        try:
            until(lambda: nodes.runs("old-trainer", "ray::RayTrainWorker"))
            nodes.drain("old-trainer", NOTICE_S)
            until(lambda: any(directory.training.rglob(REGISTERED)))  # by Ray Train's controller, a moment after
            nodes.lose("old-trainer")
            until(lambda: "waiting for nodes for 1 trainer (1 CPU each, part=trainer)" in said())
            nodes.add("new-trainer", "trainer")

            until(lambda: exam.exists() and exam.read_bytes().count(b"\n") >= 8)
            nodes.add("new-sampler", "sampler")
            nodes.drain("old-sampler", NOTICE_S)
            until(lambda: nodes.runs("new-sampler", "ray::TransformersSampler"))
            assert not nodes.runs("old-sampler", "ray::TransformersSampler")
            nodes.lose("old-sampler")
            assert run.wait(300) == 0, said()[-6000:]
        finally:
            run.kill()
            run.wait()
    records = [(record.round, record.phase) for record in directory.finished()]
    assert records == [(i, phase) for i in (0, 1) for phase in phases_of(i)]
    steps = Counter(one.place for one in work_of(directory, []) if one.kind == STEP)
    assert (directory.path / FOLDER).is_dir() and set(steps) >= set(range(1, 321))
    assert steps[1] == steps[2] == 1, "the training began anew"
    attempts = [(attempt.problem_id, attempt.sample) for attempt in read_table(directory.round(1).exam, Attempt)]
    assert len(attempts) == len(set(attempts)) == 120
