"""What came of the runs is kept line by line and shown, with what was wrong before it was mended."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from bench.chaos.moments import PARTS
from bench.chaos.outcomes import Death, Outcome, keep, latest, line, read_all, table

WAITS = {"": 5.0, "train": 2.0}
CALM = Outcome(0, "vllm", (), 1, 60.0, 0, 9, (), (), {"engine": ((20.0, 55.5),)}, 20.0, WAITS)
LOST = Outcome(1, "vllm", (Death("engine", 12.5, "after 0 evaluate", 30.4),), 1, 75.0, 0, 9, (), (), {}, start_s=20.0)
FAILED = Outcome(
    2, "vllm", (Death("head", 30.0, "after 1 train", 50.0),), 6, 300.0, 2, 9,
    ("no head",), ("2 replies asked for again",), {}, start_s=25.0,
)  # fmt: skip
DEATHS = (Death("engine", 12.5, "after 1 train", 44.0), Death("driver", 40.0, "after 1 select", 10.0))
TWICE = Outcome(3, "vllm", DEATHS, 2, 99.0, 0, 9, (), (), {}, start_s=40.0)


def test_what_came_of_the_runs_is_kept_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "chaos.jsonl"
    slower = replace(CALM, number=-1, start_s=40.0, waits={"": 20.0, "train": 8.0})
    outcomes = [CALM, slower, LOST, FAILED, TWICE]
    assert read_all(file) == []
    for one in outcomes:
        keep(one, file)
    assert read_all(file) == outcomes
    told = table(outcomes, PARTS)
    assert "2 of 3 runs finished right; 2 journaled replies" in told and "in the 2 runs that lost nothing" in told
    assert "| engine | 2 | 2 | 1 | 1.5 (30 s), 1.1 (44 s) | 0.4, 0.2 |" in told
    assert "| head | 1 | 0 | 0 | 2.0 (50 s) | 0.2 |" in told
    assert "| driver | 1 | 1 | 0 | 0.2 (10 s) | - |" in told  # no undisturbed run was seen there
    assert "- run 2 (head at 30 s (after 1 train)), wrong still: 2 replies asked for again" in told
    assert "stood still for 2.0 (50 s), 2 replies asked for again\n     gave up: no head" in line(FAILED)


def test_a_run_that_was_mended_counts_as_it_is_and_is_told() -> None:
    mended = replace(FAILED, commands=2, asked_again=0, ends=(), wrong=())
    told = table([CALM, FAILED, mended], PARTS)
    assert latest([CALM, FAILED, mended]) == [CALM, mended] and "1 of 1 runs finished right; 0 journaled" in told
    assert "- run 2 (head at 30 s (after 1 train)), right when run again: 2 replies asked for again" in told


def test_a_file_from_before_costs_were_measured_is_read(tmp_path: Path) -> None:
    row = asdict(LOST)
    del row["start_s"], row["waits"], row["deaths"][0]["stood_s"]
    (tmp_path / "chaos.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (one,) = read_all(tmp_path / "chaos.jsonl")
    assert "stood still for -" in line(one) and "| engine | 1 | 1 | 1 | - | - |" in table([one], PARTS)
