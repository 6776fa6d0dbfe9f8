"""What is printed, as JSON lines: the same words, with the run beside them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import pytest
from rich.console import Console
from rich.table import Table

from pipelines.run.log_lines import JsonLines
from tests.conftest import ROOT


def printed(*what: object) -> list[dict[str, object]]:
    text = io.StringIO()
    console = Console(file=cast(TextIO, JsonLines(text)), width=200)
    for one in what:
        console.print(one, soft_wrap=isinstance(one, str))
    return [json.loads(line) for line in text.getvalue().splitlines()]


def test_a_line_is_an_object() -> None:
    (record,) = printed("[green]✓[/green] round 0 train, loss 1.5 → 0.5")
    assert record["message"] == "✓ round 0 train, loss 1.5 → 0.5"
    assert (record["levelname"], record["actor"], record["process"]) == ("INFO", "driver", os.getpid())


def test_a_long_line_is_one_and_a_table_is_several() -> None:
    assert len(printed("word " * 200)) == 1
    table = Table("round", "accuracy")
    table.add_row("0", "12.5")
    assert any("12.5" in str(record["message"]) for record in printed(table, ""))


@pytest.mark.thorough
def test_errors_are_lines_too(tmp_path: Path) -> None:
    """The whole command: nothing that it prints is anything else."""
    command = [sys.executable, "-m", "pipelines.tailored", str(tmp_path / "nowhere.yaml"), "--log-format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    (record,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 2 and done.stdout == ""
    assert record["levelname"] == "ERROR" and "nowhere.yaml" in record["message"]
