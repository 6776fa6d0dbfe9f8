"""One row of a file or a hub dataset, and the plain values that it may hold.

Owns: the record that every reader gives, and how values of typed tables become text, numbers, lists and objects.

Invariant: a value is a text, an int, a float, true or false, null, a list or an object of these, whatever the file's
types are. A decimal keeps its digits, as a text; a missing number (NaN) is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from reasoning.records import Split

MAX_ROW = 2**20  # bytes of a line, characters of a question: no student reads a question of a mebibyte

DataRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: its content, its place and, where the source names one, its split. `classes`: of the columns that hold
    the numbers of classes, the classes' names."""

    content: DataRow
    place: str
    split: Split | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)


def plain_value(value: Any) -> Any:
    """`value` as JSON could have held it: a date as its ISO text, a decimal by its digits, bytes as UTF-8 text where
    they are such. What is none of these stays as it is, and is refused where it is read."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        at_midnight = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if at_midnight else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    if isinstance(value, Mapping):
        return {str(key): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(inner) for inner in value]
    return value


def _decimal(value: Decimal) -> str | int | None:
    if not value.is_finite():
        return None if value.is_nan() else str(value)
    digits = format(value, "f")
    return int(digits) if "." not in digits else digits
