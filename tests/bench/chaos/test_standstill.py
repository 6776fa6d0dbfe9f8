"""What a death cost is the time to the first new work: what is done a second time, or was begun before, is none."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from actors.watching.tracking.event_files import FOLDER, EventFiles
from actors.watching.tracking.sink import Axis
from bench.chaos.standstill import Attempts, Work, next_work, standstill, waits, work_of
from reasoning.rounds.directory import RunDirectory


def steps(*done: tuple[float, int]) -> list[Work]:
    return [Work(at, "steps/loss", place=step) for at, step in done]


def replies(*done: tuple[float, float]) -> list[Work]:
    return [Work(ended, "reply", started) for started, ended in done]


@pytest.mark.parametrize(
    ("work", "found"),
    [
        (steps((9, 4), (11, 5)), 11),
        (steps((8, 4), (9, 5), (20, 4), (21, 5), (22, 6)), 22),  # two steps are done again
        (replies((8, 11), (12, 15)), 15),  # one was on its way
        ([Work(13, "exam/seconds"), *steps((14, 9))], 13),  # a phase that ends is always new
        ([*steps((9, 5), (12, 5)), Work(13, "round-001", place=80)], 13),  # each kind has its own places
        ([Work(9, "round-001", place=80)], None),
        ([], None),
    ],
)
def test_the_first_new_work(work: list[Work], found: float | None) -> None:
    assert next_work(sorted(work, key=lambda one: one.at), after=10) == found


def test_the_harness_own_time_is_left_out_and_a_run_that_ends_first_is_at_work_until_then() -> None:
    assert standstill(steps((30, 1)), death=10, end=99, away=[(5, 12), (28, 40)]) == 20 - 2 - 2
    assert standstill([], death=10, end=25) == 15


def test_what_is_usual_where_nothing_is_lost() -> None:
    work = [Work(2.0, "reply", 0.0), Work(4.0, "exam/seconds"), *steps((8.0, 1))]
    found = waits(work, began=0.0, end=8.0)
    assert set(found) == {"", "exam"} and found["exam"] == pytest.approx(2.25)  # 4 s at first, 0.5 s at last


def test_the_work_of_a_run_is_read_from_its_own_files(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    attempts = Attempts(directory)
    log = directory.round(1).exam_log
    log.parent.mkdir()
    for text in ("a\n", "a\nb\n", "a\n", "a\nb\n"):  # a line that was cut off is no work when it is there again
        log.write_text(text)
        attempts.look()
    assert [one.place for one in attempts.work] == [2, 4]
    with sqlite3.connect(directory.journal) as db:
        db.execute("CREATE TABLE sends (started_at, ended_at, outcome)")
        rows = [(1.0, 2.0, "answered"), (3.0, 4.0, "timeout"), (5.0, None, None)]
        db.executemany("INSERT INTO sends VALUES (?, ?, ?)", rows)
    db.close()
    files = EventFiles(tmp_path / FOLDER)
    files.log(Axis.TRAINING_STEP, 7, {"steps/loss": 0.5, "steps/lm_loss": 0.5})
    files.log(Axis.ROUND, 1, {"train/seconds": 3.0, "train/steps": 7.0})
    files.close()
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(file.read_bytes() + b"\x10\x00\x00")  # as a killed writer leaves it
    found = [(one.kind, one.place) for one in work_of(directory, attempts.work)]
    assert found == [("reply", None), ("round-001", 2), ("round-001", 4), ("steps/loss", 7), ("train/seconds", None)]
    assert [one.begun for one in work_of(directory, [])] == [1.0, math.inf, math.inf]
