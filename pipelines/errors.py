"""Errors told to a person: one message, and an exit code that says what it means.

Owns: which of the project's errors is told with which exit code: 1 the run stopped (resumable), 2 bad input (nothing
was started), 130 interrupted.

Invariant: only the project's own errors, which say what, where and what to do, are told so; any other shows its trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

errors = Console(stderr=True)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns the project's own errors into one message and an exit code; anything else shows its trace."""
    from actors.journal.file import JournalError
    from reasoning.files.data_error import DataError
    from reasoning.recipe.tailored import RecipeError
    from reasoning.rounds.directory import RunDirectoryError

    try:
        yield
    except (RecipeError, RunDirectoryError, DataError, JournalError) as error:
        raise said(error, 2) from error
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        for kind, code in _project_errors():
            if isinstance(error, kind):
                raise said(error, code) from error
        raise


def _project_errors() -> list[tuple[type[Exception], int]]:
    from pipelines.run.cluster import ClusterError
    from pipelines.run.preflight import PreflightError
    from pipelines.tailored import RunFailed

    return [(PreflightError, 2), (ClusterError, 2), (RunFailed, 1)]


def said(error: Exception, code: int) -> typer.Exit:
    """Tells `error` on standard error; what it returns is to be raised."""
    errors.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(code)
