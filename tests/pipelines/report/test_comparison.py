"""Several runs on one page: question by question, key by key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.report.comparison import differences, mcnemar, pair
from reasoning.files.tables import write_table
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Attempt, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.tasks.loading import load_problems
from tests.pipelines.report.finished_cot_run import SCRIPT
from tests.pipelines.report.finished_cot_run import finished_run as finished_cot_run
from tests.pipelines.run.test_live import ROUND_0

TASK = "task: {name: coin_flip, train: 12, validation: 4, test: 8}\n"


def run(folder: Path, name: str, seed: int, right: set[int]) -> RunDirectory:
    """A run of one round whose student answers these test questions right."""
    recipe = parse_recipe(f"name: {name}\nseed: {seed}\n{TASK}", "r.yaml")
    directory = RunDirectory(folder / name)
    directory.claim(recipe)
    for record in ROUND_0:
        directory.append(record)
    files = directory.round(0)
    files.folder.mkdir()
    data = load_problems(recipe.task, seed)
    attempts = [
        Attempt(one.id, 0, 0, f"steps {SCRIPT}", True, 5, "yes", Verdict.CORRECT if i in right else Verdict.WRONG)
        for i, one in enumerate(data.test)
    ]
    attempts += [Attempt(one.id, 0, 0, "held back", True, 5, "", Verdict.NO_ANSWER) for one in data.validation]
    write_table(files.evaluation, attempts, Attempt)
    return directory


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (6, 0, 2 / 64), (0, 6, 2 / 64), (7, 1, 18 / 256)]
)
def test_the_exact_test_of_mcnemar(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p)


def test_only_questions_that_both_answered_are_compared() -> None:
    found = pair(
        "A", {"1": True, "2": True, "3": False, "4": True}, "B", {"1": True, "2": False, "3": False, "5": True}
    )
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 1, 0, 1)


def test_what_differs_between_recipes_is_named_with_its_values() -> None:
    one, other = (parse_recipe(f"{{seed: {n}, learning: {{first_questions: {9 + n}}}}}", "r") for n in (1, 2))
    found = {each.path: list(each.values) for each in differences([one, other, one])}
    assert found == {"seed": ["1", "2", "1"], "learning.first_questions": ["10", "11", "10"]}
    assert differences([one, one]) == []
    assert differences([one, parse_cot_recipe("name: x", "r")])[0].path == "kind of run"


def test_the_command_writes_one_page_and_says_who_is_right_where(tmp_path: Path) -> None:
    one, other = run(tmp_path, "one", 1, {0, 1, 2, 3, 4, 5}), run(tmp_path, "other", 2, {0, 1, 6})
    out = tmp_path / "both.html"
    result = CliRunner().invoke(app, ["report", str(one.path), str(other.path), "--out", str(out), "--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == 0 and [each["run"] for each in told["runs"]] == ["one", "other"]
    assert told["pairs"] == [
        {"first": "A", "second": "B", "both": 2, "only_first": 4, "only_second": 1, "neither": 1, "p": 0.375}
    ]
    page = out.read_text(encoding="utf-8")
    assert "held back" not in page  # test questions alone
    assert page.count("<li data-right") == 5 and "A right" in page
    assert SCRIPT not in page and "&lt;script&gt;" in page and "seed" in page
    shown = CliRunner().invoke(app, ["report", str(one.path), str(other.path), "--out", str(out)])
    assert "both right 2, only A 4, only B 1, neither 1; p = 0.375" in shown.stdout


def test_runs_of_both_kinds_are_compared_by_what_they_have(tmp_path: Path) -> None:
    one, cot = run(tmp_path, "one", 1, {0}), finished_cot_run(tmp_path)
    out = tmp_path / "both.html"
    result = CliRunner().invoke(app, ["report", str(one.path), str(cot.path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    assert "no test question in common" in page and "FineTuneCotRecipe" in page and "degree 4" in page


def test_a_single_run_has_its_report_in_its_folder(tmp_path: Path) -> None:
    one = run(tmp_path, "one", 1, {0})
    result = CliRunner().invoke(app, ["report", str(one.path), "--out", "x.html"])
    assert result.exit_code == 2 and "--out is for several runs" in " ".join(result.output.split())
