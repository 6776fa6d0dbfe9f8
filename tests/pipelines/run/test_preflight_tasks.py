"""Preflight on tasks of the table and of a user's own: every fault of the data is told, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import Recipe, parse_recipe

RESOURCES = {"CPU": 4.0}


def own_task(folder: Path, bad: int = 0) -> Recipe:
    rows = [{"q": f"What is {i} + 1?", "a": i + 1 if i >= bad else "many"} for i in range(30)]
    path = folder / "my.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    form = "{question: q, answer: a, kind: number}"
    return parse_recipe(f"task: {{name: mine, source: file, path: {path}, form: {form}}}", "mine.yaml")


def test_a_task_of_ones_own_can_be_examined(tmp_path: Path) -> None:
    checked = check(own_task(tmp_path), "mine.yaml", RESOURCES, teacher=False)
    assert len(checked.data.test) == 9 and checked.data.test[0].task == "mine"


def test_the_offline_teacher_says_that_it_cannot_teach_it(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="the offline teacher cannot solve mine") as caught:
        check(own_task(tmp_path), "mine.yaml", RESOURCES)
    assert [fault.place for fault in caught.value.faults] == ["teacher.kind"]


def test_every_bad_row_is_a_fault_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(PreflightError) as caught:
        check(own_task(tmp_path, bad=3), "mine.yaml", RESOURCES, teacher=False)
    assert [fault.place for fault in caught.value.faults] == [f"{tmp_path / 'my.jsonl'}, line {i}" for i in (1, 2, 3)]


def test_a_task_without_a_form_is_told_how_to_have_one() -> None:
    recipe = parse_recipe("task: {name: mine, source: file, path: my.jsonl}", "mine.yaml")
    with pytest.raises(
        PreflightError, match=r"task\.name: no task 'mine'\. known are .* task\.form: \{question: FIELD"
    ):
        check(recipe, "mine.yaml", RESOURCES)


def test_test_questions_alone_are_for_an_exam(tmp_path: Path) -> None:
    text = "".join(json.dumps({"question": f"{i} + 1?", "answer": f"#### {i + 1}"}) + "\n" for i in range(5))
    (tmp_path / "gsm8k_test.jsonl").write_text(text, encoding="utf-8")
    recipe = parse_recipe(f"task: {{name: gsm8k, source: file, path: {tmp_path}}}", "mine.yaml")
    checked = check(recipe, "mine.yaml", RESOURCES, teacher=False)
    assert len(checked.data.test) == 5 and not checked.data.train and "test questions only" in checked.notes[0]
    with pytest.raises(PreflightError, match=r"gsm8k_train\.jsonl: no such file"):
        check(recipe, "mine.yaml", RESOURCES)
