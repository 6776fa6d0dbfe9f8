"""A training goes on with the machines that are there: fewer when one leaves, more when one comes; the student is the
same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from actors.training.regrouping import Group, worthwhile
from reasoning.student.checkpoint import load_student
from reasoning.training.fine_tuning import fine_tune
from tests.actors.training.jobs import QUESTIONS, elastic_job, examples_of
from tests.conftest import ROOT

STEPS = 200
GOES_ON = "going on from the last checkpoint"


@pytest.mark.parametrize(
    ("fewest", "workers", "leaving", "granted", "expected"),
    [
        (1, 2, 0, 0, False),  # nothing has changed
        (1, 1, 0, 1, True),  # one more
        (1, 2, 1, 0, True),  # one leaves, and one is enough
        (2, 2, 1, 0, False),  # one leaves: the two go on until it has
        (2, 2, 1, 1, True),  # another takes its place
        (2, 2, 2, 1, False),
    ],
)
def test_it_is_worthwhile_where_enough_stay(
    fewest: int, workers: int, leaving: int, granted: int, expected: bool
) -> None:
    assert worthwhile(fewest, workers, leaving, granted) is expected


def test_a_training_of_a_fixed_number_asks_nobody() -> None:
    assert not Group().regroups()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("how", ["lost", "drained", "early"])
def test_two_workers_become_one_and_two_again(how: str, tmp_path: Path) -> None:
    """A minute and a half each: four starts of nodes, five of workers, and steps that take their time. A node is lost
    without a word, or leaves announced, and another comes; or one worker came up early, and the second node before the
    examples."""
    command = [sys.executable, "-m", "tests.actors.training.two_nodes", str(tmp_path), how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert not told["failed"], told
    starts = ["2 of 2 workers", "1 of 2 workers", "2 of 2 workers"]
    assert told["starts"] == (starts[1:] if how == "early" else starts), told
    assert told["waits"].count("nodes for 1 trainer (1 CPU each), with 1 of 2 there") == 1
    losses = [line for line in told["said"] if line.endswith("a machine was lost in training; " + GOES_ON)]
    assert len(losses) == (how == "lost"), told["said"]  # and was not taken for a crash
    assert told["waits"][-1] == ""

    job = elastic_job(tmp_path, None)
    report = job.report(job.identity())
    assert report is not None and [point.step for point in report.losses] == list(range(STEPS))
    again = [step for step, times in Counter(told["steps"]).items() if times > 1]
    assert sorted(set(told["steps"])) == list(range(STEPS))
    assert not again if how != "lost" else len(again) < 2 * QUESTIONS // 8  # a state a second was kept

    student = load_student(job.checkpoint_in)
    expected = fine_tune(
        student.model, student.tokenizer, examples_of(QUESTIONS), job.training, job.objective, job.seed, dtype="float32"
    )
    taught = load_student(job.checkpoint_out)
    torch.testing.assert_close(_weights(taught.model), _weights(student.model), rtol=0, atol=1e-3)
    assert report.lm_loss_last == pytest.approx(expected.lm_loss_last, rel=1e-3)


def _weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
