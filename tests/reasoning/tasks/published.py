"""Small files in the form of published data sets, and the task sections that name them."""

from __future__ import annotations

import json
from pathlib import Path

from reasoning.recipe.task import TaskSection
from reasoning.tasks.loading import TaskData


def coin_file(folder: Path, count: int = 20, **changed: dict[str, str]) -> Path:
    rows = [{"question": f"Person {i} flips it. Is it still heads up?", "answer": "no"} for i in range(count)]
    for index, change in changed.items():
        rows[int(index.removeprefix("row_"))] |= change
    path = folder / "coin_flip.json"
    path.write_text(json.dumps({"examples": rows}), encoding="utf-8")
    return path


def gsm8k_files(folder: Path, train: int, test: int) -> Path:
    for name, count in (("train", train), ("test", test)):
        rows = [{"question": f"{name}: what is {i} + 1?", "answer": f"So. #### {i + 1}"} for i in range(count)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"gsm8k_{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def file_task(path: Path, **changes: object) -> TaskSection:
    return TaskSection.model_validate({"name": "coin_flip", "source": "file", "path": path} | changes)


def all_of(data: TaskData) -> list[str]:
    return [problem.question for problem in (*data.train, *data.validation, *data.test)]


def repeated(tmp_path: Path, **changes: object) -> TaskSection:
    """Question 0 is also 5, 6 and 8; the test split is 6 to 19."""
    question = "Person 0 flips it. Is it still heads up?"
    again = {"question": question.replace(" ", "  ")}
    path = coin_file(tmp_path, 20, row_5={"question": question}, row_6=again, row_8={"question": question})
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": list(range(6)), "test": list(range(6, 20))}), encoding="utf-8")
    return file_task(path, splits=splits, **changes)
