"""The recipes in the repository can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.recipe.fine_tune_cot import load_any_recipe
from reasoning.tasks.loading import spec_of
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_the_repository_is_valid_and_its_task_known(path: Path) -> None:
    recipe = load_any_recipe(path, data_folder=Path("/data"))
    assert spec_of(recipe.task).name == recipe.task.name


def test_every_recipe_has_a_name_of_its_own() -> None:
    names = [load_any_recipe(path, Path("/data")).name for path in RECIPES]
    assert len(set(names)) == len(names) >= 4


# What a run directory of each belongs to. One that changes here cannot be resumed by who has begun it.
FINGERPRINTS = {
    "coin_flip": "804c99ef3753e32b",
    "fine_tune_cot": "f92f1fb82e969335",
    "fine_tune_cot_published": "196c5a69aa9b483d",
    "gsm8k": "71aa382d8ff052bc",
    "gsm8k_file": "d61abfe0c57c67c1",
    "own_task": "78df24ebf9e7ae35",
    "quickstart": "abd6cc8a075b31d4",
    "smollm2": "d9d259947d708823",
}


def test_runs_of_the_repositorys_recipes_are_still_theirs() -> None:
    assert {path.stem: load_any_recipe(path, Path("/data")).fingerprint() for path in RECIPES} == FINGERPRINTS
