"""Data that cannot be used: what is wrong, where, and what to do; several faults reported together.

Owns: the error of everything that reads questions, their collection, and the fault that is told and not raised.

Invariant: every fault names its place (file and line or record, dataset and record, or the recipe's key). A message
shows at most ten of them, and says how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reasoning.files.user_error import UserError

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: listed with others of its kind where a `DataError` would end the reading."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class DataError(UserError, ValueError):
    """Data that cannot be used. The message names the place, what is wrong there, and what to do.

    `faults` are what was found: of one fault, itself; of several, the first ten, and one that says how many are
    left."""

    def __init__(self, place: str, what: str, cure: str) -> None:
        super().__init__(f"{place}: {what}; {cure}")
        self.place, self.what, self.cure = place, what, cure
        self.faults: tuple[DataError, ...] = (self,)


class ManyDataErrors(DataError):
    """`count` faults in one, of which `shown` are listed. Place, what and cure are those of the first."""

    def __init__(self, shown: tuple[DataError, ...], count: int) -> None:
        super().__init__(shown[0].place, shown[0].what, shown[0].cure)
        self.shown, self.count = shown, count
        left = count - len(shown)
        rest = (DataError("the data", f"{left} more faults like these", "fix these and try again"),) if left else ()
        self.faults = (*shown, *rest)
        self.args = ("\n".join(str(fault) for fault in self.faults),)


class ErrorCollector:
    """Errors caught one after another, and raised together."""

    def __init__(self) -> None:
        self._shown: list[DataError] = []
        self._count = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Keeps a `DataError` of its block, whose rest is left undone."""
        try:
            yield
        except DataError as error:
            self.add(error)

    def add(self, error: DataError) -> None:
        shown, count = (error.shown, error.count) if isinstance(error, ManyDataErrors) else ((error,), 1)
        self._count += count
        self._shown += shown[: SHOWN - len(self._shown)]

    def raise_caught(self) -> None:
        """Raises `DataError` when any was caught: the one, or all of them in one."""
        if self._count == 1:
            raise self._shown[0]
        if self._count:
            raise ManyDataErrors(tuple(self._shown), self._count)
