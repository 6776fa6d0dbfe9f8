"""What a command answers: a document for programs, and what a person reads of it; only one of the two is printed.

Owns: that pair, the form of the documents (JSON), those of errors among them, and the standard output that is kept free
for the document.

Invariants
- With `--json` standard output is one JSON document and a line end, however the command ends; whatever else is printed
  meanwhile, by libraries and by processes started here too, goes to standard error.
- A document is valid JSON: what is not a number is null.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from math import isfinite
from typing import Any, TextIO

from rich.console import Console


@dataclass(frozen=True, slots=True)
class Answer:
    """`document`: records, mappings, lists and plain values. `show` prints what a person reads; None where the command
    has said all while it worked. `exit_code` is 1 where the answer is a no."""

    document: object
    show: Callable[[Console], None] | None = None
    exit_code: int = 0


def error_document(error: BaseException, exit_code: int) -> dict[str, Any]:
    """How an error is told to a program. `faults`: each one found, where the error has several."""
    told: dict[str, Any] = {"type": type(error).__name__, "message": str(error), "exit_code": exit_code}
    faults = getattr(error, "faults", ())
    if faults:
        told["faults"] = [
            {name: plain(getattr(fault, name)) for name in ("place", "what", "cure") if hasattr(fault, name)}
            for fault in faults
        ]
    return {"error": told}


def plain(value: object) -> Any:
    """`value` in JSON's own terms: records as objects, paths and members of enums as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


@contextmanager
def standard_output_for_the_document() -> Iterator[Callable[[object], None]]:
    """Gives what writes the document to standard output; all other printing goes to standard error meanwhile."""
    with _kept_output() as out, redirect_stdout(sys.stderr):

        def tell(document: object) -> None:
            out.write(json.dumps(plain(document)) + "\n")
            out.flush()

        yield tell


@contextmanager
def _kept_output() -> Iterator[TextIO]:
    """Standard output; where that is the process's own, its file descriptor points to standard error meanwhile."""
    try:
        ours = sys.stdout.fileno() == 1
    except (io.UnsupportedOperation, AttributeError, ValueError):
        ours = False  # replaced, by a test or a notebook
    if not ours:
        yield sys.stdout
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as kept:
        os.dup2(2, 1)
        try:
            yield kept
        finally:
            sys.stdout.flush()
            os.dup2(kept.fileno(), 1)
