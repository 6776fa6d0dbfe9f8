"""What an argument of the Python API may be: the bounds that the command line keeps by its options.

Invariant: what is out of bounds is `UserError`, raised before anything is loaded, asked or started.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from reasoning.files.user_error import UserError

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


class ArgumentRefused(UserError, ValueError):
    """An argument that cannot be. The message names it and what it may be."""


def check_least(least: int, **numbers: int | None) -> None:
    """Raises `ArgumentRefused` for a number below `least`; None is accepted."""
    for name, number in numbers.items():
        if number is not None and number < least:
            raise ArgumentRefused(f"{name}: {number} is less than {least}")


def check_share(**shares: float | None) -> None:
    """Raises `ArgumentRefused` unless it is from 0 to 1, or None."""
    for name, share in shares.items():
        if share is not None and not 0.0 <= share <= 1.0:
            raise ArgumentRefused(f"{name}: {share} is not a share: give a number from 0 to 1")


def one_of(kind: type[ChoiceT], **names: str) -> ChoiceT:
    """The member of `kind` that is called so. Raises `ArgumentRefused`."""
    ((argument, name),) = names.items()
    try:
        return kind(name)
    except ValueError:
        raise ArgumentRefused(f"{argument}: {name!r} is none of {', '.join(kind)}") from None


def run_of(target: str | Path) -> Path:
    """The run's folder or recipe that is named; a run at an address is brought here. Raises `UserError`."""
    from pipelines.errors import errors_raised
    from pipelines.run.options import run_folder

    with errors_raised():
        return run_folder(str(target))
