"""JSON of any shape as rows: an object a line, a list, or an object that holds them in one of the usual ways.

Owns: which rows a JSON text holds. Invariants: rows keep their order; what an object a line holds is read line by line,
and every bad line is told; nothing but `DataError` is raised.

The shapes of one JSON value: a list of objects; an object with such a list under a usual name (`data`, `examples`), or
one for each split (`train`, `test`); columns ({name: [...]}, or pandas' own {name: {"0": ...}} and {columns, data});
objects by their ids; SQuAD's paragraphs; a single object, which is one row. Several values may follow one another.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reasoning.files.data_error import DataError
from reasoning.files.json_files import JsonLine, json_values, kind_of_value, lines_of, repeated_key
from reasoning.records import Split
from reasoning.tasks.data_files.source_row import MAX_ROW

LINES = (".jsonl", ".ndjson", ".jsonlines")
_LISTS = (
    *("examples", "data", "rows", "questions", "items", "records", "instances", "problems", "samples", "entries"),
    *("dataset", "results", "tasks", "documents", "qas", "qa_pairs"),
)
SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "test": Split.TEST,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
}
_LOOKED_AT = 20  # lines
_MOST_FIELDS = 4  # of a row whose fields are called by whole sentences

Row = tuple[Any, str, Split | None]


def json_rows(data: bytes, path: Path, lines: bool) -> Iterator[Row | DataError]:
    """The rows of the JSON text `data`, each with its place and its split where the text names one; for a bad line its
    error, so that the others can still be read. `lines`: the file's name says that it has an object a line."""
    for row in _read(data, path, lines):
        yield (repeated_key(row[0], row[1]) or row) if isinstance(row, tuple) else row


def _read(data: bytes, path: Path, lines: bool) -> Iterator[Row | DataError]:
    if _has_an_object_a_line(data, path, lines):
        for line in lines_of(io.BytesIO(data), str(path), MAX_ROW):
            try:
                yield _unwrapped(_line_value(line), line.place), line.place, None
            except DataError as error:
                yield error
        return
    values = json_values(data, str(path))
    several = len(values) > 1
    for line_number, value in values:
        if several:
            place = f"{path}, line {line_number}"
            yield _unwrapped(value, place), place, None
        else:
            yield from _rows_of(value, path)


def _line_value(line: JsonLine) -> Any:
    try:
        return line.value(strict=True)
    except DataError as error:
        text = line.raw.strip()
        if text.startswith((b"{'", b"{ '")):
            what = "it is written as Python writes an object, with single quotes, and not as JSON"
            raise DataError(line.place, what, "write each row with json.dumps") from error
        if text.endswith(b"},"):
            what = "an object a line has no comma after it"
            raise DataError(line.place, what, "remove the commas between lines, or put all in one [...]") from error
        raise


def _has_an_object_a_line(data: bytes, path: Path, lines: bool) -> bool:
    """Whether an object stands on each line. A file that is named so is, unless it is a list or one long object; any
    other is when its first line is a whole object and others follow, or when one of the next lines is."""
    begin = []
    for line in lines_of(io.BytesIO(data), str(path), MAX_ROW):
        begin.append(line)
        if len(begin) == _LOOKED_AT:
            break
    if not begin:  # nothing but the mark that ends a file of DOS
        return lines
    if data.lstrip().startswith(b"["):
        return len(begin) > 1 and _is_whole(begin[0], list) and not begin[1].raw.lstrip().startswith((b"]", b","))
    whole = [_is_whole(line, dict) for line in begin]
    if whole[0]:
        return len(begin) > 1
    if not data.lstrip().startswith(b"{"):
        return lines
    if any(whole) and begin[0].raw.strip() != b"{":
        return True
    return lines and (len(begin[0].raw) > MAX_ROW or not _is_json(data))


def _is_whole(line: JsonLine, kind: type) -> bool:
    try:
        return isinstance(line.value(strict=True), kind)
    except DataError:
        return False


def _is_json(data: bytes) -> bool:
    try:
        return bool(json_values(data, ""))
    except DataError:
        return False


# One value ----------------------------------------------------------------------------------------------------------


def _rows_of(value: Any, path: Path) -> Iterator[Row]:
    value = _without_wrapper(value)
    if isinstance(value, list):
        yield from _listed(value, str(path), None)
    elif not isinstance(value, dict):
        what = (
            f"{kind_of_value(value)}, not a list of questions nor an object that has one, such as 'examples' or 'data'"
        )
        raise DataError(str(path), what, "give a list of objects, or one object per line")
    elif parts := {name: rows for name in value if name.lower() in SPLITS and (rows := _part(value[name], path))}:
        _refuse_other_lists(value, parts, path)
        splits = {SPLITS[name.lower()] for name in parts}
        for name, rows in parts.items():
            split = SPLITS[name.lower()]
            if split is Split.VALIDATION and Split.TEST not in splits:
                split = Split.TEST
            yield from _listed(rows, f"{path}, {name}", split)
    elif name := _list_name(value):
        _refuse_other_lists(value, {name: value[name]}, path)
        yield from _listed(value[name], str(path), None)
    elif _is_error(value):
        said = next(value[key] for key in _ERRORS if key in value)
        what = f"a server's error, not data: {str(said)[:100]!r}"
        raise DataError(str(path), what, "sign in where it comes from, and download it again")
    elif len(value) > 1 and all(map(_is_rows, value.values())):
        what = f"it has {len(value)} lists of rows, {', '.join(map(repr, value))[:100]}, and none is a split"
        raise DataError(str(path), what, "give each list a file of its own, or call them train and test")
    elif _are_pairs(value):
        what = f"an object of {len(value)} values by their names, and not a list of rows"
        raise DataError(str(path), what, 'write each pair as a row, {"question": ..., "answer": ...}')
    else:
        yield from _listed(_part(value, path) or [value], str(path), None)


