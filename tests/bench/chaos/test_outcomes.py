"""What came of the runs is kept line by line and shown, with what was wrong before it was mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.chaos.moments import PARTS
from bench.chaos.outcomes import Death, Outcome, keep, latest, line, read_all, table, undisturbed_s

CALM = Outcome(0, "vllm", (), 1, 60.0, 0, 9, (), (), {"engine": ((20.0, 55.5),)})
LOST = Outcome(1, "vllm", (Death("engine", 12.5, "after 0 evaluate"),), 1, 75.0, 0, 9, (), (), {})
FAILED = Outcome(
    2, "vllm", (Death("head", 30.0, "at the start"),), 6, 300.0, 2, 9, ("no head",), ("2 replies asked for again",), {}
)
DEATHS = (Death("engine", 12.5, "after 0 ask"), Death("driver", 40.0, "after 0 ask"))
TWICE = Outcome(3, "vllm", DEATHS, 2, 99.0, 0, 9, (), (), {})


def test_what_came_of_the_runs_is_kept_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "chaos.jsonl"
    quicker = replace(CALM, number=-2, sampler="transformers", seconds=40.0)
    outcomes = [CALM, replace(CALM, number=-1, seconds=64.0), quicker, LOST, FAILED, TWICE]
    assert read_all(file) == []
    for one in outcomes:
        keep(one, file)
    assert read_all(file) == outcomes and undisturbed_s(outcomes) == {"vllm": 62.0, "transformers": 40.0}
    told = table(outcomes, PARTS)
    assert (
        "2 of 3 runs finished right; 2 journaled replies" in told and "40 s with transformers, 62 s with vllm" in told
    )
    assert "| engine | 2 | 2 | 1 | 13 | driver: 37 |" in told and "| head | 1 | 0 | 0 | 238 |  |" in told
    assert "- run 2 (head at 30 s (at the start)), wrong still: 2 replies asked for again" in told
    assert "+238 s, 2 replies asked for again\n     gave up: no head" in line(FAILED, {"vllm": 62.0})


def test_a_run_that_was_mended_counts_as_it_is_and_is_told() -> None:
    mended = replace(FAILED, commands=2, asked_again=0, ends=(), wrong=())
    told = table([CALM, FAILED, mended], PARTS)
    assert latest([CALM, FAILED, mended]) == [CALM, mended] and "1 of 1 runs finished right; 0 journaled" in told
    assert "- run 2 (head at 30 s (at the start)), right when run again: 2 replies asked for again" in told
