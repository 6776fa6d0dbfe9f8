"""Errors shown to the user: one message, and an exit code for its kind.

Owns: which of the project's errors has which exit code: 1 the run stopped (resumable), 2 bad input (nothing
was started), 130 interrupted; and the two errors that carry those meanings themselves.

Invariant: only the project's own errors, which say what, where and what to do, are shown this way; any other error
shows its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from actors.journal.database import JournalError
from actors.storage.remote import StorageError
from reasoning.files.data_error import DataError
from reasoning.grading.own_grader import GraderError
from reasoning.prompts.files import PromptError
from reasoning.recipe.tailored import RecipeError
from reasoning.rounds.directory import RunDirectoryError

errors = Console(stderr=True)


class Refused(ValueError):
    """What cannot be started. The message says what is wrong, where, and what to do; nothing was started."""


class RunFailed(RuntimeError):
    """A run that stopped before its end. The message says why; the same command continues from what was finished."""


_REFUSED = (Refused, RecipeError, PromptError, RunDirectoryError, DataError, JournalError, StorageError)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns the project's own errors into one message and an exit code; anything else shows its trace."""
    try:
        yield
    except _REFUSED as error:
        raise said(error, 2) from error
    except (RunFailed, GraderError) as error:
        raise said(error, 1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def said(error: Exception, code: int) -> typer.Exit:
    """Tells `error` on standard error; what it returns is to be raised."""
    errors.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(code)
