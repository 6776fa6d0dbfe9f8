"""Tables of records: any frozen dataclass of plain fields, to Parquet and back.

Owns: the column types of a record type, atomic writing, checked reading.

Invariants
- What is read equals what was written, ids included: an id is computed again and compared with the stored one.
- A table knows which record type it holds; reading it as another one is refused.
- A table of before a field that is marked as later (`reasoning.records.LATER`) is read, with the field's default.
- A file appears whole or not at all (`reasoning.files.durable`). No pickle.

A field is str, int, float, bool, an enumeration of strings, a tuple of one of these (`tuple[str, ...]`), or one of
these or None.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from reasoning.files.durable import new_file

RecordT = TypeVar("RecordT")

PART_ROWS = 10_000  # that are in memory while a table is written or read one by one
_RECORD_KEY = b"record"
_SCALARS: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class TableError(ValueError):
    """A table that cannot be written or read. The message names the file, the column or row, and what is wrong."""


def write_table(path: Path, records: Iterable[RecordT], record_type: type[RecordT]) -> None:
    """Writes `records`, all of `record_type` (which an empty table needs too), to the Parquet file at `path`, a part at
    a time: what makes them one by one holds no more of them than that.

    Raises `TableError` for a record of another type and for a value that its column cannot hold."""
    columns = _columns(record_type)
    schema, rest, written = _schema(record_type, columns), iter(records), 0
    with new_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while (part := list(islice(rest, PART_ROWS))) or not written:
            writer.write_table(_table(path, part, record_type, columns, written))
            written += len(part)
            if len(part) < PART_ROWS:
                break


def _table(
    path: Path, records: Sequence[RecordT], record_type: type[RecordT], columns: Sequence[_Column], before: int
) -> pa.Table:
    for row, record in enumerate(records, before):
        if type(record) is not record_type:
            raise TableError(f"{path}: record {row} is a {type(record).__name__}, not a {record_type.__name__}")
    arrays = []
    for column in columns:
        try:
            values = [getattr(record, column.name) for record in records]
            arrays.append(pa.array([list(v) if isinstance(v, tuple) else v for v in values], type=column.arrow))
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError) as error:
            raise TableError(
                f"{path}: column {column.name} of {record_type.__name__} cannot be written: {error}"
            ) from error
    return pa.Table.from_arrays(arrays, schema=_schema(record_type, columns))


def read_table(path: Path, record_type: type[RecordT]) -> list[RecordT]:
    """Reads every record of the Parquet file at `path`, in order.

    Raises `TableError` when the file is missing, is not Parquet, holds another record type or other columns, or has a
    row that is not a valid record (unknown enumeration value, a missing value, an id unlike its content)."""
    return list(iterate_table(path, record_type))


def iterate_table(path: Path, record_type: type[RecordT]) -> Iterator[RecordT]:
    """The records that `read_table` reads, one by one, of which a part is in memory at a time. Raises as it does, for
    what is wrong with a row when it comes to it."""
    try:
        with pq.ParquetFile(path) as file:
            columns = _stored(file.schema_arrow, _columns(record_type))
            _refuse_others(path, file.schema_arrow, record_type, columns)
            before = 0
            for batch in file.iter_batches(PART_ROWS):
                values = {column.name: batch.column(column.name).to_pylist() for column in columns}
                yield from (_record(record_type, columns, values, row, path, before) for row in range(batch.num_rows))
                before += batch.num_rows
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: cannot be read as Parquet: {error}") from error


def _stored(schema: pa.Schema, columns: Sequence[_Column]) -> list[_Column]:
    """`columns` without those later ones that this table has not got."""
    return [column for column in columns if not column.later or column.name in schema.names]


def _refuse_others(path: Path, schema: pa.Schema, record_type: type, columns: Sequence[_Column]) -> None:
    stored = (schema.metadata or {}).get(_RECORD_KEY, b"").decode("utf-8", "replace")
    if stored != record_type.__name__:
        raise TableError(f"{path}: holds {stored or 'something else'}, not {record_type.__name__}")
    expected = _schema(record_type, columns)
    if not schema.equals(expected):
        raise TableError(
            f"{path}: its columns are not those of {record_type.__name__}: {_difference(schema, expected)}; "
            "it was written by another version, so make it again"
        )


def record_of(record_type: type[RecordT], content: Mapping[str, Any]) -> RecordT:
    """The record with this content, as read from JSON. Raises `KeyError` or `ValueError`."""
    columns = [column for column in _columns(record_type) if not column.computed]
    values = ((one, content[one.name]) for one in columns if not one.later or one.name in content)
    return record_type(**{column.name: None if value is None else column.parse(value) for column, value in values})


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    arrow: pa.DataType
    nullable: bool
    computed: bool
    later: bool
    parse: Callable[[Any], Any]


_KNOWN: dict[type, list[_Column]] = {}


def _columns(record_type: type) -> list[_Column]:
    """The columns of a record type, found out once."""
    if record_type not in _KNOWN:
        _KNOWN[record_type] = _read_columns(record_type)
    return _KNOWN[record_type]


def _read_columns(record_type: type) -> list[_Column]:
    hints = get_type_hints(record_type)
    columns = []
    for item in fields(record_type):
        arrow, nullable, parse = _column_type(hints[item.name], f"{record_type.__name__}.{item.name}")
        columns.append(_Column(item.name, arrow, nullable, not item.init, bool(item.metadata.get("later")), parse))
    return columns


def _column_type(hint: Any, where: str) -> tuple[pa.DataType, bool, Callable[[Any], Any]]:
    """The Arrow type for `hint`, whether it may be None, and what turns a stored value back into the field's."""
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        if len(options) == 1:
            arrow, _, parse = _column_type(options[0], where)
            return arrow, True, parse
    if get_origin(hint) is tuple and len(get_args(hint)) == 2 and get_args(hint)[1] is Ellipsis:
        arrow, nullable, parse = _column_type(get_args(hint)[0], where)
        return pa.list_(pa.field("element", arrow, nullable)), False, lambda value: tuple(parse(v) for v in value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return pa.string(), False, hint
    if hint in _SCALARS:
        return _SCALARS[hint], False, _unchanged
    raise TypeError(f"{where}: a table has no column type for {hint}")


def _unchanged(value: Any) -> Any:
    return value


def _schema(record_type: type, columns: Sequence[_Column]) -> pa.Schema:
    described = [pa.field(column.name, column.arrow, column.nullable) for column in columns]
    return pa.schema(described, metadata={_RECORD_KEY: record_type.__name__.encode()})


def _difference(found: pa.Schema, expected: pa.Schema) -> str:
    found_types = {item.name: f"{item.name}: {item.type}" for item in found}
    expected_types = {item.name: f"{item.name}: {item.type}" for item in expected}
    missing = [text for name, text in expected_types.items() if found_types.get(name) != text]
    other = [text for name, text in found_types.items() if expected_types.get(name) != text]
    return f"expected [{', '.join(missing) or 'another order'}], found [{', '.join(other) or 'another order'}]"


def _record(
    record_type: type[RecordT],
    columns: Sequence[_Column],
    values: dict[str, list[Any]],
    row: int,
    path: Path,
    before: int,
) -> RecordT:
    """That of `row` of these values, `before` which there are so many in the table."""
    arguments: dict[str, Any] = {}
    for column in columns:
        if column.computed:
            continue
        value = values[column.name][row]
        if value is None and not column.nullable:
            raise TableError(f"{path}: row {before + row}: {column.name} has no value")
        try:
            arguments[column.name] = None if value is None else column.parse(value)
        except ValueError as error:
            raise TableError(f"{path}: row {before + row}: {column.name}: {error}") from error
    record = record_type(**arguments)
    for column in columns:
        if column.computed and getattr(record, column.name) != values[column.name][row]:
            raise TableError(
                f"{path}: row {before + row}: its {column.name} is {values[column.name][row]!r} but its content makes "
                f"{getattr(record, column.name)!r}: the row was changed after it was written"
            )
    return record
