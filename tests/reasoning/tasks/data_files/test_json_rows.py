"""Rows of JSON; what all forms share is in `test_reading.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.tasks.data_files.reading import read_file


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
