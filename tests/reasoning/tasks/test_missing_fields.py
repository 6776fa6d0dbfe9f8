"""Fields that no row of a file has: one sentence for the file, and the cure."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from reasoning.files.data_error import DataError
from reasoning.recipe.task import TaskSection
from reasoning.tasks.loading import load_problems

SUMS = [{"question": f"What is {i} + {i}?", "answer": 2 * i} for i in range(20)]


def task(path: Path, **form: Any) -> TaskSection:
    fields = {"question": "question", "answer": "answer", "kind": "number"} | form
    return TaskSection.model_validate({"name": "mine", "source": "file", "path": str(path), "form": fields})


def table(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


CELLS = [list(row.values()) for row in SUMS]


@pytest.mark.parametrize(
    ("rows", "what", "cure"),
    [
        ([["Question", "Answer"], *CELLS], "has the fields 'question', 'answer'", "question: Question and answer: Ans"),
        ([["question", "result"], *CELLS], "has the field 'answer'; they have 'question', 'result'", "answer: result"),
        (CELLS, "seems to be a question and no row of column names: 'What is 0 + 0?', '0'", "such as question,answer"),
        ([["x", "y"], ["a", "b"], ["c", "d"]], "they have 'x', 'y'", "name the right ones in task.form"),
    ],
)
def test_a_file_without_the_fields_is_told_once(tmp_path: Path, rows: list[list[Any]], what: str, cure: str) -> None:
    path = table(tmp_path / "a.csv", rows)
    with pytest.raises(DataError) as caught:
        load_problems(task(path), 0)
    assert [fault.place for fault in caught.value.faults] == [str(path)]
    assert what in caught.value.what and cure in caught.value.cure


def test_of_a_folder_each_such_file_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SUMS), encoding="utf-8")
    table(tmp_path / "b.csv", [["q", "a"], ["Why?", "1"], ["How?", "2"]])
    table(tmp_path / "c.csv", [["question", "answer"], ["Why?", "many"], ["How?", "2"]])
    with pytest.raises(DataError) as caught:
        load_problems(task(tmp_path), 0)
    assert {fault.place for fault in caught.value.faults} <= {str(tmp_path / "b.csv"), f"{tmp_path / 'c.csv'}, row 2"}
    assert str(tmp_path / "b.csv") in {fault.place for fault in caught.value.faults}


def test_options_that_are_fields_are_told(tmp_path: Path) -> None:
    """As MMLU's tables have them: the letters name columns, and are no options."""
    rows = [[f"Which is {i}?", f"a{i}", "b", "c", "d", "C"] for i in range(20)]
    path = table(tmp_path / "a.csv", [["question", "A", "B", "C", "D", "answer"], *rows])
    with pytest.raises(DataError, match=r"which are fields here.*form\.choice_fields: \[A, B, C, D\]") as caught:
        load_problems(task(path, kind="choice", choices=["A", "B", "C", "D"]), 0)
    assert [fault.place for fault in caught.value.faults] == [str(path)]
    problem = load_problems(task(path, kind="choice", choice_fields=["A", "B", "C", "D"]), 0).train[0]
    assert problem.answer == "C" and problem.choices[1:] == ("b", "c", "d")
