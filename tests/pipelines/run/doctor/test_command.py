"""`tailor doctor` as its user sees it: a table or JSON, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app

GOOD = "task: {train: 40, validation: 10, test: 10}\nstorage: {path: STORAGE}\n"


def doctor(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *arguments], catch_exceptions=False)
    return result.exit_code, result.output


def recipe(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("STORAGE", str(tmp_path / "runs")), encoding="utf-8")
    return str(file)


def test_the_machines_alone() -> None:
    code, output = doctor("--json")
    told = json.loads(output)
    assert code == 0 and told["ok"] and "python" in {check["subject"] for check in told["checks"]}


def test_a_good_recipe(tmp_path: Path) -> None:
    code, output = doctor(recipe(tmp_path, GOOD))
    assert code == 0 and "Nothing keeps a run from starting" in output and "FAIL" not in output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: {}", "tasks"),
        (GOOD + "cluster: {trainer_gpus: 400}", "the cluster has 0"),
        (GOOD.replace("STORAGE", "/proc/runs"), "/proc/runs"),
        (GOOD + "teacher: {kind: openai, model: m, api_key_env: NO_SUCH_KEY}", "NO_SUCH_KEY"),
    ],
)
def test_a_recipe_that_would_fail(tmp_path: Path, text: str, said: str) -> None:
    code, output = doctor(recipe(tmp_path, text), "--no-probe")
    assert code == 1 and "FAIL" in output and said in output and "A run would be refused" in output


def test_a_recipe_that_is_not_there_is_a_failed_check() -> None:
    code, output = doctor("nowhere.yaml", "--json")
    told = json.loads(output)
    assert code == 1 and not told["ok"] and told["checks"][0]["state"] == "fail"
