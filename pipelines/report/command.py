"""`tailor report RUN`: rewrites a run's report, and says what the run came to.

Owns: which kind of run a folder holds, and what is printed of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.report.document import cot_document, run_document
from pipelines.report.tables import degrees_table, rounds_table
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import best_round


def report(folder: Path, store: Callable[[Path], object]) -> Answer:
    """Writes the report of the run in `folder` and has it stored where the run is. Raises `RunDirectoryError`."""
    if is_cot_directory(folder):
        from pipelines.report.fine_tune_cot import write_cot_report

        cot = CotDirectory(folder)
        path = write_cot_report(cot)
        document, table = cot_document(cot, str(path)), degrees_table(cot.degrees())
    else:
        from pipelines.report.tailored import write_report

        directory = RunDirectory(folder)
        path = write_report(directory)
        records = directory.finished()
        document, table = run_document(directory, str(path)), rounds_table(records, best_round(records))
    store(path)

    def show(console: Console) -> None:
        console.print(table)
        console.print(f"Report: {path}", soft_wrap=True)

    return Answer(document, show)
