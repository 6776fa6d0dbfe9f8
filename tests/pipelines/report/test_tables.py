"""The tables of rounds and of degrees: what is marked is what validation chose."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from pipelines.report.tables import degrees_table, rounds_table
from pipelines.serving.graduate import graduate_of
from reasoning.fine_tune_cot.directory import student_directory
from tests.pipelines.report.finished_cot_run import finished_run
from tests.pipelines.run.test_live import ROUND_0


def test_the_table_and_the_graduate_go_by_validation(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    console = Console(record=True, width=140)
    console.print(degrees_table(directory.degrees()))
    text = console.export_text()
    assert "*4" in text and "*0" not in text and "1/2" in text
    graduate = graduate_of(student_directory(directory.path), None)
    assert graduate.checkpoint == directory.degree(4).round(0).student
    assert graduate.name == "two-degrees-degree-004"


def test_the_table_marks_the_best_round() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(rounds_table(ROUND_0, best=0))
    assert "*0" in out.getvalue()
    assert "40.0 – 60.0" in out.getvalue()
