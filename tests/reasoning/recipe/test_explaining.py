"""What is said of a recipe that cannot be run: what a misspelt word was meant to be, and types in plain words."""

from __future__ import annotations

import pytest

from reasoning.recipe.explaining import nearest
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import RecipeError, parse_recipe


def told(text: str) -> str:
    with pytest.raises(RecipeError) as refused:
        (parse_cot_recipe if "fine_tuning" in text else parse_recipe)(text, "r.yaml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {training: {epoch_s: 3}}", "learning.training.epoch_s: unknown key; did you mean epochs? known"),
        ("teacher: {max-tokens: 3}", "teacher.max-tokens: unknown key; did you mean max_tokens?"),
        ("teacher: {endpoints: [{wieght: 1}]}", "teacher.endpoints.0.wieght: unknown key; did you mean weight?"),
        ("lerning: {}", "lerning: unknown key; did you mean learning?"),
        ("zzz: 1", "zzz: unknown key; known here: cluster, learning"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(text: str, said: str) -> None:
    assert said in told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 3", "epochs belongs to learning.first_training or learning.training"),
        ("cluster: {max_cost: 3}", "max_cost belongs to teacher"),
        ("learning: {seed: 3}", "seed belongs to the top level"),
        ("learning: {sample: 3}", "did you mean samples, which belongs to learning.exam?"),
        ("fine_tuning: {epochs: 3}", "epochs belongs to fine_tuning.training"),
    ],
)
def test_a_key_of_another_section_is_sent_there(text: str, said: str) -> None:
    assert said in told(text)


def test_a_very_near_key_of_the_section_comes_before_the_same_word_elsewhere() -> None:
    assert "did you mean questions?" in told("learning: {exam: {question: 3}}")  # `question` is one of task.form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster: {placement: share}", "must be 'dedicated' or 'shared' (got 'share'); did you mean shared?"),
        ("task: {form: {question: q, answer: a, kind: nummer}}", "(got 'nummer'); did you mean number?"),
        ("task: {form: {question: q, answer: a, kind: yes-no}}", "did you mean yes_no?"),
    ],
)
def test_a_wrong_choice_names_the_nearest_one(text: str, said: str) -> None:
    assert said in told(text)


def test_a_choice_that_is_like_none_is_told_without_a_guess() -> None:
    assert "did you mean" not in told("cluster: {placement: nowhere}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {rounds: many}", "learning.rounds: must be a whole number (got 'many')"),
        ("learning: {rounds: 1.5}", "learning.rounds: must be a whole number (got 1.5)"),
        ("seed:", "seed: must be a whole number (got nothing)"),
        ("learning: {self_reflection: maybe}", "must be true or false (got 'maybe')"),
        ("cluster: {sampler_gpus: .inf}", "must be a finite number"),
        ("name: 12", "name: must be text (got 12); put it in quotes"),
        ("task: {form: {question: q, answer: no, kind: text}}", "must be text (got false); put it in quotes"),
        ("teacher: {api_version: 2024-10-21}", "teacher.api_version: must be text (got a date); put it in quotes"),
        ("teacher: {headers: {anthropic-version: 2023-06-01}}", "must be text (got a date); put it in quotes"),
        ("teacher: offline", "teacher: must be a section with keys of its own (got 'offline')"),
        ("teacher: [offline]", "teacher: must be a section with keys of its own (got a list)"),
        ("teacher: {temperature: 3}", "must be at most 2"),
        ("learning: {objective: {margin: {a: 1}}}", "must be a number (got keys)"),
        ("task: {form: {question: q, answer: a}}", "task.form.kind: is missing"),
        ("fine_tuning: {degrees: 3}", "fine_tuning.degrees: must be a list (got 3)"),
    ],
)
def test_wrong_values_are_told_in_plain_words(text: str, said: str) -> None:
    assert said in told(text)


def test_a_key_of_several_types_is_told_once() -> None:
    said = told("task: {form: {question: {a: b}, answer: a, kind: text}}")
    assert said.count("task.form.question") == 1 and "must be text or a list (got keys)" in said
    inside = told("task: {form: {question: [q, 1], answer: a, kind: text}}")
    assert inside.count("task.form.question") == 1 and "task.form.question.1: must be text (got 1)" in inside


def test_nearest_is_none_where_nothing_is_near() -> None:
    assert nearest("epoch", ["epochs", "batch_size"]) == "epochs"
    assert nearest("EPOCHS", ["epochs"]) == "epochs"
    assert nearest("x", ["epochs", "batch_size"]) is None
