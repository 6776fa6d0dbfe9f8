"""What preflight finds, sorted by what it is about; what passes is said too."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run.doctor.checks import State
from pipelines.run.doctor.examination import examine_recipe, shared_recipe
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import Recipe, parse_recipe

SMALL = "task: {train: 40, validation: 10, test: 10}\n"
PAID = "teacher: {{kind: openai, model: teacher, base_url: '{api}'}}\n"


def states(recipe: Recipe, **keys: bool) -> dict[str, State]:
    return {check.subject: check.state for check in examine_recipe(recipe, "mine.yaml", **keys)}


def test_a_good_recipe_passes_in_every_part() -> None:
    found = {check.subject: check for check in examine_recipe(parse_recipe(SMALL, "mine.yaml"), "mine.yaml")}
    assert {check.state for check in found.values()} == {State.PASS}
    assert {"data", "student", "resources", "learning", "teacher"} <= set(found)
    assert "40 questions" in found["data"].found


@pytest.mark.parametrize(
    ("text", "bad", "skipped"),
    [
        ("task: {source: file, path: nowhere.json}", {"data"}, {"learning", "teacher"}),
        (f"{SMALL}student: {{model: /no/such/folder}}", {"student"}, set()),
        (f"{SMALL}cluster: {{trainer_gpus: 400}}", {"resources"}, set()),
        (f"{SMALL}learning: {{first_questions: 41}}", {"learning"}, set()),
        (f"{SMALL}teacher: {{kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}}", {"teacher"}, set()),
        (f"{SMALL}student: {{model: /no/folder}}\ncluster: {{trainer_gpus: 400}}", {"student", "resources"}, set()),
    ],
)
def test_a_fault_is_of_its_part(text: str, bad: set[str], skipped: set[str]) -> None:
    found = states(parse_recipe(text, "mine.yaml"))
    assert {subject for subject, state in found.items() if state is State.FAIL} == bad
    assert {subject for subject, state in found.items() if state is State.SKIPPED} == skipped


def test_a_teacher_that_answers_and_has_no_price(api: str) -> None:
    found = states(parse_recipe(SMALL + PAID.format(api=api), "mine.yaml"))
    assert (found["teacher"], found["price"]) == (State.PASS, State.WARN)
    priced = PAID.format(api=api).replace("'}", "', price: {input: 1, output: 2}}")
    assert states(parse_recipe(SMALL + priced, "mine.yaml"))["price"] is State.PASS


def test_either_kind_of_run(tmp_path: Path) -> None:
    recipe = parse_cot_recipe(f"{SMALL}fine_tuning: {{degrees: [1]}}", "mine.yaml")
    found = {check.subject: check.state for check in examine_recipe(recipe, "mine.yaml")}
    assert {State.PASS} == set(found.values()) and shared_recipe(recipe).cluster == recipe.cluster
