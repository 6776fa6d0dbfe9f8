"""Parquet and Arrow files: their rows, with plain values.

Owns: the reading of typed tables. Invariants: rows keep their order; a column of categories gives its values, a nested
one lists and objects; nothing but `DataError` is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reasoning.files.data_error import DataError
from reasoning.files.json_files import MAX_FILE
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
            for row in batch.to_pylist():
                yield plain_value(row), f"{path}, record {number}"
                number += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        what = f"a damaged Parquet or Arrow file, perhaps cut off: {str(error)[:150]}"
        raise DataError(str(path), what, "download or write it again") from error


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
