"""Tables as text: CSV and its relatives, whatever separates their cells.

Owns: which character separates cells, how a table's rows are counted, and what is wrong with a row.

Invariants
- The first row names the columns. Cells are texts; a row's place is its number as a spreadsheet shows it, and the line
  where it begins when that is another one.
- Quoted cells may hold separators, quotes (doubled) and line ends of any kind.
- Nothing but `DataError` is raised; a row that does not fit is a fault of that row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.tasks.data_files.source_row import MAX_ROW

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 50  # rows that say which separator it is
_RULE = re.compile(r":?-{3,}:?|:?-+:|:-+")  # of a Markdown table, below the names
_MOST_ABOVE = 10  # lines above a table
_LONG = 20  # characters of what ends like a question and is no name
_SINGLE = re.compile(r"'[^'\n]*'(?:\s*[,;\t|]\s*'[^'\n]*')+\s*")

Cells = list[str]


def separator_of(text: str) -> str | None:
    """What separates the cells of `text`: the one that gives its first row the most cells, and the next rows as many;
    None where its first row has but one, so that it is no table."""
    if named := _named_separator(text):
        return named
    found = []
    for separator in SEPARATORS:
        rows = [row for row in _sample(text, separator) if any(cell.strip() for cell in row)]
        width = len(rows[0]) if rows else 0
        if width > 1:
            alike = sum(len(row) == width for row in rows) / len(rows)
            found.append((alike > 0.5, width, alike, separator))
    return max(found, key=lambda one: one[:3])[3] if found else None


def lines_above_the_names(text: str) -> int:
    """How many lines stand above a table that begins further down, such as a title or comments; 0: there is none."""
    lines = text.splitlines(keepends=True)
    for above in range(1, min(_MOST_ABOVE, len(lines) - 2) + 1):
        rest = "".join(lines[above:])
        if (separator := separator_of(rest)) is not None:
            widths = [len(row) for row in _sample(rest, separator)[:-1] if any(cell.strip() for cell in row)]
            return above if len(widths) > 1 and len(set(widths)) == 1 else 0
    return 0


def delimited_rows(text: str, path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Each row below the first as {column: cell}, with its place. Rows without any text, and repetitions of the first,
    are passed over. Raises `DataError`: of a row that does not fit, after all others were given."""
    separator = separator_of(text) or ","
    if _named_separator(text):
        text = text.partition("\n")[2]
    rows = _rows(text, separator, path)
    names = _names(next((cells for cells, _ in rows if any(cell.strip() for cell in cells)), []), path)
    faults = ErrorCollector()
    for cells, place in rows:
        if separator == "|":  # as Markdown has it, cells are padded, and a rule follows the names
            cells = [cell.strip() for cell in cells]
            if all(_RULE.fullmatch(cell) for cell in cells if cell):
                continue
        if not any(cell.strip() for cell in cells) or [cell.strip() for cell in cells] == names:
            continue
        beyond = [cell for cell in cells[len(names) :] if cell.strip()]
        if beyond:
            what = f"{len(cells)} cells, but the first row has {len(names)}: {beyond[0][:40]!r} is one too many"
            cure = f"put a text that has {SEPARATORS[separator]} in it in double quotes"
            faults.add(DataError(place, what, cure))
            continue
        filled = [*cells, *[""] * (len(names) - len(cells))]
        if len(set(names)) == 2 and "" in names and sum(bool(cell.strip()) for cell in filled) > 1 and names[0]:
            what = f"it names only one column, {names[0][:40]!r}, of {len(names)} that have texts"
            raise DataError(
                f"{path}, row 1", what, "remove the rows above the row of column names, or name each column"
            )
        yield {name: cell for name, cell in zip(names, filled, strict=False) if name}, place
    faults.raise_caught()


def _names(cells: Cells, path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    asked = next((name for name in names if name.endswith(("?", "？")) and len(name) > _LONG), None)
    if asked is not None:
        what = f"its first row, which names the columns, has a question in it: {asked[:40]!r}"
        raise DataError(f"{path}, row 1", what, "add a first row with a name for each column")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        what = f"two cells of its first row, which names the columns, are {twice[:40]!r}"
        raise DataError(f"{path}, row 1", what, "add a first row with a name for each column")
    return names


def _rows(text: str, separator: str, path: Path) -> Iterator[tuple[Cells, str]]:
    """The rows, each with its place."""
    reader = csv.reader(io.StringIO(text, newline=""), **_quoting(text, separator))
    number = 0
    before = csv.field_size_limit(MAX_ROW)  # of the whole process
    try:
        while True:
            number, line = number + 1, reader.line_num + 1
            place = f"{path}, row {number}" + (f" (line {line})" if line != number else "")
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _malformed(error, place, separator) from error
            yield cells, place
    finally:
        csv.field_size_limit(before)


def _quoting(text: str, separator: str) -> dict[str, Any]:
    """How quotes are meant: single ones, where all names are in them; doubled inside quoted cells; or else, where the
    whole table can be read so, after a backslash, or, between tabs, as text like any other."""
    usual: dict[str, Any] = {"delimiter": separator, "skipinitialspace": True, "strict": True}
    if _SINGLE.fullmatch(text.lstrip().partition("\n")[0]):
        return usual | {"quotechar": "'"}
    if '"' not in text:
        return usual
    ways = [usual]
    if '\\"' in text:
        ways.append(usual | {"doublequote": False, "escapechar": "\\"})
    if separator == "\t":
        ways.append(usual | {"quoting": csv.QUOTE_NONE})
    return next((way for way in ways if _can_be_read(text, way)), usual)


def _can_be_read(text: str, way: dict[str, Any]) -> bool:
    before = csv.field_size_limit(MAX_ROW)
    try:
        return all(row is not None for row in csv.reader(io.StringIO(text, newline=""), **way))
    except csv.Error:
        return False
    finally:
        csv.field_size_limit(before)


def _malformed(error: csv.Error, place: str, separator: str) -> DataError:
    if "field limit" in str(error):
        return DataError(place, f"a cell of more than {MAX_ROW >> 20} MiB", "fix or remove that row")
    what = f"malformed table, cells separated by {SEPARATORS[separator]}: {error}"
    cure = "look for an unpaired double quote from here on; inside a quoted text, write it twice"
    return DataError(place, what, cure)


def _named_separator(text: str) -> str | None:
    """The separator that a first line `sep=;` names, as Excel writes and reads it."""
    first = text[:8].splitlines()[0].strip('"') if text[:8].strip() else ""
    return first[4:] if len(first) == 5 and first.startswith("sep=") and first[4:] in SEPARATORS else None


def _sample(text: str, separator: str) -> list[Cells]:
    try:
        return list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), _SAMPLE))
    except csv.Error:
        return []
