"""Paper B's data sets and splits: a task's questions as that repository words and counts them.

`data/dataset/<task>.json` is `{"metadata": {"dataset_key": task}, "data": [{"sample_index", "question", "answer"},
...]}`; `data/split/<task>__default.json` is `{"train": [...], "test": [...]}`, sorted sample indices.

Owns: both shapes, written; the data set read, or gathered from a completion file that covers it. Its questions can then
be a task's own file: the way to rationales about questions that this project's task words otherwise (the options of
date_understanding, which that repository shuffles, so that its letters are others).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from reasoning.exchange.located_json import read_located
from reasoning.exchange.paper_b_completions import CompletionFile
from reasoning.exchange.solutions import text_fault
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.tasks.rows import Stated

_SHAPE = 'this format is {"metadata": {...}, "data": [{"sample_index": 0, "question": ..., "answer": ...}]}'


def read_dataset(path: Path) -> list[Stated]:
    """The questions of a data set, each at its sample index. Raises `DataError`: where one is missing, all that follow
    would be counted wrongly."""
    root = read_located(path, depth=2)
    data = dict(root.members or ()).get("data")
    if data is None or data.elements is None:
        raise DataError(f"{path}, line {root.line}", "it has no list 'data'", _SHAPE)
    questions = []
    for index, node in enumerate(data.elements):
        entry, place = node.value if isinstance(node.value, dict) else {}, f"{path}, line {node.line}"
        what = text_fault(entry.get("question"), "'question'") or text_fault(entry.get("answer"), "'answer'")
        if what is None and entry.get("sample_index", index) != index:
            what = f"its sample_index is {entry['sample_index']!r}, and it stands at {index}"
        if what is not None:
            raise DataError(place, what, _SHAPE)
        questions.append(Stated(entry["question"], entry["answer"]))
    return questions


def questions_of(file: CompletionFile) -> list[Stated]:
    """The questions that a completion file is about, each at its sample index. Raises `DataError` when it does not
    cover the data set from 0 on: a split counts all of its questions."""
    found = {one.sample_index: Stated(one.question, one.answer) for one in file.completions}
    missing = next((index for index in range(len(found)) if index not in found), None)
    if missing is not None or not found:
        what = f"it has no completion of sample {missing or 0}, so it does not say which questions there are"
        raise DataError(str(file.path), what, "give the data set itself (data/dataset/<task>.json)")
    return [found[index] for index in range(len(found))]


def write_questions(path: Path, questions: Sequence[Stated]) -> None:
    """Writes questions as a file that a recipe's `task.path` names, in their order."""
    rows = [{"question": stated.question, "answer": stated.answer} for stated in questions]
    with new_file(path) as part:
        part.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")


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
