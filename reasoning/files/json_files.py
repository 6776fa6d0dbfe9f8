"""JSON files and JSON Lines files from outside: every fault is named by its file and line.

Owns: the reading of bytes, text and JSON that somebody else wrote, and the bounds of what is read.

Invariants
- No bytes make a reader raise anything but `DataError`, which names the file and, where there is one, the line.
- Lines end with a line feed alone: JSON strings may hold other line separators (U+2028) as they are. Blank lines are
  passed over and counted. A byte order mark is not a fault.
- A JSON Lines file is read line by line in bounded memory: of a line that is too long only the beginning is kept.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from reasoning.files.data_error import DataError

MAX_FILE = 2**30  # bytes
MAX_LINE = 2**26  # bytes: a request and its reply in a tenth of that are rare

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MEND = "fix or remove that line"
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line that is not blank: its number from 1, its place ("FILE, line 3") and its bytes, at most one more than
    `most_bytes`. `cure` is what a fault of this file says to do."""

    number: int
    place: str
    raw: bytes
    most_bytes: int
    cure: str

    def value(self, strict: bool = False) -> Any:
        """The JSON value. `strict` marks repeated keys, and takes NaN and Infinity, which Python writes and JSON does
        not have, for null. Raises `DataError`."""
        if len(self.raw) > self.most_bytes:
            raise DataError(self.place, f"a line of more than {_size(self.most_bytes)}", self.cure)
        text = decoded(self.raw, self.place, self.cure, whole=False)
        return _value(text, self.place, self.cure, _ROWS if strict else _LAX, whole=False)


def json_lines(path: Path, most_bytes: int = MAX_LINE, cure: str = _MEND) -> Iterator[JsonLine]:
    """The lines of the JSONL file at `path`, read as they are asked for; each is parsed by its `value`. Raises
    `DataError` when the file is missing or cannot be read."""
    try:
        with path.open("rb") as file:
            yield from lines_of(file, str(path), most_bytes, cure)
    except OSError as error:
        raise _unreadable(path, error) from error


def lines_of(file: BinaryIO, name: str, most_bytes: int = MAX_LINE, cure: str = _MEND) -> Iterator[JsonLine]:
    """As `json_lines`, of a file that is open; `name` is what its places call it."""
    number = 0
    while raw := file.readline(most_bytes + 1):
        number += 1
        rest = raw
        while len(rest) > most_bytes and not rest.endswith(b"\n"):
            rest = file.readline(most_bytes + 1)
        content = raw.removesuffix(b"\n")
        content = content.removeprefix(_BYTE_ORDER_MARK)  # also where files were put one behind the other
        if content.strip():
            yield JsonLine(number, f"{name}, line {number}", content, most_bytes, cure)


def json_values(data: bytes, name: str) -> list[tuple[int, Any]]:
    """The JSON values that follow one another in `data`, at least one, each with the line where it begins, as
    `JsonLine.value` reads them strictly. `name` is what places call it. Raises `DataError`."""
    text = decoded(data, name, "fix that line")
    found: list[tuple[int, Any]] = []
    at, line, counted = _skip(text, 0), 1, 0
    try:
        while at < len(text) or not found:
            line, counted = line + text.count("\n", counted, at), at
            value, end = _ROWS.raw_decode(text, at)
            found.append((line, value))
            at = _skip(text, end)
            if at < len(text) and text[at] not in "{[":
                raise json.JSONDecodeError("Extra data", text, at)
    except json.JSONDecodeError as error:
        raise _malformed(error, f"{name}, line {error.lineno}", _MEND) from error
    except (RecursionError, ValueError) as error:
        raise DataError(name, f"JSON that cannot be read: {str(error)[:100]}", _MEND) from error
    return found


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def read_json(path: Path) -> Any:
    """The value of the JSON file at `path`, strictly: NaN and Infinity are refused. Raises `DataError`."""
    text = read_text(path)
    return _value(text, str(path), "fix or remove that line", _STRICT)


def read_text(path: Path) -> str:
    """A file's text without its byte order mark. Raises `DataError` when it is missing, cannot be read, is larger than
    `MAX_FILE` or is not UTF-8 (naming the line)."""
    check_size(path)
    try:
        data = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    except OSError as error:
        raise _unreadable(path, error) from error
    return decoded(data, str(path), "fix that line")


def check_size(path: Path) -> None:
    """Raises `DataError` when the file is missing or larger than `MAX_FILE`, which is too large to keep in memory."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if size > MAX_FILE:
        raise DataError(str(path), f"it has more than {_size(MAX_FILE)}", "give a part of it")


def kind_of_value(value: object) -> str:
    """What a JSON value is, in words: "an object", "a list", "a text", "true or false", "a number", "null"."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def decoded(data: bytes, place: str, cure: str, whole: bool = True) -> str:
    """`data` as UTF-8. `place` names a `whole` file, of which the line is added, or one line. Raises `DataError`."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        at = f"{place}, line {line}" if whole else place
        what = f"invalid UTF-8 (byte {error.start})"
        raise DataError(at, what, f"save the file as UTF-8, or {cure}") from error


def _value(text: str, place: str, cure: str, decoder: json.JSONDecoder, whole: bool = True) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        at = f"{place}, line {error.lineno}" if whole else place
        raise _malformed(error, at, cure) from error
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits, NaN
        raise DataError(place, f"JSON that cannot be read: {str(error)[:100]}", cure) from error


def _malformed(error: json.JSONDecodeError, place: str, cure: str) -> DataError:
    if error.doc[error.pos : error.pos + 1] in ("]", "}") and error.doc[: error.pos].rstrip().endswith(","):
        return DataError(place, "malformed JSON: a comma before a closing bracket", "remove that comma")
    return DataError(place, f"malformed JSON: {error.msg} (column {error.colno})", cure)


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(str(path), "no such file", "check the path")
    return DataError(str(path), f"it cannot be read: {error.strerror or error}", "check the path and its permissions")


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB"


class _RepeatedKeys(dict[str, Any]):
    """An object that has a key more than once; of each the last value counts, as everywhere in Python."""

    repeated = ""


def repeated_key(value: object, place: str) -> DataError | None:
    """What to tell of an object, read strictly at `place`, that has a key more than once; None without one."""
    if not isinstance(value, _RepeatedKeys):
        return None
    what = f"its key {value.repeated!r} is there twice"
    return DataError(place, what, "give it once: nobody can say which is meant")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    marked = _RepeatedKeys(found)
    counted = Counter(key for key, _ in pairs)
    marked.repeated = next(key for key, count in counted.items() if count > 1)
    return marked


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a valid number")


def _nothing(name: str) -> None:
    """What NaN and Infinity are in a row: pandas and Python write them for a cell that is empty."""


_LAX = json.JSONDecoder()
_STRICT = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=_object)
_ROWS = json.JSONDecoder(parse_constant=_nothing, object_pairs_hook=_object)
