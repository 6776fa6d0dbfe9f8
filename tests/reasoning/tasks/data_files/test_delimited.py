"""Tables in text; what all forms share is in `test_reading.py`."""

from __future__ import annotations

from pathlib import Path

from reasoning.tasks.data_files.reading import read_file


def test_a_table_of_markdown_is_read_without_its_rule(tmp_path: Path) -> None:
    path = tmp_path / "rows.md"
    path.write_text("| question | answer |\n|:---|---:|\n| How many? | 3 |\n| -- | -5 |\n", encoding="utf-8")
    rows = [row.content for row in read_file(path)]
    assert rows == [{"question": "How many?", "answer": "3"}, {"question": "--", "answer": "-5"}]


def test_cells_in_single_quotes_are_read_without_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("'question','answer'\n'How many, now?','3'\n'It''s late?','yes'\n", encoding="utf-8")
    rows = [row.content for row in read_file(path)]
    assert rows == [{"question": "How many, now?", "answer": "3"}, {"question": "It's late?", "answer": "yes"}]
