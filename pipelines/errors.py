"""Errors shown to the user: one message, and an exit code for its kind.

Owns: the two errors of programs, what was refused and what stopped, and how an error is told. Exit codes: 1 the run
stopped (resumable), 2 bad input (nothing was started), 130 interrupted.

Invariant: only the project's own errors (`reasoning.files.user_error`) are shown this way, and what the file system
says of a path (a folder where a file is to be, no permission, no space), which is the user's to put right; any other
error shows its traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from reasoning.files.user_error import UserError

INTERRUPTED = 130

errors = Console(stderr=True, emoji=False)  # as that of `pipelines.command_line.console`, which stands above this
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
    except (UserError, OSError) as error:
        said = as_user_error(error)
        if said is None:
            raise
        told(said)
        raise typer.Exit(said.exit_code) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


_PATH = {errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}
_PATH |= {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}
_ROOM = {errno.ENOSPC, errno.EDQUOT}
_GONE = "the folder in which this was started is no longer there: change into one that is, and give the command again"


def as_user_error(error: BaseException) -> UserError | None:
    """`error` as one that is told plainly; None for one of ours. A wrong path is bad input; with more room a run goes
    on."""
    if isinstance(error, UserError):
        return error
    if not isinstance(error, OSError) or error.errno is None or error.filename is None:
        return Refused(_GONE) if isinstance(error, FileNotFoundError) and _folder_is_gone() else None
    path = error.filename if error.filename2 is None else error.filename2  # of two, that which is written
    place = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)
    what = f"{place}: {os.strerror(error.errno)[:1].lower()}{os.strerror(error.errno)[1:]}"
    if error.errno in _ROOM:
        return RunFailed(f"{what}: make room, and give the same command again")
    return Refused(f"{what}: check this path, and what you may do there") if error.errno in _PATH else None


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


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
