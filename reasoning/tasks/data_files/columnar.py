"""Parquet and Arrow files: their rows, with plain values.

Owns: the reading of typed tables.

Invariants
- Rows keep their order. A column of categories gives its values, a nested one lists and objects, a map an object.
- A float of 16 or 32 bits is the shortest number that is stored as it is: 4.1, not 4.099999904632568.
- Nothing but `DataError` is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reasoning.files.data_error import DataError
from reasoning.files.json_files import MAX_FILE
from reasoning.tasks.data_files.classes import classes_of_schema
from reasoning.tasks.data_files.source_row import plain_value

_BATCH = 1024  # rows that are taken at once


def table_rows(data: bytes, path: Path) -> Iterator[tuple[Any, str]]:
    """Each row of the Parquet or Arrow file `data` with its place, counted from record 0. Raises `DataError`."""
    number = 0
    try:
        for batch in _batches(data, path):
            names = batch.schema.names
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise DataError(str(path), f"two columns are called {twice!r}", "give each column a name of its own")
            batch.validate(
                full=True
            )  # of an Arrow file the library checks no offset, and would read where they point to
            short = {field.name: field.type for field in batch.schema if _has_short_floats(field.type)}
            for row in batch.to_pylist(maps_as_pydicts="lossy"):
                whole = row | {name: _lengthened(row[name], kind) for name, kind in short.items()} if short else row
                yield plain_value(whole), f"{path}, record {number}"
                number += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        what = f"a damaged Parquet or Arrow file, perhaps cut off: {str(error)[:150]}"
        raise DataError(str(path), what, "download or write it again") from error


def table_classes(data: bytes) -> dict[str, tuple[str, ...]]:
    """The classes that the Parquet or Arrow file `data` names for its columns."""
    source = pa.BufferReader(data)
    try:
        if data.startswith(b"PAR1"):
            return classes_of_schema(pq.read_schema(source).metadata)
        with (pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream)(source) as table:
            return classes_of_schema(table.schema.metadata)
    except (pa.ArrowException, OSError, ValueError):
        return {}  # what is wrong is told where the rows are read


def _batches(data: bytes, path: Path) -> Iterator[pa.RecordBatch]:
    source = pa.BufferReader(data)
    if data.startswith(b"PAR1"):
        file = pq.ParquetFile(source)
        groups = (file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        if sum(groups) > MAX_FILE:
            what = f"it has more than {MAX_FILE / 2**20:g} MiB when it is unpacked"
            raise DataError(str(path), what, "give a part of it")
        yield from file.iter_batches(_BATCH)
    elif data.startswith(b"ARROW1"):
        with pa.ipc.open_file(source) as file:
            yield from (file.get_batch(i) for i in range(file.num_record_batches))
    else:
        with pa.ipc.open_stream(source) as stream:
            yield from stream


def _has_short_floats(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _has_short_floats(kind.value_type)
    inner = (kind.field(at).type for at in range(kind.num_fields))
    return pa.types.is_float16(kind) or pa.types.is_float32(kind) or any(map(_has_short_floats, inner))


def _lengthened(value: Any, kind: pa.DataType) -> Any:
    """`value` of a column of `kind` with its floats as they were written."""
    if value is None:
        return None
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return float(str((np.float16 if pa.types.is_float16(kind) else np.float32)(value)))
    if pa.types.is_dictionary(kind):
        return _lengthened(value, kind.value_type)
    if pa.types.is_struct(kind):
        fields = (kind.field(at) for at in range(kind.num_fields))
        return {field.name: _lengthened(value[field.name], field.type) for field in fields}
    if pa.types.is_map(kind):
        return {key: _lengthened(inner, kind.item_type) for key, inner in value.items()}
    return [_lengthened(inner, kind.value_type) for inner in value] if isinstance(value, list) else value
