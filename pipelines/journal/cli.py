"""The command line's part about journals: `tailor journal stats | export | import | verify | retry`.

Owns: arguments. Exit codes: 0 done, 1 `verify` found a fault, 2 bad input (nothing was changed).

Invariant: nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.errors import told_plainly
from pipelines.run.options import journal_file, journal_to_change

app = typer.Typer(no_args_is_help=True, help="Inspect a journal of a teacher's answers, and copy answers to another.")
console = Console()

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


@app.command()
def stats(
    path: JournalArgument,
    run: Annotated[str | None, typer.Option(help="Only what this run sent.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Show what was asked, answered and spent, in all, by run and by endpoint. A run may be writing."""
    with told_plainly():
        from pipelines.journal.view import show_stats

        show_stats(path, run, json, console)


@app.command("export")
def export_answers(
    path: JournalArgument,
    out: Annotated[Path, typer.Argument(help="The JSONL file to write.")],
    all: Annotated[bool, typer.Option("--all", help="Also the requests that failed for good.")] = False,
) -> None:
    """Write the answered requests to a file, one JSON line each, ordered by key. A run may be writing."""
    with told_plainly():
        from pipelines.journal.view import export_answers as write_out

        write_out(path, out, all, console)


@app.command("import")
def import_answers(
    file: Annotated[
        Path,
        typer.Argument(
            parser=journal_file, help="A file that `export` wrote, another journal, or a run's folder or address."
        ),
    ],
    path: ChangedJournal,
) -> None:
    """Put a file's answers into a journal, all or none, so that no run asks for them. Existing answers stay."""
    with told_plainly():
        from pipelines.journal.view import import_answers as read_in

        read_in(file, path, console)


@app.command()
def verify(path: JournalArgument) -> None:
    """Check every page and row of a journal, changing nothing. Exit code 1: there is a fault. A run may be writing."""
    with told_plainly():
        from pipelines.journal.view import verify as look_over

        if not look_over(path, console):
            raise typer.Exit(1)


@app.command()
def retry(
    path: ChangedJournal,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only failures of this kind; several by commas, or given again.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Only what this run sent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and change nothing.")] = False,
) -> None:
    """Clear failures that would stay, so that their requests are asked again when the run goes on. Answers, and the
    account of what was paid, stay as they are."""
    with told_plainly():
        from pipelines.journal.view import retry_failures

        retry_failures(path, kind or (), run, dry_run, console)
