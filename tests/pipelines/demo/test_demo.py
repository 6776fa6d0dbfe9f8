"""`make demo`: its recipe needs nothing that a laptop lacks. (The command is run as a whole, not here.)"""

from __future__ import annotations

import pytest

from pipelines.demo.demo import QUESTIONS, RECIPE, ending
from pipelines.errors import Refused
from reasoning.recipe.tailored import load_recipe


def test_the_demo_needs_no_key_no_gpu_and_no_network() -> None:
    recipe = load_recipe(RECIPE)
    assert recipe.student.model == "embedded" and recipe.task.source == "generated"
    assert {teacher.kind for teacher in (recipe.teacher, recipe.teacher.for_first)} == {"offline"}
    assert not recipe.cluster.sampler_gpus and not recipe.cluster.trainer_gpus
    assert recipe.task.test is not None and recipe.task.test >= QUESTIONS


def test_the_demo_ends_as_a_program_does(capsys: pytest.CaptureFixture[str]) -> None:
    """What is refused is told without a traceback, and so is an interrupt."""

    def refuse() -> None:
        raise Refused("no room on the disk")

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert ending(lambda: None) == 0
    assert ending(refuse) != 0 and "no room on the disk" in capsys.readouterr().err
    assert ending(interrupt) == 130
