"""Any file of questions, or a folder of them, as rows.

Owns: which reader a file gets. What it holds is told by its content: the same rows come of questions.csv, of a file
called questions.json that is CSV, and of its .gz.

Invariants
- Nothing makes a reader raise anything but `DataError`, which names the file and the line, row or record.
- Rows keep their order and their number: the published splits count questions in file order.
- A row has a bound, beyond which it is refused, as a file has (`reasoning.files.json_files`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.files.json_files import decoded, json_values, kind_of_value
from reasoning.records import Split
from reasoning.tasks.data_files.columnar import table_classes, table_rows
from reasoning.tasks.data_files.delimited import delimited_rows, lines_above_the_names, separator_of
from reasoning.tasks.data_files.folder import data_folder
from reasoning.tasks.data_files.json_rows import LINES, Row, json_rows
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.data_files.unpacking import is_table, unpacked

PACKINGS = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".lz4")
_JSON = (".json", *LINES)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.I | re.S)
_CONVERSATIONS = re.compile(
    rb"[\w .-]{1,64}\r?\n\"\[\s*\{"
)  # a table of one column, whose cells hold question and answer
_ENCODED = "fix that line (Excel writes UTF-8 as the type CSV UTF-8)"


def read_file(path: Path, split: Split | None = None) -> list[SourceRow]:
    """The rows of the file at `path`: JSON, JSON Lines, a table whose cells a character separates, Parquet or Arrow, as
    it is or compressed. `split` is that of rows that the file does not name as for validation beside test rows. Raises
    `DataError`, which tells all faults."""
    rows: list[SourceRow] = []
    others: list[str] = []  # what the rows are that are no objects
    faults = ErrorCollector()
    with faults.caught():
        data = unpacked(path)
        classes = table_classes(data) if is_table(data) else {}
        for found in _rows(data, path):
            if isinstance(found, DataError):
                faults.add(found)
                continue
            content, place, own = found
            if isinstance(content, dict):
                rows.append(SourceRow(content, place, own if own is Split.VALIDATION else split or own, classes))
            else:
                others.append(kind_of_value(content))
                what = f"a question must be an object, this is {others[-1]}"
                faults.add(DataError(place, what, "fix or remove it"))
    if len(others) > 1 and not rows and len(set(others)) == 1:
        what = f"each of its {len(others)} rows is {others[0]}, which has no names for what is in it"
        raise DataError(str(path), what, 'write each row as an object, {"question": ..., "answer": ...}')
    faults.raise_caught()
    if not rows:
        raise DataError(str(path), "the file contains no questions", "give the task's file")
    return rows


def read_path(path: Path, split: Split | None = None) -> tuple[list[SourceRow], list[str]]:
    """The rows of the file at `path`, or of all data files of the folder at `path`, and what should be told of it.
    `split` is that of all rows; None leaves it to the names in the folder, or in the file. Raises `DataError`."""
    if not path.is_dir():
        return _without_validation(read_file(path, split), path)
    folder = data_folder(path)
    rows: list[SourceRow] = []
    faults = ErrorCollector()
    for file, own in folder.files:
        with faults.caught():
            rows += read_file(file, split or own)
    faults.raise_caught()
    rows, notes = _without_validation(rows, path)
    return rows, [folder.note, *notes]


def _without_validation(rows: list[SourceRow], path: Path) -> tuple[list[SourceRow], list[str]]:
    """The rows but for those that a file with test rows has for validation, which is cut from train."""
    read = [row for row in rows if row.split is not Split.VALIDATION]
    left = len(rows) - len(read)
    return read, [f"{path}: {left} rows for validation are not read, since there are test rows."] if left else []


def _rows(data: bytes, path: Path) -> Iterator[Row | DataError]:
    if is_table(data):
        yield from ((content, place, None) for content, place in table_rows(data, path))
        return
    if _HTML.match(data[:4096]):
        what = "a page of a web site, perhaps its sign-in, and not the data"
        raise DataError(str(path), what, "sign in where it comes from, and download the file itself")
    suffix = _suffix(path)
    begin = data.lstrip()[:1]
    if begin in (b"{", b"["):
        yield from json_rows(data, path, lines=suffix in LINES)
        return
    if begin == b"<":
        raise DataError(str(path), "XML, which is not read", "give the data as JSON Lines, CSV or Parquet")
    if begin == b'"' and _is_written_twice(data):
        what = "its lines are texts that hold JSON, which was written twice over"
        raise DataError(f"{path}, line 1", what, "write each row with json.dumps, and only once")
    text = _table_text(data, path)
    if text is not None:
        yield from ((content, place, None) for content, place in delimited_rows(text, path))
    elif suffix in LINES:
        yield from json_rows(data, path, lines=True)
    else:
        yield from _no_table(data, path, suffix)


def _table_text(data: bytes, path: Path) -> str | None:
    """`data` as the text of a table; None where it is none."""
    if separator_of(data[: 2**16].decode("utf-8", "replace")) is None and not _CONVERSATIONS.match(data):
        return None
    return decoded(data, str(path), _ENCODED).replace("\n\ufeff", "\n")  # of files that were put together


def _is_written_twice(data: bytes) -> bool:
    try:
        inner = json.loads(data.lstrip().partition(b"\n")[0])
        return isinstance(inner, str) and isinstance(json.loads(inner), dict | list)
    except (ValueError, RecursionError):
        return False


def _no_table(data: bytes, path: Path, suffix: str) -> Iterator[Any]:
    if suffix in _JSON:
        json_values(data, str(path))  # says what is wrong with it
    above = lines_above_the_names(data[: 2**16].decode("utf-8", "replace"))
    if above:
        what = f"a table whose columns are not named before line {above + 1}"
        raise DataError(f"{path}, line 1", what, "remove the lines above the row of column names")
    shown = " ".join(data[:200].decode("utf-8", "replace").split())[:40]
    what = f"neither JSON, JSON Lines, a table with a row of column names, nor Parquet: it begins with {shown!r}"
    raise DataError(
        str(path), what, "give one of these; a table needs at least a column of questions and one of answers"
    )
    yield


def _suffix(path: Path) -> str:
    """The end of a file's name that says what it holds, in lower case: that before the compression's."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKINGS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
