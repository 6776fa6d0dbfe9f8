"""Who sits an exam outside a run: a run's student, or a recipe's before any training. Nothing is started here."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.grading.exam import evaluate, examinee
from reasoning.files.data_error import DataError
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.records import Split
from tests.pipelines.serving.test_graduate import finished_run


def test_a_runs_student_is_its_best_rounds_with_the_runs_own_recipe(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    who = examinee(directory.path, None, None)
    assert (who.name, who.checkpoint) == ("mine, round 0", str(directory.round(0).student))
    assert who.recipe.student_engine() == directory.recipe().student_engine()
    assert examinee(directory.path, None, 1).checkpoint == str(directory.round(1).student)


def test_a_recipes_student_is_the_untaught_one(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("student: {max_model_len: 300}", encoding="utf-8")
    who = examinee(recipe, None, None)
    assert (who.name, who.checkpoint) == ("embedded, untaught", str(EMBEDDED_STUDENT))
    assert who.recipe.student_engine().max_model_len == 300


def test_a_split_without_questions_is_told_before_anything_starts(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("task: {train: 4, validation: 2, test: 2}", encoding="utf-8")
    with pytest.raises(DataError, match="no test questions"):
        evaluate(recipe, None, Split.TEST, 0, None, 1, None, None, Console(quiet=True))
