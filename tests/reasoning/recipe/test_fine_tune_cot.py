"""A recipe of Fine-tune-CoT: the paper's settings where nothing is said, and no run that could not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_cot_recipe, parse_cot_recipe
from reasoning.recipe.tailored import RecipeError


def recipe(text: str = "{}") -> FineTuneCotRecipe:
    return parse_cot_recipe(text, "r.yaml")


def test_the_defaults_are_the_papers() -> None:
    own = recipe().at_degree(1)
    training, objective = own.learning.first_training, own.learning.objective
    assert (training.epochs, training.batch_size, training.learning_rate) == (20, 8, 3e-4)
    assert (training.schedule, training.warmup_steps, training.max_grad_norm) == ("constant", 0, None)
    assert (training.weight_decay, training.max_tokens) == (0.01, 512)
    assert objective.loss == "completion" and objective.contrastive_weight == 0
    assert own.student.prompt == "fine_tune_cot" and own.student.max_new_tokens == 1024
    assert own.teacher.first_prompt == "zero_shot_cot" and own.teacher.max_tokens == 128
    assert own.teacher.temperature == 0 and own.learning.filter == "answer" and own.learning.rounds == 0


def test_several_rationales_are_sampled_and_one_is_not() -> None:
    assert recipe("fine_tuning: {degrees: [1]}").teacher.temperature == 0.0
    assert recipe("fine_tuning: {degrees: [1, 8]}").teacher.temperature == 0.7
    assert recipe("fine_tuning: {degree: 8}").teacher.temperature == 0.7
    assert recipe("{fine_tuning: {degrees: [8]}, teacher: {temperature: 1.0}}").teacher.temperature == 1.0


def test_a_temperature_is_chosen_once_and_kept() -> None:
    one = recipe("fine_tuning: {degrees: [1]}")
    assert one.replace(name="other").teacher.temperature == 0.0
    assert FineTuneCotRecipe(teacher={"model": "m"}, fine_tuning={"degree": 2}).teacher.temperature == 0.7
    with pytest.raises(RecipeError, match=r"fine_tuning\.degree: .*'many'"):
        recipe("{fine_tuning: {degree: many}, teacher: {workers: 3}}")
    with pytest.raises(RecipeError, match="teacher"):
        recipe("{fine_tuning: {degree: 2}, teacher: nobody}")


def test_a_degree_learns_as_many_rationales_as_it_is() -> None:
    many = recipe("fine_tuning: {degrees: [1, 16]}").at_degree(16, 350)
    assert many.learning.first_rationales == many.learning.max_positives == 16
    assert many.learning.first_questions == 350
    assert not many.learning.self_reflection


def test_degree_zero_is_labels_in_a_form_without_reasoning() -> None:
    own = recipe("{fine_tuning: {degrees: [0, 1]}, student: {model: some/model}}")
    assert own.at_degree(0).student.prompt == "fine_tune"
    assert own.at_degree(0).student.model == own.at_degree(1).student.model == "some/model"
    assert recipe("fine_tuning: {degrees: [0]}").fine_tuning.collected == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine_tuning: {degrees: [1, 1]}", "names a degree twice"),
        ("fine_tuning: {degrees: []}", "fine_tuning.degrees"),
        ("fine_tuning: {degree: 2, degrees: [4]}", "2 rationales are too few for degrees up to 4"),
        ("{fine_tuning: {degrees: [4]}, teacher: {temperature: 0}}", "one rationale a question, and 4 are wanted"),
        (
            "fine_tuning: {epoch: best}",
            "fine_tuning.epoch: unknown key; epoch belongs to fine_tuning.training; known here: degree, degrees",
        ),
        ("learning: {rounds: 1}", "learning: unknown key"),
        ("fine_tuning: {loss: contrastive}", "fine_tuning.loss"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_its_key(text: str, expected: str) -> None:
    with pytest.raises(RecipeError, match=r"r\.yaml") as refused:
        recipe(text)
    assert expected in str(refused.value)


def test_more_degrees_make_no_other_run_but_other_settings_do() -> None:
    own = recipe("{fine_tuning: {degrees: [1]}, teacher: {temperature: 0.7}}")
    assert own.fingerprint() == recipe("{fine_tuning: {degrees: [0, 1, 8]}, teacher: {workers: 9}}").fingerprint()
    assert own.fingerprint() != recipe("{fine_tuning: {degrees: [1]}}").fingerprint()  # asked at temperature 0
    assert own.fingerprint() != recipe("{fine_tuning: {filter: none}, teacher: {temperature: 0.7}}").fingerprint()


def test_a_degrees_own_recipe_does_not_depend_on_the_other_degrees() -> None:
    few, many = (recipe(f"fine_tuning: {{degrees: {degrees}}}") for degrees in ("[2]", "[0, 2, 8]"))
    assert few.at_degree(2, 9).fingerprint() == many.at_degree(2, 9).fingerprint()


def test_answers_are_no_longer_than_the_students_context() -> None:
    assert recipe().within(512).at_degree(1).student.max_new_tokens == 512
    assert recipe().within(4096).at_degree(1).student.max_new_tokens == 1024
    assert recipe("student: {max_new_tokens: 64}").within(512).student.max_new_tokens == 64
    assert recipe().within(None).at_degree(1).student.max_new_tokens == 1024


def test_what_is_written_is_read_back_as_the_same_run(tmp_path: Path) -> None:
    import yaml

    own = recipe("{fine_tuning: {degrees: [0, 4]}, name: mine}").replace(seed=7).within(512)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(own.model_dump(mode="json")), encoding="utf-8")
    assert load_cot_recipe(file) == own
