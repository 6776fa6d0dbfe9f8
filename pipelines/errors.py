"""Errors shown to the user: one message, and an exit code for its kind.

Owns: the two errors of programs, what was refused and what stopped, and how an error is told. Exit codes: 1 the run
stopped (resumable), 2 bad input (nothing was started), 130 interrupted.

Invariant: only the project's own errors (`reasoning.files.user_error`) are shown this way; any other error shows its
traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer
from rich.console import Console
from rich.markup import escape

from reasoning.files.user_error import UserError

INTERRUPTED = 130

errors = Console(stderr=True)
_raised: ContextVar[bool] = ContextVar("raised", default=False)


class Refused(UserError, ValueError):
    """What cannot be started. The message says what is wrong, where, and what to do; nothing was started."""


class RunFailed(UserError, RuntimeError):
    """A run that stopped before its end. The message says why; the same command continues from what was finished."""

    exit_code = 1


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns the project's own errors into one message and an exit code; anything else shows its trace."""
    if _raised.get():
        yield
        return
    try:
        yield
    except UserError as error:
        told(error)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def errors_raised() -> Iterator[None]:
    """Within it, `told_plainly` lets every error pass: the caller tells it in another form."""
    token = _raised.set(True)
    try:
        yield
    finally:
        _raised.reset(token)


def told(error: Exception) -> None:
    """Says `error` on standard error."""
    errors.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