def _part(value: Any, path: Path) -> list[Any] | None:
    """The rows that a list holds, or an object as columns or by their ids; None where there are none."""
    if not isinstance(value, dict):
        return value if _is_rows(value) else None
    if rows := _from_columns(value) or _by_id(value):
        return rows
    lengths = {name: len(column) for name, column in value.items() if _is_column(column)}
    if len(lengths) == len(value) > 1:
        what = "its columns are not of one length: " + ", ".join(f"{name!r} {count}" for name, count in lengths.items())
        raise DataError(str(path), what, "give every row a value in every column, null where it has none")
    return None


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and not _is_rows(value)


def _refuse_other_lists(value: Mapping[str, Any], read: Mapping[str, list[Any]], path: Path) -> None:
    """Raises `DataError` for lists of the same sort of rows that nobody would read."""
    fields = next(iter(read.values()))[:1]
    others = [
        name
        for name, rows in value.items()
        if name not in read and _is_rows(rows) and fields and len(fields[0].keys() & rows[0].keys()) > 1
    ]
    if others:
        unread = ", ".join(map(repr, others))[:100]
        what = f"beside {', '.join(map(repr, read))} it has rows in {unread}, which is no split"
        raise DataError(str(path), what, "give each list a file of its own, or call them train and test")


def _without_wrapper(value: Any) -> Any:
    """What holds the rows in an object that has none itself: {"status": "ok", "data": {"items": [...]}}."""
    if not isinstance(value, dict) or _holds_rows(value):
        return value
    if len(value) == 1 and isinstance(inner := next(iter(value.values())), dict) and _by_id(inner):
        return inner
    holders = [inner for inner in value.values() if isinstance(inner, dict) and _holds_rows(inner)]
    return holders[0] if len(holders) == 1 else value


def _holds_rows(value: Mapping[str, Any]) -> bool:
    return any(_is_rows(value[key]) and key.lower() in (*_LISTS, *SPLITS) for key in value)


def _list_name(value: Mapping[str, Any]) -> str | None:
    """The name of the list that has the rows. Raises `ValueError` never; an empty list has no rows."""
    names = {name.lower(): name for name in value}
    wanted = [names[name] for name in _LISTS if name in names and isinstance(value[names[name]], list)]
    if "columns" in names and isinstance(value[names["columns"]], list):
        return None
    for name in wanted:
        if _is_rows(value[name]):
            return name
    columns = all(isinstance(column, list) for column in value.values()) and len(value) > 1
    return None if columns or not wanted else wanted[0]


_ERRORS = ("error", "message", "detail", "errors")


def _is_error(value: Mapping[str, Any]) -> bool:
    return len(value) <= 4 and any(key in value for key in _ERRORS) and not {"question", "answer"} & value.keys()


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value[:_LOOKED_AT])


def _from_columns(value: Mapping[str, Any]) -> list[Any] | None:
    """Rows that stand as columns; None where they do not."""
    names, data = value.get("columns"), value.get("data", value.get("rows"))
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, names), row, strict=False)) for row in data]
    columns = list(value.values())
    if len(columns) < 2:
        return None
    if all(map(_is_rows, columns)):
        return None  # each is a list of rows
    if all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    if all(isinstance(column, dict) and column for column in columns):
        keys = columns[0].keys()
        if all(column.keys() == keys for column in columns) and all(key.isdigit() for key in keys):
            return [{name: value[name][key] for name in value} for key in keys]
    return None


def _by_id(value: Mapping[str, Any]) -> list[Any] | None:
    """Rows that stand under their ids, of which each may lack some fields; None where they do not."""
    rows = list(value.values())
    if len(rows) < 2 or not all(isinstance(row, dict) for row in rows):
        return None
    shared = set(rows[0]).intersection(*rows[1:])
    return rows if len(shared) > 1 else None


def _are_pairs(value: Mapping[str, Any]) -> bool:
    """Whether these are questions and their answers, as {question: answer}, and no row's few fields."""
    plain = all(isinstance(answer, str | int | float) for answer in value.values())
    return plain and len(value) > _MOST_FIELDS and sum(" " in name for name in value) > len(value) / 2


def _listed(rows: list[Any], place: str, split: Split | None) -> Iterator[Row]:
    for number, row in enumerate(rows):
        at = f"{place}, record {number}"
        row = _unwrapped(row, at)
        if isinstance(row, dict) and _is_rows(row.get("paragraphs")):
            yield from _of_paragraphs(row, at, split)
        else:
            yield row, at, split


def _unwrapped(row: Any, place: str) -> Any:
    """A row as the hub's web service gives it, without its number. Raises `DataError` for one that it cut short."""
    if isinstance(row, dict) and isinstance(row.get("row"), dict) and "row_idx" in row:
        if row.get("truncated_cells"):
            what = f"the hub's web service cut {str(row['truncated_cells'])[1:-1][:100]} short"
            raise DataError(place, what, "download the dataset's own files, or use source: hub")
        return row["row"]
    return row


def _of_paragraphs(article: Mapping[str, Any], place: str, split: Split | None) -> Iterator[Row]:
    """SQuAD's own files: articles of paragraphs, each a context and questions about it."""
    for paragraph in article["paragraphs"]:
        shared = {key: inner for key, inner in (article | paragraph).items() if key not in ("paragraphs", "qas")}
        for number, question in enumerate(paragraph.get("qas") or []):
            yield (shared | question if isinstance(question, dict) else question), f"{place}, question {number}", split
