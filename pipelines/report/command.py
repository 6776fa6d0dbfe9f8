"""`tailor report RUN`: rewrites a run's report and says what the run came to; `tailor report A B`: compares runs.

Owns: which kind of run a folder holds, what is read for its report besides the folder, and what is printed.

Invariant: nothing is downloaded for a report. The questions of a dataset of the hub are shown where the run itself
wrote its report, and are left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from actors.journal.sums import JournalSums
from pipelines.command_line.answer import Answer
from pipelines.report.document import RunDocument, cot_document, run_document
from pipelines.report.tables import degrees_table, rounds_table
from reasoning.files.tables import read_table
from reasoning.files.user_error import UserError
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.recipe.task import TaskSection
from reasoning.records import Attempt
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import best_round
from reasoning.tasks.loading import TaskData, load_problems

Spent = Callable[[Path], JournalSums | None]


def report(folder: Path, store: Callable[[Path], object], spent: Spent) -> Answer:
    """Writes the report of the run in `folder` and has it stored where the run is. Raises `RunDirectoryError`."""
    journal = spent(folder)
    if is_cot_directory(folder):
        from pipelines.report.fine_tune_cot import write_cot_report

        cot = CotDirectory(folder)
        path = write_cot_report(cot, _data(cot.recipe().task, cot.recipe().seed))
        table = degrees_table(cot.degrees())
    else:
        from pipelines.report.tailored import write_report

        directory = RunDirectory(folder)
        path = write_report(directory, _data(directory.recipe().task, directory.recipe().seed), journal)
        records = directory.finished()
        table = rounds_table(records, best_round(records))
    store(path)

    def show(console: Console) -> None:
        console.print(table)
        console.print(f"Report: {path}", soft_wrap=True, markup=False)

    return Answer(_document(folder, str(path), journal), show)


def compare(folders: Sequence[Path], out: Path, spent: Spent) -> Answer:
    """Writes the page about several runs, the first of which the others are compared with. Raises
    `RunDirectoryError`."""
    from pipelines.report.comparison import Compared, write_comparison
    from pipelines.report.transcripts import problems_by_id

    runs = []
    for folder in folders:
        directory = CotDirectory(folder) if is_cot_directory(folder) else RunDirectory(folder)
        recipe = directory.recipe()
        document = _document(folder, str(out), spent(folder))
        runs.append(Compared(document, recipe, _best_attempts(directory, document.best)))
    first = runs[0].recipe
    pairs = write_comparison(out, runs, problems_by_id(_data(first.task, first.seed)))
    told = {"report": out, "runs": [run.document for run in runs], "pairs": pairs}

    def show(console: Console) -> None:
        for pair in pairs:
            console.print(
                f"{pair.first} and {pair.second}: both right {pair.both}, only {pair.first} {pair.only_first}, only "
                f"{pair.second} {pair.only_second}, neither {pair.neither}; "
                f"p {'< 0.001' if pair.p < 0.001 else f'= {pair.p:.3f}'}",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
        console.print(f"Comparison: {out}", soft_wrap=True, markup=False)

    return Answer(told, show)


def _document(folder: Path, path: str, journal: JournalSums | None) -> RunDocument:
    if is_cot_directory(folder):
        return cot_document(CotDirectory(folder), path, journal=journal)
    return run_document(RunDirectory(folder), path, journal=journal)


def _best_attempts(directory: CotDirectory | RunDirectory, best: int | None) -> list[Attempt]:
    if best is None:
        return []
    files = directory.degree(best).round(0) if isinstance(directory, CotDirectory) else directory.round(best)
    return read_table(files.evaluation, Attempt) if files.evaluation.exists() else []


def _data(task: TaskSection, seed: int) -> TaskData | None:
    """The task's questions, where they can be read without a download."""
    if task.source == "hub":
        return None
    try:
        return load_problems(task, seed)
    except (UserError, OSError):
        return None
