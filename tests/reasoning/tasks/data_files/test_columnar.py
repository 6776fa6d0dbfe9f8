"""Typed tables: every column type becomes a plain value."""

from __future__ import annotations

import datetime
import json
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasoning.files.data_error import DataError
from reasoning.tasks.data_files.reading import read_file


def parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([Decimal("12.50")], pa.decimal128(10, 2)), "12.50"),
        (pa.array([Decimal(42)], pa.decimal128(10, 0)), 42),
        (pa.array([datetime.date(2021, 5, 1)]), "2021-05-01"),
        (pa.array([datetime.datetime(2021, 5, 1)], pa.timestamp("ns")), "2021-05-01"),
        (pa.array([datetime.datetime(2021, 5, 1, 9, 30)], pa.timestamp("ms")), "2021-05-01 09:30:00"),
        (pa.array(["red"]).dictionary_encode(), "red"),
        (pa.array([True]), True),
        (pa.array([7], pa.uint8()), 7),
        (pa.array([3.0]), 3.0),
        (pa.array([float("nan")]), None),
        (pa.array([None], pa.string()), None),
        (pa.array([b"text"]), "text"),
        (pa.array([["a", "b"]]), ["a", "b"]),
        (pa.array([{"label": ["A"], "text": ["ink"]}]), {"label": ["A"], "text": ["ink"]}),
        (pa.array([[("A", "ink")]], pa.map_(pa.string(), pa.string())), {"A": "ink"}),
        (pa.array([4.1], pa.float32()), 4.1),
        (pa.array([4.1], pa.float16()), 4.1),
        (pa.array([[4.1, None]], pa.list_(pa.float32())), [4.1, None]),
        (
            pa.array([{"value": 4.1, "unit": "km"}], pa.struct({"value": pa.float32(), "unit": pa.string()})),
            {"value": 4.1, "unit": "km"},
        ),
        (pa.array([[("A", 4.1)]], pa.map_(pa.string(), pa.float32())), {"A": 4.1}),
        (pa.array([None], pa.float32()), None),
        (pa.array(["long"], pa.large_string()), "long"),
    ],
)
def test_a_column_of_every_type_gives_plain_values(tmp_path: Path, column: pa.Array, value: Any) -> None:
    (row,) = read_file(parquet(tmp_path / "a.parquet", pa.table({"c": column})))
    assert row.content == {"c": value} and type(row.content["c"]) is type(value)
    assert row.place == f"{tmp_path / 'a.parquet'}, record 0"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["answer", "answer"])
    with pytest.raises(DataError, match="two columns are called 'answer'"):
        read_file(parquet(tmp_path / "a.parquet", table))


def test_what_a_files_classes_are_called(tmp_path: Path) -> None:
    """As the library writes them: other metadata, and what cannot be read, says nothing."""
    label = {"_type": "ClassLabel", "names": ["neg", "pos"]}
    written = {"info": {"features": {"label": label, "text": {"dtype": "string", "_type": "Value"}}}}
    for metadata, classes in (
        ({"huggingface": json.dumps(written)}, {"label": ("neg", "pos")}),
        ({"huggingface": "{"}, {}),
        ({"pandas": "{}"}, {}),
    ):
        table = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata(metadata)
        (row,) = read_file(parquet(tmp_path / "a.parquet", table))
        assert (row.content["label"], row.classes) == (1, classes)


@pytest.mark.parametrize("end", [-1, 3, 2**31 - 1], ids=["before its beginning", "before the next", "beyond the file"])
def test_texts_of_an_arrow_file_that_end_elsewhere_are_not_read(tmp_path: Path, end: int) -> None:
    table = pa.table({"question": ["How many?", "Who?"], "answer": ["41", "Ada"]})
    with pa.ipc.new_file(tmp_path / "own.arrow", table.schema) as file:
        file.write(table)
    ends = struct.pack("<3i", 0, 9, 13)
    content = (tmp_path / "own.arrow").read_bytes()
    assert content.count(ends) == 1
    (tmp_path / "own.arrow").write_bytes(content.replace(ends, struct.pack("<3i", 0, 9, end)))
    with pytest.raises(DataError, match="damaged"):
        read_file(tmp_path / "own.arrow")
