"""Repeated questions are kept once, or counted on wish; those that contradict each other are refused or left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.tasks.loading import load_problems
from reasoning.tasks.repetitions.same import Record
from reasoning.tasks.rows import Stated
from tests.reasoning.tasks.published import all_of, coin_file, file_task, repeated


def test_repeated_questions_are_kept_once_and_told_with_their_places(tmp_path: Path) -> None:
    data = load_problems(repeated(tmp_path), 0)
    assert len(data.test) == 13 and len(data.train) + len(data.validation) == 4
    path = tmp_path / "coin_flip.json"
    assert data.notes == (
        f"3 questions are repeated ({path}, record 8 repeats record 6; record 0 repeats record 6; record 5 repeats "
        "record 6): kept once, in test rather than in train; 4 are left for training and 13 for the test.",
    )


def test_repeated_test_questions_count_when_they_are_kept(tmp_path: Path) -> None:
    data = load_problems(repeated(tmp_path, repeated="keep"), 0)
    assert len(data.test) == 14 and len({problem.id for problem in data.test}) == 14
    once = load_problems(repeated(tmp_path), 0)
    assert (data.train, data.validation) == (once.train, once.validation)
    assert {problem.id for problem in once.test} < {problem.id for problem in data.test}


def test_contradicting_questions_of_the_test_are_refused(tmp_path: Path) -> None:
    question = "Person 0 flips it. Is it still heads up?"
    path = coin_file(tmp_path, 20, row_5={"question": question, "answer": "yes"})
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": [1, 2, 3], "test": [0, 5]}), encoding="utf-8")
    with pytest.raises(DataError, match="appears twice") as caught:
        load_problems(file_task(path, splits=splits), 0)
    assert "record 5" in str(caught.value) and "record 0" in str(caught.value)


def test_contradicting_training_questions_of_a_published_set_are_left_out(tmp_path: Path) -> None:
    question = "Person 0 flips it. Is it still heads up?"
    path = coin_file(tmp_path, 20, row_5={"question": question, "answer": "yes"})
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": [0, 1, 2, 3, 5], "test": [9]}), encoding="utf-8")
    data = load_problems(file_task(path, splits=splits), 0)
    assert question not in all_of(data) and len(all_of(data)) == 4
    assert data.notes == (f"1 question has different answers, and left train: {path}, record 5 repeats record 0.",)


def test_a_question_is_the_same_however_its_accents_are_coded() -> None:
    records = [
        Record(Stated(f"Wie viele Eier hat J{o}rg?", "5"), f"line {n}") for n, o in enumerate(("\u00f6", "o\u0308"))
    ]
    assert len({record.key for record in records}) == 1
