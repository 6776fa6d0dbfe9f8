"""Paper B's data sets and splits: what its trainer needs to know of a task besides the rationales.

`data/dataset/<task>.json` is `{"metadata": {"dataset_key": task}, "data": [{"sample_index", "question", "answer"},
...]}`; `data/split/<task>__default.json` is `{"train": [...], "test": [...]}`, sorted sample indices.

Owns: both shapes, written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from reasoning.durable import new_file
from reasoning.forms import Stated


def write_dataset(
    folder: Path, task: str, questions: Sequence[Stated], train: Iterable[int], test: Iterable[int]
) -> tuple[Path, Path]:
    """Writes the data set of `questions`, each at its sample index, and the split into `train` and `test` (sample
    indices), below `folder`; returns where."""
    data = [
        {"sample_index": index, "question": stated.question, "answer": stated.answer}
        for index, stated in enumerate(questions)
    ]
    split = {"train": sorted(set(train)), "test": sorted(set(test))}
    dataset_path = folder / "dataset" / f"{task}.json"
    split_path = folder / "split" / f"{task}__default.json"
    with new_file(dataset_path) as part:
        part.write_text(json.dumps({"metadata": {"dataset_key": task}, "data": data}, indent=4), encoding="utf-8")
    with new_file(split_path) as part:
        part.write_text(json.dumps(split), encoding="utf-8")
    return dataset_path, split_path
