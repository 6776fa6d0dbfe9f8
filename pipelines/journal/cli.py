"""The command line's part about journals: `tailor journal stats | export | import | verify | retry`.

Owns: arguments. Exit codes: 0 done, 1 `verify` found a fault, 2 bad input (nothing was changed).

Invariant: nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.command_line.answer import Answer
from pipelines.command_line.app import CommandLine
from pipelines.run.options import journal_file, journal_to_change

_PAGE = "docs/journal.md"

app = CommandLine(no_args_is_help=True, help="Inspect a journal of a teacher's answers, and copy answers to another.")

JournalArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL",
        parser=journal_file,
        help="A journal's file, or the folder or address of a run that uses one.",
    ),
]
ChangedJournal = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL", parser=journal_to_change, help="A journal's file, or the folder of a run that uses one."
    ),
]


@app.added(example="tailor journal stats runs/my-run", more=_PAGE)
def stats(
    path: JournalArgument,
    run: Annotated[str | None, typer.Option(help="Only what this run sent.")] = None,
) -> Answer:
    """Show what was asked, answered and spent, in all, by run and by endpoint. A run may be writing."""
    from pipelines.journal.view import stats as sums

    return sums(path, run)


@app.added(name="export", example="tailor journal export runs/my-run answers.jsonl", more=_PAGE)
def export_answers(
    path: JournalArgument,
    out: Annotated[Path, typer.Argument(help="The JSONL file to write.")],
    all: Annotated[bool, typer.Option("--all", help="Also the requests that failed for good.")] = False,
) -> Answer:
    """Write the answered requests to a file, one JSON line each, ordered by key. A run may be writing."""
    from pipelines.journal.view import export_answers as write_out

    return write_out(path, out, all)


@app.added(name="import", example="tailor journal import runs/old-run runs/my-run", more=_PAGE)
def import_answers(
    file: Annotated[
        Path,
        typer.Argument(
            parser=journal_file, help="A file that `export` wrote, another journal, or a run's folder or address."
        ),
    ],
    path: ChangedJournal,
) -> Answer:
    """Put a file's answers into a journal, all or none, so that no run asks for them. Existing answers stay."""
    from pipelines.journal.view import import_answers as read_in

    return read_in(file, path)


@app.added(example="tailor journal verify runs/my-run", more=_PAGE)
def verify(path: JournalArgument) -> Answer:
    """Check every page and row of a journal, changing nothing. Exit code 1: there is a fault. A run may be writing."""
    from pipelines.journal.view import verify as look_over

    return look_over(path)


@app.added(example="tailor journal retry runs/my-run --kind content_filter --dry-run", more=_PAGE)
def retry(
    path: ChangedJournal,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only failures of this kind; several by commas, or given again.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Only what this run sent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and change nothing.")] = False,
) -> Answer:
    """Clear failures that would stay, so that their requests are asked again when the run goes on. Answers, and the
    account of what was paid, stay as they are."""
    from pipelines.journal.view import retry_failures

    return retry_failures(path, kind or (), run, dry_run)
