"""The whole loop on real parts (vLLM, Ray Train, HTTP, Ray Serve): once through, resumed, and killed in every phase."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from reasoning.files.tables import read_table
from reasoning.records import Attempt, Example, Rationale, RationaleSource
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.ahead import QUESTIONS_AHEAD
from reasoning.rounds.phase_order import Phase, phases_of
from tests.pipelines.whole_runs.micro_run import start_run, write_recipe

RUN_S = 800  # a bound against hanging, not a promise


def finish(recipe: Path, storage: Path) -> str:
    log = storage.parent / "run.log"
    process = start_run(recipe, storage, log)
    code = process.wait(RUN_S)
    text = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, text[-4000:]
    return text


def whole(directory: RunDirectory) -> bool:
    order = [(i, phase) for i in (0, 1) for phase in phases_of(i)]
    return [(record.round, record.phase) for record in directory.finished()] == order


def sends(directory: RunDirectory) -> dict[str, int]:
    with sqlite3.connect(f"file:{directory.journal}?mode=ro", uri=True) as journal:
        return dict(journal.execute("SELECT key, sends FROM calls WHERE status = 'answered'").fetchall())


@pytest.mark.engine
@pytest.mark.timeout(1800)
def test_a_run_from_one_command_leaves_everything_a_run_promises(tmp_path: Path) -> None:
    """About three minutes on two cores: the only test in which every part meets every other."""
    recipe, storage = write_recipe(tmp_path), tmp_path / "runs"
    text = finish(recipe, storage)
    directory = RunDirectory(storage / "micro")
    assert whole(directory)
    assert "; 0 requests sent again" in " ".join(text.split())
    exam = read_table(directory.round(1).exam, Attempt)
    assert len(exam) == 24 and {attempt.round for attempt in exam} == {1}
    mistakes = {r.mistake_id for r in read_table(directory.round(1).rationales, Rationale)}
    first = read_table(directory.round(0).rationales, Rationale)
    assert len(first) == 24 and {r.source for r in first} == {RationaleSource.PLAIN}
    assert "" not in mistakes
    assert all(example.positives for example in read_table(directory.round(1).examples, Example))
    for round in (0, 1):
        assert (directory.round(round).student / "model.safetensors").is_file()
    assert '<svg role="img"' in directory.report.read_text(encoding="utf-8")
    before = sends(directory)
    assert before and set(before.values()) == {1}
    again = finish(recipe, storage)
    assert "goes on after 9 finished phases" in again
    assert sends(directory) == before


def in_exam(directory: RunDirectory) -> bool:
    log = directory.round(1).exam_log
    return log.exists() and log.read_bytes().count(b"\n") >= 4


def in_feedback(directory: RunDirectory) -> bool:
    done = directory.finished() if directory.path.exists() else []
    return bool(done) and done[-1].round == 1 and done[-1].phase is Phase.EXAM and len(sends(directory)) > 26


def in_training(directory: RunDirectory) -> bool:
    done = directory.finished() if directory.path.exists() else []
    return bool(done) and done[-1].round == 1 and done[-1].phase is Phase.SELECT


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("moment", "sizes", "delay_s"),
    [
        (in_exam, {"questions": QUESTIONS_AHEAD + 100}, 0.0),  # more than are asked before their phase begins
        (in_feedback, {"latency": 2.0, "in_flight": 3, "questions": 40}, 1.0),
        (in_training, {"epochs": 60}, 12.0),
    ],
    ids=["exam", "feedback", "training"],
)
def test_killed_in_the_middle_of_a_phase_the_same_command_finishes(
    moment: Callable[[RunDirectory], bool], sizes: dict[str, float], delay_s: float, tmp_path: Path
) -> None:
    """Two to three minutes each: a whole run, killed with SIGKILL (every process of it) and run again."""
    recipe = write_recipe(tmp_path, **sizes)  # type: ignore[arg-type]
    storage = tmp_path / "runs"
    directory = RunDirectory(storage / "micro")
    process = start_run(recipe, storage, tmp_path / "run.log")
    deadline = time.monotonic() + RUN_S
    while not moment(directory):
        assert process.poll() is None, (tmp_path / "run.log").read_text()[-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(delay_s)
    kill_tree(process.pid)
    process.wait(30)
    answered = sends(directory)
    cut = len(directory.finished())
    text = finish(recipe, storage)
    assert f"goes on after {cut} finished phases" in text
    assert whole(directory)
    after = sends(directory)
    assert {key: after[key] for key in answered} == answered


def kill_tree(pid: int) -> None:
    """SIGKILL to the process and every descendant, as when a machine is lost."""
    parent = psutil.Process(pid)
    for process in [parent, *parent.children(recursive=True)]:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
