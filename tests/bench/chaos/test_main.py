"""Thirty runs lose every part, a third of them two, and the same numbers lose the same ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.chaos.__main__ import ALL, PARTS, Death, Outcome, _keep, _read, _table, _victims


def test_every_part_is_killed_and_in_a_third_of_the_runs_a_second_one() -> None:
    parts = (*PARTS, ALL)
    drawn = [_victims(number, parts, random.Random(number)) for number in range(1, 31)]
    assert {victims[0] for victims in drawn} == set(parts)
    assert [len(victims) for victims in drawn].count(2) == 10
    assert drawn == [_victims(number, parts, random.Random(number)) for number in range(1, 31)]


def test_what_came_of_the_runs_is_kept_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    undisturbed = Outcome(0, (), 1, 60.0, 0, 9, (), ())
    lost = Outcome(1, (Death("engine", 12.5, "after 0 evaluate"),), 1, 75.0, 0, 9, (), ())
    failed = Outcome(
        2, (Death("head", 30.0, "at the start"),), 6, 300.0, 2, 9, ("no head",), ("2 replies asked for again",)
    )
    for one in (undisturbed, lost, failed):
        _keep(one, tmp_path / "chaos.jsonl")
    assert _read(tmp_path / "chaos.jsonl") == [undisturbed, lost, failed]
    _table(_read(tmp_path / "chaos.jsonl"))
    told = capsys.readouterr().out
    assert "1 of 2 runs right; 18 looks" in told
    assert "| engine | 1 | 1 | 1.0 | 15, 15 |" in told and "| head | 1 | 0 | 6.0 | 240, 240 |" in told
