"""A grader of the user's own is tried before a run starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run.checks.grader_check import grader_faults
from reasoning.recipe.tailored import parse_recipe
from reasoning.tasks.loading import load_problems

MODULE = """
def good(question, gold, completion):
    return gold in completion

def never(question, gold, completion):
    return False

def failing(question, gold, completion):
    return question["x"]
"""


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("trial_graders:good", None),
        ("trial_graders:never", "says wrong of 'Answer: "),
        ("trial_graders:failing", "failed on the question 'Is it "),
        ("trial_graders:absent", "no function 'absent'"),
        ("absent_graders:good", "cannot be imported"),
    ],
)
def test_a_grader_is_tried_on_right_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str | None
) -> None:
    (tmp_path / "trial_graders.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    data = tmp_path / "my.csv"
    data.write_text("q,a\n" + "".join(f"Is it {i}?,{i}\n" for i in range(20)), encoding="utf-8")
    form = f"{{question: q, answer: a, kind: number, grader: '{name}'}}"
    recipe = parse_recipe(f"task: {{name: mine, source: file, path: {data}, form: {form}}}", "mine.yaml")
    faults = list(grader_faults(recipe, load_problems(recipe.task, 0)))
    assert [fault.place for fault in faults] == ["task.form.grader"] * (what is not None)
    assert all(what is not None and what in fault.what and name in fault.what for fault in faults), faults


def test_new_questions_have_no_settings_of_the_task() -> None:
    form = "{question: q, answer: a, kind: number, tolerance: 0.1}"
    task = f"{{name: mine, source: file, path: my.csv, form: {form}}}"
    recipe = parse_recipe(f"{{task: {task}, learning: {{new_questions: {{}}}}}}", "mine.yaml")
    assert [fault.place for fault in grader_faults(recipe, None)] == ["learning.new_questions"]
