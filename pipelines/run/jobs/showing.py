"""How submitted runs are shown: as a table, or as a document.

Owns: the columns, the fields and their words. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.markup import escape
from rich.table import Table

from pipelines.run.jobs.server import SubmittedRun


def table(runs: Sequence[SubmittedRun]) -> Table:
    """One row for each submission, which is called after its run. What may be copied from it is never cut."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("submission", no_wrap=True)
    for heading in ("state", "started (UTC)", "ended (UTC)"):
        shown.add_column(heading, min_width=10)
    shown.add_column("storage", overflow="fold")
    for run in runs:
        code = f" (exit code {run.exit_code})" if run.exit_code else ""
        shown.add_row(run.id, run.state + code, _minute(run.started), _minute(run.ended), escape(run.storage))
    return shown


def as_json(run: SubmittedRun, last_line: str | None = None) -> dict[str, str | int | None]:
    """A submission's fields. `last_line` is what it said last, where that was asked for."""
    fields: dict[str, str | int | None] = {
        "run": run.run,
        "submission_id": run.id,
        "state": run.state,
        "started": _second(run.started),
        "ended": _second(run.ended),
        "exit_code": run.exit_code,
        "storage": run.storage,
    }
    return fields if last_line is None else {**fields, "last_line": last_line}


def _minute(moment: float | None) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}" if moment else "–"


def _second(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None
