"""A run whose coordinator is lost goes on by itself; one that is told to stop says how to go on, and does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import phases_of
from tests.pipelines.whole_runs.micro_run import start_run, write_recipe

WAIT_S = 300  # a bound against hanging, not a promise


def until(what: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        time.sleep(0.2)


def kill_coordinator(driver: int) -> bool:
    for process in psutil.Process(driver).children(recursive=True):
        if process.name().startswith("ray::Coordinat"):
            process.kill()
            return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lost_coordinator_is_restarted_and_a_sigterm_is_told(tmp_path: Path) -> None:
    """Two and a half minutes: a whole run and two starts more, of which one phase is done twice."""
    recipe, storage, log = write_recipe(tmp_path), tmp_path / "runs", tmp_path / "run.log"
    recipe.write_text(recipe.read_text("utf-8") + "cluster: {sampler: transformers}\n", encoding="utf-8")
    directory = RunDirectory(storage / "micro")
    process = start_run(recipe, storage, log)
    until(lambda: directory.path.exists() and len(directory.finished()) >= 1, log)
    assert kill_coordinator(process.pid)
    until(lambda: "restart 1 of 3" in log.read_text("utf-8"), log)
    until(lambda: len(directory.finished()) >= 4, log)  # round 0 is done: round 1 sits its exam
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    said = log.read_text("utf-8")
    assert "goes on from the last finished phase" in said and "SIGTERM received" not in said and "Traceback" not in said

    assert start_run(recipe, storage, log).wait(WAIT_S) == 0, log.read_text("utf-8")[-4000:]
    records = [(record.round, record.phase) for record in directory.finished()]
    assert records == [(i, phase) for i in (0, 1) for phase in phases_of(i)]
