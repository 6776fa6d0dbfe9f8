"""`make demo`: its recipe needs nothing that a laptop lacks. (The command is run as a whole, not here.)"""

from __future__ import annotations

from pipelines.demo.demo import QUESTIONS, RECIPE
from reasoning.recipe.tailored import load_recipe


def test_the_demo_needs_no_key_no_gpu_and_no_network() -> None:
    recipe = load_recipe(RECIPE)
    assert recipe.student.model == "embedded" and recipe.task.source == "generated"
    assert {teacher.kind for teacher in (recipe.teacher, recipe.teacher.for_first)} == {"offline"}
    assert not recipe.cluster.sampler_gpus and not recipe.cluster.trainer_gpus
    assert recipe.task.test is not None and recipe.task.test >= QUESTIONS
