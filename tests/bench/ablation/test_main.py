"""The command: what it is asked for, what it refuses, and that no finished cell is lost."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.ablation import __main__ as command
from bench.ablation.arms import ARMS, Arm
from bench.ablation.cells import Budget, Cell, finished, keep
from bench.ablation.grounds import Ground
from tests.bench.ablation.test_cells import BUDGET, cell


def ask(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.ablation", "--folder", str(folder), *options])
    command.main()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "0"], "--seeds: must be 1 or more, not 0"),
        (["--dollars", "0"], "--dollars: must be more than 0, not 0"),
        (["--dollars", "nan"], "--dollars: must be a number of 0 or more, not nan"),
        (["--teacher-tokens", "-5"], "--teacher-tokens: must be 1 or more, not -5"),
        (["--dollars", "0.1", "--teacher-tokens", "5"], "not allowed with argument"),
        (["--price", "1", "-1", "4"], "--price: must be a number of 0 or more, not -1"),
        (["--at-most", "-1"], "--at-most: must be 0 or more, not -1"),
        (["--arms", "nobody"], "invalid choice: 'nobody'"),
        (["--curves", "curves.svg", "--dollars", "0.1", "0.1"], "--curves are over budgets: give two or more"),
        (["--plot", "plot.txt"], "a plot is written as .svg, .png or .pdf"),
        (["--device", "elsewhere"], "--device elsewhere: "),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    with pytest.raises(SystemExit):
        ask(monkeypatch, tmp_path, *options)
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_without_a_finished_cell_there_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"No cell of coin-flips at \$0\.02 is finished in"):
        ask(monkeypatch, tmp_path, "--table-only", "--dollars", "0.02")
    keep(cell("ladder", 0, 0.5), tmp_path, BUDGET)
    ask(monkeypatch, tmp_path, "--table-only", "--dollars", "0.02")
    (tmp_path / "cells" / "foreign.json").write_text("{")
    with pytest.raises(SystemExit, match=r"foreign\.json, line 1: malformed JSON"):
        ask(monkeypatch, tmp_path, "--dollars", "0.02")


def test_a_cell_that_fails_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int]] = []

    def runs(arm: Arm, seed: int, budget: Budget, folder: Path, ground: Ground, device: str) -> Cell:
        asked.append((arm.name, seed))
        if arm.name == "ladder":
            raise ValueError("the budget of this round is spent")
        keep(cell(arm.name, seed, 0.5), folder, budget, ground)
        return cell(arm.name, seed, 0.5)

    monkeypatch.setattr(command, "filed_cell", runs)
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda workers, *_: ThreadPoolExecutor(workers))
    options = ("--seeds", "2", "--arms", "ladder", "label-only", "--dollars", "0.02", "0.02", "--workers", "1")
    with pytest.raises(SystemExit, match="2 cells failed"):
        ask(monkeypatch, tmp_path, *options)
    assert finished(tmp_path, BUDGET).keys() == {("label-only", 0), ("label-only", 1)}
    assert "ladder, seed 0, $0.02: failed: the budget of this round is spent" in capsys.readouterr().out
    assert sorted(asked) == sorted((arm.name, seed) for arm in ARMS if arm.name in options for seed in (0, 1))
