"""A run's prompts are those that its recipe names."""

from __future__ import annotations

from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe


def test_a_recipes_prompts_are_those_it_names() -> None:
    recipe = parse_recipe("teacher: {first_prompt: zero_shot_cot, feedback_prompt: explaining}", "a.yaml")
    prompts = run_prompts(recipe)
    assert prompts.first.then is not None and not prompts.first.shows_mistake
    assert prompts.feedback.shows_mistake and prompts.feedback.id.startswith("explaining-")
