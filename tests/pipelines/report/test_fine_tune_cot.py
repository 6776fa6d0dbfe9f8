"""The report of a Fine-tune-CoT run: degrees, epochs, what was learnt; every word in it is escaped."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.report.fine_tune_cot import write_cot_report
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from tests.pipelines.report.finished_cot_run import SCRIPT, finished_run

RUNNER = CliRunner()


def test_a_report_shows_degrees_epochs_and_what_was_learnt(tmp_path: Path) -> None:
    page = write_cot_report(finished_run(tmp_path)).read_text(encoding="utf-8")
    assert page.count('<svg role="img"') == 2
    assert "labels alone" in page and "degree 4" in page
    assert "80 asked for, 60 kept" in page
    assert "second way --&gt; yes" in page and SCRIPT not in page
    assert "95.0" in page  # test accuracy of an epoch that was not chosen is shown too
    assert "http://" not in page and "https://" not in page


def test_a_run_that_has_just_begun_has_a_report_too(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    directory.claim(parse_cot_recipe("name: young", "r.yaml"))
    assert "No degree is finished yet" in write_cot_report(directory).read_text(encoding="utf-8")


def test_the_report_command_knows_such_a_run(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    result = RUNNER.invoke(app, ["report", str(directory.path)])
    assert result.exit_code == 0 and "Degrees" in result.output and "Report:" in result.output
    assert directory.report.is_file()
