"""Fine-tune-CoT from one command: bad input is refused before anything starts, and what fits is seen beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.fine_tune_cot import check_cot, fitted
from pipelines.run.preflight import PreflightError
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.student import EMBEDDED_STUDENT
from tests.pipelines.test_cli import said
from tests.tiny_students import tiny_student

THERE = Capacity.of_one({"CPU": 2.0, "GPU": 0.0})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine_tuning: {degrees: [1, 1]}", ("fine_tuning", "names a degree twice")),
        ("{fine_tuning: {}, learning: {rounds: 2}}", ("learning: unknown key", "fine_tuning")),
        ("fine_tuning: {training: {max_tokens: 99999}}", ("fine_tuning.training.max_tokens: 99999 tokens",)),
        ("{fine_tuning: {}, student: {prompt: fine_tune}}", ("student.prompt: the form fine_tune has no reasoning",)),
        (
            "fine_tuning: {degrees: [0], label_prompt: fine_tune_cot}",
            ("fine_tuning.label_prompt", "place for a rationale"),
        ),
        ("{fine_tuning: {}, teacher: {prompt: nobody}}", ("nobody", "zero_shot_cot")),
    ],
)
def test_bad_input_is_refused_before_anything_starts(text: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    path, storage = tmp_path / "recipe.yaml", tmp_path / "runs"
    path.write_text(text, encoding="utf-8")
    code, output = said("fine-tune-cot", str(path), "--storage", str(storage))
    assert code == 2
    assert all(part in output for part in expected), output
    assert "Traceback" not in output and not storage.exists()


def test_labels_alone_are_taught_where_no_teacher_could_help() -> None:
    """The offline teacher cannot solve this task, which is refused for degree 1 and does not matter for degree 0."""
    task = "{name: last_letter_concatenation, train: 20, validation: 5, test: 5}"
    assert check_cot(parse_cot_recipe(f"{{task: {task}, fine_tuning: {{degrees: [0]}}}}", "r"), "r", THERE).data.train
    unsolvable = "teacher: {kind: recorded, recorded: /no/such/file}"
    labels = parse_cot_recipe(f"{{task: {task}, {unsolvable}, fine_tuning: {{degrees: [0]}}}}", "r")
    assert check_cot(labels, "r", THERE).data.train
    rationales = parse_cot_recipe(f"{{task: {task}, {unsolvable}, fine_tuning: {{degrees: [1]}}}}", "r")
    with pytest.raises(PreflightError, match=r"teacher\.recorded"):
        check_cot(rationales, "r", THERE)


def test_a_short_student_is_asked_for_answers_that_fit(tmp_path: Path) -> None:
    student = tiny_student()  # of 512 positions
    student.model.save_pretrained(tmp_path)
    student.tokenizer.save_pretrained(tmp_path)
    assert fitted(parse_cot_recipe(f"student: {{model: {tmp_path}}}", "r")).student.max_new_tokens == 512
    assert EMBEDDED_STUDENT.is_dir() and fitted(parse_cot_recipe("{}", "r")).student.max_new_tokens == 1024
