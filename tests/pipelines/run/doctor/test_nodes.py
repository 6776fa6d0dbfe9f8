"""Every node of a cluster is asked, in a process on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run.doctor import nodes
from tests.conftest import ROOT


@pytest.mark.cluster
def test_two_nodes_are_looked_at_and_nothing_is_left(tmp_path: Path) -> None:
    """Two nodes come up in some ten seconds: what a task sees there no double shows."""
    storage = tmp_path / "deep" / "runs"
    command = [sys.executable, "-m", "tests.pipelines.run.doctor.two_nodes", str(storage)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["nodes"] == 2 and told["errors"] == ["", ""] and told["seen"] == [True, True]
    assert told["absent"] == [["/no/such/folder"]] * 2
    assert told["offsets"][0] == 0.0 and abs(told["offsets"][1]) < 0.5
    assert told["checks"]["storage"][0] == "pass" and "writable from 2 nodes" in told["checks"]["storage"][1]
    assert told["checks"]["ports"] == ["pass", "every node reaches the driver's"]
    assert list(tmp_path.iterdir()) == []


def test_nodes_are_waited_for_as_long_as_one_answers_within_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = [[1], [0, 2], []], list[tuple[list[int], float]]()

    def wait(left: list[int], timeout: float) -> tuple[list[int], list[int]]:
        asked.append((left, timeout))
        done = answers.pop(0)
        return done, [one for one in left if one not in done]

    monkeypatch.setattr(nodes.ray, "wait", wait)
    nodes._wait_for([0, 1, 2, 3])  # type: ignore[list-item]
    assert asked == [(left, nodes.PATIENCE_S) for left in ([0, 1, 2, 3], [0, 2, 3], [3])] and not answers
