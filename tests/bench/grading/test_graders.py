"""The comparison of both graders lists every disagreement, and what it lists stays a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.grading.graders import compare, disagreements, main, row_of

ROWS = (
    ("So 18.", "The answer is", " 18.", "18"),  # both right
    ("So 1/2.", "The answer is", " 1/2.", "0.5"),  # robust alone
    ("So 5 + 5.", "The answer is", " 5 + 5 = 10.", "5"),  # paper alone
    ("So 6.", "The answer is", " 7 - 1 = 6", "5"),  # neither, and not the same answer
    ("Hm | `so`\n", "The answer is", " none", "5"),  # neither has one
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded_teacher"
    folder.mkdir()
    names = ("rationale", "answer_trigger", "answer_completion", "gold")
    lines = [json.dumps({"question": "How | many?"} | dict(zip(names, row, strict=True))) for row in ROWS]
    (folder / "addsub.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_agreement_is_counted(data: Path) -> None:
    row = row_of("addsub", compare(data / "recorded_teacher" / "addsub.jsonl", "addsub"))
    assert (row.n, row.paper, row.robust) == (5, 40.0, 40.0)
    assert (row.agree, row.paper_only, row.robust_only) == (3, 1, 1)


def test_every_disagreement_is_a_row_of_the_table(data: Path) -> None:
    lines = disagreements("addsub", compare(data / "recorded_teacher" / "addsub.jsonl", "addsub"))
    assert [line.split("|")[1].strip() for line in lines[3:]] == ["2", "3", "4"]
    assert all(line.count("|") == 8 for line in lines[1:])


def test_the_command_prints_the_table_and_writes_the_report(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "--out", str(data / "report.md")])
    row = "| addsub | 5 | 40.00 | 40.00 | 3 | 1 | 1 |"
    assert row in capsys.readouterr().out
    report = (data / "report.md").read_text(encoding="utf-8")
    assert row in report and "addsub: 3 of 5" in report
