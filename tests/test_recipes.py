"""The recipes and the cluster configuration in the repository can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

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


def test_the_cluster_configuration_is_one_that_ray_accepts() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["available_node_types"]["gpu"]["resources"]["GPU"] == 1
