"""Small runs under a Ray that exports its metrics, for their test: Ray's folder, the storage and recipes are given."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ray
from rich.console import Console

from pipelines.run.tailored import run
from reasoning.recipe.tailored import load_recipe

LAST_SCRAPES_S = 5.0


def main(folder: str, storage: str, *recipes: str) -> None:
    ray.init(address="local", num_cpus=4, include_dashboard=True, log_to_driver=False, _temp_dir=folder)
    for recipe in recipes:
        run(load_recipe(Path(recipe)).replace(storage_path=storage), recipe, Console())
    time.sleep(LAST_SCRAPES_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
