"""Rows of JSON; what all forms share is in `test_reading.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.data_files.reading import read_file, read_path


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        (
            "rows.jsonl",
            '{"question": "Is it?", "answer": "yes"}\n{"question": "And?", "answer": "no", "answer": "yes"}',
            "2",
        ),
        (
            "rows.json",
            '[{"question": "Is it?", "answer": "yes"}, {"question": "And?", "answer": "", "answer": "no"}]',
            "1",
        ),
        (
            "rows.txt",
            '{"question": "Is it?", "answer": "yes", "answer": "no"}\n{"question": "And?", "answer": "no"}',
            "1",
        ),
    ],
)
def test_a_key_that_is_there_twice_is_told_with_its_row(tmp_path: Path, name: str, content: str, place: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"{name}, (?:line|record) {place}: its key 'answer' is there twice"):
        list(read_file(path))


ROWS = [{"question": f"How many are {n}?", "answer": n} for n in range(6)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("question", "answer")}


@pytest.mark.parametrize("test", [ROWS, COLUMNS, {f"id-{n}": row for n, row in enumerate(ROWS)}])
def test_splits_may_be_lists_columns_or_objects_by_ids(tmp_path: Path, test: object) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"train": ROWS[:2], "test": test}), encoding="utf-8")
    rows = read_file(path)
    assert [row.content for row in rows] == ROWS[:2] + ROWS
    assert [row.split for row in rows] == [Split.TRAIN] * 2 + [Split.TEST] * 6


def test_rows_for_validation_that_are_not_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"train": ROWS[:2], "dev": ROWS[2:4], "test": ROWS[4:]}), encoding="utf-8")
    rows, notes = read_path(path)
    assert [row.content for row in rows] == ROWS[:2] + ROWS[4:]
    assert notes == [f"{path}: 2 rows for validation are not read, since there are test rows."]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"train": ROWS, "test": ROWS, "test_hard": ROWS}, "beside 'train', 'test' it has rows in 'test_hard'"),
        (
            {"rows": [{"row_idx": 0, "row": ROWS[0], "truncated_cells": ["question"]}]},
            "record 0: the hub's web service cut 'question' short",
        ),
        ({"data": ROWS, "examples": ROWS}, "beside 'examples' it has rows in 'data'"),
        (COLUMNS | {"answer": [1, 2]}, "its columns are not of one length: 'question' 6, 'answer' 2"),
    ],
)
def test_rows_that_would_be_left_out_are_refused(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_file(path)
