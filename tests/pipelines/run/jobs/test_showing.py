"""Submitted runs as a table and as JSON."""

import io
from dataclasses import replace

from rich.console import Console

from pipelines.run.jobs.server import SubmittedRun
from pipelines.run.jobs.showing import as_json, table

ENDED = SubmittedRun("mine", "mine@2", "failed", "/runs", 1764327600.0, 1764331200.5, 2, "", "")
WAITING = SubmittedRun("other", "other@1", "pending", "runs", None, None, None, "", "")


def test_a_table_has_a_line_for_each_submission() -> None:
    shown = io.StringIO()
    Console(file=shown, width=160).print(table([ENDED, WAITING]))
    lines = shown.getvalue().splitlines()
    assert any("mine@2" in line and "failed (exit code 2)" in line and "2025-11-28 11:00" in line for line in lines)
    assert any("other@1" in line and "pending" in line and "–" in line for line in lines)


def test_nothing_that_may_be_copied_is_cut_in_a_narrow_terminal() -> None:
    shown = io.StringIO()
    name, storage = "gsm8k-in-three-rounds", "s3://bucket-of-teaching/[nov]/experiments/november/runs"
    run = replace(ENDED, run=name, id=f"{name}@2", storage=storage)
    Console(file=shown, width=80).print(table([run]))
    lines = shown.getvalue().splitlines()
    at = next(line.index("storage") for line in lines if "storage" in line)
    assert f" {name}@2 " in shown.getvalue()
    below = lines[next(n for n, line in enumerate(lines) if "──" in line) + 1 :]
    assert "".join(line[at:].strip() for line in below) == storage


def test_json_has_every_field_of_each() -> None:
    first, second = as_json(ENDED), as_json(WAITING)
    assert first == {
        "run": "mine",
        "submission_id": "mine@2",
        "state": "failed",
        "started": "2025-11-28T11:00:00+00:00",
        "ended": "2025-11-28T12:00:00+00:00",
        "exit_code": 2,
        "storage": "/runs",
    }
    assert second["started"] is None and second["exit_code"] is None
    assert as_json(WAITING, "the last line")["last_line"] == "the last line"
